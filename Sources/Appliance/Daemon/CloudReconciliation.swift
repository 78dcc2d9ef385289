import AppendLog
import Appliance
import Bridges
import Cloud
import Console
import Logging
package import Reconcile
import ServiceLifecycle
import Vocabulary

/// Reconciliation and sweeps against the cloud plane: no service of its own, but a command that a
/// job starts. It takes what earlier runs have left in Postgres into a store of its own, does what
/// the daemon of the embedded plane does, and writes the store back.
///
/// A command that is killed has written nothing back: the next one does the same again, and what
/// was appended meanwhile is a duplicate then.
extension CloudPlane {
    /// What earlier runs have left, for who only looks.
    package func statement() throws -> StatementStore {
        let kept = try PostgresStatement(settings.postgresConfiguration(), isAlone: false)
        defer { kept.close() }
        return try Self.store(of: kept)
    }

    /// Runs a reconciler, with its admin API on a port of its own, while `body` asks it.
    package func reconciling(
        _ body: (AdminConnection) async throws -> Void
    ) async throws {
        try settings.requireKafka(for: "reconciliation")
        try settings.requireRedis(for: "reconciliation")
        try requireOwnLedger()
        let kept = try PostgresStatement(settings.postgresConfiguration(), isAlone: true)
        defer { kept.close() }
        let store = try Self.store(of: kept)
        let (redis, producer) = (try redis(), try producer())
        let admission = RedisAdmission(
            redis, prefix: settings.redis.prefix,
            log: KafkaTopicWriter(producer, .webhookReceived, names: names))
        let outcome: Result<Void, any Error>
        do {
            outcome = .success(try await serving(reconciler(store, admission), body))
        } catch {
            outcome = .failure(error)
        }
        // What was found stands also where the command ends with it.
        let written: Result<Void, any Error>
        do {
            written = .success(
                try kept.write(try Self.tables(of: store)) { try store.page($1, of: $0) })
        } catch {
            written = .failure(error)
        }
        producer.close(within: .seconds(1))
        await redis.shutDown()
        if case .failure(let error) = outcome {
            if case .failure(let other) = written {
                logger.error(
                    "what was found could not be kept; the next run finds it again",
                    metadata: ["error": "\(other)"])
            }
            throw error
        }
        try written.get()
    }

    private static func tables(
        of store: StatementStore
    ) throws(LedgerError) -> [StatementTable] {
        var tables: [StatementTable] = []
        for name in StatementStore.tables { tables.append(try store.table(name)) }
        return tables
    }

    private static func store(of kept: PostgresStatement) throws -> StatementStore {
        let store = try StatementStore()
        try kept.read(try tables(of: store), pageCount: StatementStore.pageCount) {
            try store.fill($0, from: $1)
        }
        return store
    }

    private func reconciler(
        _ store: StatementStore, _ admission: RedisAdmission
    ) -> Reconciler {
        let base = settings.stripeBase
        let stripe = StripeClock(clock)
        let reach = StripeReach(base: base, clock: clock, logger: logger)
        let client = settings.stripeKey.map {
            StripeClient(
                transport: HTTPStripeTransport(base: base, key: $0, clock: stripe, reach: reach))
        }
        var own = settings.reconcile
        // Whoever starts the command has a schedule.
        own.schedule = ReconcileSchedule()
        let endpoints = settings.endpoints
        return Reconciler(
            settings: own, client: client, store: store, openLedger: { try self.ledger() },
            admission: admission,
            accepts: { mode in endpoints.contains { $0.livemode.accepts(mode) } }, clock: clock,
            stripeClock: stripe, counters: counters, logger: logger)
    }

    private func serving(
        _ reconciler: Reconciler, _ body: (AdminConnection) async throws -> Void
    ) async throws {
        var routes = HealthRoutes(
            readiness: Readiness(), counters: counters, reconciler: reconciler
        ).routes()
        let dataPath = settings.dataPath
        ReconciliationRoutes(
            reconciler: reconciler, dataPath: DataFolder.canonical(dataPath)
        ).add(to: &routes)
        let (ports, listening) = AsyncStream<Int>.makeStream()
        let host = "127.0.0.1"
        // For this command alone: others of this machine see the port too.
        let token = FolderToken.make()
        var quiet = logger
        quiet.logLevel = .error
        let group = ServiceGroup(
            services: [
                reconciler,
                PortService(
                    role: "admin", address: Settings.Address(host: host, port: 0),
                    responder: AdminResponder(
                        routes: routes, guards: AdminGuard(listensOn: host),
                        access: TokenAccess(token, role: .admin), counters: counters,
                        logger: quiet),
                    logger: quiet
                ) { listening.yield($0) },
            ], logger: quiet)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                defer { listening.finish() }
                try await group.run()
            }
            do {
                for await port in ports {
                    try await body(
                        AdminConnection(
                            address: Settings.Address(host: host, port: port),
                            dataPath: dataPath, token: token))
                    break
                }
            } catch {
                await group.triggerGracefulShutdown()
                try await tasks.waitForAll()
                throw error
            }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }
}
