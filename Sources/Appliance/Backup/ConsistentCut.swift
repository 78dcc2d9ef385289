import AppendLog
import Appliance
import Vocabulary

/// Where the topics of a log that others write to are cut, so that nothing in the copy was taken
/// from something that the copy lacks.
///
/// The topics' ends cannot be read at one instant, and what is read later may have been derived
/// from what was written behind an end that was read earlier. Topics lead back to each other
/// (`payment.review` and the ledger, `dead.letter` and what is redriven), so that no order of
/// reading them is right either. So the ends are read twice, with the ledger's snapshot between the
/// two:
///
///     first ends ─▶ the ledger's snapshot ─▶ second ends
///
/// Every record below the first ends was there before the snapshot, with all that it was taken
/// from. Of what came between first and second ends a batch is left out, with all that follows it
/// in its topic, where its last source lies behind a cut, or where the ledger published it and the
/// snapshot lacks the row; and again, until nothing more is left out. What was written before the
/// snapshot is never left out: all that it was taken from was written before it too.
///
/// The ledger's positions lie below every cut for the same reason, and so do cursors and marks that
/// are read before the first ends.
struct ConsistentCut {
    /// What the last record of a batch was taken from.
    enum Source: Hashable {
        case record(TopicID, Offset)
        /// A row of the ledger: a transaction in `ledger.posted`, a change in `payment.review`.
        case row(Int64)
    }

    struct Batch: Hashable {
        var base: Offset
        var source: Source
    }

    /// The second ends; after ``settle(transactions:reviews:)`` where the topics are cut.
    private(set) var ends: [TopicID: Offset]
    /// Batches behind the first ends that were taken from something, in their order.
    private let batches: [TopicID: [Batch]]

    init(ends: [TopicID: Offset], batches: [TopicID: [Batch]]) {
        self.ends = ends
        self.batches = batches
    }

    /// - Parameters:
    ///   - transactions: the last one of the ledger's snapshot.
    ///   - reviews: its last change of a review.
    mutating func settle(transactions: Int64, reviews: Int64) {
        var hasChanged = true
        while hasChanged {
            hasChanged = false
            for (topic, batches) in batches {
                let end = ends[topic] ?? .zero
                let last = topic == .ledgerPosted ? transactions : reviews
                let first = batches.first { $0.base < end && !isThere($0.source, rows: last) }
                guard let first else { continue }
                ends[topic] = first.base
                hasChanged = true
            }
        }
    }

    private func isThere(_ source: Source, rows last: Int64) -> Bool {
        switch source {
        case .record(let topic, let offset): offset < ends[topic] ?? .zero
        case .row(let id): id <= last
        }
    }
}

extension ConsistentCut {
    /// Reads what came between two looks at a log.
    ///
    /// - Throws: `LogError`
    init(from first: ReadOnlyLog, to second: ReadOnlyLog) throws {
        var ends: [TopicID: Offset] = [:]
        var batches: [TopicID: [Batch]] = [:]
        for topic in second.topics {
            guard let id = TopicID(rawValue: topic.name.rawValue) else { continue }
            ends[id] = topic.end
            let inputs = try Self.inputs(of: id)
            let known = first.topic(topic.name)?.end ?? topic.start
            if !inputs.isEmpty { batches[id] = try Self.derived(in: topic, from: known, inputs) }
        }
        self.init(ends: ends, batches: batches)
    }

    /// From what each producer derives a topic, by its number; nil for the ledger's rows.
    private static func inputs(of output: TopicID) throws -> [Int64: TopicID?] {
        var inputs: [Int64: TopicID?] = [:]
        for (producer, input, outputs) in FolderSurvey.derivations where outputs.contains(output) {
            inputs[try ProducerName(producer).id] = .some(input)
        }
        if [.ledgerPosted, .paymentReview].contains(output) {
            inputs[try ProducerName(LedgerStep.name).id] = .some(nil)
        }
        return inputs
    }

    private static func derived(
        in topic: ReadOnlyTopic, from known: Offset, _ inputs: [Int64: TopicID?]
    ) throws -> [Batch] {
        var found: [Batch] = []
        var next = max(known, topic.start)
        while next < topic.end {
            let read = try topic.readBatches(from: next)
            guard let last = read.last else { break }
            next = last.header.nextOffset
            for batch in read {
                guard let producer = batch.header.producer?.producerID,
                    let input = inputs[producer],
                    let text = try batch.records(from: batch.header.lastOffset).last?.record
                        .text(SourcedRecord.headerName),
                    let source = Int64(text)
                else { continue }
                let from = input.map { Source.record($0, Offset(source)) }
                found.append(
                    Batch(base: batch.header.baseOffset, source: from ?? .row(source)))
            }
        }
        return found
    }
}
