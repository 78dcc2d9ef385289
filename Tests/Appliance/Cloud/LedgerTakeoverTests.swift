import AppendLog
import Bridges
import Foundation
import Logging
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing

@testable import Appliance
@testable import Cloud
@testable import Daemon
@testable import Vocabulary

/// The ledger step where the ledger's position is another than it believes: what a run refused is
/// a dead letter nevertheless, once.
@Suite("The ledger step, pushed aside", .serialized, .timeLimit(.minutes(4)))
struct LedgerTakeoverTests {
    /// A ledger that keeps nothing but its positions, and may do something else than is asked.
    private final class ContestedLedger: LedgerBooks, Sendable {
        enum Deed {
            /// Stores the batch, and loses the answer.
            case answerLost
            /// Another instance is quicker by one record.
            case overtaken
            /// Takes a while, and fails in a way that passes.
            case slow(milliseconds: Int)
        }

        private struct State {
            var positions: [String: Int64] = [:]
            var deeds: [Deed] = []
            var attempts: [ContinuousClock.Instant] = []
        }

        private let state = Mutex(State())

        /// What it does at the next batches, one after the other.
        func plan(_ deeds: [Deed]) { state.withLock { $0.deeds = deeds } }

        /// What is planned and was not done.
        var left: Int { state.withLock { $0.deeds.count } }

        /// When each batch was asked for.
        var attempts: [ContinuousClock.Instant] { state.withLock { $0.attempts } }

        func position(topic: String, partition: Int32) -> Int64? {
            state.withLock { $0.positions["\(topic)/\(partition)"] }
        }

        func posted(after id: TransactionID, limit: Int) -> [PostedTransaction] { [] }
        func reviewChanges(after id: Int64, limit: Int) -> [ReviewChange] { [] }
        func waitingCount() -> Int { 0 }

        func post(
            _ inputs: [LedgerInput], positions: [ConsumerPosition], places: [Int: DecisionPlace]
        ) throws(LedgerError) -> PostOutcome {
            let outcome = PostOutcome(inputs: inputs.map { _ in .nothingToBook }, posted: [])
            guard let position = positions.first else { return outcome }
            let deed = state.withLock { state -> Deed? in
                state.attempts.append(.now)
                let from = position.expected ?? 0
                // Overtaken in the middle, where there is a middle.
                if case .overtaken? = state.deeds.first, position.nextOffset < from + 2 {
                    return nil
                }
                return state.deeds.isEmpty ? nil : state.deeds.removeFirst()
            }
            let name = "\(position.topic)/\(position.partition)"
            if case .slow(let milliseconds) = deed {
                Thread.sleep(forTimeInterval: Double(milliseconds) / 1_000)
                throw .busy
            }
            if case .overtaken = deed {
                state.withLock { $0.positions[name, default: 0] += 1 }
            }
            let stored = state.withLock { $0.positions[name] ?? 0 }
            guard stored == position.expected else {
                throw .positionWentBack(
                    topic: position.topic, stored: stored, given: position.expected ?? -1)
            }
            state.withLock { $0.positions[name] = position.nextOffset }
            if case .answerLost = deed { throw .outcomeUnknown(detail: "a test's") }
            return outcome
        }
    }

    private static func member(_ cloud: CloudFixture, _ ledger: ContestedLedger) -> KafkaMember {
        KafkaMember(
            KafkaStep(
                name: LedgerStep.name, group: cloud.plane.names.group(LedgerStep.name),
                inputs: LedgerStep.inputs, lead: .paymentScored, tick: .seconds(1)),
            names: cloud.plane.names, configuration: cloud.kafka,
            positions: LedgerPositions(ledger) {}, pulse: Pulse("ledger"))
    }

    private static func service(
        _ cloud: CloudFixture, _ ledger: ContestedLedger
    ) -> any Service {
        let member = member(cloud, ledger)
        let (clock, counters) = (cloud.plane.clock, cloud.counters)
        return LedgerService(
            desk: { LedgerDesk(ledger: ledger, clock: clock, counters: counters) },
            logger: PipelineFixture.quiet
        ) { _ in KafkaFlow(member, logger: PipelineFixture.quiet) }
    }

    /// A record that nobody can read: the step tells of it in a dead letter.
    private static func write(_ count: Int, _ cloud: CloudFixture) async throws {
        for number in 0..<count {
            try await cloud.write(
                Record(
                    key: Array("k".utf8)[...], value: Array("{} \(number)".utf8)[...],
                    timestamp: Timestamp(milliseconds: 1_760_000_000_000)),
                to: .paymentScored)
        }
    }

    private static func letterOffsets(_ cloud: CloudFixture) async throws -> [String] {
        try await cloud.records(.deadLetter).map { $0.text("offset") ?? "" }
    }

    @Test(
        "a commit whose answer was lost, and one that another was quicker with: no letter is lost",
        arguments: [true, false])
    func letters(isAnswerLost: Bool) async throws {
        let cloud = try await CloudFixture()
        let ledger = ContestedLedger()
        ledger.plan([isAnswerLost ? .answerLost : .overtaken])
        try await Self.write(20, cloud)
        try await cloud.running([Self.service(cloud, ledger)]) {
            try await eventually("the ledger has met its deed") { ledger.left == 0 }
            // What comes behind may not carry the offset over what is unfinished.
            try await Self.write(1, cloud)
            try await eventually("all is booked") {
                try await cloud.committed(LedgerStep.name, .paymentScored) == [0: Offset(21)]
            }
        }
        let offsets = try await Self.letterOffsets(cloud).compactMap { Int($0) }
        #expect(offsets.sorted() == Array(0...20))
        #expect(ledger.position(topic: TopicID.paymentScored.rawValue, partition: 0) == 21)
    }

    /// The death of a process, as far as Kafka sees it: it has booked, and tells nobody anything.
    @Test("a process that ends between the ledger's commit and Kafka's, in its very first run")
    func firstRun() async throws {
        let cloud = try await CloudFixture()
        let ledger = ContestedLedger()
        try await Self.write(5, cloud)
        try await withTaskExecutorPreference(OwnThread("takeover test")) {
            let member = Self.member(cloud, ledger)
            var flow = KafkaFlow(member, logger: PipelineFixture.quiet)
            var run = try #require(try await flow.next(bytesMax: 1 << 20))
            while run.records.isEmpty { run = try #require(try await flow.next(bytesMax: 1 << 20)) }
            let next = try #require(run.next.first)
            _ = try ledger.post(
                [],
                positions: [
                    ConsumerPosition(
                        topic: next.topic.rawValue, partition: next.partition,
                        nextOffset: next.offset.rawValue, expected: 0)
                ], places: [:])
            member.leave()
        }
        try await cloud.running([Self.service(cloud, ledger)]) {
            try await eventually("all is told") {
                try await cloud.committed(LedgerStep.name, .paymentScored) == [0: Offset(5)]
            }
        }
        let offsets = try await Self.letterOffsets(cloud).compactMap { Int($0) }
        #expect(offsets.sorted() == Array(0..<5))
    }

    @Test("a run that was not finished comes again to a flow that begins anew on the same member")
    func sameMember() async throws {
        let cloud = try await CloudFixture()
        try await Self.write(3, cloud)
        try await withTaskExecutorPreference(OwnThread("takeover test")) {
            let names = cloud.plane.names
            let member = KafkaMember(
                KafkaStep(
                    name: "copy", group: names.group("copy"), inputs: [.paymentScored],
                    lead: .paymentScored, tick: .seconds(60)),
                names: names, configuration: cloud.kafka,
                positions: GroupPositions(
                    cloud.kafka, names: names, group: names.group("copy"),
                    outputs: [.paymentValidated], pulse: Pulse("copy")),
                pulse: Pulse("copy"))
            func begin() -> KafkaFlow { KafkaFlow(member, logger: PipelineFixture.quiet) }
            func run(_ flow: inout KafkaFlow) async throws -> Run {
                while true {
                    let run = try #require(try await flow.next(bytesMax: 1 << 20))
                    if !run.records.isEmpty { return run }
                }
            }
            var flow = begin()
            let first = try await run(&flow)
            flow = begin()
            #expect(!member.hasJoined)
            let again = try await run(&flow)
            #expect(again.records.map(\.place).first == first.records.map(\.place).first)
            try await flow.finish([], consumed: again.next)
            // Nothing is unfinished: the place is kept.
            flow = begin()
            #expect(member.hasJoined)
            member.leave()
        }
    }

    @Test("a step that is to stop begins nothing more 3 s behind the wish, however long each takes")
    func stops() async throws {
        let cloud = try await CloudFixture()
        let ledger = ContestedLedger()
        ledger.plan(Array(repeating: .slow(milliseconds: 2_500), count: 100))
        try await Self.write(1, cloud)
        let asked = Mutex(ContinuousClock.now)
        try await cloud.running([Self.service(cloud, ledger)]) {
            try await eventually("the ledger is asked") { !ledger.attempts.isEmpty }
            asked.withLock { $0 = .now }
        }
        let wish = asked.withLock { $0 }
        let late = ledger.attempts.filter { $0 > wish + .seconds(4) }
        #expect(late.isEmpty, "\(late.map { $0 - wish })")
        #expect(try await cloud.committed(LedgerStep.name, .paymentScored) == [0: .zero])
    }
}
