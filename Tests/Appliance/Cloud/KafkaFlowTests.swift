import AppendLog
import Bridges
import Foundation
import Logging
import Synchronization
import TestSupport
import Testing

@testable import Appliance
@testable import Cloud
@testable import Daemon
@testable import Vocabulary

/// A step's flow over a real broker: outputs and offsets stand together or not at all.
@Suite("The flow of Kafka", .serialized, .timeLimit(.minutes(4)))
struct KafkaFlowTests {
    private static let step = "copy"

    private static func member(
        _ cloud: CloudFixture, inputs: [TopicID] = [.webhookReceived], group: String = step
    ) -> KafkaMember {
        let names = cloud.plane.names
        return KafkaMember(
            KafkaStep(
                name: step, group: names.group(group), inputs: inputs, lead: inputs[0],
                tick: .milliseconds(50)),
            names: names, configuration: cloud.kafka,
            positions: GroupPositions(
                cloud.kafka, names: names, group: names.group(group),
                outputs: [.paymentValidated], pulse: Pulse(step)),
            pulse: Pulse(step))
    }

    private static func record(_ text: String) -> Record {
        Record(
            key: Array(text.utf8)[...], value: Array(text.utf8)[...],
            timestamp: Timestamp(milliseconds: 1_760_000_000_000))
    }

    /// One output for each record.
    private static func outputs(_ run: Run) -> [StageOutput] {
        run.records.map {
            StageOutput(topic: .paymentValidated, source: .record($0.place), record: $0.record)
        }
    }

    private static func texts(_ records: [Record]) -> [String] {
        records.map { String(decoding: $0.value ?? [], as: UTF8.self) }
    }

    /// Blocks, so that it has a thread of its own.
    private static func onOwnThread(_ body: @Sendable () async throws -> Void) async throws {
        try await withTaskExecutorPreference(OwnThread("flow test")) { try await body() }
    }

    private static func run(_ flow: inout KafkaFlow) async throws -> Run {
        while true {
            let run = try #require(try await flow.next(bytesMax: 1 << 20))
            if !run.records.isEmpty { return run }
        }
    }

    @Test("what an instance took and did not finish is given to the next one")
    func unfinished() async throws {
        let cloud = try await CloudFixture()
        for text in ["a", "b", "c"] {
            try await cloud.write(Self.record(text), to: .webhookReceived)
        }
        try await Self.onOwnThread {
            let first = Self.member(cloud)
            var flow = KafkaFlow(first, logger: PipelineFixture.quiet)
            let taken = try await Self.run(&flow)
            #expect(Self.texts(taken.records.map(\.record)) == ["a", "b", "c"])
            first.leave()
            #expect(try await cloud.committed(Self.step, .webhookReceived) == [0: .zero])
            #expect(try await cloud.records(.paymentValidated).isEmpty)
            let second = Self.member(cloud)
            flow = KafkaFlow(second, logger: PipelineFixture.quiet)
            let again = try await Self.run(&flow)
            #expect(again.records.map(\.place) == taken.records.map(\.place))
            try await flow.finish(Self.outputs(again), consumed: again.next)
            second.leave()
        }
        #expect(Self.texts(try await cloud.records(.paymentValidated)) == ["a", "b", "c"])
        #expect(try await cloud.committed(Self.step, .webhookReceived) == [0: Offset(3)])
    }

    @Test("a topic that is deleted under a step ends it, with the command that makes it again")
    func deletedTopic() async throws {
        let cloud = try await CloudFixture()
        try await cloud.write(Self.record("a"), to: .webhookReceived)
        let name = cloud.plane.names.topic(.paymentValidated)
        try await Self.onOwnThread {
            let member = Self.member(cloud)
            var flow = KafkaFlow(member, logger: PipelineFixture.quiet)
            let taken = try await Self.run(&flow)
            try KafkaAdmin(cloud.kafka).delete([name], within: CloudFixture.patience)
            let error = await #expect(throws: KafkaTopicGone.self) {
                try await flow.finish(Self.outputs(taken), consumed: taken.next)
            }
            #expect(error?.topic == name)
            #expect(error?.description.contains("`tillbox cloud prepare`") == true)
            member.leave()
        }
    }

    @Test("an instance that was pushed aside writes nothing more, and begins anew")
    func fenced() async throws {
        let cloud = try await CloudFixture()
        try await cloud.write(Self.record("a"), to: .webhookReceived)
        try await Self.onOwnThread {
            let member = Self.member(cloud)
            var flow = KafkaFlow(member, logger: PipelineFixture.quiet)
            let run = try await Self.run(&flow)
            // Whoever is given the partition starts its producer.
            let names = cloud.plane.names
            let successor = try KafkaTransactionalProducer(
                cloud.kafka,
                transactionalID: KafkaTransactionalProducer.transactionalID(
                    group: names.group(Self.step),
                    KafkaPartition(names.topic(.webhookReceived), 0)))
            try successor.start(within: CloudFixture.patience)
            await #expect(throws: FlowFenced.self) {
                try await flow.finish(Self.outputs(run), consumed: run.next)
            }
            #expect(try await cloud.records(.paymentValidated).isEmpty)
            flow = KafkaFlow(member, logger: PipelineFixture.quiet)
            let again = try await Self.run(&flow)
            #expect(again.records.map(\.place) == run.records.map(\.place))
            try await flow.finish(Self.outputs(again), consumed: again.next)
            member.leave()
        }
        #expect(Self.texts(try await cloud.records(.paymentValidated)) == ["a"])
    }

    @Test("a position that Kafka has forgotten is found again by the outputs")
    func forgotten() async throws {
        let cloud = try await CloudFixture(partitions: 2)
        for number in 0..<12 {
            try await cloud.write(Self.record("\(number)"), to: .webhookReceived)
        }
        let count = Mutex(0)
        try await Self.onOwnThread {
            let member = Self.member(cloud)
            var flow = KafkaFlow(member, logger: PipelineFixture.quiet)
            while count.withLock({ $0 }) < 12 {
                let run = try await Self.run(&flow)
                try await flow.finish(Self.outputs(run), consumed: run.next)
                count.withLock { $0 += run.records.count }
            }
            member.leave()
        }
        let known = try await cloud.committed(Self.step, .webhookReceived)
        let positions = GroupPositions(
            cloud.kafka, names: cloud.plane.names, group: "nobody", outputs: [.paymentValidated],
            pulse: Pulse(Self.step))
        let lanes = known.keys.map { SourceLane(topic: .webhookReceived, partition: $0) }
        let found = try positions.starts(of: lanes, committed: [:])
        #expect(
            Dictionary(uniqueKeysWithValues: found.map { ($0.key.partition, $0.value) }) == known)
        #expect(known.count == 2)
    }

    @Test("the last row is found in its topic, behind whatever people decided since")
    func lastRow() async throws {
        let cloud = try await CloudFixture(partitions: 2)
        try await Self.onOwnThread {
            let first = Self.member(cloud)
            var flow = KafkaFlow(first, logger: PipelineFixture.quiet)
            while !flow.leads { _ = try await flow.next(bytesMax: 1) }
            #expect(try await flow.lastRow(in: .paymentReview) == nil)
            let rows = (1...5).map { number in
                var record = Self.record("row \(number)")
                record.headers = [RecordHeader(SourcedRecord.headerName, "\(number)")]
                return StageOutput(
                    topic: .paymentReview, source: .row(Int64(number)), record: record)
            }
            try await flow.finish(rows, consumed: [])
            #expect(try await flow.lastRow(in: .paymentReview) == 5)
            first.leave()
        }
        for number in 0..<40 {
            var record = Self.record("decision \(number)")
            record.headers = [RecordHeader(SourcedRecord.headerName, "-1")]
            try await cloud.write(record, to: .paymentReview)
        }
        try await Self.onOwnThread {
            let second = Self.member(cloud)
            var flow = KafkaFlow(second, logger: PipelineFixture.quiet)
            while !flow.leads { _ = try await flow.next(bytesMax: 1) }
            #expect(try await flow.lastRow(in: .paymentReview) == 5)
            second.leave()
        }
    }

    @Test("the broker hangs and comes back under a transaction: each output stands once")
    func brokerHangs() async throws {
        let broker = try await KafkaServer()
        let cloud = try await CloudFixture(broker: broker)
        for text in ["a", "b"] { try await cloud.write(Self.record(text), to: .webhookReceived) }
        try await Self.onOwnThread {
            let member = Self.member(cloud)
            var flow = KafkaFlow(member, logger: PipelineFixture.quiet)
            var run = try await Self.run(&flow)
            // Both records, in one run or in several.
            var count = run.records.count
            broker.freeze()
            let pulse = member.pulse
            async let thawing: Void = {
                try await eventually("the flow waits") { pulse.trouble != nil }
                broker.thaw()
            }()
            while true {
                do {
                    try await flow.finish(Self.outputs(run), consumed: run.next)
                    if count == 2 { break }
                } catch is FlowFenced {
                    // The place was lost meanwhile: whoever begins anew reads it again.
                    flow = KafkaFlow(member, logger: PipelineFixture.quiet)
                    count -= run.records.count
                }
                run = try await Self.run(&flow)
                count += run.records.count
            }
            try await thawing
            member.leave()
        }
        #expect(Self.texts(try await cloud.records(.paymentValidated)).sorted() == ["a", "b"])
    }

    /// A ledger that cannot book.
    private final class BrokenLedger: LedgerBooks, Sendable {
        func position(topic: String, partition: Int32) -> Int64? { nil }
        func posted(after id: TransactionID, limit: Int) -> [PostedTransaction] { [] }
        func reviewChanges(after id: Int64, limit: Int) -> [ReviewChange] { [] }
        func waitingCount() -> Int { 0 }
        func post(
            _ inputs: [LedgerInput], positions: [ConsumerPosition], places: [Int: DecisionPlace]
        ) throws(LedgerError) -> PostOutcome {
            throw .invariant(code: 0, detail: "a test's")
        }
    }

    @Test("nothing is noted at Kafka of what the ledger has not booked")
    func ledgerFirst() async throws {
        let cloud = try await CloudFixture()
        try await cloud.write(Self.record("{}"), to: .paymentScored)
        let ledger = BrokenLedger()
        let member = KafkaMember(
            KafkaStep(
                name: LedgerStep.name, group: cloud.plane.names.group(LedgerStep.name),
                inputs: LedgerStep.inputs, lead: .paymentScored, tick: .seconds(1)),
            names: cloud.plane.names, configuration: cloud.kafka,
            positions: LedgerPositions(ledger) {}, pulse: Pulse("ledger"))
        let (clock, counters) = (cloud.plane.clock, cloud.counters)
        let service = LedgerService(
            desk: { LedgerDesk(ledger: ledger, clock: clock, counters: counters) },
            logger: PipelineFixture.quiet
        ) { _ in KafkaFlow(member, logger: PipelineFixture.quiet) }
        await #expect(throws: LedgerError.self) { try await service.run() }
        member.leave()
        #expect(try await cloud.committed(LedgerStep.name, .paymentScored) == [0: .zero])
        #expect(try await cloud.records(.deadLetter).isEmpty)
    }
}
