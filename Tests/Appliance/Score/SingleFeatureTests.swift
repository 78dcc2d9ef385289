import Testing

@testable import Appliance
@testable import Vocabulary

/// One odd number proves nothing; several together do.
@Suite("Single features")
struct SingleFeatureTests {
    /// Each feature over its whole range, and beyond what the engine ever gives.
    private static func range(of feature: Feature) -> [Float] {
        switch feature {
        case .velocity1m, .velocity1h: (1...64).map(Float.init) + [1_000]
        case .failedAttempts1h: (0...64).map(Float.init) + [1_000]
        case .amountZScore: (-40...40).map { Float($0) / 4 }
        case .merchantRisk: (0...200).map { Float($0) / 1_000 } + [0.5, 1, 100]
        case .deviceSwitch, .countryMismatch: [0, 1]
        case .logSecondsSinceLast: [-1] + (0...220).map { Float($0) / 10 }
        }
    }

    @Test("change nobody's verdict to block on their own",
        arguments: Occasion.plain + Occasion.bursts)
    func alone(occasion: Occasion) throws {
        let model = try FraudModelFixture.embedded()
        for purchase in try occasion.play() {
            for feature in Feature.allCases {
                let changed = Self.range(of: feature).map { value in
                    var vector = purchase.vector
                    vector.values[feature.rawValue] = value
                    return vector
                }
                let worst = try model.predict(changed).enumerated().max { $0.element < $1.element }
                let (place, score) = try #require(worst)
                #expect(
                    Double(score) < model.schema.thresholds.block,
                    "\(feature.name) \(changed[place].values) scores \(score)")
            }
        }
    }

    struct Joint: Sendable, CustomStringConvertible {
        let description: String
        let changes: [(feature: Feature, value: Float)]
    }

    private static let joint: [Joint] = [
        Joint(
            description: "card testing",
            changes: [
                (.velocity1m, 16), (.velocity1h, 20), (.failedAttempts1h, 14),
                (.logSecondsSinceLast, 1.6),
            ]),
        Joint(
            description: "a stolen card",
            changes: [
                (.amountZScore, 10), (.deviceSwitch, 1), (.countryMismatch, 1),
                (.logSecondsSinceLast, 11),
            ]),
        Joint(
            description: "a stolen card's second payment",
            changes: [
                (.velocity1h, 2), (.amountZScore, 10), (.deviceSwitch, 1), (.countryMismatch, 1),
                (.failedAttempts1h, 1), (.logSecondsSinceLast, 6),
            ]),
    ]

    @Test("block together, as the patterns of fraud change them", arguments: joint)
    func together(joint: Joint) throws {
        let model = try FraudModelFixture.embedded()
        for name in ["a new customer", "a returning customer", "a guest who returns"] {
            let occasion = try #require(Occasion.plain.first { $0.description == name })
            var vector = try #require(try occasion.play().last).vector
            for change in joint.changes { vector.values[change.feature.rawValue] = change.value }
            let score = try #require(try model.predict([vector]).first)
            #expect(Double(score) >= model.schema.thresholds.block, "\(name): \(score)")
        }
    }

    /// More attempts, more failures, a higher amount, a more disputed merchant, another device or
    /// country: none of them ever makes a payment look better.
    @Test("only ever raise the score, all but the time since the last payment")
    func monotone() throws {
        let model = try FraudModelFixture.embedded()
        let vectors = try FraudModelTests.golden().vectors
        for feature in Feature.allCases where feature != .logSecondsSinceLast {
            var before = [Float](repeating: 0, count: vectors.count)
            for value in Self.range(of: feature) {
                let scores = try model.predict(
                    vectors.map { vector in
                        var changed = vector
                        changed.values[feature.rawValue] = value
                        return changed
                    })
                for (place, pair) in zip(before, scores).enumerated() where pair.1 < pair.0 {
                    Issue.record("\(feature.name) \(value) of row \(place): \(pair)")
                }
                before = scores
            }
        }
    }
}
