package import AppendLog
package import Appliance
package import Reconcile
package import Vocabulary

/// Where a pipeline is looked at by a process that runs no part of it: its topics' records as they
/// come, how far their readers are, what the index of payments has counted, and the ledger. What
/// only those parts know of themselves, such as refused deliveries and times, is not told.
package struct AfarLook: Sendable {
    /// A reader of a topic.
    package struct Reader: Sendable {
        var place: LiveParts.ReaderPlace
        /// When the record came that it reads next, in milliseconds since 1970.
        var oldestUnreadAt: Int64?

        package init(_ place: LiveParts.ReaderPlace, oldestUnreadAt: Int64?) {
            (self.place, self.oldestUnreadAt) = (place, oldestUnreadAt)
        }
    }

    /// Records of `payment.scored`, `payment.review` and `dead.letter` that came of late.
    package struct Piece: Sendable {
        /// Those of one partition in their order.
        var records: [(lane: SourceLane, stored: StoredRecord)]
        /// Records that were passed over, by topic.
        var passed: [TopicID: Int64]

        package init(
            records: [(lane: SourceLane, stored: StoredRecord)] = [],
            passed: [TopicID: Int64] = [:]
        ) {
            (self.records, self.passed) = (records, passed)
        }
    }

    /// Topics whose single records are told of.
    package static let told: [TopicID] = [.paymentScored, .paymentReview, .deadLetter]

    let index: PaymentIndex
    let ledger: any LedgerReading
    let readers: @Sendable () throws -> [Reader]
    let records: @Sendable () throws -> Piece
    let readiness: Readiness
    let clock: any LogClock
    let verifiedAt: @Sendable () -> Instant?
    private let runs: any ReconciliationReading
    let startedAt: Int64

    /// - Parameters:
    ///   - ledger: that nobody else waits for.
    ///   - readers: all who read the topics, by partition. Blocking.
    ///   - records: what has come of ``told`` since it was asked last, a bounded piece of it, for
    ///     one who asks. Blocking.
    ///   - runs: of reconciliation. Blocking.
    ///   - verifiedAt: when the whole ledger was verified last and found sound.
    package init(
        index: PaymentIndex, ledger: any LedgerReading,
        readers: @escaping @Sendable () throws -> [Reader],
        records: @escaping @Sendable () throws -> Piece,
        runs: any ReconciliationReading, readiness: Readiness, clock: any LogClock,
        verifiedAt: @escaping @Sendable () -> Instant?
    ) {
        (self.index, self.ledger) = (index, ledger)
        (self.readers, self.records, self.runs) = (readers, records, runs)
        (self.readiness, self.clock, self.verifiedAt) = (readiness, clock, verifiedAt)
        startedAt = clock.now().milliseconds
    }

    /// The last run that has ended.
    func lastRun() throws(LedgerError) -> RunReport? {
        try runs.reports(before: nil, limit: LiveLimits.runCountMax).first { $0.run.state.isOver }
    }

    /// Partitions of one topic are one to whoever looks at the whole.
    static func summed(_ readers: [Reader]) -> [LiveFigures.Reader] {
        var found: [LiveFigures.Reader] = []
        for reader in readers {
            let place = reader.place
            let known = found.firstIndex {
                $0.place.group == place.group && $0.place.topic == place.topic
            }
            guard let known else {
                found.append(
                    LiveFigures.Reader(place: place, oldestUnreadAt: reader.oldestUnreadAt))
                continue
            }
            found[known].place.lag += place.lag
            found[known].oldestUnreadAt = [found[known].oldestUnreadAt, reader.oldestUnreadAt]
                .compactMap { $0 }.min()
        }
        return found
    }
}
