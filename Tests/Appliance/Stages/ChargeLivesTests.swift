import AppendLog
import Testing
import TwinSupport

@testable import Appliance
@testable import Vocabulary

@Suite("Lives of charges, through Validate, Score and Ledger")
struct ChargeLivesTests {
    @Test(
        "leave captured minus truly refunded, in any order, doubled, in every version's telling",
        arguments: 1...200 as ClosedRange<UInt64>)
    func ends(seed: UInt64) throws {
        let life = ChargeLife(seed: seed)
        let told = life.events
        var random = SeededGenerator(seed: seed)
        let orders = [told] + (0..<3).map { _ in told.shuffled(using: &random) }
        for order in orders {
            // Stripe tells a thing twice under two ids, too.
            let again = order.map { event -> TestJSON in
                guard case .string(let id) = event["id"] else { return event }
                return event.with(["id": .string("\(id)_again")])
            }
            var pipeline = try MoneyPipeline()
            var types: [TestJSON] = []
            for events in [order, again.shuffled(using: &random)] {
                for event in events { try pipeline.take(event.bytes) }
                types += events.map { $0["type"] ?? .null }
                let held = try pipeline.ledger.standing()["processor:stripe usd"] ?? 0
                #expect(held == life.truth, "\(types)")
                let given = try pipeline.ledger.givenRefunds(of: MovementKey("charge:ch_1"))
                #expect(given.reduce(0) { $0 + $1.amount.rawValue } == life.refunded, "\(types)")
                #expect(try pipeline.ledger.waiting().isEmpty, "\(types)")
                #expect(pipeline.letters.isEmpty, "\(pipeline.letters)")
                #expect(try pipeline.ledger.verify().fault == nil, "\(types)")
            }
        }
    }

    @Test("are of every kind: released, captured in parts, refunded and failed in part")
    func kinds() {
        let types = (1...200 as ClosedRange<UInt64>).map { seed in
            ChargeLife(seed: seed).events.compactMap { event -> String? in
                guard case .string(let type) = event["type"] else { return nil }
                return type
            }
        }
        for type in [
            "charge.expired", "charge.refunded", "refund.created", "refund.updated",
            "refund.failed", "charge.refund.updated", "payment_intent.succeeded",
        ] {
            #expect(types.count { $0.contains(type) } >= 10, "\(type)")
        }
        #expect(types.count { $0.count { $0 == "charge.captured" } > 1 } >= 10)
        #expect((1...200 as ClosedRange<UInt64>).count { ChargeLife(seed: $0).truth == 0 } >= 10)
    }
}
