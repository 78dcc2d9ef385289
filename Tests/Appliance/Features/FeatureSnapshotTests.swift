import Testing

@testable import Appliance
@testable import Vocabulary

@Suite("A feature snapshot")
struct FeatureSnapshotTests {
    private static let limits = FeatureLimits(
        customersMax: 9, merchantsMax: 4, movementsMax: 60)

    @Test("restores an engine that goes on bit for bit alike", arguments: UInt64(1)...20)
    func goesOn(seed: UInt64) throws {
        var stream = RandomStream(seed: seed)
        let limits = seed % 2 == 0 ? Self.limits : .standard
        var original = FeatureEngine(limits: limits)
        for event in stream.events(Int.random(in: 0...900, using: &stream.generator)) {
            _ = original.observe(event)
        }
        let bytes = original.snapshot()
        var restored = try FeatureEngine(snapshot: bytes, limits: limits)
        #expect(restored.snapshot() == bytes)
        for event in stream.events(600) {
            #expect(original.observe(event) == restored.observe(event), "seed \(seed)")
        }
        #expect(original.snapshot() == restored.snapshot())
    }

    @Test("is of the moment it was frozen at, whatever comes after")
    func frozen() {
        var stream = RandomStream(seed: 77)
        var engine = FeatureEngine()
        for event in stream.events(700) { _ = engine.observe(event) }
        let expected = engine.snapshot()
        let frozen = engine.frozen()
        for event in stream.events(700) { _ = engine.observe(event) }
        #expect(frozen.encoded() == expected)
        #expect(engine.snapshot() != expected)
    }

    @Test("keeps the most recently used when the limits have become smaller")
    func smallerLimits() throws {
        var engine = FeatureEngine()
        for number in 0..<20 {
            _ = engine.observe(
                FeatureFixture.event(
                    FeatureFixture.midnight, movement: "\(number)", customer: "cus_\(number)"))
        }
        var restored = try FeatureEngine(snapshot: engine.snapshot(), limits: Self.limits)
        #expect(restored.customerCount == 9)
        let known = restored.observe(
            FeatureFixture.event(
                FeatureFixture.midnight, movement: "again", customer: "cus_19"))
        guard case .score(let vector, isRescore: _) = known else {
            Issue.record("\(known)")
            return
        }
        #expect(vector.values[Feature.velocity1m.rawValue] == 2)
    }

    @Test("is refused when any single byte of it is changed")
    func flippedBytes() {
        var stream = RandomStream(seed: 3)
        var engine = FeatureEngine()
        for event in stream.events(40) { _ = engine.observe(event) }
        let bytes = engine.snapshot()
        for place in bytes.indices {
            var damaged = bytes
            damaged[place] ^= 0x20
            #expect(throws: FeatureSnapshotError.self) { try FeatureEngine(snapshot: damaged) }
        }
    }

    @Test("is refused when it is cut short, at any length")
    func cutShort() {
        var stream = RandomStream(seed: 4)
        var engine = FeatureEngine()
        for event in stream.events(40) { _ = engine.observe(event) }
        let bytes = engine.snapshot()
        for count in 0..<bytes.count {
            #expect(throws: FeatureSnapshotError.self) {
                try FeatureEngine(snapshot: Array(bytes[..<count]))
            }
        }
    }

    @Test("of another version says which")
    func version() {
        var bytes = FeatureEngine().snapshot()
        bytes[4] = 9
        #expect(throws: FeatureSnapshotError.unknownVersion(9)) {
            try FeatureEngine(snapshot: bytes)
        }
        #expect(throws: FeatureSnapshotError.notASnapshot) {
            try FeatureEngine(snapshot: Array("{}".utf8))
        }
    }
}
