import Testing

@testable import Appliance
@testable import Vocabulary

/// Someone has changed or removed a row of what the ledger keeps beside its chain, and put every
/// rule back: `verify` names the row, and so does a start, which would book by it.
@Suite("Ledger: rows beside the chain that were tampered with")
struct StateTamperingTests {
    struct Tampering: CustomTestStringConvertible, Sendable {
        var sql: String
        var check: String
        /// Its beginning.
        var row: String
        var testDescription: String { sql }

        init(_ sql: String, _ check: String, _ row: String) {
            (self.sql, self.check, self.row) = (sql, check, row)
        }
    }

    private static func refund(_ id: String, of charge: String, amount: Int64) -> LedgerInput {
        Given.scored(Given.event(.refund, id, amount: amount, related: charge))
    }

    private static func told(
        _ kind: PaymentKind, _ key: String, of charge: String, amount: Int64
    ) -> LedgerInput {
        Given.scored(
            Given.event(
                kind, charge, amount: amount, related: charge, movement: key, id: "evt_\(key)")
        )
    }

    /// A ledger in which every table beside the chain has rows.
    ///
    /// - Parameter round: how often it was done before; the first time names have no ending.
    static func fill(_ ledger: SQLiteLedger, round: Int = 0) throws {
        let n = round == 0 ? "" : "_\(round)"
        let scored: [LedgerInput] = [
            Given.payment("ch_mild\(n)"),
            Given.payment("ch_grown\(n)"), Given.payment("ch_grown\(n)", amount: 1400),
            Given.payment("ch_back\(n)"),
            Given.scored(
                Given.event(
                    .paymentReversed, "ch_back\(n)", related: "ch_back\(n)",
                    movement: "charge_reversed:ch_back\(n)")),
            Given.payment("ch_held\(n)", .manualReview, known: false, id: "evt_less\(n)"),
            Given.scored(Given.event(.payment, "ch_held\(n)"), .manualReview, score: 0.7),
            Given.payment("ch_freed\(n)", .manualReview, known: false, id: "evt_intent\(n)"),
            Given.payment("ch_freed\(n)", .approve),
            Given.payment("ch_declined\(n)"),
            refund("re_declined\(n)", of: "ch_declined\(n)", amount: 300),
            Given.payment("ch_noted\(n)"),
            told(.refundNoted, "refund:re_noted\(n)", of: "ch_noted\(n)", amount: 50),
            refund("re_noted\(n)", of: "ch_noted\(n)", amount: 50),
            Given.payment("ch_waits\(n)"),
            told(.refundNoted, "refund:re_waits\(n)", of: "ch_waits\(n)", amount: 60),
            Given.payment("ch_release\(n)"),
            refund("re_release\(n)", of: "ch_release\(n)", amount: 70),
            told(.releaseTold, "release:ch_release\(n)", of: "ch_release\(n)", amount: 70),
        ]
        let reviews = [
            Given.review("ch_mild\(n)", .approved), Given.review("ch_declined\(n)", .declined),
            Given.review("ch_to_come\(n)", .approved),
        ]
        let places = (0..<reviews.count).map {
            (
                scored.count + $0,
                DecisionPlace(
                    decision: Int64(round * reviews.count + $0),
                    scoredNext: Int64((round + 1) * scored.count))
            )
        }
        let next = (scored: (round + 1) * scored.count, reviews: (round + 1) * reviews.count)
        _ = try ledger.post(
            scored + reviews,
            positions: [
                ConsumerPosition(topic: "payment.scored", nextOffset: Int64(next.scored)),
                ConsumerPosition(topic: "payment.review", nextOffset: Int64(next.reviews)),
            ], places: Dictionary(uniqueKeysWithValues: places))
    }

    private static func id(_ charge: String) -> String {
        "(SELECT id FROM transactions WHERE movement = 'charge:\(charge)')"
    }

    static let tamperings = [
        Tampering("DELETE FROM captures", "capture", "captures "),
        Tampering(
            "UPDATE captures SET total = total + 1 WHERE reversed = 0", "capture", "captures "),
        Tampering(
            "UPDATE captures SET reversed = reversed + 5 WHERE reversed <> 0", "capture",
            "captures "),
        Tampering("UPDATE captures SET reversed = 0", "capture", "captures "),
        Tampering(
            "INSERT INTO captures VALUES (\(id("ch_mild")), 1500, 0)", "capture", "captures 1"),
        Tampering(
            "UPDATE transactions SET standing = 9223372036854775807 WHERE kind = 1",
            "payment_state", "payment_states 1"),
        Tampering(
            "UPDATE transactions SET standing = standing + 1 WHERE movement = 'charge:ch_mild'",
            "payment_state", "payment_states 1"),
        Tampering(
            "UPDATE transactions SET standing = 0 WHERE movement = 'charge:ch_held'", "standing",
            "transactions "),
        Tampering("DELETE FROM payment_states", "payment_state", "payment_states "),
        Tampering(
            "DELETE FROM payment_states WHERE transaction_id = \(id("ch_freed"))", "payment_state",
            "payment_states "),
        Tampering(
            "UPDATE payment_states SET moves = moves + 1 WHERE transaction_id = \(id("ch_freed"))",
            "payment_state", "payment_states "),
        Tampering(
            "UPDATE payment_states SET moves = 2 WHERE transaction_id = \(id("ch_mild"))",
            "payment_state", "payment_states "),
        Tampering(
            "UPDATE payment_states SET decision = 1, place = 0 WHERE decision = 2", "payment_state",
            "payment_states "),
        Tampering(
            "UPDATE payment_states SET decision = 2 WHERE decision = 1", "payment_state",
            "payment_states "),
        Tampering(
            "UPDATE payment_states SET decision = 0 WHERE decision = 1", "decision",
            "decisions of charge:ch_mild"),
        Tampering(
            "UPDATE payment_states SET decision = 1, decided_at = 500 "
                + "WHERE transaction_id = \(id("ch_freed"))", "decision",
            "decisions of charge:ch_freed"),
        Tampering(
            "UPDATE payment_states SET decided_at = 9 WHERE decision = 1", "decision",
            "decisions of charge:ch_mild"),
        Tampering(
            "DELETE FROM decisions WHERE movement = 'charge:ch_mild'", "decision",
            "decisions of charge:ch_mild"),
        Tampering("DELETE FROM decisions", "decision", "decisions of charge:ch_"),
        Tampering(
            "UPDATE decisions SET state = 'approved'", "decision", "decisions of charge:ch_declined"
        ),
        Tampering("DELETE FROM waiting_decisions", "decision", "decisions of charge:ch_to_come"),
        Tampering("DELETE FROM refunds", "refund", "refunds "),
        Tampering(
            "UPDATE refunds SET charge = 'charge:ch_mild' WHERE charge = 'charge:ch_declined'",
            "refund", "refunds "),
        Tampering(
            "UPDATE refunds SET charge = 'charge:ch_declined' WHERE charge = 'charge:ch_noted'",
            "refund", "refunds "),
        Tampering(
            "DELETE FROM refunds WHERE charge = 'charge:ch_noted'", "refund", "refunds "),
        Tampering("UPDATE waiting SET state = 1", "waiting", "waiting refund:re_waits"),
        Tampering(
            "UPDATE waiting SET state = 2 WHERE state = 0", "waiting", "waiting refund:re_waits"),
        Tampering("DELETE FROM releases", "release", "releases ch_release"),
        Tampering("UPDATE releases SET refund = ''", "release", "releases ch_release"),
        Tampering("UPDATE releases SET moves = moves + 1", "release", "releases ch_release"),
        Tampering("DELETE FROM open_reviews", "review", "transactions "),
        Tampering(
            "UPDATE open_reviews SET review = review - 1", "review", "open_reviews "),
        Tampering("UPDATE reviews SET score = 0.5 WHERE state = 'opened'", "review", "reviews 2"),
        Tampering("UPDATE reviews SET state = 'expired' WHERE id = 1", "review", "reviews 1"),
        Tampering("UPDATE renewals SET after_transaction = 100", "review", "reviews 2"),
        Tampering(
            "UPDATE accounts SET balance = balance + CASE id WHEN 1 THEN 1 ELSE -1 END "
                + "WHERE id IN (1, 2)", "balance", "accounts 1 (processor:stripe usd)"),
        Tampering("UPDATE kinds SET name = 'gift' WHERE code = 1", "schema", "kinds"),
        Tampering("DELETE FROM kinds WHERE code = 2", "schema", "kinds"),
        Tampering("INSERT INTO schema_version VALUES (1)", "schema", "schema_version"),
        Tampering("DELETE FROM zero", "schema", "zero"),
    ]

    @Test("are named, by verify and by a start", arguments: tamperings)
    func named(tampering: Tampering) throws {
        let folder = try LedgerFolder()
        let ledger = try folder.open()
        try Self.fill(ledger)
        #expect(try ledger.verify().fault == nil)
        #expect(try ledger.quickFault() == nil)
        try ledger.close()
        try folder.tamper(tampering.sql)
        guard case .malformed(let said) = try SQLiteLedgerReader.look(at: folder.file, isHeld: true)
        else {
            Issue.record("a start takes it for sound")
            return
        }
        #expect(said.hasPrefix(tampering.row), "\(said)")
        let reader = try SQLiteLedgerReader.open(path: folder.file)
        for fault in [try reader.verify().fault, try reader.quickFault()] {
            // Whoever reads it is to see what differs.
            #expect(fault?.expected != fault?.found, "\(String(describing: fault))")
            #expect(fault?.check == tampering.check, "\(String(describing: fault))")
            #expect(fault?.row.hasPrefix(tampering.row) == true, "\(String(describing: fault))")
        }
        try reader.close()
    }

    @Test("a ledger that says it has no schema is neither taken for none nor made anew")
    func noVersion() throws {
        let folder = try LedgerFolder()
        let ledger = try folder.open()
        try Self.fill(ledger)
        try ledger.close()
        try folder.tamper("UPDATE schema_version SET version = 0")
        guard case .malformed(let said) = try SQLiteLedgerReader.look(at: folder.file, isHeld: true)
        else {
            Issue.record("a start takes it for something else")
            return
        }
        #expect(said.contains("no schema version"), "\(said)")
        #expect(throws: LedgerError.self) { try folder.open() }
    }
}

extension LedgerFolder {
    /// Runs `sql` as if there were no trigger, and puts each back as it was.
    func tamper(_ sql: String) throws {
        let triggers = "FROM sqlite_schema WHERE type = 'trigger'"
        let names = try sqlite3("SELECT name \(triggers)").output.split(separator: "\n")
        let rules = try sqlite3("SELECT sql || ';' \(triggers)").output
        let answer = try sqlite3(
            "PRAGMA foreign_keys = OFF;\nBEGIN;\n"
                + names.map { "DROP TRIGGER \($0);" }.joined(separator: "\n")
                + "\n\(sql);\n\(rules)\nCOMMIT")
        #expect(answer.errors.isEmpty, "\(answer.errors)")
    }
}
