import Foundation
import Testing

@testable import Appliance
@testable import Vocabulary

@Suite("The ledger's file and whoever else opens it")
struct ForeignClientTests {
    private static let entries = """
        INSERT INTO transactions VALUES (2, 'payout:x', 'evt_x', 6, 1, 1, 0, zeroblob(32));
        INSERT INTO entries VALUES (2, 'usd', 1, 1, 5), (2, 'usd', 2, 2, -5);
        """
    private static let open = "BEGIN; UPDATE gate SET state = 1, first = 2; "
    private static let close = "; UPDATE gate SET state = 2; COMMIT;"

    @Test(
        "the plain sqlite3 tool is refused whatever it tries",
        arguments: [
            ("an unbalanced transaction", open + entries.replacing("-5", with: "-4") + close),
            (
                "a second currency unbalanced",
                open + entries
                    + "INSERT INTO accounts (id, name, currency) VALUES (3, 'bank:eur', 'eur');"
                    + "INSERT INTO entries VALUES (2, 'eur', 3, 3, 9)" + close
            ),
            (
                "two currencies that cancel each other",
                open + entries.replacing(", (2, 'usd', 2, 2, -5)", with: "")
                    + "INSERT INTO accounts (id, name, currency) VALUES (3, 'bank:eur', 'eur');"
                    + "INSERT INTO entries VALUES (2, 'eur', 2, 3, -5)" + close
            ),
            ("a commit with the gate open", open + entries + "COMMIT;"),
            ("entries without the gate", "BEGIN; " + entries + "COMMIT;"),
            ("one entry", open + entries.replacing(", (2, 'usd', 2, 2, -5)", with: "") + close),
            ("no entries", open + String(entries.prefix(while: { $0 != ";" })) + close),
            ("a gap in the ids", open + entries.replacing("(2,", with: "(3,") + close),
            ("a second booking", open + entries.replacing("payout:x", with: "charge:a") + close),
            (
                "a second booking that replaces the first",
                open + entries.replacing("payout:x", with: "charge:a").replacing(
                    "INSERT INTO transactions", with: "REPLACE INTO transactions") + close
            ),
            (
                "a balanced pair in an old transaction",
                open + "INSERT INTO entries VALUES (1, 'usd', 3, 1, 5), (1, 'usd', 4, 2, -5)"
                    + close
            ),
            ("an account in another currency",
                open + entries.replacing("'usd'", with: "'eur'") + close),
            ("an unknown account", open + entries.replacing("2, 2, -5", with: "2, 9, -5") + close),
            ("a replaced entry", "REPLACE INTO entries VALUES (1, 'usd', 1, 1, 1)"),
            (
                "a replaced transaction",
                "REPLACE INTO transactions VALUES (1, 'charge:b', 'e', 1, 1, 1, 0, zeroblob(32))"
            ),
            ("an amount changed", "UPDATE entries SET amount = 1"),
            ("a transaction changed", "UPDATE transactions SET movement = 'charge:b'"),
            ("an upserted change", "UPDATE OR REPLACE transactions SET posted_at = 1"),
            ("entries deleted", "DELETE FROM entries"),
            ("a transaction deleted", "DELETE FROM transactions"),
            ("a balance changed", "UPDATE accounts SET balance = 0"),
            (
                "a balance changed in an open gate",
                open + entries + "UPDATE accounts SET balance = 0" + close
            ),
            (
                "an account that starts with money",
                open + entries + "INSERT INTO accounts VALUES (3, 'bank:usd', 'usd', 5)" + close
            ),
            (
                "an account renamed by replacement",
                open + entries
                    + "REPLACE INTO accounts (id, name, currency) VALUES (1, 'bank:x', 'usd')"
                    + close
            ),
            ("an account deleted", "DELETE FROM accounts"),
            ("a second zero", "INSERT INTO zero VALUES (1)"),
            ("another zero", "UPDATE zero SET value = 1"),
            ("a replaced gate", "REPLACE INTO gate VALUES (1, 0, 0)"),
            ("a gate that skips its checks", "UPDATE gate SET state = 0, first = 0"),
            ("a gate closed twice", "UPDATE gate SET state = 2"),
            ("a gate opened and left", open + "UPDATE gate SET state = 0; COMMIT;"),
            ("a gate opened at an old transaction",
                open.replacing("first = 2", with: "first = 1") + entries + close),
            ("a payment's state made up",
                "INSERT INTO payment_states VALUES (1, 99, 0, 2, 0, 0)"),
            ("a decision made up",
                "INSERT INTO waiting_decisions VALUES ('charge:b', 2, 0)"),
            ("a decision for what is booked",
                open + "INSERT INTO waiting_decisions VALUES ('charge:a', 2, 0)" + close),
            ("a refund made up", "INSERT INTO refunds VALUES ('charge:a', 1)"),
            ("a payment taken for a refund",
                open + "INSERT INTO refunds VALUES ('charge:a', 1)" + close),
            ("a capture made up", "INSERT INTO captures VALUES (1, 9, 0)"),
            ("a told refund made up",
                "INSERT INTO waiting VALUES "
                    + "('refund:x', 'refund', '', '', 'm', 'usd', 1, 'e', 1, 0, 0)"),
            ("a release made up", "INSERT INTO releases VALUES ('ch', 'usd', 1, '', 0)"),
            ("a review made up",
                "INSERT INTO reviews VALUES (1, 1, 'opened', 'e', 1, 1, NULL, '[]', NULL)"),
            ("a review closed that is not open",
                open + "INSERT INTO reviews VALUES (1, 1, 'approved', 'e', 1, 1, NULL, '[]', NULL)"
                    + close),
            ("a review opened twice",
                open + "INSERT INTO reviews VALUES (1, 1, 'opened', 'e', 1, 1, NULL, '[]', NULL);"
                    + "INSERT INTO open_reviews VALUES (1, 1);"
                    + "INSERT INTO reviews VALUES (2, 1, 'opened', 'e', 1, 1, NULL, '[]', NULL)"
                    + "; ROLLBACK"),
            ("a review renewed by who says the same",
                open + "INSERT INTO reviews VALUES (1, 1, 'opened', 'e', 1, 1, 0.5, '[]', NULL),"
                    + "(2, 1, 'opened', 'e', 2, 2, 0.5, '[]', NULL)" + close),
            ("a review opened and closed at once",
                open + "INSERT INTO reviews VALUES (1, 1, 'opened', 'e', 1, 1, NULL, '[]', NULL),"
                    + "(2, 1, 'approved', 'e', 1, 1, NULL, '[]', NULL)" + close),
            ("a review that names another row than its last",
                open + "INSERT INTO reviews VALUES (1, 1, 'opened', 'e', 1, 1, NULL, '[]', NULL);"
                    + "INSERT INTO open_reviews VALUES (1, 1);"
                    + "INSERT INTO reviews VALUES (2, 1, 'opened', 'e', 1, 1, 0.5, '[]', NULL);"
                    + "INSERT INTO reviews VALUES (3, 1, 'opened', 'e', 1, 1, 0.6, '[]', NULL);"
                    + "UPDATE open_reviews SET review = 2; ROLLBACK"),
            ("an open review renewed by the row that opened it",
                open + "INSERT INTO reviews VALUES (1, 1, 'opened', 'e', 1, 1, NULL, '[]', NULL);"
                    + "INSERT INTO open_reviews VALUES (1, 1);"
                    + "UPDATE open_reviews SET review = 1; ROLLBACK"),
            ("renewals that begin elsewhere", "UPDATE renewals SET after_transaction = 9"),
            ("renewals that begin twice", "INSERT OR REPLACE INTO renewals VALUES (1, 9)"),
            ("renewals that never begin", "DELETE FROM renewals"),
            ("a review opened by nothing",
                open + "INSERT INTO open_reviews VALUES (1, 1)" + close),
            ("a review out of order",
                open + "INSERT INTO reviews VALUES (2, 1, 'opened', 'e', 1, 1, NULL, '[]', NULL)"
                    + close),
            ("a decision considered twice",
                "INSERT INTO decisions VALUES (0, 9, 1, 'm', 'approved', 'x', 1, NULL, 1);"),
            ("a decision deleted", "DELETE FROM decisions"),
            ("a decision changed", "UPDATE decisions SET scored_next = 1"),
            ("an end set back", "UPDATE ends SET last = 0"),
            ("an end replaced", "REPLACE INTO ends VALUES ('transactions', 0)"),
            ("an end deleted", "DELETE FROM ends"),
            ("a log forgotten", "DELETE FROM logs"),
            ("a new kind", "INSERT INTO kinds VALUES (99, 'theft')"),
            ("a position set back", "UPDATE positions SET next_offset = 0"),
            ("a position replaced", "REPLACE INTO positions VALUES ('payment.scored', 0, 0, NULL)"),
            ("a position deleted", "DELETE FROM positions"),
        ], [true, false])
    func attack(attack: (name: String, sql: String), foreignKeys: Bool) throws {
        let folder = try LedgerFolder()
        let ledger = try folder.open()
        try ledger.adopt(log: "log")
        let first = try ledger.post(
            [Given.payment("a"), Given.review("b", .approved)],
            positions: [ConsumerPosition(topic: "payment.scored", nextOffset: 7)],
            places: [1: DecisionPlace(decision: 9, scoredNext: 7)])
        let prefix = foreignKeys ? "PRAGMA foreign_keys = ON; " : ""
        let result = try folder.sqlite3(prefix + attack.sql)
        // 19 is SQLITE_CONSTRAINT: the rule spoke, and not some misspelling in the attack.
        #expect(result.errors.contains("(19)"), "\(attack.name): \(result)")
        #expect(try ledger.posted(after: TransactionID(0), limit: 9) == first.posted)
        #expect(try ledger.position(topic: "payment.scored") == 7)
        #expect(try ledger.verify().fault == nil)
        #expect(try ledger.post([Given.payment("b")]).inputs == [.booked(count: 1)])
    }

    @Test("a foreign client that keeps the rules may append, and verify sees that it was not us")
    func foreignAppend() throws {
        let folder = try LedgerFolder()
        let ledger = try folder.open()
        _ = try ledger.post([Given.payment("a")])
        let sql = Self.open + Self.entries + Self.close
        #expect(try folder.sqlite3("PRAGMA foreign_keys = ON; " + sql).errors.isEmpty)
        let fault = try ledger.verify().fault
        #expect(fault?.row == "transactions 2" && fault?.check == "hash")
        // The writer notices the other's row and goes on after it.
        #expect(try ledger.post([Given.payment("b")]).posted.map(\.id) == [TransactionID(3)])
        #expect(try ledger.standing()["processor:stripe usd"] == 2005)
    }
}
