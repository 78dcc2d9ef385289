import Bridges
import Foundation
import GRDB
import Synchronization

/// The accounts of a data folder: `console/accounts.sqlite`.
///
/// The daemon and the command line may have it open at once; each sees what the other has
/// committed. A store that cannot be opened says so at each call, so that the daemon goes on with
/// the folder's own token.
package final class FolderAccounts: AccountStore {
    private let opened: Result<DatabaseQueue, AccountsFailure>
    /// What opens the door to the first person; each start has another one.
    private let setup = Mutex<[UInt8]?>(nil)
    /// What was found when it was read, and holds for good: that it is damaged.
    private let damage = Mutex<AccountsFailure?>(nil)

    package let throttle: any LoginThrottling = LoginThrottle()
    package let remedy: String

    private static let anew = "move console/accounts.sqlite away to begin anew"

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
            var configuration = Configuration()
            configuration.busyMode = .timeout(5)
            configuration.prepareDatabase { database in
                try database.execute(
                    sql: "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
            }
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            // Immediate: another process may make the tables at the same moment.
            try queue.inTransaction(.immediate) {
                try AccountSchema.prepare($0)
                return .commit
            }
            (opened, remedy) = (.success(queue), Self.anew)
        } catch let unopened as Unopened {
            (opened, remedy) = (.failure(unopened.failure), unopened.remedy)
        } catch let newer as AccountsFailure {
            (opened, remedy) = (.failure(newer), "start that one")
        } catch {
            let words = "the accounts in \(path) cannot be used: \(Self.words(error))"
            (opened, remedy) = (.failure(AccountsFailure(description: words)), Self.anew)
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
        if case .success(let queue) = opened { try? queue.close() }
    }

    package func read<Value>(_ body: (any AccountTables) throws -> Value) throws -> Value {
        try run { queue in try queue.read { try body(FolderTables(database: $0)) } }
    }

    package func write<Value>(_ body: (any AccountTables) throws -> Value) throws -> Value {
        try run { queue in
            var value: Value?
            try queue.inTransaction(.immediate) { database in
                value = try body(FolderTables(database: database))
                return .commit
            }
            guard let value else { preconditionFailure("a transaction ended without its body") }
            return value
        }
    }

    private func run<Value>(_ body: (DatabaseQueue) throws -> Value) throws -> Value {
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
