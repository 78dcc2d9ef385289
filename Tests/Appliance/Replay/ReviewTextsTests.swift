import AppendLog
import Foundation
import TestSupport
import Testing

@testable import Appliance
@testable import Daemon
@testable import Vocabulary

/// Somebody has edited what the ledger keeps of reviews and decisions, behind its triggers: the log
/// says what it was.
@Suite("Reviews and decisions beside the log")
struct ReviewTextsTests {
    /// A folder whose payments are all held, and of which people have decided two.
    private struct Place {
        let folder: TemporaryFolder
        var log: String { folder.file("data/log") }
        var ledger: String { folder.file("data/ledger.sqlite") }

        init() async throws {
            folder = try TemporaryFolder()
            try await Self.fill(StartFixture(folder.file("data")))
        }

        /// Nothing of the daemon outlives this: the ledger is one file then.
        private static func fill(_ fixture: StartFixture) async throws {
            let daemon = try fixture.start()
            try await fixture.admit(0..<6, daemon)
            try await fixture.process(daemon)
            let open = try daemon.ledger.openReviews(after: TransactionID(0), limit: 10)
            let decisions = zip(open, [ReviewState.approved, .declined]).map { review, state in
                LedgerStep.decision(
                    ReviewRecord(
                        movement: review.movement, state: state, reasons: [], by: "ana",
                        at: Instant(seconds: 1_700_000_100),
                        note: state == .approved ? "the customer called" : nil),
                    on: review.eventID, at: Timestamp(milliseconds: 1_700_000_100_000))
            }
            #expect(decisions.count == 2)
            _ = try await daemon.topics[.paymentReview].append(decisions)
            try await fixture.process(daemon)
            try await fixture.stop(daemon)
        }

        /// What is found wrong, once `sql` was run on a copy of the ledger.
        func fault(after sql: String?) throws -> LedgerVerification.Fault? {
            let copy = try LedgerFolder()
            try FileManager.default.copyItem(atPath: ledger, toPath: copy.file)
            if let sql { try copy.tamper(sql) }
            let reader = try SQLiteLedgerReader.open(path: copy.file)
            defer { try? reader.close() }
            // What the ledger can find by itself is another test's.
            if sql != nil { #expect(try reader.verify().fault == nil) }
            return try ReviewTexts.fault(in: reader) {
                let name = try TopicName(TopicID.paymentReview.rawValue)
                return try Log.openReadOnly(at: log).topic(name).map { TopicReader($0) }
            }
        }
    }

    private static let tamperings: [(sql: String, row: String)] = [
        ("UPDATE decisions SET decided_by = 'bob' WHERE state = 'approved'", "decided_by"),
        ("UPDATE decisions SET note = 'x' WHERE state = 'declined'", "note"),
        ("UPDATE decisions SET note = NULL WHERE state = 'approved'", "note"),
        ("UPDATE decisions SET note = 'the customer cried' WHERE state = 'approved'", "note"),
        ("UPDATE decisions SET place = place + 1000 WHERE state = 'declined'", "decisions at "),
        ("UPDATE decisions SET place = 0 WHERE state = 'declined'", "decisions at "),
        ("UPDATE decisions SET partition = 1 WHERE state = 'declined'", "decisions at "),
        (
            "INSERT INTO decisions SELECT 0, 1, 0, movement, state, decided_by, decided_at, note, "
                + "0 FROM decisions WHERE state = 'declined'", "decisions at 1"
        ),
        ("UPDATE reviews SET event_id = 'evt_other' WHERE id = 2", "reviews 2, event_id"),
        ("UPDATE reviews SET at = at + 1 WHERE id = 2", "reviews 2, at"),
        ("UPDATE reviews SET score = 0.125 WHERE id = 2", "reviews 2, score"),
        ("UPDATE reviews SET score = NULL WHERE id = 2", "reviews 2, score"),
        ("UPDATE reviews SET reasons = '[]' WHERE id = 2", "reviews 2, reasons"),
        ("UPDATE reviews SET note = 'x' WHERE id = 2", "reviews 2, note"),
        ("UPDATE reviews SET posted_at = posted_at + 1 WHERE id = 2", "reviews 2, posted_at"),
    ]

    @Test("each column that only the log says again is compared with it")
    func compared() async throws {
        let place = try await Place()
        #expect(try place.fault(after: nil) == nil)
        for (sql, row) in Self.tamperings {
            let fault = try place.fault(after: sql)
            #expect(fault?.row.contains(row) == true, "\(sql): \(fault?.description ?? "nothing")")
        }
    }

    @Test("`review list` and `review show` have what the best informed scoring said")
    func renewed() async throws {
        let fixture = try PipelineFixture { $0.amountLimits = [Given.usd: MinorUnits(1)] }
        try await fixture.opened { opened in
            for (body, event) in [
                (PipelineFixture.intent(1), "evt_pi_1"), (PipelineFixture.charge(1), "evt_1"),
            ] {
                _ = try await opened.append(
                    PipelineFixture.received(body, event: event), to: .webhookReceived)
                try await fixture.process(opened)
            }
            #expect(try opened.records(.paymentReview).count == 2)
        }
        for shown in [
            try await Tillbox.run("review", "list", "--data", fixture.path, "--json"),
            try await Tillbox.run("review", "show", "ch_1", "--data", fixture.path, "--json"),
        ] {
            #expect(shown.code == 0, "\(shown.errors)")
            #expect(shown.output.contains("\"rule\":\"amount_limit\""), "\(shown.output)")
            #expect(!shown.output.contains("features_missing"), "\(shown.output)")
            #expect(!shown.output.contains("\"score\":null"), "\(shown.output)")
            #expect(shown.output.contains("\"event\":\"evt_1\""), "\(shown.output)")
        }
        let reader = try SQLiteLedgerReader.open(path: "\(fixture.path)/ledger.sqlite")
        defer { try? reader.close() }
        let fault = try ReviewTexts.fault(in: reader) {
            let name = try TopicName(TopicID.paymentReview.rawValue)
            return try Log.openReadOnly(at: "\(fixture.path)/log").topic(name)
                .map { TopicReader($0) }
        }
        #expect(fault == nil, "\(String(describing: fault))")
    }

    @Test("`ledger verify` says so, and a program reads that it is not sound")
    func command() async throws {
        let place = try await Place()
        let data = place.folder.file("data")
        let before = try await Tillbox.run("ledger", "verify", "--data", data, "--json")
        #expect(before.code == 0, "\(before.errors)")
        let copy = try LedgerFolder()
        try FileManager.default.copyItem(atPath: place.ledger, toPath: copy.file)
        try copy.tamper("UPDATE decisions SET decided_by = 'bob' WHERE state = 'approved'")
        try FileManager.default.removeItem(atPath: place.ledger)
        try FileManager.default.copyItem(atPath: copy.file, toPath: place.ledger)
        let after = try await Tillbox.run("ledger", "verify", "--data", data, "--json")
        #expect(after.code == 1)
        #expect(after.output.contains("\"sound\":false"), "\(after.output)")
        #expect(after.errors.contains("expected “ana” as in payment.review, found “bob”"))
    }
}
