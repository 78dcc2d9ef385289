import AppendLog
import Foundation
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
}
