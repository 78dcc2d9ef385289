import Appliance
package import Bridges

/// The numbered SQL of `migrations/postgres-console`, which is compiled into the binary: the
/// console's accounts beside the ledger in Postgres, in a schema of their own.
package enum ConsoleSchema {
    /// Each brings a database from its index to the next version.
    static let migrations = [PackageResources.console_0001_accounts_sql]
        .map { String(decoding: $0, as: UTF8.self) }
    static let version = Int64(migrations.count)
    /// What a role needs that does not own the tables; `:role` stands for its name.
    static let grants = String(decoding: PackageResources.console_grants_sql, as: UTF8.self)

    /// Of `pg_advisory_lock`: one migrates at a time. The bytes of "tillcon".
    private static let lock: Int64 = 0x0074_696C_6C63_6F6E

    /// Makes the accounts, or brings older ones to this schema: each migration is one transaction.
    /// As the owner to be, who needs CREATE on the database. Blocking.
    ///
    /// - Throws: ``AccountsFailure``.
    package static func migrate(_ configuration: PostgresConfiguration) throws {
        do {
            let connection = try PostgresConnection.connect(configuration)
            defer { connection.close() }
            _ = try connection.query("SELECT pg_advisory_lock($1)", [.integer(lock)])
            var stored = try storedVersion(connection)
            while stored < version {
                let sql = migrations[Int(stored)]
                try connection.transaction { try $0.execute(sql) }
                stored += 1
            }
            try check(connection)
        } catch let error as PostgresError where error.sqlState == "42501" {
            throw AccountsFailure(
                description: "this role may not make the console's accounts in Postgres: grant it "
                    + "CREATE on the database, or run migrations/postgres-console as its owner "
                    + "(SQLSTATE 42501)")
        } catch let error as PostgresError {
            throw AccountsFailure(error)
        }
    }

    /// Gives a role what it needs to serve the console, as the owner. Blocking.
    static func grant(to role: String, _ configuration: PostgresConfiguration) throws {
        let connection = try PostgresConnection.connect(configuration)
        defer { connection.close() }
        try connection.grant(grants, to: role)
    }

    /// - Throws: ``AccountsFailure`` for what this program cannot use, in a sentence.
    static func check(_ connection: PostgresConnection) throws {
        let found = try storedVersion(connection)
        if found == version { return }
        guard found > 0 else {
            throw AccountsFailure(
                description: "the Postgres database has no accounts of the console; run `tillbox "
                    + "cloud prepare` once")
        }
        throw AccountsFailure(
            description: "the console's accounts in Postgres are of schema \(found), and this "
                + "program knows \(version); "
                + (found > version ? "start a newer tillbox" : "run `tillbox cloud prepare`"))
    }

    /// 0 where there are no accounts.
    private static func storedVersion(_ connection: PostgresConnection) throws -> Int64 {
        let found = try connection.query(
            "SELECT to_regclass('tillbox_console.schema_version') IS NOT NULL")
        guard try found.boolean(0, 0) else { return 0 }
        // The newest, as the ledger's: whoever notes a migration as a row of its own is seen, too.
        return try connection.query("SELECT max(version) FROM tillbox_console.schema_version")
            .integerOrNull(0, 0) ?? 0
    }
}

extension AccountsFailure {
    /// What Postgres, or the way there, threw.
    init(_ error: PostgresError) {
        let words =
            switch error.sqlState {
            case "42501":
                "this role may not use the console's accounts in Postgres: grant it what "
                    + "migrations/postgres-console/grants.sql lists (SQLSTATE 42501)"
            case "55P03":
                "another transaction has the console's accounts in Postgres locked; end that, and "
                    + "try again (SQLSTATE 55P03)"
            default: "the accounts cannot be used: \(error)"
            }
        self.init(description: words)
    }
}
