import AppendLog
import Vocabulary

/// Walks a derived topic of the original beside what the replay derives, source by source.
///
///     original   ─ 3 ─ 3 ─ input ─ 5 ─ 7 ─▶        sources; an input was put there from outside
///     replay     ─ 3 ─ 3 ──────── 5 ─ 6 ─ 9 ─▶     5: equal, or other bytes; 6: only replayed
///                                                   7: still to come; 9: the original is not there
struct Lockstep {
    private let topic: ReadOnlyTopic
    private let kind: ReplayDifference.Kind
    /// Sources below it were processed by the original, so their outputs are due.
    private let processed: Offset
    private var buffer: ArraySlice<StoredRecord> = []
    /// The next record of the original.
    private(set) var next = Offset.zero
    private(set) var comparedCount = 0
    private(set) var differences = ReplayDifferences()
    /// Outputs that the original has not come to.
    private var beyondCount: Int64 = 0

    init(_ topic: ReadOnlyTopic, _ kind: ReplayDifference.Kind, processed: Offset) {
        self.topic = topic
        self.kind = kind
        self.processed = processed
    }

    /// Compares the next output that the replay derived from `source`.
    ///
    /// - Parameters:
    ///   - source: the offset in the original; nil for an output of what only the replay has.
    ///   - inject: given the original's inputs that stand before it, which the replay takes over.
    /// - Returns: the original's offset of the same output; one beyond its end if it has not come
    ///   to the source yet, so that what is derived of that is not due either; nil if it lacks it.
    mutating func meet(
        _ record: Record, source: Offset?, inject: (StoredRecord) throws -> Void
    ) throws -> Offset? {
        guard let source else {
            note(nil, record)
            return nil
        }
        while let theirs = try peek() {
            if isInput(theirs) {
                try inject(theirs)
                advance()
                continue
            }
            let their = theirs.source ?? .zero
            if their > source { break }
            advance()
            if their == source {
                comparedCount += 1
                if theirs.record.value != record.value { note(theirs, record) }
                return theirs.offset
            }
            note(theirs, nil)
        }
        // Where the original has not come to this source yet, it need not have the output.
        guard source < processed || next < topic.end else {
            defer { beyondCount += 1 }
            return topic.end.advanced(by: beyondCount)
        }
        note(nil, record)
        return nil
    }

    /// Takes what is left of the original up to outputs of `source`; nil takes all.
    mutating func drain(
        through source: Offset?, inject: (StoredRecord) throws -> Void
    ) throws {
        while let theirs = try peek() {
            if isInput(theirs) {
                // Behind the point where the replay stops nobody knows which side it was on.
                guard source == nil else { return }
                try inject(theirs)
            } else {
                if let source, theirs.source ?? .zero > source { return }
                note(theirs, nil)
            }
            advance()
        }
    }

    private mutating func peek() throws(LogError) -> StoredRecord? {
        if buffer.isEmpty, next < topic.end {
            buffer = try topic.read(from: next, byteCountMax: ReplayLimits.readByteCount)[...]
        }
        return buffer.first
    }

    /// Whether a record came into the topic from outside its stage: redriven.
    private func isInput(_ stored: StoredRecord) -> Bool {
        stored.source == nil || RedriveHeader.letter(of: stored.record) != nil
    }

    private mutating func advance() {
        guard let first = buffer.popFirst() else { return }
        next = first.offset.advanced(by: 1)
    }

    private mutating func note(_ original: StoredRecord?, _ replayed: Record?) {
        let named = original?.record ?? replayed
        differences.add(
            ReplayDifference(
                kind: kind, place: "\(topic.name)/\(original?.offset ?? next)",
                what: named?.text("event-id") ?? "",
                original: Self.words(original?.record, kind), replayed: Self.words(replayed, kind)))
    }

    /// The little of a record by which a person tells two apart.
    private static func words(_ record: Record?, _ kind: ReplayDifference.Kind) -> String {
        guard let record else { return ReplayDifference.nothing }
        let value = record.value ?? []
        let document = JSONDocument()
        if kind == .verdict, let scored = try? ScoredPayment(value, using: document) {
            let score = scored.score.map { " at \($0)" } ?? ""
            let model = scored.model.map { " by model \($0)" } ?? ""
            return "\(scored.event.movement) \(scored.verdict.rawValue)\(score)\(model)"
        }
        if let event = try? PaymentEvent(value, using: document) {
            return "\(event.movement) \(event.amount.rawValue) \(event.currency.code)"
        }
        return Counted.words(value.count, "byte")
    }
}

/// Bounds of a replay.
enum ReplayLimits {
    /// Bytes of `webhook.received` that are replayed at once, and that a walk reads ahead.
    static let readByteCount = 2 << 20
    /// Transactions of the original's ledger that are read at once.
    static let transactionCount = 2048
}
