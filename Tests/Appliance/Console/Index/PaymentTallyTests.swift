import AppendLog
import TestSupport
import Testing

@testable import Appliance
@testable import Console
@testable import Vocabulary

@Suite("Payments counted since the start")
struct PaymentTallyTests {
    /// A payment that is scored without its vector, and again once that has come.
    private static func score(_ number: Int, _ verdict: Verdict, asOf: Int64?) -> ScoredPayment {
        let event = Given.event(.payment, "ch_\(number)", amount: 1_000, at: 1_760_000_000)
        return ScoredPayment(
            event: event, verdict: verdict, score: asOf.map { _ in 0.5 }, reasons: [],
            model: asOf.map { _ in "m" }, featuresAsOf: asOf.map { Instant(seconds: $0) })
    }

    private static func list(
        _ fixture: IndexFixture, _ change: (inout PaymentQuery) -> Void
    ) throws -> [PaymentRow] {
        var query = PaymentQuery()
        query.seenFrom = fixture.index.tally.since
        change(&query)
        return try fixture.list(query)
    }

    /// Compares each figure with the list that it leads to.
    private static func compare(_ fixture: IndexFixture) throws {
        let tally = fixture.index.tally
        let flagged = try list(fixture) { $0.verdicts = PaymentTally.flagged }
        #expect(Int64(flagged.count) == tally.count(.manualReview) + tally.count(.block))
        for verdict in Verdict.allCases {
            let own = try list(fixture) { $0.verdict = verdict }
            #expect(Int64(own.count) == tally.count(verdict), "\(verdict)")
        }
        let booked = try list(fixture) { $0.places = PaymentTally.bookedPlaces }
        #expect(Int64(booked.count) == tally.bookedCount)
        let sums = Dictionary(grouping: booked.compactMap(\.told), by: \.currency)
            .mapValues { $0.reduce(0) { $0 + $1.amount } }
        #expect(sums == tally.volume.filter { $0.value != 0 })
    }

    @Test("a payment that is scored again counts once, by the verdict that stands")
    func once() throws {
        let fixture = try IndexFixture()
        for number in 1...3 {
            fixture.tell(
                ToldPayment(
                    number: number, customer: nil, amount: 1_000, created: 1_760_000_000,
                    lastFour: "4242", verdict: number == 3 ? .block : .manualReview))
        }
        try fixture.index.catchUp()
        #expect(fixture.index.tally.count(.manualReview) == 2)
        #expect(fixture.index.tally.count(.block) == 1)
        try Self.compare(fixture)
        // What was told for the fixture has a score and no vector; these have both.
        fixture.append(Self.score(1, .manualReview, asOf: 1_760_000_000), to: .paymentScored)
        fixture.append(Self.score(2, .approve, asOf: 1_760_000_000), to: .paymentScored)
        try fixture.index.catchUp()
        let tally = fixture.index.tally
        #expect([.approve, .manualReview, .block].map(tally.count) == [1, 1, 1])
        #expect(tally.bookedCount == 3 && tally.volume == [Given.usd: 3_000])
        try Self.compare(fixture)
    }

    @Test("every figure is the length of the list that it leads to", arguments: [1, 2] as [UInt64])
    func lists(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        // Half of the payments came before the start.
        let fixture = try IndexFixture(since: 1_760_002_000_000)
        for turn in 0..<4 {
            for number in 0..<100 {
                fixture.tell(ToldPayment.random(turn * 100 + number, using: &generator))
            }
            try fixture.index.catchUp()
            try Self.compare(fixture)
        }
        #expect((1..<400).contains(fixture.index.tally.bookedCount))
    }

    @Test("an index that is made anew counts all of it again, and none twice")
    func anew() throws {
        let fixture = try IndexFixture()
        fixture.tell(
            ToldPayment(
                number: 1, customer: nil, amount: 1_000, created: 1_760_000_000, lastFour: "4242",
                verdict: .block))
        try fixture.index.catchUp()
        let before = fixture.index.tally
        fixture.reopen(log: "log-2")
        try fixture.index.catchUp()
        #expect(fixture.index.tally == before && before.count(.block) == 1)
    }
}
