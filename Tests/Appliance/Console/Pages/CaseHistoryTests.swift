import AppendLog
import Testing

@testable import Appliance
@testable import Console
@testable import Vocabulary

/// What stands beside a case, looked for in one log and by the index of payments.
@Suite("The history beside a case")
struct CaseHistoryTests {
    @Test("a payment's page says from when on anything is usual", arguments: [
        (0, "known from 3 earlier payments on; this is the first"),
        (1, "known from 3 earlier payments on; there is 1"),
        (2, "known from 3 earlier payments on; there are 2"),
        (3, "mean and two deviations over 3 earlier payments"),
    ])
    func usual(count: Int, expected: String) {
        #expect(StoryView.usualWords(count) == expected)
    }

    @Test("by the index it is what the log itself says")
    func same() async throws {
        try await PageFixture.opened { fixture in
            let parts = fixture.pages.parts
            let reviews = try parts.ledger.openReviews(after: TransactionID(0), limit: 100)
            var earlierCount = 0
            for review in reviews {
                let own = try CaseHistory(of: review, in: parts.sources)
                let indexed = try CaseHistory(of: review, in: parts.payments)
                #expect(indexed.scored == own.scored && own.scored != nil, "\(review.movement)")
                #expect(indexed.vector == own.vector && own.vector != nil, "\(review.movement)")
                #expect(indexed.usual == own.usual, "\(review.movement)")
                let told = own.earlier.map(\.payment.event.movement)
                #expect(indexed.earlier.map(\.payment.event.movement) == told)
                earlierCount += told.count
            }
            #expect(earlierCount > 3, "one customer has paid again and again")
        }
    }

    private static func webhook(_ id: String, _ type: String, _ object: String) -> Record {
        PipelineFixture.received(
            """
            {"id":"\(id)","object":"event","api_version":"2024-06-20","type":"\(type)",\
            "created":1760060000,"livemode":false,"data":{"object":\(object)}}
            """, event: id)
    }

    @Test("beside a case stands what banks have told of it and of the customer's other payments")
    func signs() async throws {
        let warning = #"{"id":"issfr_1","object":"radar.early_fraud_warning","charge":"ch_1"}"#
        let dispute =
            #"{"id":"dp_1","object":"dispute","charge":"ch_4","amount":4000,"currency":"usd"}"#
        let told = [
            Self.webhook("evt_w1", "radar.early_fraud_warning.created", warning),
            Self.webhook("evt_w2", "radar.early_fraud_warning.updated", warning),
            Self.webhook("evt_d1", "charge.dispute.created", dispute),
            Self.webhook("evt_d2", "charge.dispute.updated", dispute),
        ]
        try await PageFixture.opened(and: told) { fixture in
            let parts = fixture.pages.parts
            func signs(_ charge: String) throws -> [[String]] {
                let movement = MovementKey("charge:\(charge)")
                let review = try #require(try parts.ledger.review(of: movement))
                return try [
                    CaseHistory(of: review, in: parts.sources),
                    CaseHistory(of: review, in: parts.payments),
                ].map { history in
                    #expect(history.hasAllSigns)
                    return history.signs.map { "\($0.charge) \($0.kind)" }.sorted()
                }
            }
            for charge in ["ch_1", "ch_5"] {
                let both = ["ch_1 warning", "ch_4 dispute"]
                #expect(try signs(charge) == [both, both], "they are of one customer")
            }
            #expect(try signs("ch_2") == [[], []], "another customer's")
            let page = try await fixture.ask("/review/ch_1").text
            for words in [
                "What banks have told", "the card’s issuer reported fraud", "this payment",
                "Dispute opened", #"href="/payments/ch_4""#, "40.00",
            ] { #expect(page.contains(words), "\(words)") }
            let other = try await fixture.ask("/review/ch_2").text
            #expect(other.contains("No early fraud warning and no dispute"))
            #expect(!other.contains("What banks have told"))
            let sheet = try await fixture.ask("/review/ch_5/sheet").text
            #expect(sheet.contains("Early fraud warning") && sheet.contains("ch_1"))
        }
    }
}
