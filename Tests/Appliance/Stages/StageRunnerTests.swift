import AppendLog
import Glibc
import LogSupport
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing

@testable import Appliance
@testable import Vocabulary

@Suite("The stage runner")
struct StageRunnerTests {
    /// One record out for each record in.
    private struct Copying: Stage {
        static let name = "copying"
        static let input = TopicID.webhookReceived
        static let outputs = [TopicID.paymentValidated]

        func process(_ records: [PlacedRecord]) -> [StageOutput] {
            records.map {
                StageOutput(topic: .paymentValidated, source: .record($0.place), record: $0.record)
            }
        }
        func finished() {}
        func snapshot() -> StageState? { StageState { sink in try sink([1]) } }
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
        let runner = Self.runner(
            log, topics,
            .snapshot(everyCount: 1) { _, _ in stored.withLock { $0 += 1 } })
        disk.faults.failing = [.sync: EIO]
        await #expect(throws: LogError.self) { try await runner.run() }
        #expect(topics[.paymentValidated].highWatermark == .zero)
        #expect(stored.withLock { $0 } == 0, "a restart would pass over the record")
    }

    @Test("a snapshot's position is stored when the outputs of all before it stand")
    func snapshotBehindOutputs() async throws {
        let log = try Log.open(at: "/log", disk: SimulatedDisk(seed: 4))
        let topics = try Topics(of: log)
        let seen = Mutex<[(next: Offset, output: Offset)]>([])
        let runner = Self.runner(
            log, topics,
            .snapshot(everyCount: 1) { _, next in
                let output = topics[.paymentValidated].highWatermark
                seen.withLock { $0.append((next, output)) }
            })
        try await Self.run(runner, over: topics)
        let pairs = seen.withLock { $0 }
        #expect(!pairs.isEmpty)
        #expect(pairs.allSatisfy { $0.output >= $0.next })
    }

    @Test("a snapshot that cannot be written stops nothing, and its position stays behind")
    func snapshotWithoutRoom() async throws {
        let log = try Log.open(at: "/log", disk: SimulatedDisk(seed: 2))
        let topics = try Topics(of: log)
        let runner = Self.runner(
            log, topics,
            .snapshot(everyCount: 1) { _, _ in
                throw DiskError(operation: .write, path: "/features", code: ENOSPC)
            })
        try await Self.run(runner, over: topics)
        #expect(topics[.paymentValidated].highWatermark == Offset(1))
        let group = try GroupName(Copying.name)
        #expect(
            log.cursors.committed(group: group, topic: topics[.webhookReceived].name) == .zero,
            "retention would take what the older snapshot needs")
    }

    @Test("a full disk under the outputs or the cursor is waited out")
    func fullDisk() async throws {
        let disk = SimulatedDisk(seed: 3)
        let log = try Log.open(at: "/log", disk: disk)
        let topics = try Topics(of: log)
        let runner = Self.runner(log, topics)
        try await Self.run(runner, over: topics) {
            disk.faults.failing = [.write: ENOSPC, .preallocate: ENOSPC]
        } meanwhile: {
            disk.faults = SimulatedDisk.Faults()
        }
        #expect(topics[.paymentValidated].highWatermark == Offset(1))
    }

    /// A flow whose input another instance has taken, or that has none.
    private struct TakenFlow: Flow {
        let isTaken: Bool
        let isShared = true
        let leads = false

        func next(bytesMax: Int) async throws -> Run? {
            if isTaken { throw FlowFenced() }
            return nil
        }
        func finish(
            _ outputs: [StageOutput], consumed: [SourcePlace], checkpoint: () -> StageState?
        ) async throws -> [TopicID: Int] { [:] }
        func close(checkpoint: () -> StageState?) async throws {}
        func lastRow(in topic: TopicID) async throws -> Int64? { nil }
        func row(_ number: Int64, in topic: TopicID) async throws -> Record? { nil }
    }

    @Test("a stage whose input another instance has taken over begins anew from what is stored")
    func takenOver() async throws {
        let rounds = Mutex(0)
        let runner = StageRunner(logger: PipelineFixture.quiet) {
            let round = rounds.withLock { rounds in
                rounds += 1
                return rounds
            }
            return (Copying(), TakenFlow(isTaken: round < 3))
        }
        try await runner.run()
        #expect(rounds.withLock { $0 } == 3)
    }

    private static func runner(
        _ log: Log, _ topics: Topics, _ checkpoint: LogCheckpoint = .cursor
    ) -> StageRunner<Copying, LogFlow> {
        StageRunner(logger: PipelineFixture.quiet) {
            let flow = try LogFlow(
                log: log, topics: topics, step: FlowStep(Copying.self), checkpoint: checkpoint,
                logger: PipelineFixture.quiet)
            return (Copying(), flow)
        }
    }

    /// Runs until one record has come through, then stops it in good order.
    private static func run<Step: Stage>(
        _ runner: StageRunner<Step, LogFlow>, over topics: Topics, before: () -> Void = {},
        meanwhile: () -> Void = {}
    ) async throws {
        _ = try await topics[.webhookReceived].append([
            Record(key: nil, value: [1], timestamp: Timestamp(milliseconds: 1))
        ])
        before()
        let group = ServiceGroup(services: [runner], logger: PipelineFixture.quiet)
        async let running: Void = group.run()
        meanwhile()
        try await eventually("the record comes through") {
            topics[Step.outputs[0]].highWatermark > .zero
        }
        await group.triggerGracefulShutdown()
        try await running
    }
}
