package import AppendLog
import Foundation
import Vocabulary

/// What a start may do with the folder it found.
package enum StartVerdict: Sendable {
    case proceed(StartPlan)
    /// Nothing was changed, and nothing will be: the next start says the same.
    case refuse(StartRefusal)
}

/// What the start makes up for.
package struct StartPlan: Sendable {
    /// Where a stage starts at most, because outputs behind that were lost.
    package var rewinds: [String: Offset] = [:]
    /// Whether the ledger publishes once more what the end of `ledger.posted` has lost.
    package var publishesAgain = false
    /// What an operator should know; each a sentence.
    package var notes: [String] = []
    /// What stays so after the start, and is told as long as the process runs.
    package var lasting: [String] = []
}

/// Why the parts of a folder cannot be used together, and what to do.
package struct StartRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    var reason: String
    var remedy = FolderRemedy.restore

    package var description: String { "\(reason); nothing was changed. \(remedy)" }
}

extension StartRefusal {
    /// Why the log cannot be looked at: a file that may not be read is no damage.
    init(_ error: LogError) {
        reason = error.bareDescription
        if case .disk(let failure) = error, [EACCES, EPERM].contains(failure.code) {
            remedy = FolderRemedy.rights
        }
    }
}

/// Compares every part of a data folder with every other (docs/RELIABILITY.md), before anything is
/// written and before any port is open.
///
///     webhook.received ─▶ payment.validated ─▶ payment.scored ─▶ ledger ─▶ ledger.posted
///            ▲                   ▲    ▲             ▲              │
///       gate snapshot         cursors features   positions ◀───────┘
///
/// An arrow is followed against its direction: whatever was taken from a part must still be there.
/// What was lost at the end of a part and nobody has read is derived again, where it can be.
package struct StartComparison: Sendable {
    let state: FolderState
    private var plan = StartPlan()

    init(_ state: FolderState) { self.state = state }

    /// What a start would make up for; nil where it refuses.
    static func plan(of state: FolderState) -> StartPlan? {
        guard case .proceed(let plan) = verdict(of: state) else { return nil }
        return plan
    }

    package static func verdict(of state: FolderState) -> StartVerdict {
        var comparison = StartComparison(state)
        do throws(StartRefusal) {
            try comparison.compareIdentities()
            try comparison.compareBeginnings()
            try comparison.compareSources()
            try comparison.compareCursors()
            try comparison.compareMarks()
            try comparison.compareLedger()
            try comparison.compareUnread()
            comparison.compareSnapshots()
            return .proceed(comparison.plan)
        } catch {
            var refusal = error
            if state.hasEveryWebhook { refusal.remedy = FolderRemedy.rebook }
            return .refuse(refusal)
        }
    }

    // MARK: Whose is it?

    private func compareIdentities() throws(StartRefusal) {
        guard case .found(let ledger) = state.ledger else { return }
        guard ledger.point.logs.allSatisfy({ $0 == state.identity?.description }) else {
            throw StartRefusal(
                reason:
                    "ledger.sqlite was booked from log \(ledger.point.logs.joined(separator: ", "))"
                    + " and log/ is \(state.identity?.description ?? "another"): they do not "
                    + "belong together")
        }
    }

    // MARK: Is what was taken still there?

    /// Retention notes where a topic begins before it removes anything; what is gone beyond that
    /// somebody else has taken.
    private func compareBeginnings() throws(StartRefusal) {
        for id in TopicID.allCases {
            guard let topic = state.topics[id], topic.start > .zero else { continue }
            let mark = state.marks[id]
            let known: Offset?
            switch topic.begins {
            case .noted(let begins): known = max(begins, mark?.start ?? begins)
            case .notNoted: known = mark?.start
            case .unknown: known = mark == nil ? .zero : mark?.start
            }
            guard let known, topic.start > known else { continue }
            throw StartRefusal(
                reason: "\(id.rawValue) begins at offset \(topic.start), and nothing says that "
                    + "retention has removed more than what lay before \(known)")
        }
    }

    private func compareSources() throws(StartRefusal) {
        for derived in state.derived {
            guard let source = derived.lastSource else { continue }
            let (input, output) = (derived.input.rawValue, derived.output.rawValue)
            guard source < state.end(derived.input) else {
                throw StartRefusal(
                    reason: "\(output) has records of offset \(source) of \(input), which ends at "
                        + "\(state.end(derived.input))")
            }
            guard derived.isOfSource else {
                throw StartRefusal(
                    reason:
                        "\(output) and \(input) tell of different events at offset \(source) of "
                        + "\(input): one of them is of another folder or another time")
            }
        }
    }

    private func compareCursors() throws(StartRefusal) {
        for cursor in state.cursors {
            let (start, end) = (state.start(cursor.topic), state.end(cursor.topic))
            guard cursor.next <= end else {
                throw StartRefusal(
                    reason: "\(cursor.group) has read \(cursor.topic.rawValue) up to offset "
                        + "\(cursor.next), and it ends at \(end)")
            }
            guard cursor.next >= start else {
                throw StartRefusal(
                    reason: "\(cursor.group) would read \(cursor.topic.rawValue) from offset "
                        + "\(cursor.next), and it begins at \(start): what lies between is gone")
            }
        }
    }

    private mutating func compareMarks() throws(StartRefusal) {
        for id in TopicID.allCases {
            guard let mark = state.marks[id] else { continue }
            guard mark.end > state.end(id) else {
                guard mark.holds else {
                    throw StartRefusal(
                        reason: "\(id.rawValue) is not what it was: the batch before offset "
                            + "\(mark.end) is another one")
                }
                continue
            }
            try makeUp(for: id, mark.end)
        }
    }

    /// The end of the topic is lost, and nobody had read it.
    private mutating func makeUp(for id: TopicID, _ due: Offset) throws(StartRefusal) {
        let lost = "\(id.rawValue) ends at offset \(state.end(id)) and had come to \(due)"
        switch id {
        case .webhookReceived, .deadLetter, .paymentReview:
            throw StartRefusal(reason: lost + ": nothing else holds what is missing")
        case .ledgerPosted:
            plan.publishesAgain = true
            plan.notes.append(lost + "; the ledger publishes it again")
        case .paymentValidated, .paymentFeatures, .paymentScored:
            for derived in state.derived where derived.output == id {
                let from = derived.lastSource.map { $0.advanced(by: 1) } ?? .zero
                guard from >= state.start(derived.input) else {
                    throw StartRefusal(
                        reason: lost
                            + ", and \(derived.input.rawValue), of which it was made, begins "
                            + "at \(state.start(derived.input))")
                }
                plan.rewinds[derived.producer] = min(plan.rewinds[derived.producer] ?? from, from)
            }
            plan.notes.append(lost + "; it is derived again")
        }
    }

    // MARK: The ledger

    /// Everything that a ledger has booked it has read from its log: it knows which one that is and
    /// how far it has come, and notes its own end.
    private func compareBinding(_ point: LedgerPoint) throws(StartRefusal) {
        guard point.head > 0, let identity = state.identity else { return }
        let missing: String
        if point.positions[TopicID.paymentScored.rawValue] == nil {
            missing = "its position in \(TopicID.paymentScored.rawValue)"
        } else if point.next != nil, point.logs.isEmpty {
            missing = "the name of the log that it was booked from (here \(identity))"
        } else if point.next == nil, !point.logs.isEmpty {
            missing = "the note of its last transaction"
        } else if !point.places.isEmpty,
            point.positions[TopicID.paymentReview.rawValue] == nil
        {
            missing = "its position in \(TopicID.paymentReview.rawValue)"
        } else {
            return
        }
        throw StartRefusal(
            reason: "ledger.sqlite has \(Counted.words(point.head, "transaction")) and not "
                + missing)
    }

    private mutating func compareLedger() throws(StartRefusal) {
        let ledger: FolderState.FoundLedger
        switch state.ledger {
        case .malformed(let what): throw StartRefusal(reason: "ledger.sqlite is damaged: \(what)")
        case .found(let found): ledger = found
        }
        try compareBinding(ledger.point)
        try comparePositions(ledger.point)
        if let id = ledger.strangers.first {
            let next = ledger.point.positions[id.rawValue] ?? 0
            throw StartRefusal(
                reason: "the batch of \(id.rawValue) before offset \(next) is not the one that the "
                    + "ledger has booked: they tell of different histories")
        }
        if let event = ledger.lostReview {
            throw StartRefusal(
                reason: "payment.review has reviews that the ledger lacks, of \(event), and no "
                    + "webhook tells of that: payment.review is newer than the rest")
        }
        guard let published = state.published else { return }
        if ledger.point.head >= published.id {
            guard ledger.hashOfPublished == published.hash else {
                throw StartRefusal(
                    reason: "transaction \(published.id) of ledger.sqlite is not the one that "
                        + "ledger.posted has: they tell of different histories")
            }
        } else {
            try catchUp(ledger, through: published)
        }
    }

    private func comparePositions(_ point: LedgerPoint) throws(StartRefusal) {
        if let next = point.next, next != point.head + 1 {
            throw StartRefusal(
                reason: "ledger.sqlite ends with transaction \(point.head) and had come to "
                    + "\(next - 1): its end is cut off")
        }
        for id in [TopicID.paymentScored, .paymentReview] {
            let next = Offset(point.positions[id.rawValue] ?? 0)
            guard next <= state.end(id) else {
                throw StartRefusal(
                    reason:
                        "the ledger has booked \(id.rawValue) up to offset \(next), and it ends at "
                        + "\(state.end(id))")
            }
            guard next >= state.start(id) else {
                throw StartRefusal(
                    reason:
                        "the ledger would book \(id.rawValue) from offset \(next), and it begins "
                        + "at \(state.start(id)): what lies between was removed, by retention or "
                        + "by hand, after this ledger was stored")
            }
        }
    }

    /// An older ledger books what it lacks once more, if that must come to the same.
    private mutating func catchUp(
        _ ledger: FolderState.FoundLedger, through published: FolderState.Published
    ) throws(StartRefusal) {
        let head = ledger.point.head
        let behind = "the ledger ends with transaction \(head), ledger.posted with \(published.id)"
        if head > 0, let known = ledger.publishedHashOfHead,
            known != String(hex: ledger.point.hash)
        {
            throw StartRefusal(
                reason:
                    "transaction \(head) of ledger.sqlite is not the one that ledger.posted has: "
                    + "they tell of different histories")
        }
        guard !ledger.hasDecisionsToCome else {
            throw StartRefusal(
                reason: behind + ", and people decided in between, at places that only the newer "
                    + "ledger knows")
        }
        if let lost = ledger.firstLost {
            throw StartRefusal(
                reason: behind + ", and of transaction \(lost) nothing tells that the ledger has "
                    + "still to book: its end is cut off, or ledger.posted is newer than the rest")
        }
        plan.notes.append(behind + "; it books the rest again")
    }

    // MARK: What comes next

    /// A stage that comes to damage stops the daemon, and would do so after every start.
    private func compareUnread() throws(StartRefusal) {
        for id in TopicID.allCases {
            guard let damage = state.unreadable[id] else { continue }
            throw StartRefusal(
                reason: "\(id.rawValue) is damaged where it has still to be read: \(damage)")
        }
    }

    // MARK: Snapshots

    /// A snapshot saves reading; one that does not fit is left aside.
    private mutating func compareSnapshots() {
        for (name, snapshot, id) in [
            ("gate/", state.gate, TopicID.webhookReceived),
            ("features/", state.features, .paymentValidated),
        ] {
            switch snapshot {
            case .missing: continue
            case .damaged:
                plan.notes.append(
                    "the snapshot in \(name) is damaged; it is made again from the log")
            case .found(let origin, _) where state.next(id, behind: snapshot) != origin.next:
                plan.notes.append(
                    "the snapshot in \(name) is of another log or another time (offset "
                        + "\(origin.next) of \(id.rawValue)); it is made again from the log")
            case .found: continue
            }
        }
        noteForgottenCustomers()
    }

    /// Features are made again from what the log still has. What retention has removed before that
    /// is forgotten, and payments are scored as those of newer customers: nobody is to take these
    /// scores for the usual ones.
    private mutating func noteForgottenCustomers() {
        let id = EmbeddedScoreStage.input
        let kept = state.next(id, behind: state.features)
        let rewind = plan.rewinds[EmbeddedScoreStage.name] ?? kept
        guard state.start(id) > .zero, kept < state.start(id) || rewind < kept else { return }
        let sentence =
            "there is no usable snapshot in features/, and \(id.rawValue) begins at offset "
            + "\(state.start(id)): what customers did before that is forgotten, so that payments "
            + "are scored as those of new customers for up to 33 days. Restore features/ from a "
            + "backup, or tighten verdict.review_from meanwhile"
        plan.notes.append(sentence)
        plan.lasting.append(sentence)
    }
}
