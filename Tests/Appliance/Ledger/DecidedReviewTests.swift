import Testing

@testable import Appliance
@testable import Vocabulary

@Suite("How reviews ended, as the ledger lists it")
struct DecidedReviewTests {
    private static let eur = Currency("eur")!

    /// Decisions of three partitions, two of them in one second; one that comes too late; and a
    /// review that better knowledge has ended.
    private static func decided(_ ledger: any Ledger) throws {
        let payments = ["a", "b", "c", "d"].map { Given.payment($0, .block) }
            + [
                Given.payment("e", .block, currency: eur),
                Given.payment("r", .manualReview, known: false, id: "evt_pi"),
                Given.payment("r", .approve),
            ]
        _ = try ledger.post(payments)
        let decisions: [(LedgerInput, partition: Int32, offset: Int64)] = [
            (Given.review("b", .approved, at: 600), 2, 5),
            (Given.review("a", .approved, at: 500), 0, 9),
            (Given.review("c", .approved, at: 500), 1, 3),
            (Given.review("c", .approved, by: "late", at: 501), 1, 4),
            (Given.review("d", .declined, at: 550), 0, 10),
            (Given.review("e", .approved, at: 700), 2, 6),
        ]
        for (input, partition, offset) in decisions {
            _ = try ledger.post(
                [input], positions: [],
                places: [
                    0: DecisionPlace(
                        decision: offset, partition: partition, scoredNext: 1)
                ])
        }
    }

    @Test("those that took effect, by time, page by page", arguments: LedgerStore.allCases)
    func pages(store: LedgerStore) throws {
        let ledger = try store.ledger()
        try Self.decided(ledger)
        let sql = try #require(ledger as? any LedgerSQL)
        let (from, to) = (Instant(seconds: 400), Instant(seconds: 700))
        func all(_ state: ReviewState, _ from: Instant, limit: Int) throws -> [DecidedReview] {
            var (place, found): (DecidedPlace?, [DecidedReview]) = (nil, [])
            while true {
                let page = try sql.decided(
                    state, from: from, to: to, after: place, limit: limit)
                found += page
                guard page.count == limit, let last = page.last else { return found }
                // As an address carries it.
                let next = try #require(DecidedPlace(last.place.token))
                place = next
            }
        }
        for limit in [1, 2, 100] {
            let approved = try all(.approved, from, limit: limit)
            #expect(
                approved.map(\.record.movement.rawValue)
                    == ["charge:a", "charge:c", "charge:b", "charge:e"], "pages of \(limit)")
            #expect(approved.map(\.currency) == ["usd", "usd", "usd", "eur"])
            #expect(approved.allSatisfy { $0.record.by == "ada" })
            #expect(
                try all(.declined, from, limit: limit).map(\.record.movement.rawValue)
                    == ["charge:d"])
        }
        #expect(try all(.approved, Instant(seconds: 601), limit: 9).map(\.currency) == ["eur"])
        #expect(try all(.expired, from, limit: 9).isEmpty)
        // What the ledger told by itself is of the time of the event that ended it.
        let own = try all(.approved, Instant(seconds: 0), limit: 2)
            .filter { $0.record.by == PostingRules.scoringActor }
        #expect(own.map(\.record.movement.rawValue) == ["charge:r"])
    }

    @Test("no place of another's", arguments: ["", "1", "1:2:3", "1:2:3:x", "1:2:3:4:5", "::: "])
    func noPlace(text: String) { #expect(DecidedPlace(text) == nil) }
}
