package import AppendLog
package import Appliance
import Bridges
package import Logging
import ServiceLifecycle
package import Vocabulary

extension KafkaError: PassingFailure {}

/// The flow of the cloud plane: topics of Kafka, read as a member of the step's group.
///
/// Exactly once between topics: a run is of one partition, and its outputs and the offset behind it
/// are one transaction of that partition's own producer.
///
///     look ─▶ a run of one partition ─▶ (the step) ─▶ outputs + offset, one transaction ─▶ look …
///      │                                                │
///      └─ taken by another instance: FlowFenced ◀───────┘ fenced: FlowFenced
///
/// What passes by itself (no broker, no answer) is waited out here with the place kept: partitions
/// pause and the group is still asked, so that nobody takes this instance for dead.
package struct KafkaFlow: Flow {
    private let member: KafkaMember
    private let warnings: RationedLog
    private var lastRun = ContinuousClock.now
    /// More rows may be due at once.
    private var isRowsBatchFull = false

    /// - Parameter member: kept between two flows of one step, so that beginning anew leaves no
    ///   group. Where the flow before has not finished its run, the group is left first, which
    ///   blocks for a second at most.
    package init(_ member: KafkaMember, logger: Logger) {
        member.begin()
        self.member = member
        warnings = RationedLog(logger: logger)
    }

    // MARK: Reading

    package mutating func next(bytesMax: Int) async throws -> Run? {
        var backoff = Backoff()
        while !Self.isStopping {
            switch try look(bytesMax) {
            case .run(let run):
                lastRun = .now
                isRowsBatchFull = false
                return run
            case .nothing: backoff.reset()
            case .trouble(let error):
                tell(error, "reading")
                try await Self.sleep(backoff.wait())
            }
        }
        return nil
    }

    private enum Look {
        case run(Run)
        case nothing
        case trouble(any Error)
    }

    /// How long one look waits: a wish to stop is noticed behind it.
    private static let lookPatience = Duration.milliseconds(100)

    private mutating func look(_ bytesMax: Int) throws -> Look {
        do {
            let patience = isRowsBatchFull ? .zero : Self.lookPatience
            switch try member.look(bytesMax: bytesMax, within: patience) {
            case .records(let lane, let batch): return .run(Self.run(of: lane, batch))
            case .taken: throw FlowFenced()
            case .given: return .nothing
            case .nothing:
                let isDue = isRowsBatchFull || .now - lastRun >= member.step.tick
                return isDue && member.leads ? .run(Run(records: [], next: [])) : .nothing
            }
        } catch let error as KafkaError {
            switch error.remedy {
            case .stop: throw error.seenByRole
            case .callAgain: return .trouble(error)
            case .abortAndRewind, .leave, .recreate:
                // The place is gone, and with it what this step believes to know.
                tell(error, "reading")
                member.leave()
                throw FlowFenced()
            }
        } catch let error as any PassingFailure where error.isRetryable {
            // What was given cannot be begun now: somebody else may be able to.
            member.leave()
            return .trouble(error)
        }
    }

    private static func run(of lane: SourceLane, _ batch: KafkaBatch) -> Run {
        let records = batch.records.map { stored in
            PlacedRecord(
                place: SourcePlace(
                    topic: lane.topic, partition: lane.partition, offset: stored.offset),
                record: stored.record)
        }
        let next = SourcePlace(topic: lane.topic, partition: lane.partition, offset: batch.next)
        return Run(records: records, next: [next])
    }

    // MARK: Writing

    package mutating func finish(
        _ outputs: [StageOutput], consumed: [SourcePlace], checkpoint: () -> StageState?
    ) async throws -> [TopicID: Int] {
        precondition(consumed.count <= 1, "a run of \(consumed.count) partitions")
        let rows = outputs.filter { $0.isRow }
        if !rows.isEmpty {
            try await write(rows, by: member.leadLane, next: nil)
            member.note(rows: rows)
            isRowsBatchFull = rows.count >= Self.rowsBatchCount
        }
        let derived = outputs.filter { !$0.isRow }
        if let place = consumed.first {
            try await write(derived, by: place.lane, next: place.offset)
        } else if !derived.isEmpty {
            try await write(derived, by: member.leadLane, next: nil)
        }
        for output in derived where output.topic == .deadLetter {
            warnings.tell(of: output.record, from: member.step.name)
        }
        return [:]
    }

    /// Rows from which on more of them are looked for at once.
    private static let rowsBatchCount = 1_000

    /// One transaction, until it is there.
    private func write(
        _ outputs: [StageOutput], by lane: SourceLane, next: Offset?
    ) async throws {
        let records = outputs.map { output in
            KafkaOutgoing(
                output.record, to: member.names.topic(output.topic),
                extraHeaders: output.sourceHeaders)
        }
        var waiting = Waiting()
        var last: KafkaMember.Written?
        try await notingStop {
            while true {
                let written = try Self.seenByRole {
                    try member.write(records, by: lane, next: next, after: last)
                }
                last = written
                guard let error = written.trouble else { return member.pulse.set(trouble: nil) }
                tell(error, "writing")
                try await wait(&waiting)
            }
        }
    }

    private static func seenByRole<Value>(_ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch let error as KafkaError {
            throw error.seenByRole
        }
    }

    // MARK: Waiting

    package func waitingOut<Value>(
        _ what: String, _ attempt: () async throws -> Value
    ) async throws -> Value {
        var waiting = Waiting()
        return try await notingStop {
            while true {
                do {
                    let value = try await attempt()
                    if waiting.hasBegun { member.pulse.set(trouble: nil) }
                    return value
                } catch let error as any PassingFailure where error.isRetryable {
                    tell(error, what)
                }
                try await wait(&waiting)
            }
        }
    }

    /// An attempt may block for seconds: a wish to stop counts from when it came.
    private func notingStop<Value>(_ body: () async throws -> Value) async throws -> Value {
        try await withGracefulShutdownHandler(operation: body) { [stop = member.stop] in
            stop.note()
        }
    }

    private struct Waiting {
        var backoff = Backoff()
        var hasBegun = false
    }

    /// Until the next attempt, with the place kept. When the step stops, no attempt is begun
    /// ``stopPatience`` behind the wish or later.
    ///
    /// - Throws: `FlowFenced` where it was lost; `StoppedWhileWaiting`.
    private func wait(_ waiting: inout Waiting) async throws {
        waiting.hasBegun = true
        if Self.isStopping {
            waiting.backoff.reset()
            let asked = member.stop.asked ?? .now
            if .now >= asked + Self.stopPatience || Task.isCancelled {
                member.leave()
                throw StoppedWhileWaiting()
            }
        }
        let until = ContinuousClock.now + waiting.backoff.wait()
        repeat {
            try keepPlace()
            try await Self.sleep(min(until - .now, .milliseconds(500)))
        } while .now < until && !Self.isStopping
    }

    /// How long a stopping step goes on with what it was at.
    private static let stopPatience = Duration.seconds(3)

    private func keepPlace() throws {
        // What is waited for before the group is joined costs nobody a place.
        guard member.hasJoined else { return member.pulse.beat() }
        do {
            if try member.keepAlive() { return }
        } catch let error as KafkaError {
            if error.remedy == .callAgain { return }
            if error.isPermanent { throw error.seenByRole }
            member.leave()
        } catch let error as any PassingFailure where error.isRetryable {
            member.leave()
        }
        throw FlowFenced()
    }

    private static var isStopping: Bool { Task.isShuttingDownGracefully || Task.isCancelled }

    /// Ended early by a wish to stop, which the next look notices.
    private static func sleep(_ duration: Duration) async throws {
        guard duration > .zero else { return }
        guard !Task.isShuttingDownGracefully else {
            try? await Task.sleep(for: min(duration, .milliseconds(100)))
            return
        }
        try? await cancelWhenGracefulShutdown { try await Task.sleep(for: duration) }
    }

    private func tell(_ error: any Error, _ what: String) {
        let (name, sentence) = (member.step.name, "\(error)")
        member.pulse.set(trouble: "\(name): \(sentence)")
        warnings.warning(
            "waiting for what is outside", kind: "\(name).\(what)",
            ["stage": name, "for": what, "error": sentence])
    }

    // MARK: Rows

    package var isShared: Bool { true }
    package var leads: Bool { member.leads }

    package func lastRow(in topic: TopicID) async throws -> Int64? {
        try await waitingOut("the rows of \(topic.rawValue)") { try member.lastRow(in: topic) }
    }

    /// Rows are published by one instance for all, behind those that are there: none is compared.
    package func row(_ number: Int64, in topic: TopicID) async throws -> Record? { nil }

    package mutating func close(checkpoint: () -> StageState?) async throws {
        member.leave(within: Self.stopPatience)
    }
}

extension KafkaMember.Written {
    /// What stands in the way; nil when it is done.
    fileprivate var trouble: KafkaError? {
        switch self {
        case .done: nil
        case .again(let error), .unsettled(let error), .unknown(let error): error
        }
    }
}

extension StageOutput {
    fileprivate var isRow: Bool { if case .row = source { true } else { false } }

    /// Where it was derived from, in full; nothing where it was derived from no record.
    fileprivate var sourceHeaders: [RecordHeader] {
        guard case .record(let place) = source, place.offset >= .zero else { return [] }
        return [SourceHeader.header(place)]
    }
}
