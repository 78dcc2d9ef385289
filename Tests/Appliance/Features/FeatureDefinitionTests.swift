import Foundation
import Testing

@testable import Appliance
@testable import Vocabulary

/// Contracts §4, one definition after the other, at its edges.
@Suite("The features")
struct FeatureDefinitionTests {
    private static let start = FeatureFixture.midnight + 40_000

    /// Feeds payments of one customer and gives the vector of the last one.
    private func last(
        of events: [PaymentEvent], engine: FeatureEngine = FeatureEngine()
    ) throws -> [Float] {
        var engine = engine
        var found: FeatureEngine.Observation?
        for event in events { found = engine.observe(event) }
        guard case .score(let vector, isRescore: _) = found else {
            throw Unexpected(found: "\(String(describing: found))")
        }
        return vector.values
    }

    struct Unexpected: Error { let found: String }

    private func payments(at times: [Int64], amounts: [Int64]? = nil) -> [PaymentEvent] {
        times.enumerated().map { place, time in
            FeatureFixture.event(
                Self.start + time, movement: "\(place)", amount: amounts?[place] ?? 1_000)
        }
    }

    @Test("have the names of the contract, in its order")
    func names() {
        #expect(
            Feature.names == [
                "tx_velocity_1m", "tx_velocity_1h", "amount_zscore", "merchant_risk_score",
                "device_switch_flag", "country_mismatch_flag", "failed_attempts_1h",
                "log_seconds_since_last",
            ])
        #expect(Feature.names.count == FeatureVector.count)
    }

    struct WindowRow: Sendable {
        var gap: Int64
        var minute: Float
        var hour: Float
    }

    @Test(
        "count a window that is open at its far end and closed at the event",
        arguments: [
            WindowRow(gap: 0, minute: 2, hour: 2), WindowRow(gap: 59, minute: 2, hour: 2),
            WindowRow(gap: 60, minute: 1, hour: 2), WindowRow(gap: 3_599, minute: 1, hour: 2),
            WindowRow(gap: 3_600, minute: 1, hour: 1), WindowRow(gap: 3_601, minute: 1, hour: 1),
        ])
    func windowEdges(row: WindowRow) throws {
        let (gap, minute, hour) = (row.gap, row.minute, row.hour)
        let vector = try last(of: payments(at: [0, gap]))
        #expect(vector[0] == minute)
        #expect(vector[1] == hour)
    }

    @Test("leave out of a late event's windows what came after it")
    func lateEvent() throws {
        let vector = try last(of: payments(at: [0, 100, 3_700, 3_650, 120]))
        #expect(vector[0] == 2)
        #expect(vector[1] == 3)
        // A negative gap counts as none, and ln(1 + 0) is 0.
        #expect(vector[7] == 0)
    }

    @Test("still know, for a late event, what happened three days ago, but not before that")
    func horizon() throws {
        let day: Int64 = 86_400
        #expect(try last(of: payments(at: [0, 3 * day, 100]))[1] == 2)
        #expect(try last(of: payments(at: [0, 3 * day + 3_599, 100]))[1] == 2)
        #expect(try last(of: payments(at: [0, 3 * day + 3_600, 100]))[1] == 1)
    }

    @Test("count failures among the attempts, and by themselves")
    func failures() throws {
        var events = [Int64(0), 3_000, 3_550].map {
            FeatureFixture.event(Self.start + $0, kind: .paymentFailed, movement: "f\($0)")
        }
        events.append(FeatureFixture.event(Self.start + 3_600, movement: "p"))
        let vector = try last(of: events)
        #expect(vector[0] == 2)
        #expect(vector[1] == 3)
        #expect(vector[6] == 2)
    }

    @Test("stop counting at 64 attempts")
    func saturation() throws {
        let vector = try last(of: payments(at: (0..<200).map { Int64($0 / 10) }))
        #expect(vector[0] == 64)
        #expect(vector[1] == 64)
    }

    @Test("forget a busy customer's attempts once they are old")
    func quietAgain() throws {
        let busy = (0..<64).map { Int64($0) }
        let vector = try last(of: payments(at: busy + [400_000, 400_010, 403_610]))
        #expect(vector[0] == 1)
        #expect(vector[1] == 1)
    }

    struct AmountRow: Sendable {
        var amounts: [Int64]
        var expected: Float
    }

    @Test(
        "compare the amount with three earlier ones or more, and clamp to ten",
        arguments: [
            AmountRow(amounts: [1_000, 1_200, 9_000], expected: 0),
            AmountRow(amounts: [1_000, 1_000, 1_000, 5_000], expected: 0),
            // 100 above the mean, with squares of 20,000 over three payments.
            AmountRow(amounts: [900, 1_000, 1_100, 1_100], expected: 1.2247449),
            AmountRow(amounts: [900, 1_000, 1_100, 0], expected: -10),
            AmountRow(amounts: [900, 1_000, 1_100, .max], expected: 10),
        ])
    func zScore(row: AmountRow) throws {
        let (amounts, expected) = (row.amounts, row.expected)
        let times = amounts.indices.map { Int64($0) }
        let vector = try last(of: payments(at: times, amounts: amounts))
        #expect(abs(vector[2] - expected) <= 1e-6)
    }

    @Test("compare amounts within their currency only, and with successful payments only")
    func zScoreCurrency() throws {
        var events = payments(at: [0, 1, 2], amounts: [900, 1_000, 1_100])
        events.append(
            FeatureFixture.event(Self.start, kind: .paymentFailed, movement: "f", amount: 90_000))
        let dollars = FeatureFixture.event(
            Self.start, movement: "usd", amount: 5_000, currency: "usd")
        #expect(try last(of: events + [dollars])[2] == 0)
        let euros = FeatureFixture.event(Self.start, movement: "eur", amount: 1_000)
        #expect(try last(of: events + [euros])[2] == 0)
    }

    @Test("forget the currency not paid in for longest when a fifth one comes")
    func fifthCurrency() throws {
        func pay(_ currency: String, _ name: String, amount: Int64) -> PaymentEvent {
            FeatureFixture.event(Self.start, movement: name, amount: amount, currency: currency)
        }
        let four = ["eur", "usd", "gbp", "jpy"].flatMap { currency in
            (0..<3).map { pay(currency, "\(currency)\($0)", amount: Int64(1_000 + $0 * 100)) }
        }
        let fifth = four + [pay("chf", "chf", amount: 1)]
        #expect(try last(of: four + [pay("eur", "last", amount: 9_000)])[2] == 10)
        #expect(try last(of: fifth + [pay("eur", "last", amount: 9_000)])[2] == 0)
        #expect(try last(of: fifth + [pay("usd", "last", amount: 9_000)])[2] == 10)
    }

    @Test("weigh a merchant's disputes over thirty UTC days, to the second")
    func merchantDays() throws {
        func risk(disputeAt dispute: Int64, paymentAt payment: Int64) throws -> Float {
            try last(of: [
                FeatureFixture.event(
                    FeatureFixture.midnight + dispute, kind: .disputeOpened, movement: "dp"),
                FeatureFixture.event(FeatureFixture.midnight + payment, movement: "p"),
            ])[3]
        }
        let day: Int64 = 86_400
        let counted = Float(2.0 / 201)
        let notCounted = Float(1.0 / 201)
        #expect(try risk(disputeAt: 0, paymentAt: 30 * day - 1) == counted)
        #expect(try risk(disputeAt: 0, paymentAt: 30 * day) == notCounted)
        #expect(try risk(disputeAt: -1, paymentAt: 29 * day) == notCounted)
        #expect(try risk(disputeAt: day - 1, paymentAt: 0) == counted)
        #expect(try risk(disputeAt: day, paymentAt: day - 1) == notCounted)
    }

    @Test("know a merchant's whole window for an event that is three days late")
    func lateMerchantDay() throws {
        let day: Int64 = 86_400
        let events = [0, 29, 32, 29].enumerated().map { place, number in
            FeatureFixture.event(
                FeatureFixture.midnight + Int64(number) * day, movement: "\(place)",
                customer: "cus_\(place)")
        }
        #expect(try last(of: events)[3] == Float(1.0 / 203))
        // A day later the first day's place is taken, and the window is short of it.
        let later = FeatureFixture.event(
            FeatureFixture.midnight + 33 * day, movement: "later", customer: "cus_l")
        let again = FeatureFixture.event(
            FeatureFixture.midnight + 29 * day, movement: "again", customer: "cus_a")
        #expect(try last(of: events + [later, again])[3] == Float(1.0 / 203))
    }

    @Test("flag a device that differs from the last known one")
    func deviceSwitch() throws {
        func flags(_ devices: [String?]) throws -> Float {
            try last(
                of: devices.enumerated().map {
                    FeatureFixture.event(Self.start, movement: "\($0)", device: $1)
                })[4]
        }
        #expect(try flags(["a"]) == 0)
        #expect(try flags([nil, "a"]) == 0)
        #expect(try flags(["a", "b"]) == 1)
        #expect(try flags(["a", nil]) == 0)
        #expect(try flags(["a", nil, "b"]) == 1)
        #expect(try flags(["a", "b", "b"]) == 0)
        #expect(try flags(["a", ""]) == 0)
        let long = String(repeating: "x", count: 60)
        #expect(try flags([long, long + "y"]) == 1)
        #expect(try flags([long, long]) == 0)
    }

    @Test("flag countries that are both known and differ")
    func countryMismatch() throws {
        func flag(_ card: String?, _ billing: String?) throws -> Float {
            try last(of: [
                FeatureFixture.event(
                    Self.start, movement: "p", cardCountry: card, country: billing)
            ])[5]
        }
        #expect(try flag("DE", "FR") == 1)
        #expect(try flag("DE", "DE") == 0)
        #expect(try flag(nil, "FR") == 0)
        #expect(try flag("DE", nil) == 0)
        #expect(try flag("", "FR") == 0)
    }

    @Test("give −1 to a newcomer and the logarithm of the gap to others")
    func gap() throws {
        #expect(try last(of: payments(at: [0]))[7] == -1)
        #expect(try last(of: payments(at: [0, 0]))[7] == 0)
        #expect(try last(of: payments(at: [0, 86_400]))[7] == Float(log(86_401.0)))
        #expect(try last(of: payments(at: [100, 0]))[7] == 0)
    }

    @Test("take an instant that no state can hold for the nearest one", arguments: [
        Int64.min, -1, Int64.max,
    ])
    func absurdInstants(created: Int64) throws {
        let vector = try last(of: [
            FeatureFixture.event(created, movement: "p"),
            FeatureFixture.event(created, movement: "q"),
        ])
        #expect(vector[0] == 2)
    }

    @Test("let an evicted customer start anew")
    func eviction() throws {
        let limits = FeatureLimits(customersMax: 2, merchantsMax: 1, movementsMax: 100)
        func pay(_ customer: String, _ name: String) -> PaymentEvent {
            FeatureFixture.event(Self.start, movement: name, customer: customer)
        }
        let kept = [pay("a", "1"), pay("b", "2"), pay("a", "3"), pay("c", "4"), pay("a", "5")]
        #expect(try last(of: kept, engine: FeatureEngine(limits: limits))[1] == 3)
        let gone = [pay("a", "1"), pay("b", "2"), pay("c", "3"), pay("a", "4")]
        let vector = try last(of: gone, engine: FeatureEngine(limits: limits))
        #expect(vector[1] == 1)
        #expect(vector[7] == -1)
    }

    @Test("describe the card where there is no customer")
    func cardIdentity() throws {
        let vector = try last(of: [
            FeatureFixture.event(Self.start, movement: "1", customer: nil, card: "card_9"),
            FeatureFixture.event(Self.start, movement: "2", customer: "", card: "card_9"),
            FeatureFixture.event(Self.start, movement: "3", customer: "cus_9", card: "card_9"),
            FeatureFixture.event(Self.start, movement: "4", customer: nil, card: "card_9"),
        ])
        #expect(vector[1] == 3)
    }
}
