import AppendLog
@testable import Bridges
import Foundation
import TestSupport
import Testing

@testable import Appliance
@testable import Cloud
@testable import Daemon
@testable import Vocabulary

@Suite("The search for a forgotten position", .timeLimit(.minutes(4)))
struct PositionSearchTests {
    private static let outputs = KafkaPartition("outputs", 1)

    private static func record(_ source: String?) -> Record {
        Record(
            key: nil, value: nil,
            headers: source.map { [RecordHeader(SourceHeader.name, $0)] } ?? [],
            timestamp: Timestamp(milliseconds: 1_760_000_000_000))
    }

    private static func batch(_ first: Int64, _ sources: [String?]) -> KafkaBatch {
        KafkaBatch(
            partition: outputs,
            records: sources.enumerated().map { place, source in
                StoredRecord(offset: Offset(first + Int64(place)), record: record(source))
            }, byteCount: 0)
    }

    @Test("goes on behind what was read, over what retention has deleted, and anew where it must")
    func goesOn() {
        var search = PositionSearch()
        func start(_ first: Int64, _ end: Int64) -> Int64 {
            search.start(of: Self.outputs, from: Offset(first), to: Offset(end)).rawValue
        }
        #expect(start(2, 9) == 2)
        search.add(
            Self.batch(2, ["payment.scored/0/7", nil, "payment.scored/0/5", "payment.scored/3/1"]))
        #expect(start(2, 9) == 6)
        #expect(start(8, 9) == 8)
        #expect(start(0, 6) == 6)
        // Made anew meanwhile: it has fewer records than were read.
        #expect(start(0, 5) == 0)
        #expect(
            search.starts == [
                SourceLane(topic: .paymentScored, partition: 0): Offset(8),
                SourceLane(topic: .paymentScored, partition: 3): Offset(2),
            ])
    }

    @Test(
        "a source that no topic can have is none",
        arguments: [
            "payment.scored/0/-1", "payment.scored/-1/5", "payment.scored/0/9223372036854775807",
            "payment.scored/0", "payment.scored/0/5/6", "nothing/0/5", "payment.scored//5",
            "payment.scored/0/9223372036854775808",
        ])
    func noSource(text: String) {
        #expect(SourceHeader.place(in: Self.record(text)) == nil)
    }

    @Test("beats while it reads, and ends in its time where the broker hangs")
    func beats() async throws {
        let broker = try await KafkaServer()
        let cloud = try await CloudFixture(broker: broker)
        var output = Self.record("webhook.received/0/4")
        output.value = Array("{}".utf8)[...]
        try await cloud.write(output, to: .paymentValidated)
        let (pulse, lane) = (Pulse("score"), SourceLane(topic: .webhookReceived, partition: 0))
        let positions = GroupPositions(
            cloud.kafka, names: cloud.plane.names, group: "nobody", outputs: [.paymentValidated],
            pulse: pulse, searchPatience: .seconds(6))
        func isBeating(since moment: ContinuousClock.Instant) -> Bool {
            pulse.isAlive(at: moment + .seconds(Pulse.silenceSecondsMax))
        }
        let queue = BlockingQueue("position search")
        let before = ContinuousClock.now
        #expect(!isBeating(since: before))
        let found = try await queue.run { try positions.starts(of: [lane], committed: [:]) }
        #expect(found == [lane: Offset(5)])
        #expect(isBeating(since: before))
        broker.freeze()
        defer { broker.thaw() }
        let error = await #expect(throws: KafkaError.self) {
            try await queue.run { try positions.starts(of: [lane], committed: [:]) }
        }
        #expect(error?.isRetryable == true)
    }
}
