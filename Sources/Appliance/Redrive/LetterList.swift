package import AppendLog
package import Vocabulary

/// Where a dead letter stands.
package enum RedriveState: String, Sendable {
    case notRedriven = "no"
    /// On its way; the stage has not come to it yet.
    case waiting
    /// It stands in the topic that it came from, and nobody looked whether its step has come to it.
    case sent
    /// The stage that refused it has taken it.
    case passed
    /// Its event had arrived otherwise.
    case duplicate
    /// It was refused again, as another dead letter.
    case failedAgain = "failed_again"
}

/// A dead letter without its bytes, and what was made of it since.
package struct LetterLine: Sendable {
    package let place: SourcePlace
    package let at: Timestamp
    package let stage, reason, detail, topic: String
    package let source: Offset?
    package let sourcePartition: Int32
    package let eventID: String?
    /// The dead letter that this one had been redriven from.
    let origin: SourcePlace?
    package var state: RedriveState
    /// The dead letter that it became.
    package var again: SourcePlace?

    package var offset: Offset { place.offset }
}

/// The log's topics and how far their readers are, whoever has the log open.
package struct LogView: Sendable {
    let topic: @Sendable (TopicID) -> TopicReader?
    /// The offset that a stage reads next; nil where that is not known.
    let position: @Sendable (_ stage: String, TopicID) -> Offset?
}

/// Lists dead letters with what became of them, from the log and the ledger's position alone.
package struct LetterList: Sendable {
    package let view: LogView

    package init(view: LogView) {
        self.view = view
    }

    /// Letters behind `after`, oldest first, at most `limit`.
    ///
    /// - Returns: `next` is where to go on, nil at the end.
    package func page(
        after: Offset?, limit: Int, reason: String? = nil
    ) throws(StoreFailure) -> (lines: [LetterLine], next: Offset?) {
        guard let letters = view.topic(.deadLetter) else { return ([], nil) }
        var index = RedriveIndex()
        try index.catchUp(with: [letters])
        var lines: [LetterLine] = []
        var isMore = false
        try letters.scan(from: after.map { $0.advanced(by: 1) } ?? .zero) { stored in
            guard let letter = StoredLetter(stored), letter.reason == reason ?? letter.reason
            else { return true }
            guard lines.count < limit else {
                isMore = true
                return false
            }
            lines.append(LetterLine(letter))
            return true
        }
        for place in lines.indices {
            let letter = SourcePlace.letter(lines[place].offset)
            lines[place].again = index.again[letter]
            lines[place].state = try state(of: index.orders[letter], again: index.again[letter])
        }
        return (lines, isMore ? lines.last?.offset : nil)
    }

    /// How many letters nobody has sent back.
    package func leftCount() throws(StoreFailure) -> Int {
        guard let letters = view.topic(.deadLetter) else { return 0 }
        var index = RedriveIndex()
        try index.catchUp(with: [letters])
        var count = 0
        try letters.scan(from: .zero) { stored in
            if StoredLetter(stored) != nil, !index.hasGone(.letter(stored.offset)) { count += 1 }
            return true
        }
        return count
    }

    private func state(
        of order: RedriveOrder?, again: SourcePlace?
    ) throws(StoreFailure) -> RedriveState {
        guard let order else { return .notRedriven }
        if again != nil { return .failedAgain }
        if let outcome = order.outcome {
            return outcome == RedriveLine.Result.duplicate.rawValue ? .duplicate : .passed
        }
        guard let target = TopicID(rawValue: order.target),
            let placed = try placed(order, in: target)
        else { return .waiting }
        if target == .webhookReceived, isIgnored(placed.record) { return .passed }
        return try hasRead(placed.offset, in: target, since: order.at) ? .passed : .waiting
    }

    /// Nothing comes of an event that is ignored, so there is nothing to wait for, nor to tell by
    /// that it was read.
    private func isIgnored(_ record: Record) -> Bool {
        // Whose money it would be makes no difference to that.
        let validator = EventValidator(defaultMerchant: MerchantID("anyone"))
        if case .ignored = validator.validate(record.value ?? []) { return true }
        return false
    }

    /// Where the redriven record lies; it bears the order's time, so the search begins there.
    private func placed(
        _ order: RedriveOrder, in target: TopicID
    ) throws(StoreFailure) -> StoredRecord? {
        guard let topic = view.topic(target), let from = try topic.offset(at: order.at) else {
            return nil
        }
        var placed: StoredRecord?
        var byteCount = 0
        try topic.scan(from: from) { stored in
            byteCount += stored.record.value?.count ?? 0
            if RedriveHeader.letter(of: stored.record) == order.letter { placed = stored }
            return placed == nil && byteCount < RedriveLimits.searchByteCount
        }
        return placed
    }

    /// Whether the reader of `target` has gone past `place`: by its position or, since that is only
    /// saved now and then, by what it has derived from there on.
    private func hasRead(
        _ place: Offset, in target: TopicID, since: Timestamp
    ) throws(StoreFailure) -> Bool {
        let (stage, derived): (String, TopicID?) =
            switch target {
            case .webhookReceived: (ValidateStage.name, .paymentValidated)
            case .paymentValidated: (EmbeddedScoreStage.name, .paymentScored)
            default: (LedgerStep.name, nil)
            }
        if let next = view.position(stage, target), next > place { return true }
        guard let derived, let topic = view.topic(derived), let from = try topic.offset(at: since)
        else { return false }
        var isFound = false
        var byteCount = 0
        try topic.scan(from: from) { stored in
            byteCount += stored.record.value?.count ?? 0
            if stored.record.text("stage") != RedriveStage.name,
                let source = stored.record.text(SourcedRecord.headerName).flatMap({ Int64($0) })
            {
                isFound = source >= place.rawValue
            }
            return !isFound && byteCount < RedriveLimits.searchByteCount
        }
        return isFound
    }
}

extension LetterLine {
    /// Characters of a detail that a short line keeps.
    private static let shortDetailMax = 240

    /// - Parameter isShort: whether it is one of many that are kept.
    init(_ letter: StoredLetter, isShort: Bool = false) {
        let detail = isShort ? String(letter.detail.prefix(Self.shortDetailMax)) : letter.detail
        self.init(
            place: letter.place, at: letter.record.timestamp, stage: letter.stage,
            reason: letter.reason, detail: detail, topic: letter.topic,
            source: letter.source, sourcePartition: letter.sourcePartition,
            eventID: letter.eventID, origin: letter.origin, state: .notRedriven, again: nil)
    }
}
