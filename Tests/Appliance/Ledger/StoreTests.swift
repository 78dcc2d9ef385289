import AppendLog
import Foundation
import Testing

@testable import Appliance
@testable import Vocabulary

@Suite("The ledger's file")
struct StoreTests {
    @Test("the binary carries migrations/sqlite byte for byte")
    func embedded() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../../migrations/sqlite").standardized
        let files = try FileManager.default.contentsOfDirectory(
            at: folder, includingPropertiesForKeys: nil
        ).sorted { $0.lastPathComponent < $1.lastPathComponent }
        #expect(files.count == 10)
        #expect(
            try files.map { try String(contentsOf: $0, encoding: .utf8) }
                == LedgerSchema.migrations)
    }

    @Test("a ledger of an earlier release opens, keeps its chain, and takes what is new")
    func earlierRelease() throws {
        let folder = try LedgerFolder()
        for migration in LedgerSchema.migrations.dropLast(Int(LedgerSchema.version) - 2) {
            #expect(try folder.sqlite3(migration).errors.isEmpty)
        }
        let old = """
            PRAGMA foreign_keys = ON; BEGIN; UPDATE gate SET state = 1, first = 1;
            INSERT INTO accounts (id, name, currency) VALUES
                (1, 'processor:stripe', 'usd'), (2, 'merchant:acct_1:payable', 'usd');
            INSERT INTO transactions VALUES (1, 'charge:a', 'evt_charge_a', 1, 100, 1, 81,
                x'425ebd70eebe19fabd4ab9e57813115906ee4f461364a888f71633710c624945');
            INSERT INTO entries VALUES (1, 'usd', 1, 1, 1000), (1, 'usd', 2, 2, -1000);
            UPDATE gate SET state = 2; COMMIT;
            """
        #expect(try folder.sqlite3(old).errors.isEmpty)
        let ledger = try folder.open()
        #expect(try ledger.verify().fault == nil)
        #expect(
            try ledger.post([Given.payment("a"), Given.payment("a", amount: 1500)]).inputs
                == [.alreadyBooked, .booked(count: 1)])
        #expect(try ledger.standing()["processor:stripe usd"] == 1500)
        #expect(try ledger.verify().fault == nil)
    }

    @Test("before a newer schema is brought to a ledger, it is kept as it was")
    func keptBefore() throws {
        let folder = try LedgerFolder()
        let known = Int(LedgerSchema.version)
        for migration in LedgerSchema.migrations.dropLast() {
            #expect(try folder.sqlite3(migration).errors.isEmpty)
        }
        // Of upgrades before this one; a newer one's is not this program's to remove.
        let (older, newer) = ([2, known - 2], known + 1)
        for version in older + [newer] {
            let path = SchemaCopy.path(of: folder.file, schema: Int64(version))
            try "old".write(toFile: path, atomically: true, encoding: .utf8)
        }
        try folder.open().close()
        let copy = SchemaCopy.path(of: folder.file, schema: Int64(known - 1))
        let looked = try folder.sqlite3(
            """
            ATTACH '\(copy)' AS old; PRAGMA old.integrity_check;
            SELECT max(version) FROM old.schema_version; SELECT max(version) FROM schema_version
            """)
        #expect(looked.output == "ok\n\(known - 1)\n\(known)\n", "\(looked.errors)")
        // Of a ledger that needs nothing there is none.
        try folder.open().close()
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        let copies = Set(files.filter { $0.contains(".schema-") })
        #expect(copies == Set([known - 1, newer].map { "ledger.sqlite.schema-\($0)" }))
    }

    @Test("every kind's code has its name in the kinds table")
    func kinds() throws {
        let folder = try LedgerFolder()
        try folder.open().close()
        let expected = PostingKind.allCases.map { "\($0.rawValue)|\($0.name)\n" }.joined()
        #expect(try folder.sqlite3("SELECT * FROM kinds ORDER BY code").output == expected)
    }

    @Test("a batch that fails leaves nothing of itself, and the next one is not disturbed")
    func rollback() throws {
        let ledger = try SQLiteLedger.inMemory()
        _ = try ledger.post([], positions: [ConsumerPosition(topic: "t", nextOffset: 5)])
        #expect(
            throws: LedgerError.positionWentBack(topic: "t", stored: 5, given: 4)
        ) {
            try ledger.post(
                [Given.payment("a")], positions: [ConsumerPosition(topic: "t", nextOffset: 4)])
        }
        #expect(try ledger.balances().isEmpty)
        #expect(try ledger.post([Given.payment("a")]).inputs == [.booked(count: 1)])
        #expect(try ledger.standing()["processor:stripe usd"] == 1000)
        #expect(try ledger.verify().fault == nil)
    }

    @Test("whoever believes a position to be stored is refused where none is")
    func nothingStored() throws {
        let ledger = try SQLiteLedger.inMemory()
        #expect(throws: LedgerError.positionWentBack(topic: "t", stored: 0, given: 3)) {
            try ledger.post(
                [Given.payment("a")],
                positions: [ConsumerPosition(topic: "t", nextOffset: 5, expected: 3)])
        }
        #expect(try ledger.position(topic: "t") == nil)
        #expect(try ledger.balances().isEmpty)
        _ = try ledger.post(
            [], positions: [ConsumerPosition(topic: "t", nextOffset: 5, expected: 0)])
        #expect(try ledger.position(topic: "t") == 5)
    }

    @Test(
        "entries and position are stored together or not at all, whichever of the two fails",
        arguments: ["INSERT ON entries", "UPDATE ON positions"])
    func together(failing: String) throws {
        let folder = try LedgerFolder()
        let ledger = try folder.open()
        func position(_ next: Int64) -> [ConsumerPosition] {
            [ConsumerPosition(topic: "payment.scored", nextOffset: next)]
        }
        _ = try ledger.post([Given.payment("a")], positions: position(1))
        let broken =
            "CREATE TRIGGER broken BEFORE \(failing) BEGIN SELECT RAISE(ABORT, 'broken'); END"
        #expect(try folder.sqlite3(broken).errors.isEmpty)
        #expect(throws: LedgerError.self) {
            try ledger.post([Given.payment("b")], positions: position(2))
        }
        #expect(try ledger.position(topic: "payment.scored") == 1)
        #expect(try ledger.posted(after: TransactionID(0), limit: 9).count == 1)
        #expect(try folder.sqlite3("DROP TRIGGER broken").errors.isEmpty)
        #expect(
            try ledger.post([Given.payment("b")], positions: position(2)).inputs
                == [.booked(count: 1)])
        #expect(try ledger.verify().fault == nil)
    }

    /// Computed by Python's hashlib from docs/formats/ledger.md.
    @Test("a hash covers the one before it and every field of its own transaction")
    func knownHashes() throws {
        let posted = try SQLiteLedger.inMemory().post([
            Given.payment("a"), Given.scored(Given.event(.payout, "po")),
        ]).posted
        #expect(
            posted.map { String(hex: $0.hash) } == [
                "425ebd70eebe19fabd4ab9e57813115906ee4f461364a888f71633710c624945",
                "ce33ec748fbc387072ab1209252c03bb111f3cfb9c94bd5ec1b0f98c1d9084ff",
            ])
    }

    @Test("a repetition inside a batch is judged by what is booked, not by what was about to be")
    func repetitions() throws {
        let folder = try LedgerFolder()
        let ledger = try folder.open()
        _ = try ledger.post([Given.payment("a")])
        try ledger.close()
        let other = Given.payment("a", currency: Given.eur)
        let outcome = try folder.open().post([
            Given.payment("x"), other, other, Given.payment("a"), Given.payment("x"),
            Given.payment("b"), Given.payment("b", currency: Given.eur),
        ])
        let refused = InputOutcome.refused(.movementConflicts)
        #expect(
            outcome.inputs == [
                .booked(count: 1), refused, refused, .alreadyBooked, .alreadyBooked,
                .booked(count: 1), refused,
            ])
        #expect(outcome.posted.map(\.posting.movement.rawValue) == ["charge:x", "charge:b"])
    }

    @Test("a decision waits for its payment across a restart")
    func waitingSurvives() throws {
        let folder = try LedgerFolder()
        let ledger = try folder.open()
        #expect(try ledger.post([Given.review("ch", .declined)]).inputs == [.nothingToBook])
        try ledger.close()
        let reopened = try folder.open()
        #expect(
            try reopened.post([Given.payment("ch", .block)]).inputs == [.booked(count: 2)])
        #expect(try reopened.standing()["merchant:acct_1:refund_due usd"] == -1000)
    }

    @Test("the same inputs give the same chain whatever the clock says")
    func reproducible() throws {
        let inputs = [Given.payment("a"), Given.scored(Given.event(.payout, "po"))]
        let heads = try [1, 2].map { (time: Int64) in
            let ledger = try SQLiteLedger.open(path: ":memory:") { time }
            return try ledger.post(inputs).posted.map(\.hash)
        }
        #expect(heads[0] == heads[1])
    }

    @Test("balances as of an instant count what took effect by then")
    func asOf() throws {
        let ledger = try SQLiteLedger.inMemory()
        let late = Given.scored(Given.event(.payout, "po", amount: 400, at: 200))
        _ = try ledger.post([late, Given.payment("a")])
        func processor(_ at: Int64) throws -> Int64? {
            try ledger.balances(asOf: Instant(seconds: at))
                .first { $0.account == .processor }?.balance.rawValue
        }
        #expect(try [99, 100, 199, 200].map(processor) == [nil, 1000, 1000, 600])
    }

    @Test("a newer, a foreign and a missing file are each refused by name")
    func badFiles() throws {
        let folder = try LedgerFolder()
        #expect(throws: LedgerError.self) {
            try SQLiteLedgerReader.open(path: folder.file)
        }
        try folder.open().close()
        _ = try folder.sqlite3("UPDATE schema_version SET version = 99")
        #expect(throws: LedgerError.newerSchema(found: 99, known: LedgerSchema.version)) {
            try folder.open()
        }
        try Data(repeating: 0x41, count: 8192).write(to: URL(fileURLWithPath: folder.file))
        for suffix in ["-wal", "-shm"] {
            try? FileManager.default.removeItem(atPath: folder.file + suffix)
        }
        let error = #expect(throws: LedgerError.self) { try folder.open() }
        guard case .corrupt? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test(
        "verify names the first damaged row",
        arguments: [
            (
                "UPDATE entries SET amount = 7 WHERE transaction_id = 3 AND seq = 1", "sum",
                "transactions 3"
            ),
            (
                "UPDATE entries SET amount = amount * 2 WHERE transaction_id = 4", "hash",
                "transactions 4"
            ),
            (
                "UPDATE transactions SET movement = 'charge:z' WHERE id = 2", "hash",
                "transactions 2"
            ),
            ("UPDATE transactions SET effective_at = 9 WHERE id = 5", "hash", "transactions 5"),
            ("UPDATE transactions SET hash = zeroblob(32) WHERE id = 6", "hash", "transactions 6"),
            ("DELETE FROM transactions WHERE id = 2", "order", "transactions 3"),
            ("DELETE FROM entries WHERE transaction_id = 2", "row", "transactions 2"),
            ("INSERT INTO entries VALUES (99, 'usd', 1, 1, 5)", "order", "entries 99/usd/1"),
            (
                "UPDATE accounts SET balance = 1 WHERE id = 1", "balance",
                "accounts 1 (processor:stripe usd)"
            ),
            (
                "INSERT INTO payment_states VALUES (4, 999, 1, 0, 0, 1)", "payment_state",
                "payment_states 4"
            ),
            (
                "INSERT INTO payment_states VALUES (4, 0, 0, 0, 0, 0)", "payment_state",
                "payment_states 4"
            ),
            (
                "INSERT INTO reviews VALUES (2, 4, 'opened', 'e', 1, 1, NULL, '[]', NULL);"
                    + "INSERT INTO open_reviews VALUES (4, 2)", "review", "transactions 4"
            ),
            ("DELETE FROM open_reviews", "review", "transactions 9"),
            (
                "INSERT INTO payment_states VALUES (9, 999, 1, 1, 5, 0)", "payment_state",
                "payment_states 9"
            ),
            ("DELETE FROM reviews", "foreign_key", "open_reviews 9"),
            (
                "INSERT INTO reviews VALUES (2, 9, 'opened', 'e', 1, 1, NULL, '[]', NULL)",
                "review", "open_reviews 9"
            ),
            (
                "INSERT INTO reviews VALUES (2, 9, 'opened', 'e', 1, 1, 0.5, '[]', NULL);"
                    + "UPDATE open_reviews SET review = 2", "review", "reviews 2"
            ),
            (
                "UPDATE reviews SET state = 'approved'; INSERT INTO reviews VALUES "
                    + "(2, 9, 'opened', 'e', 1, 1, NULL, '[]', NULL);"
                    + "UPDATE open_reviews SET review = 2", "review", "reviews 1"
            ),
            (
                "UPDATE renewals SET after_transaction = 9; INSERT INTO reviews VALUES "
                    + "(2, 9, 'opened', 'e', 1, 1, 0.25, '[]', NULL);"
                    + "UPDATE open_reviews SET review = 2", "review", "reviews 2"
            ),
            ("UPDATE ends SET last = 7 WHERE name = 'reviews'", "tail", "reviews 1"),
            ("INSERT INTO refunds VALUES ('charge:c1', 4)", "refund", "refunds charge:c1/4"),
            (
                "INSERT INTO waiting_decisions VALUES ('charge:c1', 2, 5)", "waiting_decision",
                "waiting_decisions charge:c1"
            ),
            ("UPDATE accounts SET name = 'x' WHERE id = 1", "hash", "transactions 1"),
            ("UPDATE gate SET state = 1", "gate", "gate 1"),
            ("SELECT 1", "schema", "trigger entries_no_update"),
        ] as [(String, String, String)])
    func damage(sql: String, check: String, row: String) throws {
        let folder = try LedgerFolder()
        let ledger = try folder.open()
        _ = try ledger.post((1...8).map { Given.payment("c\($0)") })
        _ = try ledger.post([Given.payment("c9", .block)])
        let triggers = try folder.sqlite3("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
        let drops = triggers.output.split(separator: "\n").map { "DROP TRIGGER \($0);" }.joined()
        let kept = check == "schema" ? "DROP TRIGGER entries_no_update;" : drops
        #expect(try folder.sqlite3(kept + sql).errors.isEmpty)
        let fault = try ledger.verify().fault
        #expect(fault?.check == check && fault?.row == row, "\(String(describing: fault))")
    }

    @Test("verify says so when a page of the file is overwritten")
    func flippedPages() throws {
        let folder = try LedgerFolder()
        let ledger = try folder.open()
        _ = try ledger.post((1...500).map { Given.payment("c\($0)") })
        try ledger.close()
        let whole = try Data(contentsOf: URL(fileURLWithPath: folder.file))
        var random = SeededGenerator(seed: 7)
        for _ in 0..<60 {
            var damaged = whole
            let page = Int.random(in: 1..<whole.count / 4096, using: &random) * 4096
            for index in page..<page + 4096 {
                damaged[index] = UInt8.random(in: 0...255, using: &random)
            }
            try damaged.write(to: URL(fileURLWithPath: folder.file))
            // Opening may refuse, or verify name a fault; neither may crash or find all well.
            do {
                let reopened = try SQLiteLedgerReader.open(path: folder.file)
                #expect(try reopened.verify().fault != nil, "page at \(page)")
            } catch {
                #expect(!error.isRetryable)
            }
        }
    }
}
