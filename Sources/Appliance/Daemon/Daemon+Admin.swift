import AppendLog
import Appliance
import Backup
import Console
import Reconcile
import ServiceLifecycle
import Terminal
import Vocabulary

/// What stands behind the admin port of the role `all`.
extension Daemon {
    /// How far each consumer of the log is behind.
    private func lags() -> [ConsumerLag] {
        // A ledger that cannot be asked is told of elsewhere.
        let places = try? ConsumerPlaces(log: log, topics: topics, ledger: ledger).all()
        let indexed = TopicID.allCases.map {
            ConsumerLag(group: "index", topic: $0.rawValue, recordCount: payments.lag(of: $0))
        }
        return (places ?? []).map {
            ConsumerLag(group: $0.group, topic: $0.topic, recordCount: $0.lag)
        } + indexed
    }

    /// What the console's JSON routes and pages read from.
    private var consoleSources: ConsoleSources {
        ConsoleSources(
            index: payments, ledger: seenLedger, statement: StatementStore(of: seenLedger),
            reader: { [plane] in plane.reader($0) }, endpoints: settings.endpoints,
            lags: { self.lags() },
            byteCount: { [folder] in folder.byteCount(ofTopic: $0.rawValue) })
    }

    /// Makes the refunds of declined payments; nil without an API key.
    var refundKeeper: RefundKeeper? {
        refunds.map {
            RefundKeeper(
                desk: $0, sources: consoleSources, decisions: plane.decisions, access: access,
                base: settings.stripeBase, clock: clock, logger: logger)
        }
    }

    /// What open consoles are told.
    func liveBoard() -> LiveBoard {
        LiveBoard(
            LiveParts(
                ledger: seenLedger, topic: { [topics] in TopicReader(topics[$0]) },
                readers: { [log, topics, seenLedger] in
                    let places = ConsumerPlaces(log: log, topics: topics, ledger: seenLedger)
                    return ((try? places.all()) ?? []).map {
                        LiveParts.ReaderPlace(
                            group: $0.group, topic: $0.topic, next: $0.next, lag: $0.lag)
                    }
                }, reconciler: reconciler, bridges: bridges, readiness: readiness,
                counters: counters, clock: clock,
                verifiedAt: { [ledgerCheck] in ledgerCheck.verifiedAt },
                tally: { [payments] in payments.tally },
                backup: { [settings, folder] in settings.backup.note(in: folder.path) }))
    }

    func adminServer(_ ports: DaemonPorts, _ live: LiveBoard) -> any Service {
        ports.admin(adminRoutes(live), access: access, setupPath: access.setupPath)
    }

    /// What the admin port serves.
    func adminRoutes(_ live: LiveBoard) -> AdminRoutes {
        var routes = HealthRoutes(
            readiness: readiness, counters: counters, reconciler: reconciler, bridges: bridges,
            dataPath: DataFolder.canonical(folder.path),
            recordCounts: { [topics] in
                TopicID.allCases.map {
                    ($0, topics[$0].start.distance(to: topics[$0].highWatermark))
                }
            },
            lags: { self.lags() },
            backup: { [settings, folder] in settings.backup.note(in: folder.path) },
            logLinesLost: { LogSink.standardError.lostCount }
        ).routes()
        // One for all who ask: it keeps two of them from sending the same letter.
        let redriver = plane.redriver()
        let letters = LetterList(view: LogView(log: log, topics: topics, ledger: ledger))
        DeadLetterRoutes(
            list: letters, redriver: redriver, dataPath: DataFolder.canonical(folder.path)
        ).add(to: &routes)
        ReconciliationRoutes(
            reconciler: reconciler, dataPath: DataFolder.canonical(folder.path)
        ).add(to: &routes)
        BankRoutes(
            reconciler: reconciler, dataPath: DataFolder.canonical(folder.path)
        ).add(to: &routes)
        BridgeRoutes(
            board: bridges, dataPath: DataFolder.canonical(folder.path), logger: logger
        ).add(to: &routes)
        ReviewRoutes(
            desk: reviewDesk, ledger: ledger, payments: consoleSources.payments,
            dataPath: DataFolder.canonical(folder.path)
        ).add(to: &routes)
        let sent = devPayments.map { SentBoard(sender: $0, reader: consoleSources.reader) }
        let pages = pages(reviewDesk, letters, redriver, live, sent)
        pages.add(to: &routes)
        let shadow: @Sendable () -> KeptShadow = { [folder] in KeptShadow(in: folder.path) }
        ShadowRoutes(kept: shadow).add(to: &routes)
        SettingsPages(
            pages: pages,
            parts: SettingsParts(
                desk: access, schema: steps.model.schema, modelPath: settings.modelPath,
                verdicts: verdicts, backups: backups, shadow: shadow)
        ).add(to: &routes)
        SignInRoutes(desk: access, pages: pages).add(to: &routes)
        AccountRoutes(desk: access).add(to: &routes)
        consoleSources.add(to: &routes)
        LiveRoutes(board: live).add(to: &routes)
        if let sent { DevPaymentRoutes(board: sent).add(to: &routes) }
        // Last, since it describes the others.
        OpenAPIRoutes.add(to: &routes)
        return routes
    }

    /// What the console's settings show of backups.
    private var backups: SettingsParts.Backups {
        SettingsParts.Backups(
            folder: settings.backup.folder, minute: settings.backup.minute,
            isEncrypted: settings.backup.keyFile != nil,
            last: { [settings, folder] in settings.backup.note(in: folder.path) })
    }

    private func pages(
        _ desk: ReviewDesk, _ letters: LetterList, _ redriver: Redriver, _ live: LiveBoard,
        _ sent: SentBoard?
    ) -> ConsolePages {
        ConsolePages(
            ConsoleParts(
                sources: consoleSources, live: live, desk: desk, letters: letters,
                redriver: redriver, reconciler: reconciler, bridges: bridges,
                check: ledgerCheck, readiness: readiness, counters: counters, clock: clock,
                profile: settings.profile.rawValue, sent: sent, refunds: refundKeeper,
                stripeBase: settings.stripeBase,
                reviewExpirySeconds: settings.reviewExpirySeconds))
    }
}
