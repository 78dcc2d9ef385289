package import Bridges

/// The numbered SQL of `migrations/postgres`, which is compiled into the binary.
package enum PostgresSchema {
    /// Each brings a database from its index to the next version.
    static let migrations = [
        PackageResources.postgres_0001_ledger_sql,
        PackageResources.postgres_0002_reconciliation_sql,
        PackageResources.postgres_0003_payout_lines_sql,
        PackageResources.postgres_0004_console_reading_sql,
    ].map { String(decoding: $0, as: UTF8.self) }
    static let version = Int64(migrations.count)
    /// What a role needs that does not own the tables; `:role` stands for its name.
    static let grants = String(decoding: PackageResources.postgres_grants_sql, as: UTF8.self)

    /// Of `pg_advisory_lock`: one migrates at a time. The bytes of "tillbox".
    private static let lock: Int64 = 0x0074_696C_6C62_6F78

    /// Who makes the ledger, and brings it up to date: whoever finds none is told of that one.
    package enum Maker: Sendable {
        /// `cloud prepare`
        case command
        /// A daemon's bridge, whose copy it is.
        case bridge
    }

    /// Makes the ledger, or brings an older one to this schema: each migration is one transaction.
    /// As the owner to be, who needs CREATE on the database. Blocking.
    package static func migrate(
        _ configuration: PostgresConfiguration, by maker: Maker = .command
    ) throws(LedgerError) {
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
                    throw try notAllowed(error, from: version, connection, maker)
                }
                version += 1
            }
            try check(connection, madeBy: maker)
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
        if stored < version { try migrate(configuration, by: .bridge) }
    }

    /// Why a migration may not be made.
    ///
    /// - Parameter stored: the schema that is there; 0 for none.
    private static func notAllowed(
        _ error: PostgresError, from stored: Int64, _ connection: PostgresConnection,
        _ maker: Maker
    ) throws -> LedgerError {
        guard stored > 0 else {
            return refusal(
                "the Postgres database has no ledger of this schema, and this role may not make "
                    + "one: grant it CREATE on the database, or run migrations/postgres as its "
                    + "owner (SQLSTATE 42501)", error.sqlState)
        }
        let rows = try connection.query(
            """
            SELECT pg_get_userbyid(nspowner)::text, current_user::text FROM pg_namespace
            WHERE nspname = 'tillbox'
            """)
        let (owner, role) = (try rows.text(0, 0), try rows.text(0, 1))
        guard owner != role else { return LedgerError(postgres: error) }
        let files = "the files of migrations/postgres behind number \(stored), each in one "
            + "transaction (psql -1)"
        return refusal(
            "the Postgres database has a ledger of schema \(stored), which belongs to the role "
                + "\(owner), and this program knows \(version): as \(owner), run "
                + (maker == .command ? "`tillbox cloud prepare`, or \(files)" : files)
                + "; then grant \(role) what grants.sql lists (SQLSTATE 42501)", error.sqlState)
    }

    private static func refusal(_ sentence: String, _ state: String? = nil) -> LedgerError {
        .server(state: state, detail: sentence, isRetryable: false)
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

    /// Gives a role what it needs to book and to read, as the owner. Blocking.
    package static func grant(
        to role: String, _ configuration: PostgresConfiguration
    ) throws(LedgerError) {
        do {
            let connection = try PostgresConnection.connect(configuration)
            defer { connection.close() }
            try connection.grant(grants, to: role)
        } catch {
            throw LedgerError(postgres: error)
        }
    }

    /// - Parameter maker: who makes, or brings up to date, what is looked for.
    /// - Throws: what this program cannot write to, each in a sentence.
    static func check(_ connection: PostgresConnection, madeBy maker: Maker) throws {
        let found = try storedVersion(connection)
        if found == version { return }
        guard found > 0 else { throw try missing(connection, maker) }
        let remedy =
            switch maker {
            case _ where found > version: "start a newer tillbox"
            case .command: "run `tillbox cloud prepare`"
            case .bridge: "a daemon of this release brings it up to date, by its bridge"
            }
        throw refusal(
            "the Postgres database has a ledger of schema \(found), and this program knows "
                + "\(version); \(remedy)")
    }

    /// That there is no ledger, and what to do: a database that others use is hardly the one that
    /// is meant.
    private static func missing(
        _ connection: PostgresConnection, _ maker: Maker
    ) throws -> LedgerError {
        let rows = try connection.query(
            """
            SELECT current_database()::text, count(*), min(nspname || '.' || relname)
            FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
            WHERE relkind IN ('r', 'p') AND nspname !~ '^(pg_|information_schema$)'
            """)
        let count = try rows.integer(0, 1)
        guard count > 0, let example = try rows.textOrNull(0, 2) else {
            return refusal(
                "the Postgres database has no ledger; "
                    + (maker == .command
                        ? "run `tillbox cloud prepare` once"
                        : "a daemon that has postgres among its bridges makes one"))
        }
        return refusal(
            "the Postgres database \(try rows.text(0, 0)) has no ledger, and "
                + (count == 1 ? "a table" : "\(count) tables")
                + " of another program (\(example)); check postgres.url: a ledger wants a "
                + "database of its own")
    }

    /// 0 where there is no ledger.
    ///
    /// - Throws: `PostgresError`; `LedgerError` where the schema's name is taken by something else.
    static func storedVersion(_ connection: PostgresConnection) throws -> Int64 {
        let found = try connection.query(
            """
            SELECT to_regnamespace('tillbox') IS NULL, to_regclass('tillbox.schema_version') IS NULL
                OR to_regclass('tillbox.head') IS NULL, current_database()::text
            """)
        if try found.boolean(0, 0) { return 0 }
        let foreign = refusal(
            "the Postgres database \(try found.text(0, 2)) has a schema tillbox that is no ledger "
                + "of this program; name a database of its own in postgres.url")
        if try found.boolean(0, 1) { throw foreign }
        do {
            let rows = try connection.query("SELECT max(version) FROM tillbox.schema_version")
            guard let version = try rows.integerOrNull(0, 0) else { throw foreign }
            return version
        } catch let error as PostgresError {
            // No such column, or one that holds no numbers.
            guard error.sqlState == "42703" || error.isMalformedAnswer else { throw error }
            throw foreign
        }
    }
}

extension PostgresError {
    fileprivate var isMalformedAnswer: Bool {
        if case .malformedAnswer = self { true } else { false }
    }
}
