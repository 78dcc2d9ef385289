import AppendLog
import Appliance
import Foundation
import Logging
import Reconcile
import ServiceLifecycle
import Synchronization
import Vocabulary
import Warehouse

/// Exports into the data folder's `warehouse` every night: what `tillbox export` does, without
/// anybody asking. A night that was missed is made up for; one that failed is tried again, and
/// readiness says so.
final class NightlyExport: Service {
    /// Between two looks at the clock.
    private static let pause = Duration.seconds(60)
    /// After a failure.
    private static let patienceSeconds: Int64 = 600

    private let minute: Int
    private let root: String
    private let isCompressed: Bool
    private let clock: any LogClock
    private let logger: Logger
    private let source: @Sendable () throws -> WarehouseSource
    private let thread = OwnThread("tillbox.export")
    private let failure = Mutex<(reason: String, at: Instant)?>(nil)

    /// - Parameters:
    ///   - minute: of the UTC day at which it is due.
    ///   - root: the folder of the files.
    ///   - source: opens what is read; asked at each export.
    init(
        atMinute minute: Int, into root: String, isCompressed: Bool, clock: any LogClock,
        logger: Logger, source: @escaping @Sendable () throws -> WarehouseSource
    ) {
        self.minute = minute
        self.root = root
        self.isCompressed = isCompressed
        self.clock = clock
        self.logger = logger
        self.source = source
    }

    /// nil while the last export went well.
    var warning: String? {
        failure.withLock { $0 }.map { "the nightly export fails: \($0.reason)" }
    }

    func run() async throws {
        await withTaskExecutorPreference(thread) {
            while !Task.isShuttingDownGracefully, !Task.isCancelled {
                await look()
                try? await cancelWhenGracefulShutdown { try await Task.sleep(for: Self.pause) }
            }
        }
    }

    /// Exports where that is due.
    func look() async {
        let now = Instant(seconds: clock.now().milliseconds / 1000)
        guard isDue(at: now) else { return }
        do {
            let report = try await cancelWhenGracefulShutdown { try await self.export(at: now) }
            failure.withLock { $0 = nil }
            let rows = report.tables.reduce(0) { $0 + $1.rows }
            let corrected = report.tables.reduce(0) { $0 + $1.corrected }
            logger.info(
                "exported", metadata: ["rows": "\(rows)", "corrected_days": "\(corrected)"])
        } catch is CancellationError {
            // The next start goes on where this was.
        } catch {
            failure.withLock { $0 = ("\(error)", now) }
            logger.warning("the nightly export failed", metadata: ["error": "\(error)"])
        }
    }

    /// Whether the last time that it was due has passed without one that came to its end.
    func isDue(at now: Instant) -> Bool {
        if let failed = failure.withLock({ $0 }),
            now.seconds < failed.at.seconds + Self.patienceSeconds
        {
            return false
        }
        let last = ReconcileSchedule.lastOccurrence(ofMinute: minute, before: now)
        return WarehouseExport.lastEnd(in: root).map { $0 < last } ?? true
    }

    private func export(at now: Instant) async throws -> WarehouseReport {
        try await WarehouseExport(
            try source(), into: root, isCompressed: isCompressed, now: now
        ).run()
    }
}
