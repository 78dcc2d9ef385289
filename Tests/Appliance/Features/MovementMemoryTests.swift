import Testing

@testable import Appliance
@testable import Vocabulary

/// A movement is scored when first seen, counted once, and scored again by a better informed event.
@Suite("The memory of movements")
struct MovementMemoryTests {
    private let now = FeatureFixture.midnight

    private func intent(
        customer: String? = "cus_1", card: String? = nil, cardCountry: String? = nil,
        country: String? = nil, device: String? = nil
    ) -> PaymentEvent {
        FeatureFixture.event(
            now, movement: "m", object: "pi_m", customer: customer, card: card,
            cardCountry: cardCountry, country: country, device: device)
    }

    private func values(_ observation: FeatureEngine.Observation) -> [Float]? {
        if case .score(let vector, isRescore: _) = observation { vector.values } else { nil }
    }

    @Test("scores a repeated event once")
    func once() {
        var engine = FeatureEngine()
        let event = FeatureFixture.event(now, movement: "m")
        #expect(values(engine.observe(event)) != nil)
        #expect(engine.observe(event) == .alreadyScored)
        #expect(engine.observe(intent()) == .alreadyScored)
    }

    @Test("lets a better informed event add what it newly knows, and counts nothing twice")
    func refines() throws {
        var engine = FeatureEngine()
        _ = engine.observe(FeatureFixture.event(now - 10, movement: "before", device: "old"))
        let first = try #require(values(engine.observe(intent())))
        let charge = FeatureFixture.event(now, movement: "m", country: "FR", device: "new")
        let observation = engine.observe(charge)
        guard case .score(let second, isRescore: true) = observation else {
            Issue.record("\(observation) is not a re-score")
            return
        }
        var expected = first
        expected[Feature.deviceSwitch.rawValue] = 1
        expected[Feature.countryMismatch.rawValue] = 1
        #expect(second.values == expected)
        let next = try #require(
            values(engine.observe(FeatureFixture.event(now, movement: "n", device: "new"))))
        #expect(next[Feature.velocity1m.rawValue] == 3)
        #expect(next[Feature.deviceSwitch.rawValue] == 0)
    }

    @Test("prefers the charge where a payment intent knows as much")
    func charge() {
        var engine = FeatureEngine()
        #expect(values(engine.observe(intent(card: "card_1"))) != nil)
        let charge = FeatureFixture.event(
            now, movement: "m", cardCountry: nil, country: nil, device: nil)
        guard case .score(_, isRescore: true) = engine.observe(charge) else {
            Issue.record("the charge was not scored")
            return
        }
        #expect(engine.observe(intent(card: "card_1")) == .alreadyScored)
    }

    @Test("has no features for a payment of nobody, until an event names somebody")
    func nobody() throws {
        var engine = FeatureEngine()
        #expect(engine.observe(intent(customer: nil)) == .missing(.noIdentity))
        #expect(engine.observe(intent(customer: nil)) == .alreadyScored)
        #expect(engine.observe(intent(customer: nil, country: "DE")) == .alreadyScored)
        let observation = engine.observe(intent(card: "card_1", cardCountry: "DE"))
        guard case .score(let vector, isRescore: true) = observation else {
            Issue.record("\(observation) is not a re-score")
            return
        }
        #expect(vector.values[Feature.velocity1m.rawValue] == 1)
        #expect(vector.values[Feature.merchantRisk.rawValue] == Float(1.0 / 201))
    }

    @Test("counts a failure and a dispute once a movement")
    func failuresAndDisputes() throws {
        var engine = FeatureEngine()
        for _ in 0..<3 {
            let failure = FeatureFixture.event(now, kind: .paymentFailed, movement: "f")
            let dispute = FeatureFixture.event(now, kind: .disputeOpened, movement: "d")
            #expect(engine.observe(failure) == .counted)
            #expect(engine.observe(dispute) == .counted)
        }
        let vector = try #require(
            values(engine.observe(FeatureFixture.event(now, movement: "p"))))
        #expect(vector[Feature.failedAttempts1h.rawValue] == 1)
        #expect(vector[Feature.merchantRisk.rawValue] == Float(2.0 / 201))
    }

    @Test("counts a failure of nobody when an event names somebody")
    func failureOfNobody() throws {
        var engine = FeatureEngine()
        func failure(_ customer: String?) -> PaymentEvent {
            FeatureFixture.event(
                now, kind: .paymentFailed, movement: "f", customer: customer, card: nil)
        }
        _ = engine.observe(failure(nil))
        _ = engine.observe(failure("cus_1"))
        let vector = try #require(
            values(engine.observe(FeatureFixture.event(now, movement: "p"))))
        #expect(vector[Feature.failedAttempts1h.rawValue] == 1)
    }

    @Test(
        "leaves kinds without risk alone",
        arguments: PaymentKind.allCases.filter { $0 != .payment })
    func otherKinds(kind: PaymentKind) {
        var engine = FeatureEngine()
        #expect(engine.observe(FeatureFixture.event(now, kind: kind, movement: "x")) == .counted)
    }

    @Test("takes a movement that it has forgotten for a new one")
    func forgotten() {
        var engine = FeatureEngine(
            limits: FeatureLimits(customersMax: 10, merchantsMax: 10, movementsMax: 2))
        for name in ["1", "2", "3"] {
            _ = engine.observe(FeatureFixture.event(now, movement: name))
        }
        guard
            case .score(_, isRescore: false) = engine.observe(
                FeatureFixture.event(now, movement: "1"))
        else {
            Issue.record("the forgotten movement was not scored")
            return
        }
        #expect(engine.observe(FeatureFixture.event(now, movement: "3")) == .alreadyScored)
    }
}
