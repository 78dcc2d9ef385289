import AppendLog
import Foundation
import Vocabulary

/// Reads what a start compares, without writing a byte.
///
/// Of what may grow meanwhile, the derived is read before its source: the snapshots, the ledger,
/// the cursors, then the topics in the order of their names, `webhook.received` last. So a daemon
/// that is running does not make its own folder look wrong.
struct FolderSurvey {
    let log: String
    let ledger: String
    let gate: String
    let features: String

    /// Who derives what from what.
    static let derivations: [(producer: String, input: TopicID, outputs: [TopicID])] = [
        (ValidateStage.name, ValidateStage.input, ValidateStage.outputs),
        (EmbeddedScoreStage.name, EmbeddedScoreStage.input, EmbeddedScoreStage.outputs),
        (RedriveStage.name, RedriveStage.input, RedriveStage.outputs),
        ("\(LedgerStep.name):\(TopicID.paymentScored.rawValue)", .paymentScored, [.deadLetter]),
        ("\(LedgerStep.name):\(TopicID.paymentReview.rawValue)", .paymentReview, [.deadLetter]),
    ]

    /// - Throws: `StartRefusal` where a part cannot be read at all.
    func state() throws -> FolderState {
        var state = FolderState()
        let (gateOrigin, featureOrigin) = (
            AdmissionSnapshot.origin(at: gate), FeatureSnapshotFile.origin(at: features)
        )
        let found = try SQLiteLedgerReader.look(at: ledger)
        if FileManager.default.fileExists(atPath: log) {
            let opened: ReadOnlyLog
            do {
                opened = try Log.openReadOnly(at: log, checksSegments: true)
            } catch {
                throw StartRefusal(reason: error.bareDescription)
            }
            do {
                try FolderReading(log: opened).fill(&state)
                state.gate = try Self.snapshot(gateOrigin, .webhookReceived, opened)
                state.features = try Self.snapshot(featureOrigin, .paymentValidated, opened)
                state.ledger = try ledgerState(found, state, opened)
            } catch let error as LogError {
                throw StartRefusal(reason: error.bareDescription)
            }
        } else {
            state.ledger = try ledgerState(found, state, nil)
        }
        return state
    }

    private static func snapshot(
        _ origin: SnapshotOrigin?, _ id: TopicID, _ log: ReadOnlyLog
    ) throws -> FolderState.SnapshotState {
        guard let origin else { return .missing }
        return .found(
            origin,
            checksumInLog: try log.topic(try TopicName(id.rawValue))?.checksum(before: origin.next))
    }

    private func ledgerState(
        _ found: LedgerLook, _ state: FolderState, _ log: ReadOnlyLog?
    ) throws -> FolderState.LedgerState {
        switch found {
        case .missing:
            var entry = FolderState.FoundLedger()
            if state.published != nil, let log { try FolderReading(log: log).fill(&entry) }
            return .found(entry)
        case .malformed(let what): return .malformed(what)
        case .found(let ledger):
            defer { try? ledger.close() }
            var entry = FolderState.FoundLedger(point: try ledger.point())
            guard let published = state.published, let log else { return .found(entry) }
            let reading = FolderReading(log: log)
            if let booked = try ledger.transaction(TransactionID(published.id)) {
                // It may have grown since its point was read.
                entry.hashOfPublished = String(hex: booked.hash)
                entry.point.head = max(entry.point.head, published.id)
                entry.point.next = entry.point.next.map { max($0, published.id + 1) }
            } else {
                try reading.fill(&entry)
            }
            return .found(entry)
        }
    }
}

/// The log's part of the survey.
struct FolderReading {
    let log: ReadOnlyLog

    func topic(_ id: TopicID) throws -> ReadOnlyTopic? { log.topic(try TopicName(id.rawValue)) }

    func fill(_ state: inout FolderState) throws {
        state.identity = log.identity
        for id in TopicID.allCases {
            guard let topic = try topic(id) else { continue }
            state.topics[id] = FolderState.TopicState(start: topic.start, end: topic.end)
            try checkSchema(of: topic, id)
        }
        for (name, mark) in log.marks {
            guard let id = TopicID(rawValue: name.rawValue) else { continue }
            let known = try topic(id)?.checksum(before: mark.end)
            state.marks[id] = FolderState.Mark(
                end: mark.end,
                holds: known == nil || mark.checksum == nil || known == mark.checksum)
        }
        for (group, cursors) in log.cursors {
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
        guard let topic = try topic(output) else { return derived }
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
    func published(atOrBefore id: Int64?) throws -> FolderState.Published? {
        guard let topic = try topic(.ledgerPosted), topic.start < topic.end else { return nil }
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
        ledger.nextStillComes = try comes(
            after: point.head, from: Offset(point.positions[TopicID.paymentScored.rawValue] ?? 0))
    }

    /// Whether a person's decision stands in `payment.review` from `offset` on.
    func hasDecisions(from offset: Offset) throws -> Bool {
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

    /// Whether the event that the transaction after `head` books is among the scored from `offset`
    /// on.
    private func comes(after head: Int64, from offset: Offset) throws -> Bool {
        guard let posted = try topic(.ledgerPosted), let scored = try topic(.paymentScored),
            let end = try published(atOrBefore: nil)
        else { return true }
        let place = posted.end.advanced(by: head - end.id)
        guard place >= posted.start, place < posted.end, offset >= scored.start,
            let next = try self.posted(at: place, in: posted)
        else { return true }
        var found = false
        try scored.scan(from: min(offset, scored.end)) { stored in
            found = stored.record.text("event-id") == next.eventID.rawValue
            return !found
        }
        return found
    }
}

extension LogError {
    /// What is wrong, for a sentence that goes on by itself.
    var bareDescription: String {
        if case .corrupt(let corruption) = self { return "\(corruption)" }
        return "\(self)"
    }
}
