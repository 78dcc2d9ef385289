import Testing

@testable import Appliance
@testable import Vocabulary

/// Someone who knows SQLite has changed the ledger's file and left its rules as they were, or has
/// changed the rules and left every row: `verify` names what it was, and so does a start of the
/// rules.
@Suite("Ledger: a file that was tampered with")
struct TamperingTests {
    struct Tampering: CustomTestStringConvertible, Sendable {
        var what: String
        var sql: String
        var check: String
        var row: String
        var testDescription: String { what }
    }

    /// Changes the stored schema, which no statement could.
    private static func schema(_ sql: String) -> String {
        "PRAGMA writable_schema = ON; \(sql); PRAGMA writable_schema = OFF;"
    }

    static let rules = [
        Tampering(
            what: "an extra trigger",
            sql: "CREATE TRIGGER extra AFTER INSERT ON entries BEGIN SELECT 1; END",
            check: "schema", row: "trigger extra"),
        Tampering(
            what: "an extra trigger on the ledger's view",
            sql: "CREATE TRIGGER extra INSTEAD OF DELETE ON lines BEGIN SELECT 1; END",
            check: "schema", row: "trigger extra"),
        Tampering(
            what: "an extra table", sql: "CREATE TABLE extra (id INTEGER)", check: "schema",
            row: "table extra"),
        Tampering(
            what: "an extra index", sql: "CREATE INDEX extra ON entries (amount)",
            check: "schema", row: "index extra"),
        Tampering(
            what: "a trigger that does nothing any more",
            sql: "DROP TRIGGER entries_sealed;"
                + "CREATE TRIGGER entries_sealed AFTER INSERT ON entries BEGIN SELECT 1; END",
            check: "schema", row: "trigger entries_sealed"),
        Tampering(
            what: "UNIQUE taken from the movement, with its index",
            sql: schema(
                """
                UPDATE sqlite_schema SET sql = replace(sql, 'TEXT NOT NULL UNIQUE', 'TEXT NOT NULL')
                    WHERE name = 'transactions';
                DELETE FROM sqlite_schema WHERE name = 'sqlite_autoindex_transactions_1'
                """), check: "schema", row: "table transactions"),
        Tampering(
            what: "the unique index alone",
            sql: schema(
                "DELETE FROM sqlite_schema WHERE name = 'sqlite_autoindex_transactions_1'"),
            check: "schema", row: "index sqlite_autoindex_transactions_1"),
        Tampering(
            what: "UNIQUE taken from what the entries refer to, with its index",
            sql: schema(
                """
                UPDATE sqlite_schema SET sql = replace(sql, 'UNIQUE (id, currency)', 'CHECK (1)')
                    WHERE name = 'accounts';
                DELETE FROM sqlite_schema WHERE name = 'sqlite_autoindex_accounts_2'
                """), check: "schema", row: "table accounts"),
    ]

    @Test("a changed rule is named, by verify and by the quick look of a start", arguments: rules)
    func changedRule(tampering: Tampering) throws {
        let folder = try LedgerFolder()
        let ledger = try folder.open()
        _ = try ledger.post((1...8).map { Given.payment("c\($0)") })
        try ledger.close()
        let answer = try folder.sqlite3(tampering.sql)
        #expect(answer.errors.isEmpty, "\(answer.errors)")
        let reader = try SQLiteLedgerReader.open(path: folder.file)
        for fault in [try reader.verify().fault, try reader.quickFault()] {
            // Whoever reads it is to see what differs.
            #expect(fault?.expected != fault?.found, "\(String(describing: fault))")
            #expect(fault?.check == tampering.check, "\(String(describing: fault))")
            #expect(fault?.row == tampering.row)
            // One line, since it becomes one sentence.
            #expect(fault?.found.contains("\n") == false)
        }
        try reader.close()
    }

    @Test(
        "a changed seq is named, though sum, balance and every rule are as they were",
        arguments: [
            (["seq = 7 WHERE transaction_id = 3 AND seq = 2"], "seq", "entries 3/usd/7"),
            (["seq = 0 WHERE transaction_id = 3 AND seq = 1"], "seq", "entries 3/usd/0"),
            // In two steps, or two of them would be the same for a moment.
            (
                ["seq = seq + 10 WHERE transaction_id = 8", "seq = seq - 9 WHERE seq > 10"],
                "seq", "entries 8/usd/2"
            ),
            (
                ["seq = 13 - seq WHERE transaction_id = 5", "seq = seq - 10 WHERE seq > 10"],
                "hash", "transactions 5"
            ),
        ])
    func changedSequence(changes: [String], check: String, row: String) throws {
        let folder = try LedgerFolder()
        let ledger = try folder.open()
        _ = try ledger.post((1...8).map { Given.payment("c\($0)") })
        let rule = try folder.sqlite3(
            "SELECT sql FROM sqlite_schema WHERE name = 'entries_no_update'").output
        let updates = changes.map { "UPDATE entries SET \($0);" }.joined(separator: "\n")
        let answer = try folder.sqlite3(
            "DROP TRIGGER entries_no_update;\n\(updates)\n\(rule);")
        #expect(answer.errors.isEmpty, "\(answer.errors)")
        for fault in [try ledger.verify().fault, try ledger.quickFault()] {
            #expect(
                fault?.check == check && fault?.row == row, "\(String(describing: fault))")
        }
        #expect(try folder.sqlite3("PRAGMA integrity_check").output == "ok\n")
    }
}
