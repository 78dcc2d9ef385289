package import AppendLog
package import Appliance
import Console
import Foundation
package import Logging
import Reconcile
import Relay
package import ServiceLifecycle
import Terminal
package import Vocabulary
import Warehouse

/// Why the daemon cannot start or go on. Each case's description says what to do.
package enum DaemonError: Error, CustomStringConvertible {
    case dataFolderUnusable(path: String, reason: String)
    case dataFolderExposed(path: String, reason: String)
    /// - Parameter setBy: the setting or option that changes it.
    case portInUse(address: Settings.Address, setBy: String)
    case cannotListen(address: Settings.Address, reason: String, setBy: String)
    case impossibleTime(seconds: Int64)
    case stopped(LogError)

    package var description: String {
        switch self {
        case .dataFolderUnusable(let path, let reason):
            "cannot use the data folder \(path): \(reason); "
                + "choose another with --data or make it writable"
        case .dataFolderExposed(let path, let reason):
            "other users may read \(path), and that cannot be changed here (\(reason)); "
                + "run: chmod -R go= on the data folder as its owner"
        case .portInUse(let address, let name):
            "\(address) is in use by another program; stop that, or set \(name) to a free port"
        case .cannotListen(let address, let reason, let names):
            "cannot listen on \(address): \(reason); check \(names)"
        case .impossibleTime(let seconds):
            "this machine's clock is \(seconds) seconds from 1970, which is no time between 1970 "
                + "and 9999; set it, then start again"
        case .stopped(let error): "stopped to protect the data: \(error)"
        }
    }
}

/// Opens the embedded plane that the settings name, and runs every part on it until a signal.
package final class Daemon: Sendable {
    let settings: Settings
    package let plane: EmbeddedPlane
    package let ledger: SQLiteLedger
    package let counters = Counters()
    let readiness = Readiness()
    package let logger: Logger
    let steps: PipelineSteps
    /// As they hold now.
    let verdicts: Verdicts
    let clock: any LogClock
    let held: HeldFolder
    private let reserve: ReserveFile
    let reconciler: Reconciler
    let bridges: BridgeBoard
    /// The ledger as the console reads it, so that no look at it holds a booking up.
    let seenLedger: SQLiteLedgerReader
    /// For pages that show what reconciliation keeps, such as the bank's.
    let seenStatement: SQLiteLedgerReader
    let payments: PaymentIndex
    /// Verifies the ledger where a person asks for it.
    let ledgerCheck: LedgerCheck
    let access: AccessDesk
    /// nil where no payments are sent from here.
    let devPayments: DevPaymentSender?
    private let folderToken = FolderToken.make()
    /// nil without an API key, or where it is switched off.
    private let chargeFetch: ChargeFetch?
    /// Makes refunds where a person says so; nil without an API key.
    let refunds: RefundDesk?
    /// One for all who decide: it keeps two of them from deciding the same review.
    let reviewDesk: ReviewDesk
    /// Connections that each port may serve.
    private let connectionCounts: (webhook: Int, admin: Int)

    var log: Log { plane.log }
    package var topics: Topics { plane.topics }
    var admission: LogAdmission { plane.admission }

    /// Opens the data folder and everything in it. Blocks while it compares and recovers.
    ///
    /// - Throws: `StartRefusal` when the parts of the folder do not fit; nothing is changed then.
    package init(settings: Settings, clock: any LogClock = SystemLogClock(), logger: Logger) throws
    {
        self.settings = settings
        self.clock = clock
        self.logger = logger
        // What is stamped lies for good: nothing is opened by a clock that cannot be right.
        if let seconds = SystemLogClock.secondsOutOfRange() {
            throw DaemonError.impossibleTime(seconds: seconds)
        }
        connectionCounts = Self.prepareProcess(logger)
        // The model first: a daemon that cannot score must not touch the data.
        steps = try PipelineSteps(settings, counters: counters)
        verdicts = try steps.verdicts()
        held = try HeldFolder(
            DataFolder(at: settings.dataPath, logger: logger), isDaemon: true, logger: logger)
        let folder = held.folder
        reserve = Self.takeReserve(at: folder.reserve, logger)
        plane = try EmbeddedPlane(
            logAt: folder.log, gateSnapshot: folder.gateSnapshot, settings: settings, clock: clock,
            counters: counters, logger: logger, lookedAt: held.looks)
        ledger = try plane.openLedger(at: folder.ledger)
        // At the first start there was none before.
        try held.lock.hold(folder.ledger)
        LedgerSuspicion(of: folder.ledger).clear()
        let stripe = StripeParts(plane, ledger)
        seenStatement = try SQLiteLedgerReader.open(path: folder.ledger)
        reconciler = stripe.reconciler(readingLedgerAt: folder.ledger, seen: seenStatement)
        chargeFetch = stripe.chargeFetch()
        refunds = stripe.refunds()
        reviewDesk = ReviewDesk(decisions: plane.decisions, ledger: ledger, clock: clock)
        seenLedger = try SQLiteLedgerReader.open(path: folder.ledger)
        access = AccessDesk(
            store: FolderAccounts(at: folder.accounts), folderToken: folderToken,
            dataPath: DataFolder.canonical(folder.path), letsGuestsIn: settings.profile == .dev,
            clock: clock, logger: logger)
        let verifications = VerificationLog(access.audit)
        ledgerCheck = LedgerCheck(clock: clock, log: verifications) { () throws(LedgerError) in
            let ledger = try SQLiteLedgerReader.open(path: folder.ledger)
            return LedgerCheck.Opened(ledger) { ledger.interrupt() }
        }
        payments = PaymentIndex(
            at: folder.paymentIndex, log: plane.log.identity.description,
            since: clock.now().milliseconds,
            reader: { [plane] in plane.reader($0) }, logger: logger)
        bridges = Self.bridges(settings, plane, folder, logger)
        folder.format.note(logger)
        access.noteConfiguration(settings.summary)
        devPayments = DevPaymentSender(settings, clock: clock)
        watchParts(stripe.reach)
        watchFormerBridges()
    }

    /// What an operator should look at although the daemon goes on, part by part.
    private func watchParts(_ reach: StripeReach) {
        readiness.watch { [payments] in
            payments.trouble.map { "the index of payments does not come further: \($0)" }
        }
        readiness.watch { reach.warning }
        for sentence in held.plan.lasting { readiness.watch { sentence } }
        readiness.watch { [access] in access.warning }
        for bridge in bridges.bridges { readiness.watch { bridge.report().warning } }
    }

    private func watchFormerBridges() {
        guard let former = bridges.former else { return }
        for name in BridgeName.allCases {
            readiness.watch { former.warning(of: name) }
            if let warning = former.warning(of: name) { logger.warning("\(warning)") }
        }
    }

    /// - Returns: how many connections each port may serve.
    private static func prepareProcess(_ logger: Logger) -> (webhook: Int, admin: Int) {
        for warning in ProcessGuard.prepare() { logger.warning("\(warning)") }
        let descriptors = ProcessGuard.raiseDescriptorLimit()
        let connections = ProcessGuard.connections(of: descriptors)
        logger.info(
            "limits",
            metadata: [
                "descriptors": "\(descriptors)", "webhook_connections": "\(connections.webhook)",
                "admin_connections": "\(connections.admin)",
            ])
        return connections
    }

    private static func takeReserve(at path: String, _ logger: Logger) -> ReserveFile {
        let reserve = ReserveFile(path: path)
        if !reserve.take() {
            logger.warning(
                "no room for the reserve file: the disk is nearly full",
                metadata: ["path": "\(path)", "bytes": "\(ReserveFile.byteCount)"])
        }
        return reserve
    }

    private static func bridges(
        _ settings: Settings, _ plane: EmbeddedPlane, _ folder: DataFolder, _ logger: Logger
    ) -> BridgeBoard {
        let targets = RelayTargets(settings: settings, logger: logger) { () throws(LedgerError) in
            try SQLiteLedgerReader.open(path: folder.ledger)
        }
        let source = plane.relaySource()
        let pauses = BridgePauses(folder: folder.bridges)
        return BridgeBoard(
            settings.bridges.map { name in
                Bridge(
                    name, topics: targets.target(name).topics, source: source, pauses: pauses,
                    clock: plane.clock, logger: logger
                ) { targets.target(name) }
            }, former: FormerBridges(listed: settings.bridges, source: source, pauses: pauses))
    }

    var folder: DataFolder { held.folder }

    /// The path, on the admin port, of the link by which the first person comes in; nil where
    /// somebody has an account.
    package var setupPath: String? { access.setupPath }

    /// Runs until a signal asks it to stop, then drains and closes.
    ///
    /// - Parameters:
    ///   - extra: services that stop first, such as the demo's traffic.
    ///   - onListening: told the ports once they are open.
    package func run(
        extra: [ServiceGroupConfiguration.ServiceConfiguration] = [],
        stopsWith signals: [Int32] = StopSignals.all,
        onListening: @escaping @Sendable (_ role: String, _ port: Int) -> Void = { _, _ in }
    ) async throws {
        try await held.makeUp(in: log)
        leaveToken()
        defer { folder.consoleToken.remove() }
        let (parts, open) = (folderParts(), OpenPorts(settings))
        var running = try services(telling(open, onListening), parts)
        running[.watchdog] = watchdog(open)
        let services = DaemonPart.inOrder(running)
        // The group tells of every service that a failure stops; the failure itself is told once.
        var quiet = logger
        quiet.logLevel = .critical
        var configuration = ServiceGroupConfiguration(
            services: services.map { .init(service: $0) } + extra + [
                .init(
                    service: StopSignals.kept(signals, logger: logger),
                    successTerminationBehavior: .gracefullyShutdownGroup)
            ], logger: quiet)
        configuration.maximumGracefulShutdownDuration = .seconds(4)
        let outcome: Result<Void, any Error>
        do {
            try await ServiceGroup(configuration: configuration).run()
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        await log.close()
        defer { held.lock.release() }
        if case .failure(let error as LedgerError) = outcome, case .corrupt = error {
            LedgerSuspicion(of: folder.ledger).note(error)
        }
        // A folder that was moved or deleted stops log and ledger too, by what they then miss: that
        // is the cause, and not the disk.
        if log.poison != nil || !outcome.isSuccess, let lost = parts.lost() { throw lost }
        if let poison = log.poison { throw DaemonError.stopped(poison) }
        try outcome.get()
        try seenStatement.close()
        try seenLedger.close()
        try ledger.close()
    }

    /// For the commands of this machine. A disk without room keeps only them from asking.
    private func leaveToken() {
        do {
            try folder.consoleToken.write(folderToken)
        } catch {
            logger.warning(
                "commands cannot ask this daemon: their token cannot be written",
                metadata: ["path": "\(folder.consoleToken.path)", "error": "\(error)"])
        }
    }

    /// What the role `all` runs.
    private func services(
        _ onListening: @escaping @Sendable (String, Int) -> Void, _ parts: FolderParts
    ) throws -> [DaemonPart: any Service] {
        let ports = DaemonPorts(
            settings: settings, counters: counters, readiness: readiness,
            connectionCounts: connectionCounts, logger: logger
        ) { [devPayments] role, port in
            if role == DaemonPorts.webhookRole { devPayments?.listens(on: port) }
            onListening(role, port)
        }
        let pipeline = Pipeline(
            plane: plane, ledger: ledger, steps: steps, folder: folder, rewinds: held.plan.rewinds)
        var services: [DaemonPart: any Service] = try pipeline.services()
        let live = liveBoard()
        services[.live] = live
        services[.admin] = adminServer(ports, live)
        services[.paymentIndex] = payments
        services[.ledgerCheck] = ledgerCheck
        services[.nightlyExport] = nightlyExport()
        services[.nightlyBackup] = nightlyBackup()
        services[.alerts] = alertWatch()
        services[.poisonWatch] = PoisonWatch(log: log)
        services[.folderWatch] = FolderWatch(log: log, parts: parts, logger: logger)
        services[.upkeep] = Upkeep(plane, snapshotPath: folder.gateSnapshot)
        if !bridges.bridges.isEmpty { services[.bridges] = bridges }
        services[.chargeFetch] = chargeFetch
        services[.reconciler] = reconciler
        services[.reviewExpiry] = settings.reviewExpirySeconds.map {
            ReviewExpiry(
                desk: reviewDesk, ledger: ledger, afterSeconds: $0, clock: clock, logger: logger)
        }
        services[.refunds] = refundKeeper
        services[.webhook] = webhookServer(ports)
        services[.reserveRelease] = ReserveRelease(file: reserve, logger: logger)
        services[.refusalSummary] = refusalSummary()
        return services
    }

    /// nil where it is switched off, or nobody has said which mode it is of.
    private func nightlyExport() -> (any Service)? {
        guard let minute = settings.exportMinute else { return nil }
        guard let livemode = settings.exportedLivemode else {
            let reason =
                "no nightly export: the endpoints take live and test events, which the tables of "
                + "Stripe's objects do not keep apart; run `tillbox export --mode live`"
            logger.warning("\(reason)")
            return nil
        }
        let (settings, plane, path, logger) = (settings, plane, folder.ledger, logger)
        let export = NightlyExport(
            atMinute: minute, into: folder.path + "/warehouse",
            isCompressed: settings.exportsCompressed, clock: clock, logger: logger
        ) {
            let ledger = try SQLiteLedgerReader.open(path: path)
            return settings.warehouse(
                of: plane.log.identity.description, livemode: livemode, ledger: ledger,
                statement: StatementStore(of: ledger), logger: logger
            ) { plane.reader($0) }
        }
        readiness.watch { export.warning }
        return export
    }

    /// nil where no folder is named.
    private func nightlyBackup() -> (any Service)? {
        guard let backup = NightlyBackup(settings, of: folder, clock: clock, logger: logger) else {
            return nil
        }
        readiness.watch { backup.warning }
        return backup
    }

    /// nil where nobody is told.
    private func alertWatch() -> (any Service)? {
        let doors = settings.alerts.doors
        guard !doors.isEmpty else { return nil }
        let (readiness, counters) = (readiness, counters)
        let memory = AlertMemory(folder: folder.path, log: plane.log.identity.description)
        let watch = AlertWatch(
            settings.alerts, doors: doors, memory: memory, clock: clock, logger: logger
        ) {
            readiness.notices
                + counters.standstills.warnings.map { Notice(kind: "standstill", sentence: $0) }
        }
        readiness.watch { watch.warning }
        return watch
    }

    private func webhookServer(_ ports: DaemonPorts) -> any Service {
        let gate = plane.gate()
        readiness.watch { [reconciler] in reconciler.dateWarning }
        reconciler.confirmClock { gate.clockSuspicion.isConfirmed }
        return ports.webhook(gate)
    }

    private func refusalSummary() -> (any Service)? {
        settings.summarySeconds.map {
            RefusalSummary(
                counters: counters, deadLetters: plane.reader(.deadLetter), intervalSeconds: $0,
                logger: logger)
        }
    }

    /// What must not be exchanged under the daemon.
    private func folderParts() -> FolderParts {
        let names =
            ["log", "log/lock", "log/identity", "ledger.sqlite", "ledger.sqlite-wal"]
            + log.topicNames.map { "log/\($0)-0" } + ["log/__cursors-0"]
        return held.lock.parts(names)
    }
}

extension Result {
    fileprivate var isSuccess: Bool {
        if case .success = self { true } else { false }
    }
}
