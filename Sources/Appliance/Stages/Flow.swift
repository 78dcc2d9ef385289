package import AppendLog
package import Vocabulary

/// Records that are taken in together.
package struct Run: Sendable {
    /// Those of one partition stand in the order of their offsets, and no other order is promised.
    package var records: [PlacedRecord]
    /// Where reading goes on: the place behind the last record of each partition that is among
    /// them.
    package var next: [SourcePlace]

    package init(records: [PlacedRecord], next: [SourcePlace]) {
        self.records = records
        self.next = next
    }
}

/// What an output was derived from. A plane refuses, or takes back, an output whose source it has
/// from the same step already.
package enum OutputSource: Hashable, Comparable, Sendable {
    case record(SourcePlace)
    /// A row of the ledger, by its number: a transaction, or a change of a review.
    case row(Int64)
}

/// One record that a step derived, and what from.
package struct StageOutput: Sendable {
    package var topic: TopicID
    package var source: OutputSource
    package var record: Record

    package init(topic: TopicID, source: OutputSource, record: Record) {
        self.topic = topic
        self.source = source
        self.record = record
    }
}

/// A step's state at one moment, to be encoded later and elsewhere.
package struct StageState: Sendable {
    package let encode: StateEncoding
}

/// Where a step reads, where it writes and how far it is, in one: some planes can only change the
/// three together. This is the one door between the steps and the outside world.
///
///     next ─▶ a run ─▶ the step ─▶ outputs ─▶ finish ─▶ next …
///                                               │
///                       a crash anywhere here ◀─┘ takes in the same run again
///
/// Whatever a run led to stands once, however often it is taken in: the embedded log refuses
/// outputs whose source it has, a Kafka transaction holds outputs and offsets together.
package protocol Flow {
    /// The records that come next, about `bytesMax` bytes a partition; waits for some.
    ///
    /// - Returns: nil once the daemon stops and what had arrived is taken in.
    /// - Throws: `FlowFenced`, or the plane's own failure.
    mutating func next(bytesMax: Int) async throws -> Run?

    /// Makes outputs durable, and then that the input before `consumed` is done.
    ///
    /// What passes by itself, such as a full disk, is waited out here, once for every step.
    ///
    /// - Parameters:
    ///   - outputs: of one topic and one source partition in the order of their sources, and all
    ///     outputs of one source in the same call.
    ///   - consumed: `Run.next` of the run that they are the outputs of; empty where they are of
    ///     none.
    ///   - checkpoint: the step's state behind that run, asked for where it is to be stored; nil
    ///     for a step that has none.
    /// - Returns: by topic, how many outputs stood there already.
    /// - Throws: `StoppedWhileWaiting`; `FlowFenced`; the plane's own failure. The step is then as
    ///   good as dead: what it remembers may be ahead of what is durable.
    @discardableResult
    mutating func finish(
        _ outputs: [StageOutput], consumed: [SourcePlace], checkpoint: () -> StageState?
    ) async throws -> [TopicID: Int]

    /// Repeats `attempt`, which is not a call of the flow itself, until it succeeds or fails for
    /// good: what passes by itself is waited out, while the step keeps its place.
    ///
    /// - Parameter what: what does not answer, or has no room.
    /// - Throws: `StoppedWhileWaiting`; `FlowFenced`; what `attempt` throws that does not pass.
    func waitingOut<Value>(
        _ what: String, _ attempt: () async throws -> Value
    ) async throws -> Value

    /// Stores how far the step has come; nothing is read or written afterwards.
    mutating func close(checkpoint: () -> StageState?) async throws

    /// The checksum of the batch that holds the record before a place; nil where the plane has
    /// none.
    func checksum(before place: SourcePlace) async throws -> UInt32?

    // MARK: Rows of the ledger

    /// Whether there may be other instances of the step, over the same rows.
    var isShared: Bool { get }
    /// Whether this instance publishes rows; of several one does, for all of them, so that they
    /// come out in their order and each once. It is given an empty run when some may be due.
    var leads: Bool { get }
    /// The highest row that `topic` has outputs of; nil while it has none.
    func lastRow(in topic: TopicID) async throws -> Int64?
    /// What `topic` has of a row; nil where it has nothing, or cannot tell.
    func row(_ number: Int64, in topic: TopicID) async throws -> Record?
}

extension Flow {
    package func checksum(before place: SourcePlace) async throws -> UInt32? { nil }

    /// For a plane in which nothing passes by itself.
    package func waitingOut<Value>(
        _ what: String, _ attempt: () async throws -> Value
    ) async throws -> Value {
        try await attempt()
    }

    /// The same for a step without a state.
    @discardableResult
    mutating func finish(
        _ outputs: [StageOutput], consumed: [SourcePlace]
    ) async throws -> [TopicID: Int] {
        try await finish(outputs, consumed: consumed, checkpoint: { nil })
    }
}

/// Another instance of the same step has taken over some of the input. Nothing of the last run is
/// stored; beginning anew, from what is stored, is right and harmless.
package struct FlowFenced: Error {
    package init() {}
}

/// The daemon stops while a step waits for room. Nothing is lost: what was to be written is derived
/// again at the next start.
package struct StoppedWhileWaiting: Error {
    package init() {}
}
