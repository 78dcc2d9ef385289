package import Bridges

/// The numbered SQL of `migrations/postgres`, which is compiled into the binary.
package enum PostgresSchema {
    /// Each brings a database from its index to the next version.
    static let migrations = [
        PackageResources.postgres_0001_ledger_sql,
        PackageResources.postgres_0002_reconciliation_sql,
    ].map { String(decoding: $0, as: UTF8.self) }
    static let version = Int64(migrations.count)
    /// What a role needs that does not own the tables; `:role` stands for its name.
    static let grants = String(decoding: PackageResources.postgres_grants_sql, as: UTF8.self)

    /// Of `pg_advisory_lock`: one migrates at a time. The bytes of "tillbox".
    private static let lock: Int64 = 0x0074_696C_6C62_6F78

    /// Makes the ledger, or brings an older one to this schema: each migration is one transaction.
    /// As the owner to be, who needs CREATE on the database. Blocking.
    package static func migrate(_ configuration: PostgresConfiguration) throws(LedgerError) {
        do {
            let connection = try PostgresConnection.connect(configuration)
            defer { connection.close() }
            _ = try connection.query("SELECT pg_advisory_lock($1)", [.integer(lock)])
            var version = try storedVersion(connection)
            while version < Self.version {
                let sql = migrations[Int(version)]
                do {
                    try connection.transaction { try $0.execute(sql) }
                } catch let error as PostgresError where error.sqlState == "42501" {
                    throw Self.notAllowed(error)
                }
                version += 1
            }
            try check(connection)
        } catch {
            throw LedgerError(postgres: error)
        }
    }

    /// Makes the ledger where there is none, or none of this schema; see `migrate`. Blocking.
    package static func migrateIfNeeded(
        _ configuration: PostgresConfiguration
    ) throws(LedgerError) {
        let stored: Int64
        do {
            let connection = try PostgresConnection.connect(configuration)
            defer { connection.close() }
            stored = try storedVersion(connection)
        } catch {
            throw LedgerError(postgres: error)
        }
        if stored < version { try migrate(configuration) }
    }

    /// What the ledger of a database is booked from, as its table `logs` has it, whatever its
    /// schema; nothing where there is no ledger. Blocking.
    package static func notes(
        in configuration: PostgresConfiguration
    ) throws(LedgerError) -> [String] {
        do {
            let connection = try PostgresConnection.connect(configuration)
            defer { connection.close() }
            guard try storedVersion(connection) > 0 else { return [] }
            let rows = try connection.query("SELECT identity FROM tillbox.logs")
            return try (0..<rows.count).map { try rows.text($0, 0) }
        } catch {
            throw LedgerError(postgres: error)
        }
    }

    private static func notAllowed(_ error: PostgresError) -> LedgerError {
        .server(
            state: error.sqlState,
            detail: "the Postgres database has no ledger of this schema, and this role may not "
                + "make one: grant it CREATE on the database, or run migrations/postgres as its "
                + "owner (SQLSTATE 42501)", isRetryable: false)
    }

    /// Gives a role what it needs to book and to read, as the owner. Blocking.
    package static func grant(
        to role: String, _ configuration: PostgresConfiguration
    ) throws(LedgerError) {
        do {
            let connection = try PostgresConnection.connect(configuration)
            defer { connection.close() }
            let name = "\"\(role.replacing("\"", with: "\"\""))\""
            let sql = grants.split(separator: "\n").filter { !$0.hasPrefix("--") }
                .joined(separator: "\n").replacing(":role", with: name)
            try connection.transaction { try $0.execute(sql) }
        } catch {
            throw LedgerError(postgres: error)
        }
    }

    /// - Throws: what this program cannot write to, each in a sentence.
    static func check(_ connection: PostgresConnection) throws {
        let version = try storedVersion(connection)
        if version == Self.version { return }
        let (words, remedy) =
            version == 0
            ? ("no ledger", "run `tillbox cloud prepare` once, or let a daemon's bridge make it")
            : (
                "a ledger of schema \(version), and this program knows \(Self.version)",
                version > Self.version
                    ? "start a newer tillbox"
                    : "run `tillbox cloud prepare`, or let a daemon's bridge bring it up to date"
            )
        throw LedgerError.server(
            state: nil, detail: "the Postgres database has \(words); \(remedy)", isRetryable: false)
    }

    /// 0 where there is no ledger.
    static func storedVersion(_ connection: PostgresConnection) throws(PostgresError) -> Int64 {
        let found = try connection.query("SELECT to_regclass('tillbox.schema_version') IS NULL")
        if try found.boolean(0, 0) { return 0 }
        let rows = try connection.query("SELECT max(version) FROM tillbox.schema_version")
        return try rows.integerOrNull(0, 0) ?? 0
    }
}
