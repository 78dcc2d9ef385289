package import AppendLog
package import Appliance
package import Vocabulary

/// Copies the local ledger to another one by booking the same inputs again, in the order in which
/// the local ledger took them: the same rules, the same rows, the same chain.
///
/// Rows are not copied as they are, since many change after they are made (states, waiting refunds,
/// balances), and a copy that lags would show some of them from a later moment than the rest. What
/// is booked again is whole after every commit. Every transaction and every change of a review is
/// compared with the local one before it is committed, and takes over when that was booked: a
/// ledger that comes to anything else stores nothing and stops the bridge.
///
///     payment.scored  0 1 2 3 4 5 …            up to where the local ledger has booked
///     payment.review        d      d'          a decision stands where that considered it
///     booked there    0 1 2 d 3 4 5 d' …
package final class LedgerTarget: RelayTarget {
    /// Decisions first: each that is seen was considered behind a scored record that is seen then.
    package let topics = [TopicID.paymentReview, .paymentScored]

    /// Opens the ledger of the other side, as a copy of the one that is handed in.
    package typealias Opening =
        @Sendable (any LedgerOriginal) throws(LedgerError) -> any Ledger

    private let name: BridgeName
    private let openLocal: @Sendable () throws(LedgerError) -> any LedgerReading
    private let prepare: @Sendable () throws(LedgerError) -> Void
    private let openCopy: Opening
    private var local: (any LedgerReading)?
    private var copy: (any Ledger)?
    private var next: [TopicID: Offset] = [:]
    private let step = LedgerStep()
    private let document = JSONDocument()

    /// - Parameters:
    ///   - local: the box's own ledger, for reading.
    ///   - prepare: makes the ledger of the other side where there is none; not for `verify`, which
    ///     changes nothing.
    ///   - copy: asked at each opening, so that a new password needs no restart.
    package init(
        _ name: BridgeName,
        local: @escaping @Sendable () throws(LedgerError) -> any LedgerReading,
        prepare: @escaping @Sendable () throws(LedgerError) -> Void = {},
        copy: @escaping Opening
    ) {
        self.name = name
        self.prepare = prepare
        openLocal = local
        openCopy = copy
    }

    // MARK: Opening

    package func open(
        _ source: RelaySource, during attempt: RelayAttempt
    ) async throws(RelayFailure) -> [TopicID: Offset] {
        do throws(LedgerError) {
            try prepare()
            let local = try openLocal()
            let copy = try openCopy(OriginalLedger(local))
            (self.local, self.copy) = (local, copy)
            try check(copy, against: local, source)
            if try copy.head() == 0 {
                try copy.inherit(renewalsAfter: local.renewalsAfter())
            }
            try copy.adopt(log: source.log)
            for topic in topics {
                next[topic] = Offset(try copy.position(topic: topic.rawValue) ?? 0)
            }
        } catch {
            throw RelayFailure(error)
        }
        return next
    }

    /// The copy must be of this log, and end with a transaction that the local ledger has.
    private func check(
        _ copy: any Ledger, against local: any LedgerReading, _ source: RelaySource
    ) throws(LedgerError) {
        let point = try copy.point()
        if case .roles(let origin, _) = LedgerOrigin.standing(of: point.logs) {
            throw .differsFromOriginal(
                what: "the ledger in \(name.rawValue) is booked by the roles of the profile cloud, "
                    + "from \(origin); give this box a database of its own")
        }
        if let other = point.logs.first(where: { $0 != source.log }) {
            throw .differsFromOriginal(
                what: "the ledger in \(name.rawValue) was booked from log \(other), and this box's "
                    + "is \(source.log); give this box a database of its own")
        }
        guard point.head > 0 else { return }
        let own = try local.transaction(TransactionID(point.head))
        guard own?.hash != point.hash else { return }
        let end = try local.head()
        throw .differsFromOriginal(
            what: "transaction \(point.head) in \(name.rawValue) has hash "
                + "\(String(hex: point.hash)), and the ledger here has "
                + (own.map { String(hex: $0.hash) } ?? "come to \(end) only"))
    }

    package func limit(of topic: TopicID) throws(RelayFailure) -> Offset? {
        do throws(LedgerError) {
            return Offset(try local?.position(topic: topic.rawValue) ?? 0)
        } catch {
            throw RelayFailure(error)
        }
    }

    package func close() async {
        // What was not committed is not stored; nothing else is lost with a connection.
        try? copy?.close()
        try? local?.close()
        (copy, local) = (nil, nil)
    }

    // MARK: Delivering

    /// What is booked together, and where reading goes on behind it.
    private struct Batch {
        var inputs = LedgerStep.Batch()
        /// By the places of the inputs.
        var scoredNext: [Offset] = []
        var next: [TopicID: Offset] = [:]
        var isEmpty: Bool { next.isEmpty }
    }

    package func deliver(
        _ run: RelayRun, during attempt: RelayAttempt
    ) async throws(RelayFailure) -> [TopicID: Offset] {
        guard let copy else { throw .passing("the bridge to \(name.rawValue) is not open") }
        do throws(LedgerError) {
            var decisions = try placed(run.records[.paymentReview] ?? [])[...]
            let scored = run.records[.paymentScored] ?? []
            var batch = Batch()
            for stored in scored {
                take(&decisions, before: stored.offset, into: &batch)
                add(stored, of: .paymentScored, before: stored.offset.advanced(by: 1), &batch)
                if batch.scoredNext.count >= StageLimits.ledgerBatchCount {
                    try post(batch, to: copy)
                    batch = Batch()
                    guard !attempt.isStopping() else { return next }
                }
            }
            let end = scored.last?.offset.advanced(by: 1) ?? next[.paymentScored] ?? .zero
            take(&decisions, before: end, into: &batch)
            if !batch.isEmpty { try post(batch, to: copy) }
        } catch {
            throw RelayFailure(error)
        }
        return next
    }

    /// A record of `payment.review`, and the scored record before which it was considered.
    private struct Placed {
        var stored: StoredRecord
        var scoredNext: Offset
        /// Written by the local ledger: the copy writes its own.
        var isOwn: Bool
    }

    private func placed(
        _ reviews: [StoredRecord]
    ) throws(LedgerError) -> [Placed] {
        var placed: [Placed] = []
        placed.reserveCapacity(reviews.count)
        var last = Offset.zero
        for stored in reviews {
            let review = try? ReviewRecord(stored.record.value ?? [], using: document)
            let isOwn = ReplaySource.isOwn(stored, review)
            if !isOwn, review != nil {
                let decision = try local?.decision(at: stored.offset.rawValue, partition: 0)
                if let decision { last = Offset(decision.place.scoredNext) }
            }
            placed.append(Placed(stored: stored, scoredNext: last, isOwn: isOwn))
        }
        return placed
    }

    /// Takes the decisions that were considered before a scored record.
    private func take(
        _ decisions: inout ArraySlice<Placed>, before scored: Offset, into batch: inout Batch
    ) {
        while let first = decisions.first, first.scoredNext <= scored {
            decisions.removeFirst()
            if first.isOwn {
                batch.next[.paymentReview] = first.stored.offset.advanced(by: 1)
            } else {
                add(first.stored, of: .paymentReview, before: scored, &batch)
            }
        }
    }

    private func add(
        _ stored: StoredRecord, of topic: TopicID, before scoredNext: Offset,
        _ batch: inout Batch
    ) {
        let place = SourcePlace(topic: topic, offset: stored.offset)
        step.add(PlacedRecord(place: place, record: stored.record), to: &batch.inputs)
        if batch.scoredNext.count < batch.inputs.inputs.count {
            batch.scoredNext.append(scoredNext)
        }
        batch.next[topic] = place.next.offset
    }

    private func post(_ batch: Batch, to copy: any Ledger) throws(LedgerError) {
        let positions = batch.next.sorted { $0.key < $1.key }.map {
            ConsumerPosition(topic: $0.key.rawValue, nextOffset: $0.value.rawValue)
        }
        let scoredNext = batch.scoredNext
        _ = try copy.post(
            batch.inputs.inputs, positions: positions,
            places: batch.inputs.places { scoredNext[$0] })
        next.merge(batch.next) { $1 }
    }

    // MARK: Verifying

    package func verify(
        _ source: RelaySource
    ) async throws(RelayFailure) -> BridgeVerification {
        do throws(LedgerError) {
            let local = try openLocal()
            let copy = try openCopy(OriginalLedger(local))
            defer {
                try? copy.close()
                try? local.close()
            }
            return try LedgerComparison(log: source.log, local: local, copy: copy).run()
        } catch {
            throw RelayFailure(error)
        }
    }
}

extension RelayFailure {
    init(_ error: LedgerError) {
        self = error.isRetryable ? .passing("\(error)") : .permanent("\(error)")
    }
}
