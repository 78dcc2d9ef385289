import Bridges
import Foundation
import TestSupport
import Testing

@testable import Appliance

/// What the ledger in Postgres refuses to work with, each in a sentence.
@Suite("Databases that are no ledger", .serialized)
struct PostgresRefusalTests {
    @Test("a missing and a newer schema, and a role without rights, are refused in a sentence")
    func unusable() throws {
        let server = try PostgresServer.common()
        let database = try PostgresDatabase()
        func sentence(_ configuration: PostgresConfiguration) throws -> String {
            let error = #expect(throws: LedgerError.self) {
                try PostgresLedger.open(configuration) { 0 }
            }
            #expect(error?.isRetryable == false)
            return error.map { "\($0)" } ?? ""
        }
        let empty = PostgresConfiguration(uri: server.uri())
        #expect(try sentence(empty).contains("no ledger; run `tillbox cloud prepare`"))
        try server.sql("postgres", "CREATE ROLE nobody_\(database.name) LOGIN")
        let stranger = PostgresConfiguration(
            uri: server.uri(database.name).replacing("postgres@", with: "nobody_\(database.name)@"))
        #expect(try sentence(stranger).contains("grants.sql"))
        try database.sql("UPDATE schema_version SET version = 99")
        #expect(try sentence(database.configuration()).contains("start a newer tillbox"))
        #expect(throws: LedgerError.self) {
            try PostgresSchema.migrate(PostgresConfiguration(uri: server.uri(database.name)))
        }
    }

    /// What stands in a database, and what both who make ledgers say of it.
    struct Standing: Sendable {
        var what: String
        var sql: String
        var command: String
        var bridge: String
    }

    private static let foreign = "has a schema tillbox that is no ledger of this program; name a"

    @Test(
        "a database that holds no ledger of this schema is told as what it is, with what helps",
        arguments: [
            Standing(
                what: "nothing", sql: "", command: "run `tillbox cloud prepare` once",
                bridge: "a daemon that has postgres among its bridges makes one"),
            Standing(
                what: "another program's tables",
                sql: "CREATE TABLE orders (id int); CREATE TABLE users (id int)",
                command: "has no ledger, and 2 tables of another program (public.orders); check",
                bridge: "has no ledger, and 2 tables of another program (public.orders); check"),
            Standing(
                what: "a schema without a ledger", sql: "CREATE SCHEMA tillbox",
                command: foreign, bridge: foreign),
            Standing(
                what: "another program's ledger",
                sql: "CREATE SCHEMA tillbox; CREATE TABLE tillbox.head (id int); "
                    + "CREATE TABLE tillbox.schema_version (version text)",
                command: foreign, bridge: foreign),
            Standing(
                what: "other columns",
                sql: "CREATE SCHEMA tillbox; CREATE TABLE tillbox.head (id int); "
                    + "CREATE TABLE tillbox.schema_version (number bigint)",
                command: foreign, bridge: foreign),
            Standing(
                what: "an older schema",
                sql: "CREATE SCHEMA tillbox; CREATE TABLE tillbox.head (id int); "
                    + "CREATE TABLE tillbox.schema_version AS SELECT 1::bigint AS version",
                command: "of schema 1, and this program knows \(PostgresSchema.version); run `",
                bridge: "knows \(PostgresSchema.version); a daemon of this release brings it "
                    + "up to date, by its bridge"),
        ])
    func standing(_ standing: Standing) throws {
        let server = try PostgresServer.common()
        let name = server.databaseName()
        _ = try server.psql("postgres", "CREATE DATABASE \(name)")
        #expect(try server.psql(name, standing.sql).errors.isEmpty)
        let connection = try PostgresConnection.connect(
            PostgresConfiguration(uri: server.uri(name)))
        defer { connection.close() }
        for (maker, words) in [
            (PostgresSchema.Maker.command, standing.command), (.bridge, standing.bridge),
        ] {
            let error = #expect(throws: LedgerError.self) {
                try PostgresSchema.check(connection, madeBy: maker)
            }
            #expect(error?.description.contains(words) == true, "\(error as Any)")
            #expect(error?.isRetryable == false)
        }
    }

    @Test("an older ledger of another owner is brought up to date by that one, the sentence says")
    func otherOwner() throws {
        let server = try PostgresServer.common()
        let name = server.databaseName()
        _ = try server.psql("postgres", "CREATE DATABASE \(name)")
        let owner = try PostgresConnection.connect(PostgresConfiguration(uri: server.uri(name)))
        defer { owner.close() }
        try owner.transaction { try $0.execute(PostgresSchema.migrations[0]) }
        let granted = try server.psql(
            name,
            "CREATE ROLE reader_\(name) LOGIN PASSWORD '\(PostgresServer.password)'; "
                + "GRANT USAGE ON SCHEMA tillbox TO reader_\(name); "
                + "GRANT SELECT ON ALL TABLES IN SCHEMA tillbox TO reader_\(name)")
        #expect(granted.errors.isEmpty, "\(granted.errors)")
        let role = PostgresConfiguration(uri: server.networkURI(name, user: "reader_\(name)"))
        for (maker, words) in [
            (PostgresSchema.Maker.command, "run `tillbox cloud prepare`, or the files of migrat"),
            (.bridge, "run the files of migrations/postgres behind number 1"),
        ] {
            let error = #expect(throws: LedgerError.self) {
                try PostgresSchema.migrate(role, by: maker)
            }
            let sentence = error?.description ?? ""
            let owner = "schema 1, which belongs to the role postgres"
            #expect(sentence.contains(owner), "\(sentence)")
            #expect(sentence.contains(words), "\(sentence)")
            #expect(sentence.contains("grant reader_\(name) what grants.sql lists"), "\(sentence)")
        }
        #expect(try server.psql(name, "SELECT * FROM tillbox.schema_version").output == "1\n")
        try PostgresSchema.migrate(PostgresConfiguration(uri: server.uri(name)))
    }

    @Test("what is taken away while it is open is told as what it is: rights, tables, the schema")
    func takenAway() throws {
        let database = try PostgresDatabase()
        let ledger = try database.open()
        defer { ledger.close() }
        func sentence(behind sql: String) throws -> String {
            _ = try ledger.balances()
            try database.sql(sql)
            let error = #expect(throws: LedgerError.self) { try ledger.balances() }
            return error.map { "\($0)" } ?? ""
        }
        let role = PostgresDatabase.role
        #expect(
            try sentence(behind: "REVOKE USAGE ON SCHEMA tillbox FROM \(role)")
                .contains("grant the role what migrations/postgres/grants.sql lists"))
        try database.sql("GRANT USAGE ON SCHEMA tillbox TO \(role)")
        #expect(
            try sentence(behind: "ALTER TABLE accounts RENAME TO former")
                .contains("bring the schema up to date"))
        try database.sql("ALTER TABLE former RENAME TO accounts")
        #expect(
            try sentence(
                behind: "INSERT INTO schema_version VALUES (99); ALTER TABLE accounts RENAME TO a"
            ).contains("start a newer tillbox"))
    }

    @Test("a connection that was lost is made anew for whoever reads next")
    func lost() throws {
        let database = try PostgresDatabase()
        let ledger = try database.open()
        defer { ledger.close() }
        let before = try ledger.balances()
        try database.server.sql(
            "postgres",
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = '\(database.name)'
            """)
        #expect(try ledger.balances() == before)
    }

    @Test("instances that prepare the database at once make one ledger")
    func migrations() async throws {
        let server = try PostgresServer.common()
        let name = server.databaseName()
        try server.sql("postgres", "CREATE DATABASE \(name)")
        let configuration = PostgresConfiguration(uri: server.uri(name))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 { group.addTask { try PostgresSchema.migrate(configuration) } }
            try await group.waitForAll()
        }
        #expect(try server.sql(name, "SELECT * FROM tillbox.schema_version")
                == "\(PostgresSchema.version)")
    }
}
