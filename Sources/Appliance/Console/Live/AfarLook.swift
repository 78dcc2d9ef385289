package import AppendLog
import Appliance
package import Reconcile
package import Vocabulary

/// The pipeline as a process sees it that runs no part of it: what its topics hold, how far their
/// readers are, what the index of payments has counted, and the ledger. What only those parts know
/// of themselves, such as refused deliveries and times, is not told.
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

    private let payments: PaymentSources
    private let readers: @Sendable () throws -> [Reader]
    private let readiness: Readiness
    private let clock: any LogClock
    private let verifiedAt: @Sendable () -> Instant?
    private let runs: any ReconciliationReading
    private let startedAt: Int64

    /// - Parameters:
    ///   - readers: all who read the topics, by partition. Blocking.
    ///   - runs: of reconciliation. Blocking.
    ///   - verifiedAt: when the whole ledger was verified last and found sound.
    package init(
        _ payments: PaymentSources, readers: @escaping @Sendable () throws -> [Reader],
        runs: any ReconciliationReading, readiness: Readiness, clock: any LogClock,
        verifiedAt: @escaping @Sendable () -> Instant?
    ) {
        (self.payments, self.readers, self.readiness) = (payments, readers, readiness)
        (self.clock, self.verifiedAt, self.runs) = (clock, verifiedAt, runs)
        startedAt = clock.now().milliseconds
    }

    /// Looks. Blocking.
    ///
    /// - Throws: `StoreFailure` where Kafka cannot be asked, `LedgerError`.
    func figures() throws -> LiveFigures {
        let (index, now) = (payments.index, clock.now().milliseconds)
        return LiveFigures(
            at: now, startedAt: startedAt, reasons: readiness.current,
            warnings: readiness.warnings,
            stages: TopicID.allCases.map {
                LiveFigures.Stage(topic: $0, count: index.count(of: $0), rate: index.rate(of: $0))
            },
            readers: Self.summed(try readers()), counts: [], rates: [], volume: [:],
            toLedger: LiveHistory.Latency(), toAnswer: LiveHistory.Latency(), bucket: nil,
            bridges: [], money: try MoneyCheck(payments.ledger, run: try lastRun(), at: now),
            stripeAheadMilliseconds: nil, hasStripe: false,
            letterCount: index.count(of: .deadLetter), paymentsLeftOut: 0,
            verifiedAt: verifiedAt(), tally: index.tally,
            afar: LiveFigures.Afar(behind: index.behind))
    }

    /// The last run that has ended.
    private func lastRun() throws(LedgerError) -> RunReport? {
        try runs.reports(before: nil, limit: LiveLimits.runCountMax).first { $0.run.state.isOver }
    }

    /// Partitions of one topic are one to whoever looks at the whole.
    private static func summed(_ readers: [Reader]) -> [LiveFigures.Reader] {
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
