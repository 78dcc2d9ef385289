import Foundation
import Testing

@testable import Traffic
@testable import Vocabulary

@Suite("Traffic scenario")
struct TrafficScenarioTests {
    /// A small world whose days are short in events, so that refunds, disputes and payouts come.
    private static func scenario(seed: UInt64, fraud: Double = 0.05) -> TrafficScenario {
        TrafficScenario(.init(seed: seed, customers: 300, fraudShare: fraud))
    }

    private static func parse(_ event: ScenarioEvent) throws -> [String: Any] {
        let parsed = try JSONSerialization.jsonObject(with: Data(event.body))
        return try #require(parsed as? [String: Any])
    }

    @Test("one seed gives the same bytes, another seed no common event")
    func determinism() {
        var first = Self.scenario(seed: 42)
        var second = Self.scenario(seed: 42)
        var other = Self.scenario(seed: 43)
        var ids: Set<EventID> = []
        var otherIDs: Set<EventID> = []
        for _ in 0..<5_000 {
            let event = first.next()
            #expect(event.body == second.next().body)
            ids.insert(event.id)
            otherIDs.insert(other.next().id)
        }
        #expect(ids.count == 5_000)
        #expect(ids.isDisjoint(with: otherIDs))
    }

    @Test("every body is JSON of the size of Stripe's, with the envelope's and the object's keys")
    func shapes() throws {
        var scenario = Self.scenario(seed: 1)
        var seen: Set<StripeEventType> = []
        for _ in 0..<12_000 {
            let event = scenario.next()
            #expect((1_000...7_000).contains(event.body.count), "\(event.type.rawValue)")
            let parsed = try Self.parse(event)
            #expect(parsed["id"] as? String == event.id.rawValue)
            #expect(parsed["type"] as? String == event.type.rawValue)
            #expect(parsed["created"] as? Int64 == event.created.seconds)
            guard seen.insert(event.type).inserted else { continue }
            try Self.checkKeys(of: parsed)
        }
        #expect(seen == Set(StripeEventType.allCases))
    }

    private static func checkKeys(of event: [String: Any]) throws {
        let data = try #require(event["data"] as? [String: Any])
        let object = try #require(data["object"] as? [String: Any])
        let name = try #require(object["object"] as? String)
        for shape in StripeObjectKeys.all where shape.object == name || shape.object == "event" {
            var part = shape.object == "event" ? event : object
            for key in shape.path { part = try #require(part[key] as? [String: Any]) }
            // An old API version embeds refunds, a new one does not; `account` is Connect's.
            let optional: Set = [
                "refunds", "account", "failure_reason", "failure_balance_transaction",
            ]
            let found = Set(part.keys).subtracting(optional)
            #expect(
                found == shape.keys.subtracting(optional),
                "\(event["type"] ?? "") \(shape.object).\(shape.path.joined(separator: "."))")
        }
        let transactions = object["balance_transactions"] as? [[String: Any]] ?? []
        let expected = try #require(
            StripeObjectKeys.all.first { $0.object == "balance_transaction" })
        for transaction in transactions { #expect(Set(transaction.keys) == expected.keys) }
    }

    @Test("the truth it tells is what contracts §3 reads from its JSON")
    func truth() throws {
        var scenario = Self.scenario(seed: 9)
        var truth = ScenarioTruth()
        var read: [String: ContractReader.Movement] = [:]
        for _ in 0..<24_000 {
            let event = scenario.next()
            truth.note(event.movements)
            for movement in try ContractReader(Self.parse(event)).movements() {
                #expect(read[movement.key] == nil || read[movement.key] == movement)
                read[movement.key] = movement
            }
        }
        let told = Dictionary(
            uniqueKeysWithValues: truth.movements.values.map {
                (
                    $0.key.rawValue,
                    ContractReader.Movement(
                        key: $0.key.rawValue, kind: $0.kind.rawValue, amount: $0.amount.rawValue,
                        currency: $0.currency.code, fee: $0.fee.rawValue)
                )
            })
        #expect(told == read)
        let kinds = Set(truth.movements.values.map(\.kind))
        #expect(
            kinds == [
                .payment, .paymentFailed, .refund, .refundFailed, .disputeWithdrawn,
                .disputeReinstated, .disputeOpened, .disputeClosed, .payout, .payoutFailed,
            ])
    }

    @Test("refunds and disputes follow their charge and never exceed it; time never goes back")
    func consistency() {
        var scenario = Self.scenario(seed: 5)
        var captured: [ObjectSerial: (amount: Int64, at: Instant)] = [:]
        var takenBack: [ObjectSerial: Int64] = [:]
        var now = Instant(seconds: 0)
        for _ in 0..<30_000 {
            let event = scenario.next()
            #expect(event.created >= now)
            now = event.created
            switch (event.type, event.occurrence.subject) {
            case (.chargeSucceeded, .charge(let charge)), (.chargeCaptured, .charge(let charge)):
                #expect(charge.amountCaptured <= charge.amount)
                captured[charge.charge] = (charge.amountCaptured, event.created)
            case (.refundCreated, .refund(let refund, let charge)):
                #expect(captured[charge.charge].map { $0.at <= event.created } == true)
                #expect(refund.amount > 0)
                takenBack[charge.charge, default: 0] += refund.amount
            case (.refundFailed, .refund(let refund, let charge)):
                takenBack[charge.charge, default: 0] -= refund.amount
            case (.disputeFundsWithdrawn, .dispute(let dispute)):
                let charge = dispute.charge.charge
                #expect(captured[charge].map { $0.at <= event.created } == true)
                takenBack[charge, default: 0] += dispute.amount
            default: break
            }
            if case .payout(let payout) = event.occurrence.subject { #expect(payout.amount > 0) }
        }
        #expect(takenBack.count > 100)
        for (charge, amount) in takenBack {
            #expect(amount <= captured[charge]?.amount ?? 0)
            #expect(amount >= 0)
        }
    }

    @Test("kuwaiti amounts are tens, and every currency of the catalogue is charged")
    func currencies() {
        var scenario = Self.scenario(seed: 11)
        var seen: Set<String> = []
        for _ in 0..<8_000 {
            for movement in scenario.next().movements {
                seen.insert(movement.currency.code)
                if movement.currency.code == "kwd", movement.kind == .payment {
                    #expect(movement.amount.rawValue % 10 == 0)
                }
            }
        }
        #expect(seen == ["usd", "eur", "gbp", "jpy", "kwd", "chf"])
    }
}

@Suite("Fraud in the traffic scenario")
struct TrafficFraudTests {
    private struct Attempts {
        var all = 0
        var fraud: [FraudPattern: [(charge: SimulatedCharge, at: Int64)]] = [:]
        var failedHonest = 0

        init(_ settings: TrafficWorld.Settings, count: Int) {
            var scenario = TrafficScenario(settings)
            while all < count {
                let event = scenario.next()
                guard event.type == .chargeSucceeded || event.type == .chargeFailed,
                    case .charge(let charge) = event.occurrence.subject
                else { continue }
                all += 1
                if let pattern = charge.fraud {
                    fraud[pattern, default: []].append((charge, event.created.seconds))
                } else if !charge.hasSucceeded {
                    failedHonest += 1
                }
            }
        }

        var fraudulent: Int { fraud.values.map(\.count).reduce(0, +) }
    }

    @Test("has the share of fraud that was asked for", arguments: [0, 0.01, 0.1, 0.5, 0.9])
    func share(asked: Double) {
        let attempts = Attempts(.init(seed: 3, customers: 2_000, fraudShare: asked), count: 20_000)
        let share = Double(attempts.fraudulent) / Double(attempts.all)
        // Planned attempts lie up to an hour ahead, and one episode is up to 40 of them.
        #expect(abs(share - asked) < 0.01 + 0.1 * asked, "\(share)")
        let failed = Double(attempts.failedHonest) / Double(attempts.all - attempts.fraudulent)
        #expect(abs(failed - 0.03) < 0.015, "\(failed)")
    }

    @Test("card testing is many small attempts in minutes, most of them refused")
    func cardTesting() {
        let attempts = Attempts(.init(seed: 4, customers: 2_000, fraudShare: 0.2), count: 20_000)
        let testing = attempts.fraud[.cardTesting] ?? []
        let bursts = Dictionary(grouping: testing) { $0.charge.payer.customer }
        #expect(bursts.count > 20)
        for burst in bursts.values {
            let times = burst.map(\.at)
            #expect(burst.count <= 40)
            #expect((times.max() ?? 0) - (times.min() ?? 0) <= 181)
            #expect(Set(burst.map(\.charge.payer.card)).count == burst.count)
            #expect(burst.allSatisfy { (100...500).contains($0.charge.amount) })
        }
        let failed = testing.filter { !$0.charge.hasSucceeded }.count
        #expect(abs(Double(failed) / Double(testing.count) - 0.7) < 0.05)
    }

    @Test("stolen cards and taken-over accounts pay from a new device in a foreign country")
    func impersonation() {
        let attempts = Attempts(.init(seed: 6, customers: 2_000, fraudShare: 0.2), count: 20_000)
        for pattern in [FraudPattern.stolenCard, .accountTakeover] {
            let made = attempts.fraud[pattern] ?? []
            #expect(made.count > 100)
            for (charge, _) in made { #expect(charge.country != charge.payer.cardCountry) }
        }
    }
}
