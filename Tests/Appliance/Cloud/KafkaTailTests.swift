import AppendLog
import Bridges
import TestSupport
import Testing

@testable import Appliance
@testable import Cloud
@testable import Daemon
@testable import Vocabulary

@Suite("What comes into topics from now on", .timeLimit(.minutes(2)))
struct KafkaTailTests {
    private static let queue = BlockingQueue("kafka tail")

    /// - Parameter size: bytes of its value, about; one take asks the client for 64 KiB at once.
    private static func letter(_ number: Int, size: Int = 8) -> Record {
        PipelineFixture.letter(
            "\(number) ".utf8 + [UInt8](repeating: 0x78, count: size), topic: "webhook.received")
    }

    private static func number(_ stored: StoredRecord) -> String {
        String(decoding: (stored.record.value ?? []).prefix { $0 != 0x20 }, as: UTF8.self)
    }

    private static func take(_ tail: KafkaTail) async throws -> KafkaTail.Piece {
        try await queue.run { try tail.take() }
    }

    /// Takes until `count` records came, and returns their values and what was passed over.
    private static func all(
        _ tail: KafkaTail, count: Int64
    ) async throws -> (values: [String], passed: Int64) {
        var (values, passed): ([String], Int64) = ([], 0)
        try await eventually("records come", every: .milliseconds(20)) {
            let piece = try await take(tail)
            values += piece.records.map { number($0.stored) }
            passed += piece.passed.values.reduce(0, +)
            return Int64(values.count) + passed >= count
        }
        return (values, passed)
    }

    @Test("from the end on, of each partition in its order, and nothing of before")
    func fromTheEnd() async throws {
        let fixture = try await CloudFixture(partitions: 3)
        for number in 0..<5 { try await fixture.write(Self.letter(number), to: .deadLetter) }
        let tail = KafkaTail(
            fixture.kafka, names: fixture.plane.names, topics: [.deadLetter, .paymentReview],
            partitions: 3)
        #expect(try await Self.take(tail).records.isEmpty)
        for number in 5..<25 { try await fixture.write(Self.letter(number), to: .deadLetter) }
        try await fixture.write(Self.letter(99), to: .paymentReview)
        let told = try await Self.all(tail, count: 21)
        #expect(Set(told.values) == Set((5..<25).map(String.init) + ["99"]))
        #expect(told.values.count == 21 && told.passed == 0)
        #expect(try await Self.take(tail).records.isEmpty)
    }

    @Test("who is too far behind is put to the end, and told how much that was")
    func behind() async throws {
        let fixture = try await CloudFixture()
        let tail = KafkaTail(
            fixture.kafka, names: fixture.plane.names, topics: [.deadLetter], partitions: 1,
            recordsMax: 10)
        #expect(try await Self.take(tail).records.isEmpty)
        for number in 0..<100 {
            try await fixture.write(Self.letter(number, size: 4_096), to: .deadLetter)
        }
        let told = try await Self.all(tail, count: 100)
        #expect(told.passed > 0, "\(told)")
        #expect(Int64(told.values.count) + told.passed == 100, "each is counted once")
        #expect(told.values == (0..<told.values.count).map(String.init), "the first ones")
        try await fixture.write(Self.letter(100), to: .deadLetter)
        #expect(try await Self.all(tail, count: 1).values == ["100"])
    }

    @Test("a broker that is away is an error in time, and what came meanwhile is told behind it")
    func away() async throws {
        let broker = try await KafkaServer()
        let fixture = try await CloudFixture(broker: broker)
        let tail = KafkaTail(
            fixture.kafka, names: fixture.plane.names, topics: [.deadLetter], partitions: 1)
        #expect(try await Self.take(tail).records.isEmpty)
        try await fixture.write(Self.letter(1), to: .deadLetter)
        #expect(try await Self.all(tail, count: 1).values == ["1"])
        try await broker.stop()
        let begun = ContinuousClock.now
        // Nothing can come; whether it is told of in this take is the client's to say.
        _ = try? await Self.take(tail)
        #expect(ContinuousClock.now - begun < .seconds(5), "it waits for nobody")
        let late = KafkaTail(
            fixture.kafka, names: fixture.plane.names, topics: [.deadLetter], partitions: 1)
        await #expect(throws: StoreFailure.self) { try await Self.take(late) }
        try await broker.start()
        try await eventually("a record is written again") {
            (try? await fixture.write(Self.letter(2), to: .deadLetter)) != nil
        }
        var values: [String] = []
        try await eventually("it is told", every: .milliseconds(50)) {
            let piece = try? await Self.take(tail)
            values += (piece?.records ?? []).map { Self.number($0.stored) }
            return values.contains("2")
        }
        #expect(Set(values) == ["2"])
    }
}
