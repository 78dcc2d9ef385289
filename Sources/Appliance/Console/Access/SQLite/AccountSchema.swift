import GRDB

/// The tables of `console/accounts.sqlite` (docs/formats/accounts.md).
package enum AccountSchema {
    /// `PRAGMA user_version` of this schema.
    package static let version = 2

    /// Brings a new file, or one of an earlier version, to this schema.
    ///
    /// - Throws: ``AccountsFailure`` for a file of a later version.
    static func prepare(_ database: Database) throws {
        let found = try known(version(of: database))
        guard found < version else { return }
        if found < 1 { try database.execute(sql: tables) }
        try database.execute(sql: refunds)
        try database.execute(sql: "PRAGMA user_version = \(version)")
    }

    /// The version that a file has; 0 of a new one.
    static func version(of database: Database) throws -> Int {
        try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
    }

    /// - Throws: ``AccountsFailure`` for a later version than this program's.
    static func known(_ found: Int) throws(AccountsFailure) -> Int {
        guard found <= version else {
            throw AccountsFailure(
                description: "the accounts are of schema \(found), and this program knows "
                    + "\(version): they are a newer Tillbox's")
        }
        return found
    }

    /// Since version 2.
    private static let refunds = """
        CREATE TABLE refunds (
            movement TEXT NOT NULL PRIMARY KEY,
            by TEXT NOT NULL,
            note TEXT NOT NULL,
            wanted_at INTEGER NOT NULL,
            changed_at INTEGER NOT NULL,
            state TEXT NOT NULL
                CHECK (state IN ('wanted', 'asking', 'made', 'refused', 'unknown', 'dropped')),
            detail TEXT NOT NULL,
            status TEXT NOT NULL
        ) STRICT;
        CREATE INDEX refunds_open ON refunds (wanted_at) WHERE state IN ('wanted', 'asking');
        """

    private static let tables = """
        CREATE TABLE users (
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL UNIQUE COLLATE NOCASE,
            role TEXT NOT NULL CHECK (role IN ('viewer', 'reviewer', 'admin')),
            password TEXT NOT NULL,
            code_secret BLOB,
            code_step INTEGER,
            created INTEGER NOT NULL,
            disabled INTEGER
        ) STRICT;
        CREATE TABLE tokens (
            id TEXT PRIMARY KEY,
            name TEXT NOT NULL UNIQUE COLLATE NOCASE,
            role TEXT NOT NULL CHECK (role IN ('viewer', 'reviewer', 'admin')),
            hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
            created INTEGER NOT NULL,
            expires INTEGER,
            last_used INTEGER
        ) STRICT;
        CREATE TABLE sessions (
            hash BLOB NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
            user INTEGER REFERENCES users (id) ON DELETE CASCADE,
            created INTEGER NOT NULL,
            last_seen INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX sessions_by_user ON sessions (user);
        CREATE TABLE audit (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            at INTEGER NOT NULL,
            who TEXT NOT NULL,
            what TEXT NOT NULL,
            place TEXT NOT NULL,
            detail TEXT NOT NULL,
            hash BLOB NOT NULL CHECK (length(hash) = 32)
        ) STRICT;
        CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit log is only appended to'); END;
        CREATE TRIGGER audit_is_not_shortened BEFORE DELETE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit log is only appended to'); END;
        """
}
