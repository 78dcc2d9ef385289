import Testing

@testable import Appliance
@testable import Console
@testable import Vocabulary

/// What stands beside a case, looked for in one log and by the index of payments.
@Suite("The history beside a case")
struct CaseHistoryTests {
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
}
