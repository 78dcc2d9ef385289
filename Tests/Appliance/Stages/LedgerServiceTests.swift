import AppendLog
import Foundation
import Synchronization
import Testing

@testable import Appliance
@testable import Vocabulary

/// What a crash right behind the ledger's COMMIT leaves undone.
@Suite("The ledger's service after a crash")
struct LedgerServiceTests {
    @Test("publishes what was committed and not published, once")
    func publishes() async throws {
        let fixture = try PipelineFixture()
        try await fixture.opened { opened in
            _ = try opened.ledger.post([Given.payment("a"), Given.payment("b")])
            #expect(try opened.records(.ledgerPosted).isEmpty)
            for _ in 0..<2 {
                try await fixture.process(opened)
                let keys = try opened.records(.ledgerPosted).map {
                    String(decoding: $0.record.key ?? [], as: UTF8.self)
                }
                #expect(keys == ["charge:a", "charge:b"])
            }
        }
    }

    @Test("counts what waits, from the start on and with everything that is booked")
    func countsWaiting() async throws {
        let fixture = try PipelineFixture()
        func told(_ refund: String, _ kind: PaymentKind) -> PaymentEvent {
            var event = Given.event(
                kind, refund, amount: 250, related: "ch_1", movement: "refund:\(refund)",
                id: "evt_\(refund)_\(kind)")
            if kind == .refundNoted { event.outcome = NotedRefund.told.rawValue }
            return event
        }
        try await fixture.opened { opened in
            _ = try opened.ledger.post(
                ["re_1", "re_2"].map { Given.scored(told($0, .refundNoted)) })
            try await fixture.process(opened)
            #expect(fixture.counters.waiting.load(ordering: .relaxed) == 2)
            let booked = ScoredPayment(
                event: told("re_1", .refund), verdict: .notScored, score: nil, reasons: [],
                model: nil, featuresAsOf: nil)
            _ = try await opened.append(
                Record(
                    key: nil, value: booked.encoded()[...],
                    timestamp: Timestamp(milliseconds: 1)),
                to: .paymentScored)
            try await fixture.process(opened)
            #expect(fixture.counters.waiting.load(ordering: .relaxed) == 1)
            #expect(try opened.ledger.waiting().map(\.key.rawValue) == ["refund:re_2"])
        }
    }

    /// One is told twice in one run, the other in two.
    @Test("a payment that is held, and then released by a milder scoring, counts once")
    func countsOnce() async throws {
        let fixture = try PipelineFixture()
        try await fixture.opened { opened in
            func tell(_ charge: String, _ verdict: Verdict) async throws {
                let isHeld = verdict != .approve
                let scored = ScoredPayment(
                    event: Given.event(
                        .payment, charge, id: "evt_\(charge)_\(verdict)", known: !isHeld),
                    verdict: verdict, score: 0.5, reasons: [], model: nil, featuresAsOf: nil)
                _ = try await opened.append(
                    Record(
                        key: nil, value: scored.encoded()[...],
                        timestamp: Timestamp(milliseconds: 1)), to: .paymentScored)
            }
            try await tell("ch_1", .manualReview)
            try await tell("ch_2", .manualReview)
            try await tell("ch_2", .approve)
            try await fixture.process(opened)
            try await tell("ch_1", .approve)
            try await fixture.process(opened)
            let kinds = try opened.ledger.posted(after: TransactionID(0), limit: 10)
                .map(\.posting.kind)
            #expect(kinds.count { $0 == .payment } == 2 && kinds.count { $0 == .released } == 2)
            #expect(fixture.counters.volume == [Given.usd: 2_000])
            #expect(fixture.counters[.paymentsBooked] == 2)
            #expect(fixture.counters[.booked] == 4)
        }
    }

    @Test("buries what was refused and not buried, once")
    func buries() async throws {
        let fixture = try PipelineFixture()
        try await fixture.opened { opened in
            let worthless = ScoredPayment(
                event: Given.event(.payout, "po", amount: 0), verdict: .notScored, score: nil,
                reasons: [], model: nil, featuresAsOf: nil)
            let record = Record(
                key: nil, value: worthless.encoded()[...], timestamp: Timestamp(milliseconds: 1))
            let offset = try await opened.append(record, to: .paymentScored)
            _ = try opened.ledger.post(
                [],
                positions: [
                    ConsumerPosition(
                        topic: TopicID.paymentScored.rawValue, nextOffset: offset.rawValue + 1)
                ])
            for _ in 0..<2 {
                try await fixture.process(opened)
                let reasons = try opened.records(.deadLetter).map { $0.record.text("reason") }
                #expect(reasons == [PostingRefusal.amountIsZero.code])
            }
        }
    }

    @Test("publishes reviews that were opened and not published, once, with their row as source")
    func publishesReviews() async throws {
        let fixture = try PipelineFixture()
        try await fixture.opened { opened in
            _ = try opened.ledger.post([
                Given.payment("a", .block), Given.payment("b"),
                Given.payment("c", .manualReview, known: false), Given.payment("c"),
            ])
            #expect(try opened.records(.paymentReview).isEmpty)
            for _ in 0..<2 {
                try await fixture.process(opened)
                let records = try opened.records(.paymentReview)
                let reviews = try records.map {
                    try ReviewRecord($0.record.value ?? [], using: JSONDocument())
                }
                #expect(
                    reviews.map { "\($0.movement) \($0.state.rawValue)" }
                        == ["charge:a opened", "charge:c opened", "charge:c approved"])
                #expect(records.map { $0.source?.rawValue } == [1, 2, 3])
                #expect(records.allSatisfy { $0.record.text("stage") == "ledger" })
            }
            // What it wrote itself it has read, and nothing came of it.
            #expect(try opened.ledger.position(topic: "payment.review") == 3)
            #expect(try opened.bookedCount() == 4)
        }
    }

    @Test("publishes a review that was renewed without a transaction and not published, once")
    func publishesRenewals() async throws {
        let fixture = try PipelineFixture()
        try await fixture.opened { opened in
            _ = try opened.ledger.post([Given.payment("a", .block, known: false)])
            try await fixture.process(opened)
            let better = Given.scored(Given.event(.payment, "a"), .block, score: 0.9)
            #expect(try opened.ledger.post([better]).posted.isEmpty)
            #expect(try opened.records(.paymentReview).count == 1)
            for _ in 0..<2 {
                try await fixture.process(opened)
                let records = try opened.records(.paymentReview)
                #expect(records.map { $0.source?.rawValue } == [1, 2])
                let last = try ReviewRecord(
                    try #require(records.last).record.value ?? [], using: JSONDocument())
                #expect(last.state == .opened && last.score == 0.9)
            }
            #expect(try opened.records(.ledgerPosted).count == 1)
            #expect(try opened.ledger.verify().fault == nil)
        }
    }

    @Test(
        "a score that is no number is a dead letter, and nothing of it is booked",
        arguments: ["1e999", "-1e999", "NaN", "Infinity", "\"0.5\""])
    func noNumber(score: String) async throws {
        let fixture = try PipelineFixture()
        try await fixture.opened { opened in
            guard case .scored(let scored) = Given.payment("a", .block) else { return }
            let text = String(decoding: scored.encoded(), as: UTF8.self)
            let reason = #"{"feature":"x","value":\#(score),"contribution":1}"#
            for bad in [
                text.replacing("\"score\":0.5", with: "\"score\":\(score)"),
                text.replacing("\"reasons\":[]", with: "\"reasons\":[\(reason)]"),
            ] {
                #expect(bad != text)
                _ = try await opened.append(
                    Record(
                        key: nil, value: Array(bad.utf8)[...],
                        timestamp: Timestamp(milliseconds: 1)), to: .paymentScored)
            }
            _ = try await opened.append(
                Record(
                    key: nil, value: scored.encoded()[...], timestamp: Timestamp(milliseconds: 1)),
                to: .paymentScored)
            try await fixture.process(opened)
            let reasons = try opened.records(.deadLetter).map { $0.record.text("reason") }
            #expect(reasons == ["record_malformed", "record_malformed"])
            #expect(try opened.bookedCount() == 1)
            #expect(try opened.ledger.review(of: MovementKey("charge:a"))?.score == 0.5)
        }
    }

    /// Texts that a decision of somebody else's program may have.
    private static let texts = [
        "charge:a\u{0}", "\u{0}", "", "charge:\u{1}a", "charge:a\n", "charge:a\u{7F}", "charge:a b",
        "charge:\u{FFFD}", "payout:a",
    ]

    @Test(
        "a decision that names no payment is a dead letter, and the ledger keeps what the log has",
        arguments: LedgerStore.allCases)
    func strangeDecisions(store: LedgerStore) throws {
        func decision(_ change: (inout ReviewRecord) -> Void) -> Record {
            var record = ReviewRecord(
                movement: MovementKey("charge:a"), state: .approved, reasons: [], by: "ada",
                at: Instant(seconds: 500), note: "why")
            change(&record)
            return LedgerStep.decision(record, on: nil, at: Timestamp(milliseconds: 1))
        }
        var records = Self.texts.map { text in decision { $0.movement = MovementKey(text) } }
        records += [ReviewState.opened, .expired].map { state in decision { $0.state = state } }
        records += [
            decision { $0.by = "a\u{0}da" }, decision { $0.note = "\u{0}" },
            decision { $0.by = "a\u{1}da\u{7F}" }, decision { $0.note = "\u{1}\n" },
        ]
        let placed = records.enumerated().map { offset, record in
            PlacedRecord(
                place: SourcePlace(topic: .paymentReview, offset: Offset(Int64(offset))),
                record: record)
        }
        let ledger = try store.ledger()
        _ = try ledger.post([Given.payment("a", .block)])
        let batch = LedgerStep().decode(placed)
        let outcome = try ledger.post(
            batch.inputs,
            positions: [
                ConsumerPosition(
                    topic: "payment.review", nextOffset: Int64(records.count))
            ], places: batch.places { _ in Offset(1) })
        let letters = LedgerStep.letters(of: outcome, batch)
        #expect(
            letters.map { $0.record.text("reason") ?? "" }
                == Array(repeating: "record_malformed", count: 3)
                + Array(repeating: "not_reviewable", count: Self.texts.count - 3)
                + ["record_malformed", "record_malformed"])
        // Of the two that are left the first is the one that stands.
        let review = try #require(try ledger.review(of: MovementKey("charge:a")))
        #expect(review.state == .approved && review.decision?.by == "a\u{1}da\u{7F}")
        let document = JSONDocument()
        for (offset, record) in records.enumerated() {
            let kept = try ledger.decision(at: Int64(offset), partition: 0)
            let told = try? ReviewRecord(record.value ?? [], using: document)
            #expect(kept?.record == told, "\(offset)")
        }
        #expect(try ledger.verify().fault == nil)
    }
}
