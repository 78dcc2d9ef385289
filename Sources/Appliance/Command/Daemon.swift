import AppendLog
import Foundation
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import ServiceLifecycle
import UnixSignals

/// Why the daemon cannot start or go on. Each case's description says what to do.
enum DaemonError: Error, CustomStringConvertible {
    case dataFolderUnusable(path: String, reason: String)
    case portInUse(role: String, address: Settings.Address)
    case cannotListen(role: String, address: Settings.Address, reason: String)
    case profileUnavailable(Settings.Profile)
    case stopped(LogError)

    var description: String {
        switch self {
        case .dataFolderUnusable(let path, let reason):
            "cannot use the data folder \(path): \(reason); choose another with --data or make it writable"
        case .portInUse(let role, let address):
            "\(address) is in use by another program; stop that, or set \(role).port to a free port"
        case .cannotListen(let role, let address, let reason):
            "cannot listen on \(address): \(reason); check \(role).host and \(role).port"
        case .profileUnavailable(let profile):
            "this build has no profile \(profile.rawValue) yet; use dev or edge"
        case .stopped(let error): "stopped to protect the data: \(error)"
        }
    }
}

/// The composition root: it opens what the settings name, wires it, and runs it until a signal.
///
/// Nothing else asks which profile it is in.
final class Daemon: Sendable {
    let settings: Settings
    let log: Log
    let topics: Topics
    let ledger: SQLiteLedger
    let counters = Counters()
    let readiness = Readiness()
    let logger: Logger
    private let model: FraudModel
    let admission: Admission
    private let clock: any LogClock
    private let folder: DataFolder
    let lock: FolderLock
    let plan: StartPlan
    private let reserve: ReserveFile
    private let reconciler: Reconciler

    /// From one sync of a topic to its next: more of them a second cost the disk, and so the gate,
    /// more than they gain.
    static let syncIntervalMicroseconds = 2_000

    /// Opens the data folder and everything in it. Blocks while it compares and recovers.
    ///
    /// - Throws: `StartRefusal` when the parts of the folder do not fit; nothing is changed then.
    init(settings: Settings, clock: any LogClock = SystemLogClock(), logger: Logger) throws {
        guard settings.profile != .cloud else {
            throw DaemonError.profileUnavailable(settings.profile)
        }
        self.settings = settings
        self.clock = clock
        self.logger = logger
        // The model first: a daemon that cannot score must not touch the data.
        model = try (settings.modelPath.map { ModelLocation.file(path: $0) } ?? .embedded).load()
        folder = try DataFolder(at: settings.dataPath)
        lock = try FolderLock(folder.path)
        plan = try Self.compare(folder, logger)
        reserve = ReserveFile(path: folder.reserve)
        if !reserve.take() {
            logger.warning("no room for the reserve file: the disk is nearly full", metadata: [
                "path": "\(folder.reserve)", "bytes": "\(ReserveFile.byteCount)",
            ])
        }
        var configuration = LogConfiguration()
        configuration.segmentBytesMax = settings.segmentByteCountMax
        configuration.syncIntervalMicroseconds = Self.syncIntervalMicroseconds
        configuration.retentionAgeMilliseconds = settings.retentionDays.map { Int64($0) * 86_400_000 }
        log = try Log.open(at: folder.log, clock: clock, configuration: configuration)
        topics = try Topics(of: log)
        ledger = try SQLiteLedger.open(
            path: folder.ledger, clockMilliseconds: { clock.now().milliseconds })
        try ledger.adopt(log: log.identity.description)
        LedgerSuspicion(of: folder.ledger).clear()
        admission = try AdmissionSnapshot.restore(
            from: folder.gateSnapshot, topic: topics[.webhookReceived], logger: logger)
        let endpoints = settings.endpoints
        reconciler = Reconciler(
            settings: settings.reconcile,
            client: settings.stripeKey.map {
                StripeClient(
                    transport: HTTPStripeTransport(base: settings.stripeBase, key: $0))
            },
            ledger: ledger, ledgerPath: folder.ledger, admission: admission,
            accepts: { mode in endpoints.contains { $0.livemode.accepts(mode) } }, clock: clock,
            counters: counters, logger: logger)
    }

    /// Compares every part of the folder with every other, before any of them is written to.
    private static func compare(_ folder: DataFolder, _ logger: Logger) throws -> StartPlan {
        switch StartComparison.verdict(of: try folder.survey.state()) {
        case .refuse(let refusal): throw refusal
        case .proceed(let plan):
            for note in plan.notes { logger.warning("\(note)") }
            return plan
        }
    }

    /// Runs until SIGTERM or SIGINT, then drains and closes.
    ///
    /// - Parameters:
    ///   - extra: services that stop first, such as the demo's traffic.
    ///   - onListening: told the ports once they are open.
    func run(
        extra: [ServiceGroupConfiguration.ServiceConfiguration] = [],
        stopsWith signals: [UnixSignal] = [.sigterm, .sigint],
        onListening: @escaping @Sendable (_ role: String, _ port: Int) -> Void = { _, _ in }
    ) async throws {
        let pipeline = Pipeline(
            log: log, topics: topics, ledger: ledger, model: model, settings: settings,
            folder: folder, clock: clock, counters: counters, logger: logger,
            rewinds: plan.rewinds)
        // A group stops its services from the last to the first: traffic, the gate, then each
        // stage after the one that feeds it.
        let services: [any Service] =
            [adminServer(onListening), PoisonWatch(log: log), folderWatch(), upkeep()]
            + (try pipeline.services().reversed())
            + [
                reconciler, webhookServer(onListening),
                ReserveRelease(file: reserve, logger: logger),
            ]
        var configuration = ServiceGroupConfiguration(
            services: services.map { .init(service: $0) } + extra,
            gracefulShutdownSignals: signals, logger: logger)
        configuration.maximumGracefulShutdownDuration = .seconds(4)
        let outcome: Result<Void, any Error>
        do {
            try await ServiceGroup(configuration: configuration).run()
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        await log.close()
        defer { lock.release() }
        if case .failure(let error as LedgerError) = outcome, case .corrupt = error {
            LedgerSuspicion(of: folder.ledger).note(error)
        }
        if let poison = log.poison { throw DaemonError.stopped(poison) }
        try outcome.get()
        try ledger.close()
    }

    private func webhookServer(
        _ onListening: @escaping @Sendable (String, Int) -> Void
    ) -> any Service {
        let gate = Gate(
            endpoints: settings.endpoints, toleranceSeconds: settings.toleranceSeconds,
            bodyByteCountMax: settings.bodyByteCountMax, admission: admission,
            deadLetters: topics[.deadLetter], clock: clock, counters: counters, logger: logger)
        return HTTPService(
            role: "webhook", address: settings.webhook,
            server: WebhookChannel(responder: WebhookRoutes(gate: gate, counters: counters)).server(),
            logger: logger
        ) { [readiness] port in
            readiness.set([])
            onListening("webhook", port)
        }
    }

    private func adminServer(
        _ onListening: @escaping @Sendable (String, Int) -> Void
    ) -> any Service {
        let router = HealthRoutes(readiness: readiness, counters: counters).router()
        let redriver = Redriver(
            topics: topics, admission: admission, defaultMerchant: settings.defaultMerchant,
            livemodes: settings.livemodes, clock: clock, counters: counters)
        DeadLetterRoutes(
            list: LetterList(view: LogView(log: log, topics: topics, ledger: ledger)),
            redriver: redriver, dataPath: DataFolder.canonical(folder.path)
        ).add(to: router)
        ReconciliationRoutes(reconciler: reconciler).add(to: router)
        return HTTPService(
            role: "admin", address: settings.admin, responder: router.buildResponder(),
            server: .http1(), logger: logger
        ) { onListening("admin", $0) }
    }

    private func folderWatch() -> any Service {
        let names =
            ["log", "log/lock", "log/identity", "ledger.sqlite", "ledger.sqlite-wal"]
            + log.topicNames.map { "log/\($0)-0" } + ["log/__cursors-0"]
        return FolderWatch(log: log, parts: lock.parts(names), logger: logger)
    }

    private func upkeep() -> any Service {
        Upkeep(
            log: log, admission: admission, received: topics[.webhookReceived],
            snapshotPath: folder.gateSnapshot, logger: logger)
    }
}

/// The paths below the data folder (contracts §9).
struct DataFolder: Sendable {
    let path: String

    /// Makes the folder where it is missing and checks that it can be written.
    init(at path: String) throws(DaemonError) {
        self.path = path
        do {
            for folder in [path, "\(path)/features", "\(path)/gate"] {
                try FileManager.default.createDirectory(
                    atPath: folder, withIntermediateDirectories: true,
                    attributes: [.posixPermissions: 0o700])
            }
        } catch {
            throw .dataFolderUnusable(path: path, reason: error.localizedDescription)
        }
        guard access(path, W_OK | X_OK) == 0 else {
            throw .dataFolderUnusable(path: path, reason: "it is not writable")
        }
    }

    /// A folder that is only looked at.
    init(existingAt path: String) { self.path = path }

    /// The one absolute path of a folder, however it is spelt.
    static func canonical(_ path: String) -> String {
        URL(filePath: path).standardizedFileURL.resolvingSymlinksInPath().path
    }

    /// Reads what a start compares.
    var survey: FolderSurvey {
        FolderSurvey(log: log, ledger: ledger, gate: gateSnapshot, features: featureSnapshot)
    }

    var log: String { "\(path)/log" }
    var ledger: String { "\(path)/ledger.sqlite" }
    var reserve: String { "\(path)/reserve" }
    var gateSnapshot: String { "\(path)/gate/index.snapshot" }
    var featureSnapshot: String { "\(path)/features/state.snapshot" }
}

/// One HTTP server as a service, whose bind errors say which port and what to do.
struct HTTPService: Service {
    let role: String
    let address: Settings.Address
    /// Answers what `server` asks it; the webhook port's server asks nothing.
    var responder = Router(context: BasicRequestContext.self).buildResponder()
    let server: HTTPServerBuilder
    let logger: Logger
    let onListening: @Sendable (_ port: Int) -> Void

    func run() async throws {
        let (role, address, logger) = (role, address, logger)
        // Hummingbird's own start-up lines would repeat ours.
        var quiet = logger
        quiet.logLevel = .warning
        let application = Application(
            responder: responder, server: server,
            configuration: .init(
                address: .hostname(address.host, port: address.port),
                serverName: nil,
                availableConnectionsDelegate: MaximumAvailableConnections(
                    GateLimits.connectionCountMax)),
            onServerRunning: { channel in
                let port = channel.localAddress?.port ?? address.port
                logger.info("listening", metadata: [
                    "role": "\(role)", "address": "\(address.host):\(port)",
                ])
                onListening(port)
            },
            logger: quiet)
        do {
            try await application.run()
        } catch let error as IOError where error.errnoCode == EADDRINUSE {
            throw DaemonError.portInUse(role: role, address: address)
        } catch let error as IOError {
            throw DaemonError.cannotListen(
                role: role, address: address, reason: String(cString: strerror(error.errnoCode)))
        } catch let error as SocketAddressError {
            throw DaemonError.cannotListen(role: role, address: address, reason: "\(error)")
        }
    }
}

/// Gives the reserve up when the daemon stops, before any other service does: what they write last
/// then finds room.
struct ReserveRelease: Service {
    let file: ReserveFile
    let logger: Logger

    func run() async throws {
        // Thrown when another service failed; the shutdown that follows needs room just as much.
        try? await gracefulShutdown()
        if file.releaseIfNeeded() {
            logger.warning("the disk is full: the reserve file is given up for the shutdown")
        }
    }
}

/// Ends the daemon when the log has poisoned itself: going on would acknowledge what may be lost.
struct PoisonWatch: Service {
    let log: Log

    func run() async throws {
        let poison = await cancelWhenGracefulShutdown { await self.log.waitForPoison() }
        if let poison { throw DaemonError.stopped(poison) }
    }
}

/// What is done now and then: retention, and a snapshot of the gate's index.
struct Upkeep: Service {
    let log: Log
    let admission: Admission
    /// `webhook.received`, which the admission indexes.
    let received: Topic
    let snapshotPath: String
    let logger: Logger

    /// Seconds between two looks.
    private static let intervalSeconds = 60

    func run() async throws {
        var snapshotCount = admission.count
        while !Task.isShuttingDownGracefully, !Task.isCancelled {
            try? await cancelWhenGracefulShutdown {
                try await Task.sleep(for: .seconds(Self.intervalSeconds))
            }
            let grown = admission.count - snapshotCount
            let isStopping = Task.isShuttingDownGracefully || Task.isCancelled
            if grown >= GateLimits.snapshotIntervalCount || (isStopping && grown > 0) {
                await snapshot()
                snapshotCount = admission.count
            }
            if !isStopping { await retain() }
        }
    }

    /// The snapshot only saves time at the next start, so that failing to write one is no reason to stop.
    private func snapshot() async {
        do {
            try await AdmissionSnapshot.write(admission, to: snapshotPath)
        } catch {
            logger.warning("gate snapshot not written", metadata: ["error": "\(error)"])
        }
    }

    private func retain() async {
        do {
            let removed = try await log.applyRetention()
            for (topic, count) in removed where count > 0 {
                logger.info("segments removed by retention", metadata: [
                    "topic": "\(topic)", "count": "\(count)",
                ])
            }
            if removed[received.name, default: 0] > 0 { admission.forget(below: received.start) }
        } catch {
            logger.warning("retention failed", metadata: ["error": "\(error)"])
        }
    }
}
