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
}
