import AppendLog
import Appliance
import Cloud
import Console
import Vocabulary

/// What the role `console` of the profile `cloud` serves: the pages and routes of the embedded
/// plane's console that stand on the ledger and on accounts, both in Postgres. Decisions on reviews
/// go to Kafka, as those of the command line do. The process keeps nothing, and of it there may be
/// several: they have accounts, sessions, guesses and the audit log in common.
///
/// The pages of the log name a record by partition and offset. What would be answered from an index
/// of the log is not there: an index names a record by its offset alone. Who asks for it gets 404
/// with what does it instead, never a part of the answer.
struct CloudConsole {
    /// Of programs that ask. Pages have one of their own, so that neither waits for the other.
    let ledger: any LedgerSQL
    let seenLedger: any LedgerSQL
    let decisions: any DecisionLog
    /// The topics, for pages.
    let log: KafkaLog
    let desk: AccessDesk
    let check: LedgerCheck
    let readiness: Readiness
    let counters: Counters
    let clock: any LogClock
    /// Of the settings: a command may say which daemon it means.
    let dataPath: String

    func add(to routes: inout AdminRoutes) {
        let reviews = ReviewDesk(decisions: decisions, ledger: ledger, clock: clock)
        let pages = ConsolePages(
            ConsoleParts(
                ledger: seenLedger, shownLog: shownLog,
                reports: ReportSource(seenLedger),
                explainer: { [seenLedger] in Self.explainer(seenLedger) },
                absent: Self.absent, desk: reviews, check: check, readiness: readiness,
                counters: counters, clock: clock, profile: Settings.Profile.cloud.rawValue))
        routes.absent = Self.absent
        LedgerRoutes(ledger: ledger) { [ledger] in Self.explainer(ledger) }.add(to: &routes)
        ReviewRoutes(
            desk: reviews, ledger: ledger, dataPath: DataFolder.canonical(dataPath)
        ).add(to: &routes)
        ReportRoutes(source: ReportSource(ledger)).add(to: &routes)
        pages.add(to: &routes)
        SettingsPages(pages: pages, parts: SettingsParts(desk: desk)).add(to: &routes)
        SignInRoutes(desk: desk, pages: pages).add(to: &routes)
        AccountRoutes(desk: desk).add(to: &routes)
        // Last, since it describes the others.
        OpenAPIRoutes.add(to: &routes)
    }

    /// The topics as pages show them, partition by partition.
    private var shownLog: ShownLog {
        ShownLog(
            partitionCount: log.partitions, place: "at Kafka, partition by partition",
            figures: { [log, seenLedger] in
                let scored = try log.scored()
                return try log.lanes.map { lane in
                    let ends = try log.ends(of: lane)
                    var readers: [(group: String, lag: Int64)] = []
                    func add(_ group: String, _ next: Offset) {
                        let lag = max(0, max(next, ends.first).distance(to: ends.stableEnd))
                        readers.append((group, lag))
                    }
                    if CloudStage<RedisFeatures>.inputs.contains(lane.topic) {
                        add(CloudStage<RedisFeatures>.name, scored[lane] ?? .zero)
                    }
                    if LedgerStep.inputs.contains(lane.topic) {
                        let next = try seenLedger.position(
                            topic: lane.topic.rawValue, partition: lane.partition)
                        add(LedgerStep.name, Offset(next ?? 0))
                    }
                    return ShownLog.Figures(
                        lane: lane, start: ends.first, end: ends.stableEnd, readers: readers)
                }
            }, reader: { [log] in try log.reader($0) })
    }

    /// Explains from the ledger alone: hashes, entries and sums; no record of the log is read.
    private static func explainer(_ ledger: any LedgerReading) -> Explainer {
        Explainer(ledger: ledger, statement: nil, topic: { _ in nil }, endpoints: [])
    }

    /// What the embedded plane's console has, and this one has not.
    private static let absent = [
        AbsentPart(
            paths: ["/payments", "/api/v1/payments"],
            sentence: "the cloud plane has no index of payments; look one up by its id at "
                + "/ledger/explain?of=ID, or with `tillbox ledger show ID`"),
        AbsentPart(
            paths: ["/log/letters", "/api/v1/topics", "/api/v1/dead-letters"],
            sentence: "the cloud plane's log is in Kafka: its pages are at /log, programs read a "
                + "topic as `kcat -C -b BROKER -t TOPIC -p PARTITION -o OFFSET`, and dead letters "
                + "go back with `tillbox dead-letter redrive`"),
        AbsentPart(
            paths: [
                "/reports/verdicts", "/reports/reviews", "/reports/chargebacks",
                "/reports/decisions",
            ],
            sentence: "the cloud plane makes reports of the ledger alone, which does not tell "
                + "this; the reports are at /reports"),
        AbsentPart(
            paths: [
                "/reports/reconciliation", "/api/v1/reconciliations", "/api/v1/sweeps",
            ],
            sentence: "the cloud plane shows no runs here; `tillbox reconcile` makes them, lists "
                + "them and shows their breaks"),
        AbsentPart(
            paths: ["/api/v1/events", "/api/v1/figures"],
            sentence: "the cloud plane has no live figures here; each role tells its own at "
                + "/metrics"),
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
