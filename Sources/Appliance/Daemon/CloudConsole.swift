import AppendLog
import Appliance
import Cloud
import Console
import Logging
import Reconcile
import Vocabulary

/// What the role `console` of the profile `cloud` serves: the pages and routes of the embedded
/// plane's console that stand on the ledger and on accounts, both in Postgres. Decisions on reviews
/// go to Kafka, as those of the command line do. The process keeps nothing, and of it there may be
/// several: they have accounts, sessions, guesses and the audit log in common.
///
/// Lists and stories of payments come from an index that each instance makes for itself of the
/// topics, from their beginning, and keeps nowhere: until it has read all of it, its pages say how
/// much is left. Who asks for what this plane has not gets 404 with what does it instead.
struct CloudConsole {
    /// Of programs that ask. Pages have one of their own, so that neither waits for the other.
    let ledger: any LedgerSQL
    let seenLedger: any LedgerSQL
    let decisions: any DecisionLog
    /// The topics, for pages.
    let log: KafkaLog
    /// What open pages are told, from readers of its own.
    let live: LiveBoard
    /// Its dead letters, and their way back.
    let letters: CloudLetters
    /// Follows the topics by readers of its own.
    let index: PaymentIndex
    /// With whose secrets signatures are computed again.
    let endpoints: [WebhookEndpoint]
    let desk: AccessDesk
    let check: LedgerCheck
    /// Asks Stripe for refunds; nil without an API key.
    let refunds: RefundDesk?
    /// Where Stripe's API is.
    let stripeBase: String
    let logger: Logger
    let readiness: Readiness
    let counters: Counters
    let clock: any LogClock
    /// Of the settings: a command may say which daemon it means.
    let dataPath: String

    func add(to routes: inout AdminRoutes) {
        let reviews = ReviewDesk(decisions: decisions, ledger: ledger, clock: clock)
        let payments = payments(seenLedger)
        let pages = ConsolePages(
            ConsoleParts(
                ledger: seenLedger, shownLog: shownLog, letters: letters.book, redriver: letters,
                payments: payments,
                live: live, reports: ReportSource(seenLedger, beside: index),
                decisions: DecisionSource(seenLedger),
                explainer: explainer(seenLedger), runs: KeptStatement(beside: seenLedger),
                absent: Self.absent, desk: reviews, check: check, readiness: readiness,
                counters: counters, clock: clock, profile: Settings.Profile.cloud.rawValue,
                refunds: refundKeeper, stripeBase: stripeBase))
        routes.absent = Self.absent
        LedgerRoutes(ledger: ledger, explainer: explainer(ledger)).add(to: &routes)
        PaymentRoutes(sources: self.payments(ledger)).add(to: &routes)
        ReviewRoutes(
            desk: reviews, ledger: ledger, payments: self.payments(ledger),
            dataPath: DataFolder.canonical(dataPath)
        ).add(to: &routes)
        ReportRoutes(source: ReportSource(ledger, beside: index)).add(to: &routes)
        DeadLetterRoutes(
            list: letters.book, redriver: letters, dataPath: DataFolder.canonical(dataPath),
            byName: true
        ).add(to: &routes)
        ReconciliationRoutes(
            kept: KeptStatement(beside: ledger), dataPath: DataFolder.canonical(dataPath)
        ).add(to: &routes)
        pages.add(to: &routes)
        LiveRoutes(board: live).add(to: &routes)
        SettingsPages(pages: pages, parts: SettingsParts(desk: desk)).add(to: &routes)
        SignInRoutes(desk: desk, pages: pages).add(to: &routes)
        AccountRoutes(desk: desk).add(to: &routes)
        // Last, since it describes the others.
        OpenAPIRoutes.add(to: &routes)
    }

    /// Makes the refunds of declined payments; nil without an API key. Each instance looks for
    /// those that wait, and one goes on with each.
    var refundKeeper: RefundKeeper? {
        refunds.map {
            RefundKeeper(
                desk: $0, payments: payments(ledger), decisions: decisions, access: desk,
                base: stripeBase, clock: clock, logger: logger)
        }
    }

    /// The topics as pages show them, partition by partition.
    private var shownLog: ShownLog {
        ShownLog(
            partitionCount: log.partitions, place: "at Kafka, partition by partition",
            figures: { [log, seenLedger] in
                let scored = try log.scored()
                return try log.lanes.map { lane in
                    let ends = try log.ends(of: lane)
                    let readers = try Self.places(in: lane, scored, seenLedger).map {
                        group, next in
                        (
                            group: group,
                            lag: max(0, max(next, ends.first).distance(to: ends.stableEnd))
                        )
                    }
                    return ShownLog.Figures(
                        lane: lane, start: ends.first, end: ends.stableEnd, readers: readers)
                }
            }, reader: { [log] in try log.reader($0) })
    }

    /// Who reads a partition, and what each of them reads next.
    private static func places(
        in lane: SourceLane, _ scored: [SourceLane: Offset], _ ledger: any LedgerReading
    ) throws(LedgerError) -> [(group: String, next: Offset)] {
        var places: [(group: String, next: Offset)] = []
        if CloudStage<RedisFeatures>.inputs.contains(lane.topic) {
            places.append((CloudStage<RedisFeatures>.name, scored[lane] ?? .zero))
        }
        if LedgerStep.inputs.contains(lane.topic) {
            let next = try ledger.position(
                topic: lane.topic.rawValue, partition: lane.partition)
            places.append((LedgerStep.name, Offset(next ?? 0)))
        }
        return places
    }

    /// The same for open pages, with the record that each of them reads next: at the end of a
    /// partition there are offsets that no record has.
    ///
    /// - Parameters:
    ///   - log: that nobody else waits for, and the ledger too.
    static func readers(
        _ log: KafkaLog, _ ledger: any LedgerReading
    ) -> @Sendable () throws -> [AfarLook.Reader] {
        {
            let scored = try log.scored()
            var found: [AfarLook.Reader] = []
            for lane in log.lanes {
                for (group, next) in try places(in: lane, scored, ledger) {
                    let reader = try log.reader(lane)
                    let first = max(next, reader.start)
                    let unread = try first < reader.end
                        ? reader.read(from: first, byteCountMax: 1).first : nil
                    let place = LiveParts.ReaderPlace(
                        group: group, topic: lane.topic.rawValue, next: first,
                        lag: unread.map { $0.offset.distance(to: reader.end) } ?? 0)
                    found.append(
                        AfarLook.Reader(
                            place, oldestUnreadAt: unread?.record.timestamp.milliseconds))
                }
            }
            return found
        }
    }

    /// Explains down to the webhook's bytes: records are found by their keys, which lead to their
    /// partitions, and by their time.
    private func explainer(_ ledger: any LedgerSQL) -> @Sendable () -> Explainer {
        { [log, endpoints] in
            // One page sees a partition as it was when it first asked for it.
            var seen: [SourceLane: TopicReader] = [:]
            return Explainer(
                ledger: ledger, statement: KeptStatement(beside: ledger),
                partitions: log.partitions,
                reader: { lane in
                    let reader = try seen[lane] ?? log.reader(lane)
                    seen[lane] = reader
                    return reader
                }, endpoints: endpoints)
        }
    }

    private func payments(_ ledger: any LedgerSQL) -> PaymentSources {
        PaymentSources(
            index: index, ledger: ledger, log: shownLog, explainer: explainer(ledger))
    }

    /// What the embedded plane's console has, and this one has not.
    private static let absent = [
        AbsentPart(
            paths: ["/api/v1/topics"],
            sentence: "the cloud plane's log is in Kafka: its pages are at /log, and programs read "
                + "a topic as `kcat -C -b BROKER -t TOPIC -p PARTITION -o OFFSET`"),
        AbsentPart(
            paths: [
                "/reports/reconciliation", "/api/v1/reconciliations", "/api/v1/sweeps",
            ],
            sentence: "the cloud plane's runs and sweeps are made by the commands `tillbox "
                + "reconcile run` and `tillbox reconcile sweep`"),
        AbsentPart(
            paths: ["/reports/bank", "/api/v1/bank"],
            sentence: "the cloud plane keeps no statements of a bank; `tillbox bank` takes them "
                + "into the data folder of one box"),
        AbsentPart(
            paths: ["/reports/month"],
            sentence: "the cloud plane closes no month here, which reads all that was ever booked; "
                + "`tillbox reconcile show last` has the ledger's balance beside Stripe's, and "
                + "`tillbox ledger export` all that moved it"),
        AbsentPart(
            paths: [
                "/settings/endpoints", "/settings/model", "/settings/bridges",
                "/settings/backups", "/api/v1/bridges",
            ],
            sentence: "other roles of the cloud plane take webhooks and judge payments; their "
                + "settings are told at their start, and there are no bridges"),
        AbsentPart(
            paths: ["/send", "/api/v1/dev"],
            sentence: "only the profile dev sends payments; `tillbox simulate` does so here"),
    ]
}
