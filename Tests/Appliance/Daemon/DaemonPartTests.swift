import Logging
import ServiceLifecycle
import Synchronization
import Testing

@testable import Appliance
@testable import Daemon
@testable import Vocabulary

@Suite("The parts of a daemon")
struct DaemonPartTests {
    /// Runs until it is asked to stop, and notes when it is.
    private struct Noting: Service {
        let part: DaemonPart
        let started: @Sendable (DaemonPart) -> Void
        let stopped: @Sendable (DaemonPart) -> Void

        func run() async throws {
            started(part)
            try await gracefulShutdown()
            stopped(part)
        }
    }

    @Test("stop so that nobody waits for one that is gone: gate, feeds, steps, watches, admin")
    func stopping() async throws {
        let (started, start) = AsyncStream.makeStream(of: DaemonPart.self)
        let stopped = Mutex<[DaemonPart]>([])
        var services: [DaemonPart: any Service] = [:]
        for part in DaemonPart.allCases {
            services[part] = Noting(part: part) { part in
                start.yield(part)
            } stopped: { part in
                stopped.withLock { $0.append(part) }
            }
        }
        let group = ServiceGroup(
            services: DaemonPart.inOrder(services), logger: PipelineFixture.quiet)
        async let running: Void = group.run()
        var seen: Set<DaemonPart> = []
        for await part in started {
            seen.insert(part)
            if seen.count == DaemonPart.allCases.count { break }
        }
        await group.triggerGracefulShutdown()
        try await running
        #expect(
            stopped.withLock { $0 } == [
                .refusalSummary, .reserveRelease, .webhook, .reviewExpiry, .refunds,
                .reconciler, .chargeFetch, .redrive, .validate, .score, .ledger, .bridges, .live,
                .alerts, .nightlyBackup, .nightlyExport, .ledgerCheck, .paymentIndex, .upkeep,
                .postgresWatch, .redisWatch, .kafkaWatch, .folderWatch, .poisonWatch, .watchdog,
                .admin,
            ])
    }

    @Test("a role's steps are nobody else's, and together they are the whole pipeline")
    func roles() {
        let parts = Role.allCases.filter { $0 != .all }.map(\.steps)
        #expect(parts.reduce(0) { $0 + $1.count } == Role.all.steps.count)
        #expect(parts.reduce(into: []) { $0.formUnion($1) } == Role.all.steps)
    }
}
