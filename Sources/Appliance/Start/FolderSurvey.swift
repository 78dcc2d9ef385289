import AppendLog
import Foundation
package import Vocabulary

/// Reads what a start compares, without writing a byte.
///
/// Where a daemon may be running, the folder is looked at three times: where its topics begin, what
/// was taken from them, and where they end. All three only grow. So what was taken lies between the
/// other two however much comes in meanwhile, and a difference is one that the folder has.
package struct FolderSurvey {
    package let log: String
    package let ledger: String
    package let gate: String
    package let features: String

    package init(log: String, ledger: String, gate: String, features: String) {
        self.log = log
        self.ledger = ledger
        self.gate = gate
        self.features = features
    }

    /// Who derives what from what.
    package static let derivations: [(producer: String, input: TopicID, outputs: [TopicID])] = [
        (ValidateStage.name, ValidateStage.input, ValidateStage.outputs),
        (EmbeddedScoreStage.name, EmbeddedScoreStage.input, EmbeddedScoreStage.outputs),
        (RedriveStage.name, RedriveStage.input, RedriveStage.outputs),
        ("\(LedgerStep.name):\(TopicID.paymentScored.rawValue)", .paymentScored, [.deadLetter]),
        ("\(LedgerStep.name):\(TopicID.paymentReview.rawValue)", .paymentReview, [.deadLetter]),
    ]

    /// How often a folder that somebody may be writing is read before what is wrong is believed.
    private static let attemptCountMax = 4

    /// - Parameter isHeld: whether the caller has locked the folder, so that nothing moves in it.
    /// - Throws: `StartRefusal` where a part cannot be read at all.
    package func state(isHeld: Bool = false) throws -> FolderState {
        if let refusal = FolderLinks(log: log, ledger: ledger).refusal() { throw refusal }
        var attempts = 1
        while true {
            do {
                return try look(isHeld: isHeld)
            } catch let refusal as StartRefusal {
                // Retention takes segments away from who only looks; damage is there again.
                guard !isHeld, attempts < Self.attemptCountMax else { throw refusal }
                attempts += 1
            }
        }
    }

    private func look(isHeld: Bool) throws -> FolderState {
        var state = FolderState()
        guard FileManager.default.fileExists(atPath: log) else {
            let found = try SurveyedLedger(at: ledger, isHeld: isHeld)
            defer { found.close() }
            state.ledger = try found.state(of: state, nil)
            return state
        }
        for path in [gate, features] { SnapshotLook.willLook(at: path) }
        do {
            let begins = try Log.openReadOnly(at: log, checksSegments: isHeld)
            let (gateLook, featureLook) = (
                AdmissionSnapshot.look(at: gate), FeatureSnapshotFile.look(at: features)
            )
            let found = try SurveyedLedger(at: ledger, isHeld: isHeld)
            defer { found.close() }
            let taken = isHeld ? begins : try Log.openReadOnly(at: log)
            let ends = isHeld ? begins : try Log.openReadOnly(at: log, checksSegments: true)
            let reading = FolderReading(begins: begins, taken: taken, ends: ends)
            try reading.fill(&state)
            state.looks = ends.looks
            state.gate = try Self.snapshot(gateLook, .webhookReceived, ends)
            state.features = try Self.snapshot(featureLook, .paymentValidated, ends)
            state.ledger = try found.state(of: state, reading)
            try reading.readAhead(&state)
        } catch let error as LogError {
            throw StartRefusal(error)
        }
        return state
    }

    private static func snapshot(
        _ look: SnapshotLook, _ id: TopicID, _ log: ReadOnlyLog
    ) throws -> FolderState.SnapshotState {
        switch look {
        case .missing: return .missing
        case .damaged: return .damaged
        case .whole(let origin):
            let topic = log.topic(try TopicName(id.rawValue))
            return .found(origin, checksumInLog: try topic?.checksum(before: origin.next))
        }
    }
}

/// The ledger's part of the survey.
private struct SurveyedLedger {
    private let look: LedgerLook
    private let point: LedgerPoint?

    /// Notes how far the ledger has come now, before the ends of what it reads are looked at.
    init(at path: String, isHeld: Bool) throws {
        look = try SQLiteLedgerReader.look(at: path, isHeld: isHeld)
        if case .found(let ledger) = look { point = try ledger.point() } else { point = nil }
    }

    func close() {
        if case .found(let ledger) = look { try? ledger.close() }
    }

    /// - Parameter state: what the log says that was taken from the ledger, read after its point.
    func state(
        of state: FolderState, _ reading: FolderReading?
    ) throws -> FolderState.LedgerState {
        var entry = FolderState.FoundLedger()
        if case .malformed(let what) = look { return .malformed(what) }
        if let point { entry.point = point }
        var isBehind = state.published != nil
        if case .found(let ledger) = look {
            // It may have grown since its point was read.
            entry.point.lastReview = try ledger.point().lastReview
            if let published = state.published,
                let booked = try ledger.transaction(TransactionID(published.id))
            {
                isBehind = false
                entry.hashOfPublished = String(hex: booked.hash)
                entry.point.head = max(entry.point.head, published.id)
                entry.point.next = entry.point.next.map { max($0, published.id + 1) }
            }
        }
        entry.strangers = try reading?.strangers(to: entry.point) ?? []
        if isBehind { try reading?.fill(&entry) }
        if let reviewed = state.reviewed, reviewed > entry.point.lastReview {
            entry.lostReview = try reading?.lostReview(after: entry.point.lastReview)
        }
        return .found(entry)
    }
}

/// The log's part of the survey.
struct FolderReading {
    /// The three looks, in this order; one and the same of a folder that is held.
    let begins, taken, ends: ReadOnlyLog

    private func topic(_ id: TopicID, _ log: ReadOnlyLog) throws -> ReadOnlyTopic? {
        log.topic(try TopicName(id.rawValue))
    }

    /// As it ends.
    private func topic(_ id: TopicID) throws -> ReadOnlyTopic? { try topic(id, ends) }

    func fill(_ state: inout FolderState) throws {
        state.identity = ends.identity
        for id in TopicID.allCases {
            guard let topic = try topic(id) else { continue }
            let first = try self.topic(id, begins) ?? topic
            state.topics[id] = FolderState.TopicState(
                start: first.start, end: topic.end, begins: first.begins)
            try checkSchema(of: topic, id)
        }
        for (name, mark) in taken.marks {
            guard let id = TopicID(rawValue: name.rawValue) else { continue }
            let known = try topic(id)?.checksum(before: mark.end)
            state.marks[id] = FolderState.Mark(
                end: mark.end,
                holds: known == nil || mark.checksum == nil || known == mark.checksum,
                start: mark.start)
        }
        for (group, cursors) in taken.cursors {
            for (name, next) in cursors {
                guard let id = TopicID(rawValue: name.rawValue) else { continue }
                state.cursors.append(
                    FolderState.Cursor(group: group.rawValue, topic: id, next: next))
            }
        }
        state.cursors.sort { ($0.group, $0.topic.rawValue) < ($1.group, $1.topic.rawValue) }
        for (producer, input, outputs) in FolderSurvey.derivations {
            for output in outputs {
                state.derived.append(try derivation(producer, input, output))
            }
        }
        state.published = try published(atOrBefore: nil)
        state.reviewed = try topic(.paymentReview, taken)?
            .lastSource(of: try ProducerName(LedgerStep.name))?.rawValue
    }

    /// The first and the last record say of which topic they are, in folders without an identity
    /// too: `payment.scored/1`, `dead.letter/1`, and `dead.letter.order/1` of the orders beside the
    /// letters.
    private func checkSchema(of topic: ReadOnlyTopic, _ id: TopicID) throws {
        guard topic.start < topic.end else { return }
        for offset in [topic.start, topic.end.advanced(by: -1)] {
            guard let record = try topic.read(from: offset, byteCountMax: 1).first?.record,
                let schema = record.text("schema"),
                !["/", "."].contains(where: { schema.hasPrefix(id.rawValue + $0) })
            else { continue }
            throw StartRefusal(
                reason: "log/\(id.rawValue)-0 holds records of \(schema), which is another topic's")
        }
    }

    private func derivation(
        _ producer: String, _ input: TopicID, _ output: TopicID
    ) throws -> FolderState.Derivation {
        var derived = FolderState.Derivation(producer: producer, input: input, output: output)
        let name = try ProducerName(producer)
        guard let topic = try topic(output, taken) else { return derived }
        derived.lastSource = topic.lastSource(of: name)
        guard let source = derived.lastSource,
            let batch = try topic.lastBatch(before: topic.end),
            batch.header.producer?.producerID == name.id,
            let last = try batch.records().last,
            let original = try self.topic(input), source >= original.start, source < original.end,
            let taken = try original.read(from: source, byteCountMax: 1).first
        else { return derived }
        if let event = taken.record.text("event-id"), let own = last.record.text("event-id") {
            derived.isOfSource = own == event
        }
        return derived
    }

    /// The transaction in `ledger.posted` with the given number; nil asks for the last one.
    private func published(atOrBefore id: Int64?) throws -> FolderState.Published? {
        guard let topic = try topic(.ledgerPosted, taken), topic.start < topic.end else {
            return nil
        }
        let last = topic.end.advanced(by: -1)
        // Numbers and offsets both have no gaps, so that one tells the other.
        guard let end = try transaction(at: last, in: topic) else { return nil }
        guard let id else { return end }
        let offset = last.advanced(by: id - end.id)
        guard offset >= topic.start, offset <= last else { return nil }
        return try transaction(at: offset, in: topic)
    }

    private func transaction(
        at offset: Offset, in topic: ReadOnlyTopic
    ) throws -> FolderState.Published? {
        try posted(at: offset, in: topic).map { FolderState.Published(id: $0.id, hash: $0.hash) }
    }

    private func posted(at offset: Offset, in topic: ReadOnlyTopic) throws -> LedgerPosted? {
        guard let stored = try topic.read(from: offset, byteCountMax: 1).first,
            let posted = try? LedgerPosted(stored.record.value ?? [], using: JSONDocument())
        else {
            throw StartRefusal(reason: "offset \(offset) of ledger.posted is no transaction")
        }
        return posted
    }

    /// What is to be known of a ledger that is behind `ledger.posted`.
    func fill(_ ledger: inout FolderState.FoundLedger) throws {
        let point = ledger.point
        if point.head > 0 {
            ledger.publishedHashOfHead = try published(atOrBefore: point.head)?.hash
        }
        ledger.hasDecisionsToCome = try hasDecisions(
            from: Offset(point.positions[TopicID.paymentReview.rawValue] ?? 0))
        ledger.firstLost = try firstLost(
            after: point.head, from: Offset(point.positions[TopicID.paymentScored.rawValue] ?? 0),
            besideDecisions: ledger.hasDecisionsToCome)
    }

    /// Topics whose batch before the ledger's position is another one than it has booked; one that
    /// retention has removed tells nothing.
    func strangers(to point: LedgerPoint) throws -> [TopicID] {
        try LedgerStep.inputs.filter { id in
            guard let booked = point.checksums[id.rawValue],
                let next = point.positions[id.rawValue],
                let known = try topic(id)?.checksum(before: Offset(next))
            else { return false }
            return known != booked
        }
    }

    /// Whether a person's decision stands in `payment.review` from `offset` on.
    private func hasDecisions(from offset: Offset) throws -> Bool {
        guard let topic = try topic(.paymentReview) else { return false }
        let document = JSONDocument()
        var found = false
        try topic.scan(from: max(offset, topic.start)) { stored in
            let review = try? ReviewRecord(stored.record.value ?? [], using: document)
            found = review.map { $0.by != PostingRules.scoringActor } ?? false
            return !found
        }
        return found
    }

    /// The first transaction behind `head` that the scored from `offset` on do not tell of, in the
    /// order in which they stand; nil if they tell of all.
    ///
    /// - Parameter besideDecisions: whether decisions are to come that may tell of the others.
    private func firstLost(
        after head: Int64, from offset: Offset, besideDecisions: Bool
    ) throws -> Int64? {
        guard let posted = try topic(.ledgerPosted, taken), let end = try published(atOrBefore: nil)
        else { return nil }
        let place = posted.end.advanced(by: head - end.id)
        var walk = PostedWalk(
            posted, from: max(place, posted.start), besideDecisions: besideDecisions)
        var due = try walk.next()
        guard let scored = try topic(.paymentScored) else { return due?.id }
        var failure: (any Error)?
        try scored.scan(from: min(offset, scored.end)) { stored in
            do {
                // One event may book several transactions.
                while let told = due, stored.record.text("event-id") == told.eventID.rawValue {
                    due = try walk.next()
                }
            } catch {
                failure = error
            }
            return due != nil && failure == nil
        }
        if let failure { throw failure }
        return due?.id
    }
}

extension FolderReading {
    /// An event of which the ledger has told `payment.review` in a change behind `last` and that no
    /// webhook tells of.
    fileprivate func lostReview(after last: Int64) throws -> String? {
        guard let reviews = try topic(.paymentReview, taken) else { return nil }
        var events: Set<String> = []
        try reviews.scan(from: reviews.start) { stored in
            if stored.record.text("stage") == LedgerStep.name, let change = stored.source,
                change.rawValue > last, let event = stored.record.text("event-id")
            {
                events.insert(event)
            }
            return true
        }
        guard let received = try topic(.webhookReceived) else { return events.min() }
        try received.scan(from: received.start) { stored in
            if let event = stored.record.text("event-id") { events.remove(event) }
            return !events.isEmpty
        }
        return events.min()
    }
}

/// Goes through `ledger.posted`, past transactions that may bear the name of an earlier event than
/// the one whose record books them.
private struct PostedWalk {
    let topic: ReadOnlyTopic
    /// The kinds that are passed, as `ledger.posted` writes them.
    private let passed: Set<String>
    /// Where the next read begins.
    private var place: Offset
    private var buffer: ArraySlice<StoredRecord> = []
    private let document = JSONDocument()

    /// - Parameter besideDecisions: whether decisions are to come. Where none are, the money of a
    ///   payment moves by a decision only in the record that books it, which waited for it.
    init(_ topic: ReadOnlyTopic, from place: Offset, besideDecisions: Bool) {
        self.topic = topic
        self.place = place
        let ofRefunds: Set<PostingKind> = [.refundSettled, .refundUnsettled]
        let ofDecisions: Set<PostingKind> = [.reviewApproved, .reviewDeclined]
        passed = Set((besideDecisions ? ofRefunds.union(ofDecisions) : ofRefunds).map(\.name))
    }

    mutating func next() throws -> LedgerPosted? {
        while place < topic.end || !buffer.isEmpty {
            if buffer.isEmpty { buffer = try topic.read(from: place)[...] }
            guard let stored = buffer.popFirst() else { return nil }
            place = stored.offset.advanced(by: 1)
            guard let posted = try? LedgerPosted(stored.record.value ?? [], using: document) else {
                throw StartRefusal(
                    reason: "offset \(stored.offset) of ledger.posted is no transaction")
            }
            if !passed.contains(posted.kind) { return posted }
        }
        return nil
    }
}

extension LogError {
    /// What is wrong, for a sentence that goes on by itself.
    var bareDescription: String {
        if case .corrupt(let corruption) = self { return "\(corruption)" }
        return "\(self)"
    }
}
