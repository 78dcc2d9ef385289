import AppendLog
import Glibc
import Synchronization
import Testing

@testable import Appliance

@Suite("The stage runner")
struct StageRunnerTests {
    /// One record out for each record in.
    private struct Copying: Stage {
        static let name = "copying"
        static let input = TopicID.webhookReceived
        static let outputs = [TopicID.paymentValidated]

        func process(_ records: [StoredRecord]) -> [StageOutput] {
            records.map {
                StageOutput(topic: .paymentValidated, source: $0.offset, record: $0.record)
            }
        }
        func snapshot() -> [UInt8]? { [1] }
    }

    @Test("stores a position only when what comes before it is in the output")
    func positionAfterOutputs() async throws {
        let disk = SimulatedDisk(seed: 1)
        let log = try Log.open(at: "/log", disk: disk)
        let topics = try Topics(of: log)
        _ = try await topics[.webhookReceived].append([
            Record(key: nil, value: [1], timestamp: Timestamp(milliseconds: 1))
        ])
        let stored = Mutex(0)
        let runner = StageRunner(
            log: log, topics: topics, logger: PipelineFixture.quiet,
            checkpoint: .snapshot(everyCount: 1) { _, _ in stored.withLock { $0 += 1 } }
        ) { (Copying(), nil) }
        disk.faults.failing = [.sync: EIO]
        await #expect(throws: LogError.self) { try await runner.run() }
        #expect(topics[.paymentValidated].highWatermark == .zero)
        #expect(stored.withLock { $0 } == 0, "a restart would pass over the record")
    }
}
