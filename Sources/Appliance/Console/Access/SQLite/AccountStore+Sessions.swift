import AppendLog
import Bridges
import Foundation
import GRDB
import Vocabulary

/// What a browser or a program shows: 256 random bits, of which a hash is kept.
enum AccessSecret {
    static let usualByteCount = 32

    /// A new one, in base64url; of 256 bits it has 43 characters.
    static func make(byteCount: Int = usualByteCount) -> String {
        Data(randomBytes(count: byteCount)).base64EncodedString()
            .replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    /// What is kept of it. It is no guessable password, so that one digest does.
    static func hash(_ text: String) -> [UInt8] { SHA256.digest(Array(text.utf8)[...]) }

    /// The name of what is kept.
    static func id(of hash: some Collection<UInt8>) -> String {
        String(hex: hash.prefix(8))
    }
}

extension AccountStore {
    // MARK: Sessions

    /// Begins a session; the user's oldest ends where there are too many.
    ///
    /// - Parameter user: nil for the guest of the profile dev.
    func beginSession(_ hash: [UInt8], of user: Int64?, at now: Int64) throws {
        try write { database in
            try Self.dropOver(database, now)
            try database.execute(
                sql: "INSERT INTO sessions (hash, user, created, last_seen) VALUES (?, ?, ?, ?)",
                arguments: [Data(hash), user, now, now])
            try database.execute(
                sql: """
                    DELETE FROM sessions WHERE user IS ? AND hash NOT IN (
                        SELECT hash FROM sessions WHERE user IS ?
                        ORDER BY created DESC, rowid DESC LIMIT ?)
                    """, arguments: [user, user, AccessLimits.sessionsPerUserMax])
        }
    }

    /// Who a session is of.
    ///
    /// - Parameters:
    ///   - guest: who signs in without an account; nil where nobody does.
    ///   - isUse: whether it is noted that it was seen, which keeps it alive.
    /// - Returns: nil for one that is over, is unknown, or is of somebody who may not come in.
    func session(
        _ hash: [UInt8], guest: SessionGuest?, at now: Int64, isUse: Bool = true
    ) throws -> SessionAccount? {
        let row = try read { database in
            try Row.fetchOne(
                database, sql: Self.sessionRows + " WHERE sessions.hash = ?",
                arguments: [Data(hash)])
        }
        guard let row, row["disabled"] as Int64? == nil,
            let session = SessionAccount(row, guest: guest), !Self.isOver(session, now)
        else { return nil }
        // Only noted: a full disk keeps nobody out.
        if isUse, now - session.lastSeen >= AccessLimits.noteMilliseconds {
            try? write {
                try $0.execute(
                    sql: "UPDATE sessions SET last_seen = ? WHERE hash = ?",
                    arguments: [now, Data(hash)])
            }
        }
        return session
    }

    /// Sessions that are not over, the newest first.
    func sessions(guest: SessionGuest?, at now: Int64) throws -> [SessionAccount] {
        try read {
            try Row.fetchAll($0, sql: Self.sessionRows + " ORDER BY sessions.created DESC")
        }.compactMap { SessionAccount($0, guest: guest) }.filter { !Self.isOver($0, now) }
    }

    func endSession(_ hash: [UInt8]) throws {
        try write {
            try $0.execute(sql: "DELETE FROM sessions WHERE hash = ?", arguments: [Data(hash)])
        }
    }

    /// - Returns: whether there was one of that name.
    func endSession(id: String) throws -> Bool {
        try write {
            try $0.execute(
                sql: "DELETE FROM sessions WHERE substr(lower(hex(hash)), 1, 16) = ?",
                arguments: [id])
            return $0.changesCount > 0
        }
    }

    /// Ends every session of a user; where one is named, every other one.
    ///
    /// - Returns: how many ended.
    /// - Throws: ``AccountRefusal``.
    func endSessions(of name: String, butOf kept: [UInt8]? = nil) throws -> Int {
        try write { database in
            let id = try Self.known(name, database)
            try database.execute(
                sql: "DELETE FROM sessions WHERE user = ? AND hash IS NOT ?",
                arguments: [id, kept.map { Data($0) }])
            return database.changesCount
        }
    }

    /// Ends the sessions that have no account.
    func endGuestSessions() throws {
        try write { try $0.execute(sql: "DELETE FROM sessions WHERE user IS NULL") }
    }

    private static let sessionRows = """
        SELECT sessions.hash, sessions.user, sessions.created, sessions.last_seen,
            users.name, users.role, users.disabled
        FROM sessions LEFT JOIN users ON users.id = sessions.user
        """

    private static func isOver(_ session: SessionAccount, _ now: Int64) -> Bool {
        now - session.lastSeen >= AccessLimits.idleMilliseconds
            || now - session.created >= AccessLimits.sessionMilliseconds
            // Of a clock that was wrong: it would live too long.
            || session.created - now >= AccessLimits.idleMilliseconds
    }

    private static func dropOver(_ database: Database, _ now: Int64) throws {
        try database.execute(
            sql: "DELETE FROM sessions WHERE last_seen <= ? OR created <= ?",
            arguments: [
                now - AccessLimits.idleMilliseconds, now - AccessLimits.sessionMilliseconds,
            ])
    }

    // MARK: Tokens

    /// Makes a token.
    ///
    /// - Parameter expires: milliseconds since 1970; nil for never.
    /// - Returns: the token, which is kept nowhere.
    /// - Throws: ``AccountRefusal``.
    package func addToken(
        _ name: String, role: Role, expires: Int64?, at now: Int64
    ) throws -> String {
        try AccountName.check(name)
        let token = Self.tokenPrefix + AccessSecret.make()
        try write { database in
            let isTaken = try Bool.fetchOne(
                database, sql: "SELECT EXISTS (SELECT 1 FROM tokens WHERE name = ?)",
                arguments: [name])
            guard isTaken != true else { throw AccountRefusal.nameTaken(name) }
            try database.execute(
                sql: """
                    INSERT INTO tokens (id, name, role, hash, created, expires)
                    VALUES (?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    AccessSecret.id(of: randomBytes(count: 8)), name, role.rawValue,
                    Data(AccessSecret.hash(token)), now, expires,
                ])
        }
        return token
    }

    /// So that whoever finds one knows what it opens.
    private static let tokenPrefix = "tillbox_"

    package func tokens() throws -> [TokenAccount] {
        try read { try Row.fetchAll($0, sql: "SELECT * FROM tokens ORDER BY name") }
            .map { TokenAccount($0) }
    }

    /// - Parameter name: its name or its id.
    /// - Throws: ``AccountRefusal``.
    package func removeToken(_ name: String) throws {
        guard AccountName.isUsable(name) else { throw AccountRefusal.unknown(name) }
        try write {
            try $0.execute(
                sql: "DELETE FROM tokens WHERE name = ? OR id = ?", arguments: [name, name])
            guard $0.changesCount > 0 else { throw AccountRefusal.unknown(name) }
        }
    }

    /// The token that was shown.
    ///
    /// - Parameter isUse: whether it is noted that it was used.
    /// - Returns: nil for one that is unknown or has expired.
    func token(_ shown: String, at now: Int64, isUse: Bool = true) throws -> TokenAccount? {
        let hash = Data(AccessSecret.hash(shown))
        let row = try read {
            try Row.fetchOne($0, sql: "SELECT * FROM tokens WHERE hash = ?", arguments: [hash])
        }
        guard let token = row.map({ TokenAccount($0) }), token.expires.map({ now < $0 }) ?? true
        else { return nil }
        if isUse, token.lastUsed.map({ now - $0 >= AccessLimits.noteMilliseconds }) ?? true {
            try? write {
                try $0.execute(
                    sql: "UPDATE tokens SET last_used = ? WHERE hash = ?", arguments: [now, hash])
            }
        }
        return token
    }
}

/// Who comes in without an account, while there is none: the profile dev's user.
struct SessionGuest: Hashable, Sendable {
    var name = ReservedNames.guest
    var role = Role.admin
}

extension SessionAccount {
    /// - Returns: nil for one without an account where no guest is let in.
    fileprivate init?(_ row: Row, guest: SessionGuest?) {
        let known = (row["name"] as String?).flatMap { name in
            Role(rawValue: row["role"]).map { (name, $0) }
        }
        guard let (name, role) = known ?? guest.map({ ($0.name, $0.role) }) else { return nil }
        self.init(
            id: AccessSecret.id(of: row["hash"] as Data), name: name, role: role,
            created: row["created"], lastSeen: row["last_seen"])
    }
}

extension TokenAccount {
    fileprivate init(_ row: Row) {
        self.init(
            id: row["id"], name: row["name"], role: Role(rawValue: row["role"]) ?? .viewer,
            created: row["created"], expires: row["expires"], lastUsed: row["last_used"])
    }
}
