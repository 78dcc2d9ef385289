import Bridges
import Foundation
import TestSupport
import Testing

@testable import Appliance
@testable import Reconcile

@Suite("The statement's tables in Postgres")
struct PostgresStatementTests {
    private static func tables(_ store: StatementStore) throws -> [StatementTable] {
        try StatementStore.tables.map { try store.table($0) }
    }

    @Test("are moved in the order of a key that both databases have")
    func keys() throws {
        let database = try PostgresDatabase()
        let keys = try database.psql(
            """
            SELECT c.relname || ' ' || string_agg(a.attname, ',' ORDER BY k.place)
            FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
            JOIN unnest(i.indkey) WITH ORDINALITY AS k (number, place) ON true
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number
            WHERE i.indisprimary AND c.relnamespace = 'tillbox'::regnamespace
            GROUP BY c.relname
            """)
        let found = Set(keys.output.split(separator: "\n").map(String.init))
        for table in try Self.tables(try StatementStore()) {
            #expect(!table.key.isEmpty)
            #expect(
                found.contains("\(table.name) \(table.key.joined(separator: ","))"),
                "\(table.name): \(table.key), \(keys.errors)")
        }
    }

    @Test("come back as they were, over the edges of pages")
    func pages() throws {
        let database = try PostgresDatabase()
        let seeded = try database.psql(
            """
            INSERT INTO run_balances SELECT 1, 'acct', 'c' || lpad(n::text, 3, '0'),
                n, n, n, n, n, n, n, n, n, n, n, n FROM generate_series(1, 50) AS n
            """)
        try #require(seeded.errors.isEmpty, "\(seeded.errors)")
        let kept = try PostgresStatement(database.configuration(), isAlone: true)
        defer { kept.close() }
        let store = try StatementStore()
        try kept.read(try Self.tables(store), pageCount: 7) { try store.fill($0, from: $1) }
        try kept.write(try Self.tables(store)) { try store.page($1, of: $0) }
        let count = try database.psql(
            "SELECT count(*) || ' ' || count(DISTINCT currency) FROM run_balances")
        #expect(count.output.contains("50 50"), "\(count)")
        let again = try StatementStore()
        try kept.read(try Self.tables(again), pageCount: 9) { try again.fill($0, from: $1) }
        #expect(try again.page(0, of: "run_balances") == store.page(0, of: "run_balances"))
    }

    @Test("take as long as they take to be written")
    func slow() throws {
        let database = try PostgresDatabase()
        let made = try database.psql(
            """
            CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN PERFORM pg_sleep(6); RETURN NULL; END $$;
            CREATE TRIGGER slow BEFORE DELETE ON run_breaks EXECUTE FUNCTION slow()
            """)
        try #require(made.errors.isEmpty, "\(made.errors)")
        var configuration = database.configuration()
        configuration.replyTimeout = .seconds(4)
        let kept = try PostgresStatement(configuration, isAlone: true)
        defer { kept.close() }
        let store = try StatementStore()
        try kept.write(try Self.tables(store)) { try store.page($1, of: $0) }
    }
}
