import AppendLog
import Bridges
import Foundation
import TestSupport
import Testing

@testable import Appliance
@testable import Vocabulary

@Suite("The rules that Postgres keeps by itself", .serialized)
struct PostgresSchemaTests {
    private static let count = "UPDATE head SET revision = revision + 1; "
    private static let booking = """
        INSERT INTO transactions VALUES
            (3, 'payout:x', 'evt_x', 6, 1, 1, 0, decode(repeat('00', 32), 'hex'));
        INSERT INTO entries VALUES (3, 'usd', 1, 1, 5), (3, 'usd', 2, 2, -5);
        """
    private static let review =
        "(2, 1, 'approved', 'e', 1, 1, NULL, '[]', NULL)"

    private static let attacks: [(name: String, sql: String)] = [
        ("an unbalanced transaction", count + booking.replacing("-5", with: "-4")),
        (
            "two currencies that cancel each other",
            count + booking.replacing(", (3, 'usd', 2, 2, -5)", with: "")
                + "INSERT INTO accounts (id, name, currency) VALUES (4, 'bank:eur', 'eur');"
                + "INSERT INTO entries VALUES (3, 'eur', 2, 4, -5);"
        ),
        ("entries without a batch", booking),
        ("one entry", count + booking.replacing(", (3, 'usd', 2, 2, -5)", with: "")),
        ("no entries", count + String(booking.prefix { $0 != ";" })),
        ("a gap in the ids", count + booking.replacing("(3,", with: "(4,")),
        ("an id before the first", count + booking.replacing("(3,", with: "(0,")),
        ("a second booking", count + booking.replacing("payout:x", with: "charge:a")),
        (
            "a balanced pair in an old transaction",
            count + "INSERT INTO entries VALUES (1, 'usd', 3, 1, 5), (1, 'usd', 4, 2, -5)"
        ),
        ("an account in another currency", count + booking.replacing("'usd'", with: "'eur'")),
        ("an unknown account", count + booking.replacing("2, 2, -5", with: "2, 9, -5")),
        ("an entry of nothing", count + booking.replacing("-5", with: "0")),
        ("a short hash", count + booking.replacing("32)", with: "31)")),
        ("a transaction upserted",
            count + booking.replacing("'hex'));", with: "'hex')) ON CONFLICT (id) DO UPDATE "
                + "SET movement = 'x';").replacing("(3,", with: "(1,")),
        ("an amount changed", count + "UPDATE entries SET amount = 1"),
        ("a transaction changed", count + "UPDATE transactions SET movement = 'charge:b'"),
        ("entries deleted", count + "DELETE FROM entries"),
        ("a transaction deleted", count + "DELETE FROM transactions"),
        ("entries truncated", "TRUNCATE entries"),
        ("everything truncated", "TRUNCATE transactions CASCADE"),
        ("accounts truncated", "TRUNCATE accounts"),
        ("a balance changed", count + "UPDATE accounts SET balance = 0"),
        ("an account that starts with money",
            count + "INSERT INTO accounts VALUES (4, 'bank:usd', 'usd', 5)"),
        ("an account out of order",
            count + "INSERT INTO accounts (id, name, currency) VALUES (9, 'bank:usd', 'usd')"),
        ("an account twice",
            count + "INSERT INTO accounts (id, name, currency) "
                + "VALUES (4, 'processor:stripe', 'usd')"),
        ("an account renamed", count + "UPDATE accounts SET name = 'x' WHERE id = 1"),
        ("an account deleted", count + "DELETE FROM accounts"),
        ("the head set back", count + "UPDATE head SET last = 1"),
        ("the head sealed early", count + booking + "UPDATE head SET sealed = 3"),
        ("another hash", count + "UPDATE head SET hash = decode(repeat('01', 32), 'hex')"),
        ("the count of batches set back", "UPDATE head SET revision = 0"),
        ("a second head",
            "INSERT INTO head VALUES (2, 0, decode(repeat('00', 32), 'hex'), 0, 0)"),
        ("the head deleted", "DELETE FROM head"),
        ("the head truncated", "TRUNCATE head"),
        ("a payment's state made up", "INSERT INTO payment_states VALUES (1, 999, 0, 2, 0, 0)"),
        ("a state of no payment", count + "INSERT INTO payment_states VALUES (9, 9, 0, 0, 0, 0)"),
        ("a state set back", count + "UPDATE payment_states SET decision = 0"),
        ("a state deleted", count + "DELETE FROM payment_states"),
        ("a decision for what is booked",
            count + "INSERT INTO waiting_decisions VALUES ('charge:a', 2, 0)"),
        ("a waiting decision dropped", count + "DELETE FROM waiting_decisions"),
        ("a waiting decision weakened", count + "UPDATE waiting_decisions SET decision = 0"),
        ("a payment taken for a refund", count + "INSERT INTO refunds VALUES ('charge:a', 1)"),
        ("a capture of nothing", count + "INSERT INTO captures VALUES (9, 9, 0)"),
        ("a capture made up", "INSERT INTO captures VALUES (1, 9, 0)"),
        ("a told refund made up",
            "INSERT INTO waiting VALUES "
                + "('refund:x', 'refund', '', '', 'm', 'usd', 1, 'e', 1, 0, 0)"),
        ("a release made up", "INSERT INTO releases VALUES ('ch', 'usd', 1, '', 0)"),
        ("a review made up", "INSERT INTO reviews VALUES \(review)"),
        ("a review closed that is not open", count + "INSERT INTO reviews VALUES \(review)"),
        ("a review opened twice",
            count + "INSERT INTO reviews VALUES "
                + "(2, 2, 'opened', 'e', 1, 1, 0.5, '[]', NULL)"),
        ("a review renewed by who says the same, in one statement",
            count + "INSERT INTO reviews VALUES (2, 2, 'opened', 'e', 1, 1, 0.6, '[]', NULL), "
                + "(3, 2, 'opened', 'e', 2, 2, 0.6, '[]', NULL)"),
        ("a review opened and closed in one statement",
            count + "INSERT INTO reviews VALUES (2, 1, 'opened', 'e', 1, 1, NULL, '[]', NULL), "
                + "(3, 1, 'approved', 'e', 1, 1, NULL, '[]', NULL)"),
        ("a review opened anew and closed in one statement",
            count + "INSERT INTO reviews VALUES (2, 1, 'opened', 'e', 1, 1, NULL, '[]', NULL), "
                + "(3, 1, 'opened', 'e', 1, 1, 0.5, '[]', NULL), "
                + "(4, 1, 'expired', 'e', 1, 1, NULL, '[]', NULL)"),
        ("a review closed twice in one statement",
            count + "INSERT INTO reviews VALUES (2, 2, 'approved', 'e', 1, 1, NULL, '[]', NULL), "
                + "(3, 2, 'expired', 'e', 1, 1, NULL, '[]', NULL)"),
        ("a review renewed by the row that opened it",
            count + "UPDATE open_reviews SET review = 1"),
        ("a review that names another row than its last",
            count + "INSERT INTO reviews VALUES (2, 2, 'opened', 'e', 1, 1, 0.6, '[]', NULL), "
                + "(3, 2, 'opened', 'e', 2, 2, 0.7, '[]', NULL); "
                + "UPDATE open_reviews SET review = 2"),
        ("a review renewed after it was closed",
            count + "INSERT INTO reviews VALUES (2, 2, 'approved', 'e', 1, 1, NULL, '[]', NULL), "
                + "(3, 2, 'opened', 'e', 2, 2, 0.7, '[]', NULL); "
                + "UPDATE open_reviews SET review = 3"),
        ("renewals that begin elsewhere", count + "UPDATE renewals SET after_transaction = 9"),
        ("renewals that begin twice", count + "INSERT INTO renewals VALUES (2, 9)"),
        ("renewals that never begin", count + "DELETE FROM renewals"),
        ("a review out of order",
            count + "INSERT INTO reviews VALUES (5, 2, 'expired', 'e', 1, 1, NULL, '[]', NULL)"),
        ("a review of no payment",
            count + "INSERT INTO reviews VALUES (2, 9, 'opened', 'e', 1, 1, NULL, '[]', NULL)"),
        ("a review opened by nothing", count + "INSERT INTO open_reviews VALUES (1, 1)"),
        ("an open review dropped", count + "DELETE FROM open_reviews"),
        ("a review changed", count + "UPDATE reviews SET state = 'expired'"),
        ("a review deleted", count + "DELETE FROM reviews"),
        ("a decision considered twice",
            count + "INSERT INTO decisions VALUES (0, 9, 1, 'm', 'approved', 'x', 1, NULL, 1)"),
        ("a decision deleted", count + "DELETE FROM decisions"),
        ("a decision changed", count + "UPDATE decisions SET scored_next = 1"),
        ("an end set back", count + "UPDATE ends SET last = 0"),
        ("an end deleted", count + "DELETE FROM ends"),
        ("a log forgotten", count + "DELETE FROM logs"),
        ("a new kind", "INSERT INTO kinds VALUES (99, 'theft')"),
        ("a kind renamed", "UPDATE kinds SET name = 'x'"),
        ("a position set back", count + "UPDATE positions SET next_offset = 0"),
        ("a position moved without a batch", "UPDATE positions SET next_offset = 99"),
        ("a position twice", count + "INSERT INTO positions VALUES ('payment.scored', 0, 9)"),
        ("a position deleted", count + "DELETE FROM positions"),
        ("batches counted to their end", "UPDATE head SET revision = 9223372036854775807"),
        ("the head moved by a rule on a table of one's own", ownTables[0]),
        ("money moved by a rule on a table of one's own", ownTables[1]),
    ]

    /// The rules run with their owner's rights, and take the rows that they look at by a name.
    private static let ownTables = [
        """
        CREATE TEMP TABLE mine (id bigint, hash bytea);
        CREATE TRIGGER x AFTER INSERT ON mine REFERENCING NEW TABLE AS added
            FOR EACH STATEMENT EXECUTE FUNCTION tillbox.transactions_in_order();
        INSERT INTO mine SELECT last + 1, hash FROM tillbox.head;
        """,
        """
        CREATE TEMP TABLE mine
            (transaction_id bigint, currency text, seq bigint, account bigint, amount bigint);
        CREATE TRIGGER x AFTER INSERT ON mine REFERENCING NEW TABLE AS entries
            FOR EACH STATEMENT EXECUTE FUNCTION tillbox.seal();
        INSERT INTO mine SELECT 1, currency, id, id, 1 FROM tillbox.accounts;
        """,
    ]

    @Test("who may only read cannot put the ledger's rules on a table of his own")
    func reader() throws {
        let database = try PostgresDatabase()
        _ = try database.open().post([Given.payment("a")])
        let name = "reader_\(database.name)"
        try database.sql(
            "CREATE ROLE \(name) LOGIN PASSWORD '\(PostgresServer.password)'; "
                + "GRANT USAGE ON SCHEMA tillbox TO \(name); "
                + "GRANT SELECT ON ALL TABLES IN SCHEMA tillbox TO \(name)")
        for sql in Self.ownTables {
            let result = try database.psql(sql, user: name)
            #expect(result.errors.contains("ERROR:  42501"), "\(result.errors)")
        }
        #expect(try database.open().verify().fault == nil)
    }

    @Test("owner and role are refused whatever they try")
    func attack() throws {
        let database = try PostgresDatabase()
        let ledger = try database.open()
        try ledger.adopt(log: "log")
        let first = try ledger.post(
            [
                Given.payment("a"), Given.payment("h", .block), Given.review("b", .approved),
            ],
            positions: [ConsumerPosition(topic: "payment.scored", nextOffset: 7)],
            places: [2: DecisionPlace(decision: 9, scoredNext: 7)])
        for attack in Self.attacks {
            for user in [PostgresServer.owner, PostgresDatabase.role] {
                // One text is one transaction.
                let result = try database.psql(attack.sql, user: user)
                // A rule or a missing right spoke, and not some misspelling in the attack.
                let isRefused =
                    result.errors.contains("ERROR:  23") || result.errors.contains("ERROR:  42501")
                // What touches no row has nothing to refuse.
                let touchesNothing = ["a state set back"].contains(attack.name)
                #expect(isRefused != touchesNothing, "\(attack.name) as \(user): \(result.errors)")
            }
        }
        #expect(try ledger.posted(after: TransactionID(0), limit: 9) == first.posted)
        #expect(try ledger.position(topic: "payment.scored") == 7)
        #expect(try ledger.verify().fault == nil)
        #expect(
            try ledger.post([Given.payment("b", .block)]).inputs == [.booked(count: 2)])
        #expect(try ledger.verify().fault == nil)
    }

    @Test("a foreign client that keeps the rules may append, and verify sees that it was not us")
    func foreignAppend() throws {
        let database = try PostgresDatabase()
        let ledger = try database.open()
        _ = try ledger.post([Given.payment("a"), Given.payment("h", .block)])
        let result = try database.psql(
            Self.count + Self.booking, user: PostgresDatabase.role)
        #expect(result.errors.isEmpty, "\(result.errors)")
        let fault = try ledger.verify().fault
        #expect(fault?.row == "transactions 3" && fault?.check == "hash")
        #expect(try ledger.post([Given.payment("b")]).posted.map(\.id.rawValue) == [4])
        #expect(try ledger.standing()["processor:stripe usd"] == 3005)
    }

    @Test("who only reads can", arguments: [
        (sql: "SELECT * FROM lines", holds: "processor:stripe|usd|1000"),
        (sql: "SELECT count(*) || ' entries' FROM entries", holds: "2 entries"),
    ])
    func lines(sql: String, holds: String) throws {
        let database = try PostgresDatabase()
        _ = try database.open().post([Given.payment("a")])
        let result = try database.psql(sql, user: PostgresDatabase.role)
        #expect(result.errors.isEmpty)
        #expect(result.output.contains(holds), "\(result.output)")
    }

    @Test(
        "verify names the first damaged row, where rules were gone",
        arguments: [
            ("UPDATE entries SET amount = 7 WHERE transaction_id = 3 AND seq = 1", "sum",
                "transactions 3"),
            ("UPDATE entries SET amount = amount * 2 WHERE transaction_id = 4", "hash",
                "transactions 4"),
            ("UPDATE transactions SET movement = 'charge:z' WHERE id = 2", "hash",
                "transactions 2"),
            ("DELETE FROM entries WHERE transaction_id = 2", "row", "transactions 2"),
            ("UPDATE accounts SET balance = 1 WHERE id = 1", "balance",
                "accounts 1 (processor:stripe usd)"),
            ("INSERT INTO payment_states VALUES (4, 999, 1, 0, 0, 1)", "payment_state",
                "payment_states 4"),
            ("DELETE FROM open_reviews", "review", "transactions 9"),
            ("INSERT INTO reviews VALUES (2, 9, 'opened', 'e', 1, 1, 0.5, '[]', NULL); "
                + "UPDATE open_reviews SET review = 2", "review", "reviews 2"),
            ("INSERT INTO reviews VALUES (2, 9, 'opened', 'e', 1, 1, 0.6, '[]', NULL)", "review",
                "open_reviews 9"),
            ("UPDATE ends SET last = 7 WHERE name = 'reviews'", "tail", "reviews 1"),
            ("INSERT INTO refunds VALUES ('charge:c1', 4)", "refund", "refunds charge:c1/4"),
            ("INSERT INTO waiting_decisions VALUES ('charge:c1', 2, 5)", "waiting_decision",
                "waiting_decisions charge:c1"),
            ("UPDATE head SET sealed = 3", "head", "head 1"),
            ("UPDATE kinds SET name = 'x' WHERE code = 1", "schema", "kinds"),
            ("DROP TRIGGER kept ON entries", "schema", "trigger kept on entries"),
            ("ALTER TABLE entries DISABLE TRIGGER kept", "schema", "trigger kept on entries"),
            ("ALTER TABLE transactions DROP CONSTRAINT transactions_movement_key", "schema",
                "transactions"),
            ("CREATE OR REPLACE FUNCTION in_batch() RETURNS trigger LANGUAGE plpgsql AS "
                + "'BEGIN RETURN NULL; END'", "schema", "function in_batch"),
        ] as [(String, String, String)])
    func damage(sql: String, check: String, row: String) throws {
        let database = try PostgresDatabase()
        let ledger = try database.open()
        _ = try ledger.post((1...8).map { Given.payment("c\($0)") })
        _ = try ledger.post([Given.payment("c9", .block)])
        // A superuser can put all triggers off.
        let result = try database.psql("SET session_replication_role = replica; " + sql)
        #expect(result.errors.isEmpty, "\(result.errors)")
        let fault = try ledger.verify().fault
        #expect(fault?.check == check && fault?.row == row, "\(String(describing: fault))")
    }

    @Test("both databases have the same tables, columns, types and unique keys")
    func description() throws {
        let database = try PostgresDatabase()
        let types = [
            "bigint": "INTEGER", "text": "TEXT", "bytea": "BLOB", "double precision": "REAL",
        ]
        let tables = try database.psql(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'tillbox'"
        ).output.split(separator: "\n").map(String.init)
        let shared = try LedgerTables.shared()
        #expect(
            Set(tables).subtracting(["head", "schema_version"]) == Set(shared.map(\.name)))
        for table in shared {
            let columns = try database.psql(
                """
                SELECT column_name, data_type, is_nullable, coalesce(collation_name, '')
                FROM information_schema.columns
                WHERE table_schema = 'tillbox' AND table_name = '\(table.name)'
                ORDER BY ordinal_position
                """
            ).output.split(separator: "\n").map { $0.split(separator: "|").map(String.init) }
            #expect(
                columns.map {
                    LedgerColumn(
                        name: $0[0], type: types[$0[1]] ?? $0[1], isRequired: $0[2] == "NO")
                } == table.columns, "\(table.name)")
            // Texts are compared by their bytes in both.
            #expect(columns.allSatisfy { $0[1] != "text" || $0.last == "C" }, "\(table.name)")
            let keys = try database.psql(
                """
                SELECT string_agg(a.attname, ',' ORDER BY k.place) FROM pg_index i
                JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (number, place) ON true
                JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
                WHERE i.indrelid = '\(table.name)'::regclass AND i.indisunique
                GROUP BY i.indexrelid
                """
            ).output.split(separator: "\n").map { $0.split(separator: ",").map(String.init) }
            #expect(Set(keys) == table.uniqueKeys, "\(table.name)")
        }
    }

    @Test("both databases check the same of a row, and refer to the same parents")
    func constraints() throws {
        let made = PostgresSchema.migrations.joined()
        func found(_ words: Regex<Substring>, in text: String) -> Set<String> {
            Set(text.matches(of: words).map { String($0.output).replacing(" (id)", with: "") })
        }
        let checks = /CHECK \([^()]*(?:\([^()]*\)[^()]*)*\)/
        let parents = /REFERENCES \w+(?: \(id\))?/
        for (name, sql) in try LedgerTables.texts()
        where !LedgerTables.reconciliation.contains(name) {
            let start = try #require(made.firstRange(of: "CREATE TABLE \(name) ("), "\(name)")
            let rest = made[start.upperBound...]
            let text = String(rest[..<(rest.firstRange(of: ");")?.lowerBound ?? rest.endIndex)])
            #expect(found(checks, in: text) == found(checks, in: sql), "\(name)")
            // Entries are looked at where their transaction is checked, all of a batch at once.
            guard name != "entries" else { continue }
            #expect(found(parents, in: text) == found(parents, in: sql), "\(name)")
        }
    }

    @Test("no table can be emptied, by whomever and in whichever way")
    func emptied() throws {
        let database = try PostgresDatabase()
        _ = try database.open().post([Given.payment("a"), Given.payment("h", .block)])
        let tables = try LedgerTables.shared().map(\.name)
            .filter { !LedgerTables.reconciliation.contains($0) } + ["head"]
        for user in [PostgresServer.owner, PostgresDatabase.role] {
            for table in tables {
                for sql in ["TRUNCATE \(table)", "TRUNCATE \(table) CASCADE"] {
                    let result = try database.psql(sql, user: user)
                    #expect(
                        result.errors.contains("ERROR:  23")
                            || result.errors.contains("ERROR:  42501")
                            || result.errors.contains("ERROR:  0A000"),
                        "\(sql) as \(user): \(result.errors)")
                }
                // Decisions that wait and open reviews go row by row, by rules of their own.
                guard !["waiting_decisions", "open_reviews"].contains(table) else { continue }
                let result = try database.psql(
                    Self.count + "DELETE FROM \(table)", user: user)
                #expect(
                    result.errors.contains("ERROR:  23")
                        || result.errors.contains("ERROR:  42501"),
                    "DELETE of \(table) as \(user): \(result.errors)")
            }
        }
        #expect(try database.open().verify().fault == nil)
    }

    @Test("the binary carries migrations/postgres byte for byte, and verify knows their rules")
    func embedded() throws {
        let folder = Repository.root.appending(path: "migrations/postgres")
        let files = try FileManager.default.contentsOfDirectory(
            at: folder, includingPropertiesForKeys: nil
        ).sorted { $0.lastPathComponent < $1.lastPathComponent }
        #expect(
            try files.map { try String(contentsOf: $0, encoding: .utf8) }
                == PostgresSchema.migrations + [PostgresSchema.grants])
        let rules = PostgresVerification.rules
        #expect(rules.names.count > 40 && rules.bodies.count == 11)
    }
}
