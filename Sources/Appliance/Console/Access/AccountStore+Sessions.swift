import AppendLog
import Bridges
import Foundation
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
        String(hex: hash.prefix(idByteCount))
    }

    private static let idByteCount = 8

    /// What a hash of that name begins with; nil for what is no name of one.
    static func bytes(ofID id: String) -> [UInt8]? {
        let digits = Array(id.utf8)
        guard digits.count == 2 * idByteCount,
            digits.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
        else { return nil }
        return stride(from: 0, to: digits.count, by: 2).compactMap {
            UInt8(id.dropFirst($0).prefix(2), radix: 16)
        }
    }
}

extension AccountStore {
    // MARK: Sessions

    /// Begins a session; the user's oldest ends where there are too many.
    ///
    /// - Parameter user: as it was when it was let in; nil for the guest of the profile dev.
    /// - Returns: false where it stands so no more (``isStanding(_:_:)``), and no session is begun.
    func beginSession(_ hash: [UInt8], of user: UserAccount?, at now: Int64) throws -> Bool {
        try write { database in
            if let user, try !Self.isStanding(user, database) { return false }
            try Self.dropOver(database, now)
            let owner = AccountValue(user?.id)
            try database.change(
                """
                INSERT INTO sessions (hash, "user", created, last_seen) VALUES (?, ?, ?, ?)
                """, [.bytes(hash), owner, .integer(now), .integer(now)])
            // Each database has a `rowid` that tells two of one moment apart.
            try database.change(
                """
                DELETE FROM sessions WHERE "user" IS NOT DISTINCT FROM ? AND hash NOT IN (
                    SELECT hash FROM sessions WHERE "user" IS NOT DISTINCT FROM ?
                    ORDER BY created DESC, rowid DESC LIMIT ?)
                """, [owner, owner, .integer(Int64(AccessLimits.sessionsPerUserMax))])
            return true
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
            try database.row(Self.sessionRows + " WHERE sessions.hash = ?", [.bytes(hash)])
        }
        guard let row, try row.integerOrNull(6) == nil,
            let session = try SessionAccount(row, guest: guest), !Self.isOver(session, now)
        else { return nil }
        // Only noted: a full disk, or whoever has the accounts locked, keeps nobody out.
        if isUse, now - session.lastSeen >= AccessLimits.noteMilliseconds {
            try? writeAtOnce {
                try $0.change(
                    "UPDATE sessions SET last_seen = ? WHERE hash = ?",
                    [.integer(now), .bytes(hash)])
            }
        }
        return session
    }

    /// Sessions that are not over, the newest first.
    func sessions(guest: SessionGuest?, at now: Int64) throws -> [SessionAccount] {
        try read {
            try $0.rows(Self.sessionRows + " ORDER BY sessions.created DESC", [])
        }.compactMap { try SessionAccount($0, guest: guest) }.filter { !Self.isOver($0, now) }
    }

    func endSession(_ hash: [UInt8]) throws {
        _ = try write { try $0.change("DELETE FROM sessions WHERE hash = ?", [.bytes(hash)]) }
    }

    /// - Returns: whether there was one of that name.
    func endSession(id: String) throws -> Bool {
        guard let first = AccessSecret.bytes(ofID: id) else { return false }
        let rest = SHA256.byteCount - first.count
        return try write {
            try $0.change(
                "DELETE FROM sessions WHERE hash BETWEEN ? AND ?",
                [
                    .bytes(first + [UInt8](repeating: 0, count: rest)),
                    .bytes(first + [UInt8](repeating: .max, count: rest)),
                ])
        } > 0
    }

    /// Ends every session of a user; where one is named, every other one.
    ///
    /// - Returns: how many ended.
    /// - Throws: ``AccountRefusal``.
    func endSessions(of name: String, butOf kept: [UInt8]? = nil) throws -> Int {
        try write { database in
            let id = try Self.known(name, database)
            return try database.change(
                """
                DELETE FROM sessions WHERE "user" = ? AND hash IS DISTINCT FROM ?
                """, [.integer(id), AccountValue(kept)])
        }
    }

    /// Ends the sessions that have no account.
    func endGuestSessions() throws {
        _ = try write { try $0.change("DELETE FROM sessions WHERE \"user\" IS NULL", []) }
    }

    private static var sessionRows: String {
        """
        SELECT sessions.hash, sessions."user", sessions.created, sessions.last_seen,
            users.name, users.role, users.disabled
        FROM sessions LEFT JOIN users ON users.id = sessions."user"
        """
    }

    private static func isOver(_ session: SessionAccount, _ now: Int64) -> Bool {
        now - session.lastSeen >= AccessLimits.idleMilliseconds
            || now - session.created >= AccessLimits.sessionMilliseconds
            // Of a clock that was wrong: it would live too long.
            || session.created - now >= AccessLimits.idleMilliseconds
    }

    private static func dropOver(_ database: any AccountTables, _ now: Int64) throws {
        try database.change(
            "DELETE FROM sessions WHERE last_seen <= ? OR created <= ?",
            [
                .integer(now - AccessLimits.idleMilliseconds),
                .integer(now - AccessLimits.sessionMilliseconds),
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
            let known = try database.count(
                "SELECT count(*) FROM tokens WHERE lower(name) = lower(?)", [.text(name)])
            guard known == 0 else { throw AccountRefusal.nameTaken(name) }
            try database.change(
                """
                INSERT INTO tokens (id, name, role, hash, created, expires)
                VALUES (?, ?, ?, ?, ?, ?)
                """,
                [
                    .text(AccessSecret.id(of: randomBytes(count: 8))), .text(name),
                    .text(role.rawValue), .bytes(AccessSecret.hash(token)), .integer(now),
                    AccountValue(expires),
                ])
        }
        return token
    }

    /// So that whoever finds one knows what it opens.
    private static var tokenPrefix: String { "tillbox_" }
    private static var tokenRows: String {
        "SELECT id, name, role, created, expires, last_used FROM tokens"
    }

    /// In the order of their names, also those that have expired.
    package func tokens() throws -> [TokenAccount] {
        try read { try $0.rows(Self.tokenRows + " ORDER BY lower(name)", []) }
            .map { try TokenAccount($0) }
    }

    /// Removes a token, which opens nothing from then on.
    ///
    /// - Parameter name: its name or its id.
    /// - Throws: ``AccountRefusal``.
    package func removeToken(_ name: String) throws {
        guard AccountName.isUsable(name) else { throw AccountRefusal.unknown(name) }
        try write {
            let count = try $0.change(
                "DELETE FROM tokens WHERE lower(name) = lower(?) OR id = ?",
                [.text(name), .text(name)])
            guard count > 0 else { throw AccountRefusal.unknown(name) }
        }
    }

    /// The token that was shown.
    ///
    /// - Parameter isUse: whether it is noted that it was used.
    /// - Returns: nil for one that is unknown or has expired.
    func token(_ shown: String, at now: Int64, isUse: Bool = true) throws -> TokenAccount? {
        let hash = AccountValue.bytes(AccessSecret.hash(shown))
        let row = try read { try $0.row(Self.tokenRows + " WHERE hash = ?", [hash]) }
        guard let token = try row.map({ try TokenAccount($0) }),
            token.expires.map({ now < $0 }) ?? true
        else { return nil }
        if isUse, token.lastUsed.map({ now - $0 >= AccessLimits.noteMilliseconds }) ?? true {
            try? writeAtOnce {
                try $0.change(
                    "UPDATE tokens SET last_used = ? WHERE hash = ?", [.integer(now), hash])
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
    fileprivate init?(_ row: AccountRow, guest: SessionGuest?) throws {
        var known: (name: String, role: Role)?
        if let name = try row.textOrNull(4), let role = Role(rawValue: try row.text(5)) {
            known = (name, role)
        }
        guard let (name, role) = known ?? guest.map({ ($0.name, $0.role) }) else { return nil }
        self.init(
            id: AccessSecret.id(of: try row.bytes(0)), name: name, role: role,
            created: try row.integer(2), lastSeen: try row.integer(3))
    }
}

extension TokenAccount {
    fileprivate init(_ row: AccountRow) throws {
        self.init(
            id: try row.text(0), name: try row.text(1),
            role: Role(rawValue: try row.text(2)) ?? .viewer, created: try row.integer(3),
            expires: try row.integerOrNull(4), lastUsed: try row.integerOrNull(5))
    }
}
