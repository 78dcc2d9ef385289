import Testing

@testable import Appliance
@testable import Vocabulary

/// Vectors made by the real engine from sequences of events, judged by the embedded model.
@Suite("Ordinary people")
struct OrdinaryPeopleTests {
    @Test("are approved in all that is plain", arguments: Occasion.plain)
    func plain(occasion: Occasion) throws {
        let judged = try occasion.play()
        #expect(!judged.isEmpty)
        for purchase in judged {
            #expect(purchase.verdict == .approve, "\(purchase.score) for \(purchase.vector.values)")
        }
    }

    @Test("are never blocked for what looks odd", arguments: Occasion.odd)
    func odd(occasion: Occasion) throws {
        let judged = try occasion.play()
        #expect(!judged.isEmpty)
        for purchase in judged {
            #expect(purchase.verdict < .block, "\(purchase.score) for \(purchase.vector.values)")
        }
    }

    @Test("are approved with 2 to 10 purchases in a minute", arguments: Occasion.bursts)
    func bursts(occasion: Occasion) throws {
        let judged = try occasion.play()
        let last = try #require(judged.last)
        #expect(last.vector.values[Feature.velocity1m.rawValue] == Float(judged.count))
        for purchase in judged {
            #expect(purchase.verdict == .approve, "\(purchase.score) for \(purchase.vector.values)")
        }
    }

    /// What every merchant sees and issue reports showed: haste alone used to be blocked.
    @Test("are approved with three purchases within 45 seconds")
    func threeInHaste() throws {
        var person = try Purchases()
        try person.becomeRegular()
        let judged = try [0, 20, 25].map { try person.buy(after: Int64($0)) }
        #expect(judged.map(\.verdict) == [.approve, .approve, .approve])
        #expect(judged.map { $0.vector.values[Feature.velocity1m.rawValue] } == [1, 2, 3])
    }
}

@Suite("Frauds")
struct FraudPatternTests {
    @Test("card testing is blocked before it ends, and held from its first success on",
        arguments: Occasion.cardTests)
    func cardTesting(occasion: Occasion) throws {
        let judged = try occasion.play()
        #expect(judged.count >= 6)
        #expect(judged.allSatisfy { $0.verdict >= .manualReview }, "\(judged.map(\.score))")
        #expect(judged.last?.verdict == .block, "\(judged.map(\.score))")
    }

    @Test("a stolen card's burst is held from the first payment on")
    func stolenCard() throws {
        let judged = try Occasion.stolenCard.play()
        #expect(judged.allSatisfy { $0.verdict >= .manualReview }, "\(judged.map(\.score))")
        #expect(judged.contains { $0.verdict == .block }, "\(judged.map(\.score))")
    }

    @Test("an account in other hands is held")
    func takeover() throws {
        let judged = try Occasion.takeover.play()
        #expect(judged.allSatisfy { $0.verdict >= .manualReview }, "\(judged.map(\.score))")
    }
}
