import Foundation
import Testing

@testable import Appliance
@testable import Vocabulary

/// The events of `model/golden_events.jsonl` and what Python's own engine made of them.
@Suite("The golden stream")
struct GoldenStreamTests {
    private struct Bounds: Decodable {
        struct Limits: Decodable { let customers, merchants, movements: Int }
        let limits: Limits
    }

    private struct Line: Decodable {
        let event: Event
        let outcome: String
        let values: [Float]?
    }

    private struct Event: Decodable {
        let event_id, kind, object_id, movement, currency, merchant: String
        let amount, created: Int64
        let livemode: Bool
        let account, customer, card, card_country, country, device: String?

        func event() throws -> PaymentEvent {
            PaymentEvent(
                eventID: EventID(event_id), kind: try #require(PaymentKind(rawValue: kind)),
                objectID: object_id, movement: MovementKey(movement), amount: MinorUnits(amount),
                currency: try #require(Currency(currency)), created: Instant(seconds: created),
                livemode: livemode, account: account, merchant: MerchantID(merchant),
                customer: customer, card: card, cardCountry: card_country, country: country,
                device: device, outcome: nil, balanceTransaction: nil, related: nil, fee: .zero)
        }
    }

    private static func load() throws -> (engine: FeatureEngine, lines: [Line]) {
        let text = String(decoding: try FeatureFixture.model("golden_events.jsonl"), as: UTF8.self)
        let lines = text.split(separator: "\n").map { Data($0.utf8) }
        let decoder = JSONDecoder()
        let bounds = try decoder.decode(Bounds.self, from: try #require(lines.first)).limits
        let engine = FeatureEngine(
            limits: FeatureLimits(
                customersMax: bounds.customers, merchantsMax: bounds.merchants,
                movementsMax: bounds.movements))
        return (engine, try lines.dropFirst().map { try decoder.decode(Line.self, from: $0) })
    }

    private static func outcome(_ observation: FeatureEngine.Observation) -> String {
        switch observation {
        case .score(_, isRescore: false): "score"
        case .score(_, isRescore: true): "rescore"
        case .alreadyScored: "already"
        case .counted: "counted"
        case .missing: "missing"
        }
    }

    @Test("gives the vectors that Python computed, to 1e-6")
    func vectors() throws {
        var (engine, lines) = try Self.load()
        #expect(lines.count >= 400)
        var outcomes: [String: Int] = [:]
        for (number, line) in lines.enumerated() {
            let observation = engine.observe(try line.event.event())
            let found = Self.outcome(observation)
            outcomes[found, default: 0] += 1
            #expect(found == line.outcome, "line \(number + 2): \(line.event.movement)")
            guard case .score(let vector, isRescore: _) = observation else { continue }
            let expected = try #require(line.values)
            for feature in Feature.allCases {
                let (a, b) = (vector.values[feature.rawValue], expected[feature.rawValue])
                #expect(
                    abs(a - b) <= 1e-6 * max(1, abs(b)),
                    "line \(number + 2): \(feature.name) is \(a), Python says \(b)")
            }
        }
        // The stream must keep touching every outcome, or it proves less than it says.
        #expect(Set(outcomes.keys) == ["score", "rescore", "already", "counted", "missing"])
    }
}
