import AppendLog
import Appliance
import Bridges
import Cloud
import Console
import Dispatch
import Foundation
package import Logging
import Reconcile
import ServiceLifecycle
import Synchronization
import Terminal
import Vocabulary

/// One role of the profile `cloud`, until a signal. It keeps nothing on this machine: ended at any
/// moment, another instance goes on where it was.
///
/// On a wish to stop, the webhook port answers no more; a step ends its transaction within 3 s and
/// leaves its group within 3 s more; after ``stopSecondsMax`` the process ends whatever it waits
/// for, because the platform would end it soon after.
package struct CloudDaemon {
    private let plane: CloudPlane
    private let role: Role
    private let settings: Settings
    private let counters = Counters()
    private let readiness = Readiness()
    private let logger: Logger
    private let kafkaWatch: KafkaWatch
    private let connectionCounts: (webhook: Int, admin: Int)

    /// Cloud Run ends a container 10 s after it has asked it to stop.
    package static let stopSecondsMax = 8
    /// What the services have of that.
    private static let drainSecondsMax = 7

    /// Checks what the role stands on. Blocks.
    ///
    /// - Throws: `SettingsError`; `CloudUnprepared` and `KafkaTopicRefusal`; a server's own words
    ///   where it refuses us. A Kafka or Postgres that does not answer is waited for later, but by
    ///   the role `console`, whose `run` throws then.
    package init(settings: Settings, role: Role, logger: Logger) throws {
        self.settings = settings
        self.role = role
        self.logger = logger
        if let seconds = SystemLogClock.secondsOutOfRange() {
            throw DaemonError.impossibleTime(seconds: seconds)
        }
        for warning in ProcessGuard.prepare() { logger.warning("\(warning)") }
        connectionCounts = ProcessGuard.connections(of: ProcessGuard.raiseDescriptorLimit())
        plane = try CloudPlane(settings, counters: counters, logger: logger)
        kafkaWatch = KafkaWatch(
            plane.topics, trouble: try plane.checkTopics(), logger: logger)
    }

    /// Runs until a signal asks it to stop, then drains.
    ///
    /// - Parameter onListening: told the ports once they are open.
    package func run(
        stopsWith signals: [Int32] = StopSignals.all,
        onListening: @escaping @Sendable (_ role: String, _ port: Int) -> Void = { _, _ in }
    ) async throws {
        let opening = PortOpening()
        let open = OpenPorts(settings)
        // The role webhook is ready with its own port, the others with the one that they have.
        let last = role == .webhook ? DaemonPorts.webhookRole : DaemonPorts.adminRole
        let ports = ports { [opening, logger] role, port in
            open.didOpen(role, port)
            if role == DaemonPorts.adminRole { opening.didOpen() }
            if role == last { ServiceManager.ofProcess?.tell(.ready, logger) }
            onListening(role, port)
        }
        let running = try parts(ports)
        let deadline = StopDeadline(seconds: Self.stopSecondsMax, logger: logger)
        var services = running.parts.mapValues { opening.before($0) }
        services[.admin] = adminServer(running, ports)
        services[.ledgerCheck] = running.console?.check
        services[.paymentIndex] = running.console?.index
        services[.watchdog] = watchdog(open)
        services[.live] = running.console?.live
        services[.refunds] = running.console?.refundKeeper
        services[.kafkaWatch] = kafkaWatch
        services[.redisWatch] = running.redisWatch
        services[.postgresWatch] = running.postgresWatch
        tellReadiness(running)
        var quiet = logger
        quiet.logLevel = .critical
        var configuration = ServiceGroupConfiguration(
            services: DaemonPart.inOrder(services).map { .init(service: $0) } + [
                .init(service: deadline),
                .init(
                    service: StopSignals.kept(signals, logger: logger),
                    successTerminationBehavior: .gracefullyShutdownGroup),
            ], logger: quiet)
        configuration.maximumGracefulShutdownDuration = .seconds(Self.drainSecondsMax)
        if role != .webhook { readiness.set([]) }
        let outcome: Result<Void, any Error>
        do {
            try await ServiceGroup(configuration: configuration).run()
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        await running.close()
        deadline.met()
        try outcome.get()
    }

    /// The admin port says whether the role's step turns.
    private func watchdog(_ open: OpenPorts) -> (any Service)? {
        guard let manager = ServiceManager.ofProcess, let seconds = manager.watchdogSeconds else {
            return nil
        }
        return Watchdog(manager: manager, seconds: seconds, logger: logger) {
            for question in open.questions {
                if let sentence = await question.trouble() { return sentence }
            }
            return nil
        }
    }

    /// What a role runs, and what it has to let go of behind it.
    private struct Running {
        var parts: [DaemonPart: any Service] = [:]
        var pulse: Pulse?
        var redis: RedisClient?
        var redisWatch: RedisWatch?
        var postgresWatch: PostgresWatch?
        var producer: KafkaLastingProducer?
        var ledger: PostgresLedger?
        var console: CloudConsole?
        /// What open pages are told from, beside the console's own.
        var followed: PostgresLedger?

        func close() async {
            console?.desk.close()
            try? console?.seenLedger.close()
            followed?.close()
            producer?.close(within: .seconds(1))
            await redis?.shutDown()
            ledger?.close()
        }
    }

    private func parts(_ ports: DaemonPorts) throws -> Running {
        var running = Running()
        switch role {
        case .webhook:
            let redis = try plane.redis(within: RedisAdmission.claimPatience)
            let producer = try plane.producer()
            (running.redis, running.producer) = (redis, producer)
            running.parts[.webhook] = ports.webhook(plane.gate(redis, producer))
        case .score:
            let (redis, pulse) = (try plane.redis(), Pulse("score"))
            (running.redis, running.pulse) = (redis, pulse)
            running.parts[.score] = try plane.score(redis, pulse: pulse)
        case .ledger:
            // A step that is to stop may be at its last attempt: both waits fit into its time.
            let ledger = try plane.ledger(within: .seconds(3)) { [logger] error in
                logger.warning("Postgres does not answer yet", metadata: ["error": "\(error)"])
            }
            let pulse = Pulse("ledger")
            (running.ledger, running.pulse) = (ledger, pulse)
            try holdEarly(ledger)
            running.parts[.ledger] = plane.book(ledger, pulse: pulse)
        case .console: try openConsole(&running)
        case .all: throw SettingsError.roleMissing
        }
        running.redisWatch = running.redis.map { RedisWatch($0, logger: logger) }
        return running
    }

    /// What the console reads and writes. It shows somebody else's ledger to nobody: both servers
    /// have to say at the start whose it is, and one that does not answer ends the process.
    private func openConsole(_ running: inout Running) throws {
        try plane.requireOwnLedger()
        let (ledger, seen) = (try plane.askedLedger(), try plane.askedLedger())
        let followed = try plane.followedLedger()
        let producer = try plane.producer()
        (running.ledger, running.producer, running.followed) = (ledger, producer, followed)
        let dataPath = DataFolder.canonical(settings.dataPath)
        let accounts = try plane.accounts()
        running.postgresWatch = PostgresWatch(logger: logger) {
            _ = try accounts.hasUsers
            _ = try seen.point()
        }
        let desk = AccessDesk(
            sharing: accounts, token: settings.adminToken, dataPath: dataPath,
            clock: plane.clock, logger: logger)
        let index = try plane.index(logger: logger)
        let check = LedgerCheck(clock: plane.clock, log: VerificationLog(desk.audit)) {
            [plane] () throws(LedgerError) in try plane.checkedLedger()
        }
        let log = try plane.shownLog()
        running.console = CloudConsole(
            ledger: ledger, seenLedger: seen, decisions: plane.decisions(producer),
            log: log,
            live: LiveBoard(
                AfarLook(
                    index: index, ledger: followed,
                    readers: CloudConsole.readers(try plane.followedLog(), followed),
                    records: plane.tail(AfarLook.told),
                    runs: KeptStatement(beside: followed), readiness: readiness,
                    clock: plane.clock, verifiedAt: { check.verifiedAt })),
            letters: CloudLetters(plane, log: log), index: index, endpoints: settings.endpoints,
            desk: desk, check: check, refunds: plane.refunds(),
            stripeBase: settings.stripeBase, logger: logger, readiness: readiness,
            counters: counters, clock: plane.clock, dataPath: settings.dataPath)
    }

    /// Before the group is joined, where both servers answer; it is held in any case before the
    /// first record is booked.
    private func holdEarly(_ ledger: PostgresLedger) throws {
        guard kafkaWatch.trouble == nil else { return }
        do {
            try plane.hold(ledger)
        } catch let error as any PassingFailure where error.isRetryable {
            logger.warning(
                "the ledger's origin is looked at later", metadata: ["error": "\(error)"])
        }
    }

    /// What keeps the role from its work: first what is looked at all the while, then what its
    /// work has met beyond that.
    private func tellReadiness(_ running: Running) {
        var watches = [ServerWatch("Kafka") { [kafkaWatch] in kafkaWatch.trouble }]
        if let redis = running.redisWatch {
            watches.append(ServerWatch("Redis") { redis.trouble })
        }
        if let postgres = running.postgresWatch {
            watches.append(ServerWatch("Postgres") { postgres.trouble })
        }
        for watch in watches { readiness.require(watch.trouble) }
        if role == .webhook {
            readiness.require(beyond: watches) { [counters] in counters.standstills.outside }
        }
        if let pulse = running.pulse { readiness.require(beyond: watches) { pulse.trouble } }
        readiness.watch { [kafkaWatch] in kafkaWatch.warning }
        if let index = running.console?.index {
            readiness.watch {
                index.trouble.map { "the index of payments does not come further: \($0)" }
            }
        }
    }

    private func ports(
        _ onListening: @escaping @Sendable (String, Int) -> Void
    ) -> DaemonPorts {
        DaemonPorts(
            settings: settings, counters: counters, readiness: readiness,
            connectionCounts: connectionCounts, logger: logger, onListening: onListening)
    }

    private func adminServer(_ running: Running, _ ports: DaemonPorts) -> any Service {
        let pulse = running.pulse
        var routes = HealthRoutes(
            readiness: readiness, counters: counters,
            logLinesLost: { LogSink.standardError.lostCount },
            isAlive: { pulse?.isAlive() ?? true }
        ).routes()
        guard let console = running.console else {
            return ports.admin(routes, access: TokenAccess(settings.adminToken, role: .viewer))
        }
        console.add(to: &routes)
        return ports.admin(routes, access: console.desk, setupPath: console.desk.setupPath)
    }
}

/// Ends the process where stopping takes too long: a call into a library that does not return would
/// otherwise wait for the platform's SIGKILL.
private final class StopDeadline: Service {
    private let seconds: Int
    private let logger: Logger
    private let isMet = Atomic(false)

    init(seconds: Int, logger: Logger) {
        self.seconds = seconds
        self.logger = logger
    }

    func run() async throws {
        // Thrown when another service failed; the shutdown that follows has the same deadline.
        try? await gracefulShutdown()
        DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(seconds)) { [self] in
            guard !isMet.load(ordering: .relaxed) else { return }
            logger.error("stopping took too long", metadata: ["seconds": "\(seconds)"])
            LogSink.standardError.drain()
            _exit(CloudExit.stoppedLate)
        }
    }

    /// Everything has stopped in time.
    func met() { isMet.store(true, ordering: .relaxed) }
}

private enum CloudExit {
    /// Contracts §9: cannot run.
    static let stoppedLate: Int32 = 3
}
