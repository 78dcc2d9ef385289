import Bridges
import Foundation
import GRDB

/// Users, tokens, sessions and the audit log of a data folder: `console/accounts.sqlite`.
///
/// Blocking: call it from a queue of its own. The daemon and the command line may have it open at
/// once; each sees what the other has committed. A store that cannot be opened says so at each
/// call, so that the daemon goes on with the folder's own token.
package final class AccountStore: Sendable {
    private let opened: Result<DatabaseQueue, AccountsFailure>

    /// Opens the file, and makes it where it is missing.
    ///
    /// - Parameter path: of the file; its folder must exist.
    package init(at path: String) {
        do {
            // Made before SQLite makes it, which would give it the rights of the process's mask.
            let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
            guard file >= 0 else {
                throw AccountsFailure(
                    description: "cannot open \(path): \(String(cString: strerror(errno)))")
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
            opened = .success(queue)
        } catch let failure as AccountsFailure {
            opened = .failure(failure)
        } catch {
            opened = .failure(
                AccountsFailure(description: "the accounts in \(path) cannot be used: \(error)"))
        }
    }

    /// Why nobody can sign in; nil where the file could be opened.
    package var trouble: String? {
        if case .failure(let failure) = opened { failure.description } else { nil }
    }

    /// Closes the file; the last to close it empties the write-ahead log.
    package func close() {
        if case .success(let queue) = opened { try? queue.close() }
    }

    func read<Value>(_ body: (Database) throws -> Value) throws -> Value {
        try run { queue in try queue.read(body) }
    }

    func write<Value>(_ body: (Database) throws -> Value) throws -> Value {
        try run { queue in
            var value: Value?
            try queue.inTransaction(.immediate) { database in
                value = try body(database)
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
            throw AccountsFailure(description: "the accounts cannot be used: \(error)")
        }
    }
}

// MARK: Users

extension AccountStore {
    package func users() throws -> [UserAccount] {
        try read { try Row.fetchAll($0, sql: "SELECT * FROM users ORDER BY name") }
            .map { UserAccount($0) }
    }

    package func user(named name: String) throws -> UserAccount? {
        guard AccountName.isUsable(name) else { return nil }
        return try read {
            try Row.fetchOne($0, sql: "SELECT * FROM users WHERE name = ?", arguments: [name])
        }.map { UserAccount($0) }
    }

    package var hasUsers: Bool {
        get throws {
            try read { try Bool.fetchOne($0, sql: "SELECT EXISTS (SELECT 1 FROM users)") } ?? false
        }
    }

    /// Makes a user; sessions without an account end.
    ///
    /// - Parameters:
    ///   - password: as ``PasswordHash`` writes it.
    ///   - isFirst: whether there may be no other.
    ///   - keepsAdmin: whether the first account must be an admin's: the way in without an account
    ///     is closed with it, and nobody could make another.
    /// - Throws: ``AccountRefusal``.
    package func addUser(
        _ name: String, role: Role, password: String, at now: Int64, isFirst: Bool = false,
        keepsAdmin: Bool = false
    ) throws {
        try AccountName.check(name)
        try write { database in
            let count = try Int.fetchOne(database, sql: "SELECT count(*) FROM users") ?? 0
            guard !isFirst || count == 0 else { throw AccountRefusal.notFirst }
            guard !keepsAdmin || count > 0 || role == .admin else {
                throw AccountRefusal.firstIsNoAdmin
            }
            guard try Self.id(of: name, database) == nil else {
                throw AccountRefusal.nameTaken(name)
            }
            try database.execute(
                sql: "INSERT INTO users (name, role, password, created) VALUES (?, ?, ?, ?)",
                arguments: [name, role.rawValue, password, now])
            try database.execute(sql: "DELETE FROM sessions WHERE user IS NULL")
        }
    }

    /// Removes a user, and ends their sessions.
    ///
    /// - Parameter keepsAdmin: whether the last one with the role admin is refused.
    /// - Throws: ``AccountRefusal``.
    package func removeUser(_ name: String, keepsAdmin: Bool) throws {
        try write { database in
            let id = try Self.known(name, database)
            let hadAdmin = try Self.hasAdmin(database)
            try database.execute(sql: "DELETE FROM users WHERE id = ?", arguments: [id])
            if keepsAdmin, hadAdmin { try Self.checkAdmin(database) }
        }
    }

    /// - Parameter keepsAdmin: whether the last one with the role admin keeps it.
    /// - Throws: ``AccountRefusal``.
    package func setRole(_ role: Role, of name: String, keepsAdmin: Bool) throws {
        try write { database in
            let id = try Self.known(name, database)
            let hadAdmin = try Self.hasAdmin(database)
            try database.execute(
                sql: "UPDATE users SET role = ? WHERE id = ?", arguments: [role.rawValue, id])
            if keepsAdmin, hadAdmin { try Self.checkAdmin(database) }
        }
    }

    /// Lets a user sign in, or not; their sessions end with it.
    ///
    /// - Parameter moment: when they were switched off; nil lets them in again.
    /// - Throws: ``AccountRefusal``.
    package func setDisabled(_ moment: Int64?, of name: String, keepsAdmin: Bool) throws {
        try write { database in
            let id = try Self.known(name, database)
            let hadAdmin = try Self.hasAdmin(database)
            try database.execute(
                sql: "UPDATE users SET disabled = ? WHERE id = ?", arguments: [moment, id])
            if keepsAdmin, hadAdmin { try Self.checkAdmin(database) }
            try database.execute(sql: "DELETE FROM sessions WHERE user = ?", arguments: [id])
        }
    }

    /// Sets another password; every session of the user ends.
    ///
    /// - Parameter dropsCodes: whether one-time codes are no longer asked for: so somebody comes in
    ///   again who has lost what makes them.
    /// - Throws: ``AccountRefusal``.
    package func setPassword(_ password: String, of name: String, dropsCodes: Bool) throws {
        try write { database in
            let id = try Self.known(name, database)
            try database.execute(
                sql: "UPDATE users SET password = ? WHERE id = ?", arguments: [password, id])
            if dropsCodes {
                try database.execute(
                    sql: "UPDATE users SET code_secret = NULL, code_step = NULL WHERE id = ?",
                    arguments: [id])
            }
            try database.execute(sql: "DELETE FROM sessions WHERE user = ?", arguments: [id])
        }
    }

    /// - Parameters:
    ///   - secret: of one-time codes from now on; nil asks for none.
    ///   - step: of a code that was shown with it, and is good no more; nil for none.
    /// - Throws: ``AccountRefusal``.
    package func setCodeSecret(_ secret: [UInt8]?, of name: String, taken step: Int64? = nil) throws
    {
        try write { database in
            let id = try Self.known(name, database)
            try database.execute(
                sql: "UPDATE users SET code_secret = ?, code_step = ? WHERE id = ?",
                arguments: [secret.map { Data($0) }, step, id])
        }
    }

    /// Takes a one-time code's step, which is good once, and so is every one before it.
    ///
    /// - Returns: false where it, or a later one, was taken already.
    func takeCodeStep(_ step: Int64, of user: Int64) throws -> Bool {
        try write { database in
            try database.execute(
                sql: """
                    UPDATE users SET code_step = ? WHERE id = ?
                    AND (code_step IS NULL OR code_step < ?)
                    """, arguments: [step, user, step])
            return database.changesCount == 1
        }
    }

    private static func id(of name: String, _ database: Database) throws -> Int64? {
        guard AccountName.isUsable(name) else { return nil }
        return try Int64.fetchOne(
            database, sql: "SELECT id FROM users WHERE name = ?", arguments: [name])
    }

    /// - Throws: ``AccountRefusal/unknown(_:)``.
    static func known(_ name: String, _ database: Database) throws -> Int64 {
        guard let id = try id(of: name, database) else { throw AccountRefusal.unknown(name) }
        return id
    }

    /// Whether somebody with the role admin may sign in.
    private static func hasAdmin(_ database: Database) throws -> Bool {
        try Bool.fetchOne(
            database,
            sql: "SELECT EXISTS (SELECT 1 FROM users WHERE role = 'admin' AND disabled IS NULL)")
            ?? false
    }

    private static func checkAdmin(_ database: Database) throws {
        guard try hasAdmin(database) else { throw AccountRefusal.lastAdmin }
    }
}

extension UserAccount {
    fileprivate init(_ row: Row) {
        id = row["id"]
        name = row["name"]
        role = Role(rawValue: row["role"]) ?? .viewer
        password = row["password"]
        codeSecret = (row["code_secret"] as Data?).map { [UInt8]($0) }
        created = row["created"]
        disabled = row["disabled"]
    }
}
