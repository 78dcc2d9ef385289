import Appliance
import Bridges
import Foundation
import GRDB
import Synchronization

/// The accounts of a data folder: `console/accounts.sqlite`.
///
/// The daemon and the command line may have it open at once; each sees what the other has
/// committed. A store that cannot be opened says so at each call, so that the daemon goes on with
/// the folder's own token.
///
/// Whoever else has it locked, such as somebody's sqlite3 in a transaction, keeps changes waiting
/// for a second; what is read, and what is only noted, never waits for that.
package final class FolderAccounts: AccountStore {
    /// A connection for each way of waiting: each of them has one line.
    private struct Doors {
        let reading: DatabaseQueue
        let writing: DatabaseQueue
        let noting: DatabaseQueue

        var all: [DatabaseQueue] { [reading, noting, writing] }
    }

    private let opened: Result<Doors, AccountsFailure>
    /// With what the last change failed that found the file locked, and until when that is the
    /// answer to those that stood in line behind it.
    private let locked = Mutex<(until: ContinuousClock.Instant, error: DatabaseError)?>(nil)
    /// What opens the door to the first person; each start has another one.
    private let setup = Mutex<[UInt8]?>(nil)
    /// What was found when it was read, and holds for good: that it is damaged.
    private let damage = Mutex<AccountsFailure?>(nil)

    package let throttle: any LoginThrottling = LoginThrottle()
    package let remedy: String

    private static let anew = "move console/accounts.sqlite away to begin anew"
    /// How long a start waits for whoever has the file locked, and later on a change.
    private static let openingSeconds = 5.0
    private static let writingMilliseconds = 1_000
    private static let lockedFor = Duration.milliseconds(250)

    /// Opens the file, and makes it where it is missing.
    ///
    /// - Parameter path: of the file; its folder must exist.
    package init(at path: String) {
        do {
            // Made before SQLite makes it, which would give it the rights of the process's mask.
            let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
            guard file >= 0 else {
                throw Unopened(
                    "cannot open \(path): \(String(cString: strerror(errno)))",
                    "let the daemon's user read and write it, and start again")
            }
            Foundation.close(file)
            (opened, remedy) = (.success(try Self.doors(path)), Self.anew)
        } catch let unopened as Unopened {
            (opened, remedy) = (.failure(unopened.failure), unopened.remedy)
        } catch let newer as AccountsFailure {
            (opened, remedy) = (.failure(newer), "start that one")
        } catch {
            let words = "the accounts in \(path) cannot be used: \(Self.words(error))"
            let isLocked = (error as? DatabaseError).map(Self.isLocked) ?? false
            opened = .failure(AccountsFailure(description: words))
            remedy = isLocked ? "start again then" : Self.anew
        }
    }

    /// Opens the file to look at it: nothing is made or changed, and one of an earlier version is
    /// left that.
    ///
    /// - Parameter path: of the file, which must exist.
    package init(readingAt path: String) {
        do {
            var configuration = Configuration()
            configuration.readonly = true
            configuration.busyMode = .timeout(Self.openingSeconds)
            let door = try DatabaseQueue(path: path, configuration: configuration)
            try door.read { _ = try AccountSchema.known(AccountSchema.version(of: $0)) }
            (opened, remedy) = (
                .success(Doors(reading: door, writing: door, noting: door)), Self.anew
            )
        } catch {
            let words = "the accounts in \(path) cannot be read: \(Self.words(error))"
            (opened, remedy) = (.failure(AccountsFailure(description: words)), Self.anew)
        }
    }

    private static func doors(_ path: String) throws -> Doors {
        let writing = try door(path, synchronous: "FULL")
        // Whoever has it locked need not be waited for where nothing is to be made.
        if try writing.read({ try AccountSchema.version(of: $0) }) != AccountSchema.version {
            try keepCopy(of: path, writing)
            // Immediate: another process may make the tables at the same moment.
            try writing.inTransaction(.immediate) {
                try AccountSchema.prepare($0)
                return .commit
            }
        }
        let doors = Doors(
            reading: try door(path, synchronous: "FULL"), writing: writing,
            // Without a sync: a note may be lost, as long as the file stays whole.
            noting: try door(path, synchronous: "NORMAL"))
        for (door, milliseconds) in [
            (doors.reading, writingMilliseconds), (doors.writing, writingMilliseconds),
            (doors.noting, 0),
        ] {
            try door.writeWithoutTransaction {
                try $0.execute(sql: "PRAGMA busy_timeout = \(milliseconds)")
            }
        }
        return doors
    }

    /// A connection that waits as a start does.
    private static func door(_ path: String, synchronous: String) throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.busyMode = .timeout(openingSeconds)
        configuration.prepareDatabase { database in
            try database.execute(
                sql: "PRAGMA journal_mode = WAL; PRAGMA synchronous = \(synchronous)")
        }
        return try DatabaseQueue(path: path, configuration: configuration)
    }

    /// Before a newer schema is brought to it.
    private static func keepCopy(of path: String, _ queue: DatabaseQueue) throws {
        let version = try queue.read { try AccountSchema.version(of: $0) }
        guard version > 0, version < AccountSchema.version else { return }
        do {
            try SchemaCopy.keep(of: path, schema: Int64(version))
        } catch {
            throw Unopened(
                "\(path) is of an older Tillbox, and no copy of it could be kept before it is "
                    + "brought forward: \(error)", "make room for it and start again")
        }
    }

    /// A file that the system does not open.
    private struct Unopened: Error {
        var failure: AccountsFailure
        var remedy: String

        init(_ words: String, _ remedy: String) {
            (failure, self.remedy) = (AccountsFailure(description: words), remedy)
        }
    }

    package var trouble: String? {
        if case .failure(let failure) = opened { return failure.description }
        return damage.withLock { $0?.description }
    }

    /// Closes the file; the last to close it empties the write-ahead log.
    package func close() {
        if case .success(let doors) = opened { for door in doors.all { try? door.close() } }
    }

    package func read<Value>(_ body: (any AccountTables) throws -> Value) throws -> Value {
        try run { doors in try doors.reading.read { try body(FolderTables(database: $0)) } }
    }

    package func write<Value>(_ body: (any AccountTables) throws -> Value) throws -> Value {
        try run { doors in
            try doors.writing.writeWithoutTransaction { database in
                if let locked = locked.withLock({ $0 }), ContinuousClock.now < locked.until {
                    throw locked.error
                }
                do {
                    return try Self.transaction(database, body)
                } catch let error as DatabaseError where Self.isLocked(error) {
                    locked.withLock { $0 = (ContinuousClock.now + Self.lockedFor, error) }
                    throw error
                }
            }
        }
    }

    package func writeAtOnce(_ body: (any AccountTables) throws -> Void) throws {
        try run { doors in
            try doors.noting.writeWithoutTransaction { try Self.transaction($0, body) }
        }
    }

    private static func transaction<Value>(
        _ database: Database, _ body: (any AccountTables) throws -> Value
    ) throws -> Value {
        var value: Value?
        try database.inTransaction(.immediate) {
            value = try body(FolderTables(database: database))
            return .commit
        }
        guard let value else { preconditionFailure("a transaction ended without its body") }
        return value
    }

    private static func isLocked(_ error: DatabaseError) -> Bool {
        error.resultCode.primaryResultCode == .SQLITE_BUSY
    }

    private func run<Value>(_ body: (Doors) throws -> Value) throws -> Value {
        do {
            return try body(try opened.get())
        } catch let error as DatabaseError {
            let failure = AccountsFailure(
                description: "the accounts cannot be used: \(Self.words(error))")
            let isDamage = [ResultCode.SQLITE_CORRUPT, .SQLITE_NOTADB]
                .contains(error.resultCode.primaryResultCode)
            if isDamage { damage.withLock { $0 = failure } }
            throw failure
        }
    }

    /// Without the statement, which is nothing to whoever asks.
    private static func words(_ error: any Error) -> String {
        guard let error = error as? DatabaseError else { return "\(error)" }
        guard error.resultCode.primaryResultCode != .SQLITE_FULL else {
            return "the disk of console/accounts.sqlite is full; free some space"
        }
        guard !isLocked(error) else {
            return "another program has console/accounts.sqlite locked, such as sqlite3 in a "
                + "transaction; end that, and try again"
        }
        let code = error.extendedResultCode.rawValue
        return "SQLite error \(code)" + (error.message.map { ": \($0)" } ?? "")
    }

    // MARK: The first person

    package func offerSetup(_ hash: [UInt8], at now: Int64) throws -> Bool {
        setup.withLock { $0 = hash }
        return true
    }

    package func knowsSetup(_ hash: [UInt8], at now: Int64) throws -> Bool {
        setup.withLock { $0.map { equalInConstantTime($0, hash) } ?? false }
    }

    package func useSetup(
        _ hash: [UInt8], at now: Int64, _ body: (any AccountTables) throws -> Void
    ) throws -> Bool {
        try setup.withLock { known in
            guard let good = known, equalInConstantTime(good, hash) else { return false }
            // The code lives in this process alone: it is good until the change is on the disk.
            try write(body)
            known = nil
            return true
        }
    }
}

private struct FolderTables: AccountTables {
    let database: Database

    func rows(_ sql: String, _ values: [AccountValue]) throws -> [AccountRow] {
        try Row.fetchAll(database, sql: sql, arguments: Self.arguments(values)).map { row in
            AccountRow(row.databaseValues.map { AccountValue($0) })
        }
    }

    func change(_ sql: String, _ values: [AccountValue]) throws -> Int {
        try database.execute(sql: sql, arguments: Self.arguments(values))
        return database.changesCount
    }

    func lastAuditNumber() throws -> Int64 {
        // What SQLite has given last, also where the last entries were taken away.
        try Int64.fetchOne(
            database, sql: "SELECT seq FROM sqlite_sequence WHERE name = 'audit'") ?? 0
    }

    private static func arguments(_ values: [AccountValue]) -> StatementArguments {
        StatementArguments(
            values.map { value -> DatabaseValue in
                switch value {
                case .null: .null
                case .integer(let number): number.databaseValue
                case .text(let text): text.databaseValue
                case .bytes(let bytes): Data(bytes).databaseValue
                }
            })
    }
}

extension AccountValue {
    fileprivate init(_ value: DatabaseValue) {
        switch value.storage {
        case .null: self = .null
        case .int64(let number): self = .integer(number)
        // No column is of this type.
        case .double: self = .null
        case .string(let text): self = .text(text)
        case .blob(let data): self = .bytes([UInt8](data))
        }
    }
}
