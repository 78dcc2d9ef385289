import AppendLog
import Foundation
import TestSupport
import Testing

@testable import Appliance
@testable import Console
@testable import Vocabulary

/// The index over topics of several partitions, as the cloud plane's console has it.
@Suite("The index of payments over several partitions")
struct IndexPartitionsTests {
    @Test("rows, trails and sums are those of one partition, and a record is named by its own")
    func same() throws {
        let fixture = try IndexFixture()
        var generator = SeededGenerator(seed: 11)
        for number in 1...300 { fixture.tell(.random(number, using: &generator)) }
        try fixture.index.catchUp()
        let spread = fixture.spread(over: 3)
        try spread.catchUp()
        #expect(spread.lag == 0)
        var query = PaymentQuery()
        query.limit = 1_000
        // As the API tells of it: a row's number is of its own index.
        func told(_ index: PaymentIndex) throws -> Set<String> {
            Set(
                try index.payments(query).rows.map { row in
                    var writer = JSONWriter(capacity: 512)
                    row.encode(into: &writer)
                    return String(decoding: writer.bytes, as: UTF8.self)
                })
        }
        #expect(try told(spread) == told(fixture.index))
        var partitions: Set<Int32?> = []
        for row in try spread.payments(query).rows {
            let other = try #require(try fixture.index.payment(row.charge))
            let steps = try spread.trail(of: row, limit: 100)
            let single = try fixture.index.trail(of: other, limit: 100)
            #expect(steps.map(\.word).sorted() == single.map(\.word).sorted())
            #expect(single.allSatisfy { $0.partition == nil })
            for step in steps { partitions.insert(step.partition) }
        }
        #expect(partitions == [0, 1, 2])
        let words = ["fees", "booked:payment", "verdict:approve", "review:opened"]
        let (from, to) = (Instant(seconds: 0), Instant(seconds: 4_000_000_000))
        #expect(
            try spread.sums(of: words, from: from, to: to)
                == fixture.index.sums(of: words, from: from, to: to))
    }

    @Test("money is where the newest transaction put it, whichever partition is read first")
    func newest() throws {
        let fixture = try IndexFixture()
        let payment = ToldPayment(
            number: 1, customer: "cus_1", amount: 500, created: 1_760_000_000, lastFour: "4242",
            verdict: .manualReview)
        fixture.tell(payment)
        let at = Instant(seconds: payment.created)
        fixture.append(
            LedgerPosted(
                id: 2, movement: MovementKey("released:charge:ch_1"), eventID: EventID("evt_1"),
                kind: "released", effectiveAt: at, postedAt: at,
                entries: [
                    .init(
                        account: "merchant:shop:held", currency: Given.usd,
                        amount: MinorUnits(500)),
                    .init(
                        account: "merchant:shop:payable", currency: Given.usd,
                        amount: MinorUnits(-500)),
                ], hash: ""), to: .ledgerPosted)
        try fixture.index.catchUp()
        #expect(try fixture.index.payment("ch_1")?.place == .payable)
        // Over two partitions the release is read before the payment.
        let spread = fixture.spread(over: 2)
        try spread.catchUp()
        #expect(try spread.payment("ch_1")?.place == .payable)
    }

    @Test("payments of one second have one order in every instance, so that pages go on at any")
    func pages() throws {
        let fixture = try IndexFixture()
        for number in 1...50 {
            fixture.tell(
                ToldPayment(
                    number: number, customer: "cus_1", amount: 500, created: 1_760_000_000,
                    lastFour: "4242"))
        }
        let instances = [fixture.spread(over: 2), fixture.spread(over: 3)]
        for index in instances { try index.catchUp() }
        var (query, charges) = (PaymentQuery(), [String]())
        query.limit = 7
        repeat {
            let page = try instances[charges.count / 7 % 2].payments(query)
            charges += page.rows.map(\.charge)
            query.after = page.next
        } while query.after != nil
        #expect(charges.count == 50)
        #expect(Set(charges).count == 50)
    }

    @Test("until it has read what was there, it says how much is left, and of how much")
    func behind() throws {
        let fixture = try IndexFixture()
        for number in 1...3 {
            fixture.tell(
                ToldPayment(
                    number: number, customer: "cus_1", amount: 500, created: 1_760_000_000,
                    lastFour: "4242"))
        }
        let index = fixture.spread(over: 2)
        #expect(index.behind == "all records")
        let feed = IndexFeed()
        var told: [String] = []
        while try index.turn(feed) { told.append(index.behind ?? "none") }
        #expect(told.first?.hasSuffix(" of 12") == true, "\(told)")
        #expect(index.behind == nil)
        #expect(try index.payments(PaymentQuery()).rows.count == 3)
    }

    @Test("a partition that cannot be read now is told of, and is read once it can")
    func unread() throws {
        let topic = ListedTopic()
        let gate = Gate()
        let index = PaymentIndex(
            partitions: 1,
            reader: { _ throws(StoreFailure) in
                guard gate.isOpen else { throw .outside("no broker") }
                return TopicReader(topic) { $0 }
            }, logger: PipelineFixture.quiet)
        #expect(throws: StoreFailure.self) { try index.catchUp() }
        #expect(index.behind == "all records")
        gate.isOpen = true
        try index.catchUp()
        #expect(index.behind == nil)
    }

    private final class Gate: @unchecked Sendable {
        // `@unchecked Sendable`: used from one thread at a time.
        var isOpen = false
    }
}
