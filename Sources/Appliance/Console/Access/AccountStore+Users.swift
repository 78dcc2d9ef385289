// MARK: Users

extension AccountStore {
    private static var userRows: String {
        "SELECT id, name, role, password, code_secret, created, disabled FROM users"
    }

    /// In the order of their names.
    package func users() throws -> [UserAccount] {
        try read { try $0.rows(Self.userRows + " ORDER BY lower(name)", []) }
            .map { try UserAccount($0) }
    }

    /// A user by name, without regard to case; nil where nobody has it.
    package func user(named name: String) throws -> UserAccount? {
        guard AccountName.isUsable(name) else { return nil }
        return try read {
            try $0.row(Self.userRows + " WHERE lower(name) = lower(?)", [.text(name)])
        }.map { try UserAccount($0) }
    }

    /// Whether anybody has an account, also one that is switched off.
    package var hasUsers: Bool {
        get throws {
            try read { try $0.count("SELECT count(*) FROM users") } > 0
        }
    }

    /// Makes a user; sessions without an account end.
    ///
    /// - Parameters:
    ///   - password: as ``PasswordHash`` writes it.
    ///   - keepsAdmin: whether the first account must be an admin's: the way in without an account
    ///     is closed with it, and nobody could make another.
    /// - Throws: ``AccountRefusal``.
    package func addUser(
        _ name: String, role: Role, password: String, at now: Int64, keepsAdmin: Bool = false
    ) throws {
        try AccountName.check(name)
        try write { database in
            let count = try database.count("SELECT count(*) FROM users")
            guard !keepsAdmin || count > 0 || role == .admin else {
                throw AccountRefusal.firstIsNoAdmin
            }
            try Self.insert(name, role, password: password, at: now, database)
        }
    }

    /// Makes the first account, an admin's, by the code of the setup link, which is used up in the
    /// same transaction: an instance that ends in between leaves neither.
    ///
    /// - Parameters:
    ///   - password: as ``PasswordHash`` writes it.
    ///   - code: the hash of the link's code.
    /// - Returns: nil where the code is not the one, or was used.
    /// - Throws: ``AccountRefusal``, which leaves the code good.
    func addFirst(
        _ name: String, password: String, using code: [UInt8], at now: Int64
    ) throws -> UserAccount? {
        try AccountName.check(name)
        let isMade = try useSetup(code, at: now) { database in
            guard try database.count("SELECT count(*) FROM users") == 0 else {
                throw AccountRefusal.notFirst
            }
            try Self.insert(name, .admin, password: password, at: now, database)
        }
        return isMade ? try user(named: name) : nil
    }

    private static func insert(
        _ name: String, _ role: Role, password: String, at now: Int64,
        _ database: any AccountTables
    ) throws {
        guard try id(of: name, database) == nil else { throw AccountRefusal.nameTaken(name) }
        try database.change(
            "INSERT INTO users (name, role, password, created) VALUES (?, ?, ?, ?)",
            [.text(name), .text(role.rawValue), .text(password), .integer(now)])
        try database.change("DELETE FROM sessions WHERE \"user\" IS NULL", [])
    }

    /// Removes a user, and ends their sessions.
    ///
    /// - Parameter keepsAdmin: whether the last one with the role admin is refused.
    /// - Throws: ``AccountRefusal``.
    package func removeUser(_ name: String, keepsAdmin: Bool) throws {
        try write { database in
            let id = try Self.known(name, database)
            let hadAdmin = try Self.hasAdmin(database)
            try database.change("DELETE FROM users WHERE id = ?", [.integer(id)])
            if keepsAdmin, hadAdmin { try Self.checkAdmin(database) }
        }
    }

    /// Gives a user another role, which counts from the next request on.
    ///
    /// - Parameter keepsAdmin: whether the last one with the role admin keeps it.
    /// - Throws: ``AccountRefusal``.
    package func setRole(_ role: Role, of name: String, keepsAdmin: Bool) throws {
        try write { database in
            let id = try Self.known(name, database)
            let hadAdmin = try Self.hasAdmin(database)
            try database.change(
                "UPDATE users SET role = ? WHERE id = ?", [.text(role.rawValue), .integer(id)])
            if keepsAdmin, hadAdmin { try Self.checkAdmin(database) }
        }
    }

    /// Lets a user sign in, or not; their sessions end with it.
    ///
    /// - Parameters:
    ///   - moment: when they were switched off; nil lets them in again.
    ///   - keepsAdmin: whether the last one with the role admin is refused.
    /// - Throws: ``AccountRefusal``.
    package func setDisabled(_ moment: Int64?, of name: String, keepsAdmin: Bool) throws {
        try write { database in
            let id = try Self.known(name, database)
            let hadAdmin = try Self.hasAdmin(database)
            try database.change(
                "UPDATE users SET disabled = ? WHERE id = ?", [AccountValue(moment), .integer(id)])
            if keepsAdmin, hadAdmin { try Self.checkAdmin(database) }
            try database.change("DELETE FROM sessions WHERE \"user\" = ?", [.integer(id)])
        }
    }

    /// Sets another password; every session of the user ends.
    ///
    /// - Parameters:
    ///   - dropsCodes: whether one-time codes are no longer asked for: so somebody comes in again
    ///     who has lost what makes them.
    ///   - user: as it was when somebody showed its password, who may change it only where it still
    ///     stands so; nil for who may in any case.
    /// - Throws: ``AccountRefusal``.
    package func setPassword(
        _ password: String, of name: String, dropsCodes: Bool, knowing user: UserAccount? = nil
    ) throws {
        try write { database in
            try Self.check(user, database)
            let id = try Self.known(name, database)
            try database.change(
                "UPDATE users SET password = ? WHERE id = ?", [.text(password), .integer(id)])
            if dropsCodes {
                try database.change(
                    "UPDATE users SET code_secret = NULL, code_step = NULL WHERE id = ?",
                    [.integer(id)])
            }
            try database.change("DELETE FROM sessions WHERE \"user\" = ?", [.integer(id)])
        }
    }

    /// Asks a user for one-time codes, or no more.
    ///
    /// - Parameters:
    ///   - secret: of one-time codes from now on; nil asks for none.
    ///   - step: of a code that was shown with it, and is good no more; nil for none.
    ///   - user: as for ``setPassword(_:of:dropsCodes:knowing:)``.
    /// - Throws: ``AccountRefusal``.
    package func setCodeSecret(
        _ secret: [UInt8]?, of name: String, taken step: Int64? = nil,
        knowing user: UserAccount? = nil
    ) throws {
        try write { database in
            try Self.check(user, database)
            let id = try Self.known(name, database)
            try database.change(
                "UPDATE users SET code_secret = ?, code_step = ? WHERE id = ?",
                [AccountValue(secret), AccountValue(step), .integer(id)])
        }
    }

    /// Takes a one-time code's step, which is good once, and so is every one before it.
    ///
    /// - Returns: false where it, or a later one, was taken already.
    func takeCodeStep(_ step: Int64, of user: Int64) throws -> Bool {
        try write { database in
            try database.change(
                """
                UPDATE users SET code_step = ? WHERE id = ?
                AND (code_step IS NULL OR code_step < ?)
                """, [.integer(step), .integer(user), .integer(step)]) == 1
        }
    }

    /// Whether a user still comes in as when it was read. Where its id or its name was given again,
    /// it is another one: a password has a salt of its own.
    static func isStanding(_ user: UserAccount, _ database: any AccountTables) throws -> Bool {
        let row = try database.row(userRows + " WHERE id = ?", [.integer(user.id)])
        guard let now = try row.map({ try UserAccount($0) }), now.disabled == nil else {
            return false
        }
        return now.name == user.name && now.password == user.password
            && now.codeSecret == user.codeSecret
    }

    /// - Throws: ``AccountRefusal/changed(_:)`` where it does not.
    private static func check(_ user: UserAccount?, _ database: any AccountTables) throws {
        guard let user, try !isStanding(user, database) else { return }
        throw AccountRefusal.changed(user.name)
    }

    private static func id(of name: String, _ database: any AccountTables) throws -> Int64? {
        guard AccountName.isUsable(name) else { return nil }
        return try database.row(
            "SELECT id FROM users WHERE lower(name) = lower(?)", [.text(name)])?.integer(0)
    }

    /// - Throws: ``AccountRefusal/unknown(_:)``.
    static func known(_ name: String, _ database: any AccountTables) throws -> Int64 {
        guard let id = try id(of: name, database) else { throw AccountRefusal.unknown(name) }
        return id
    }

    /// Whether somebody with the role admin may sign in.
    private static func hasAdmin(_ database: any AccountTables) throws -> Bool {
        try database.count(
            "SELECT count(*) FROM users WHERE role = 'admin' AND disabled IS NULL") > 0
    }

    private static func checkAdmin(_ database: any AccountTables) throws {
        guard try hasAdmin(database) else { throw AccountRefusal.lastAdmin }
    }
}

extension UserAccount {
    fileprivate init(_ row: AccountRow) throws {
        id = try row.integer(0)
        name = try row.text(1)
        role = Role(rawValue: try row.text(2)) ?? .viewer
        password = try row.text(3)
        codeSecret = try row.bytesOrNull(4)
        created = try row.integer(5)
        disabled = try row.integerOrNull(6)
    }
}
