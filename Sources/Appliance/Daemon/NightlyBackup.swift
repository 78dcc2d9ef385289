import AppendLog
import Backup
import Foundation
import Logging
import Reconcile
import ServiceLifecycle
import Synchronization
import Vocabulary

/// Backs the data folder up every night: what `tillbox backup` does, without anybody asking. A
/// night that was missed is made up for; one that failed is tried again, and readiness says so.
final class NightlyBackup: Service {
    /// Between two looks at the clock.
    private static let pause = Duration.seconds(60)
    /// Seconds after a failure.
    private static let patienceSeconds: Int64 = 600
    /// Seconds after which a backup is too old: a nightly one that was missed, and half a day.
    static let ageMaxSeconds: Int64 = 36 * 3_600

    private let settings: BackupSettings
    private let place: String
    private let minute: Int
    private let folder: DataFolder
    private let clock: any LogClock
    private let logger: Logger
    private let thread = OwnThread("tillbox.backup")
    private let failure = Mutex<(reason: String, at: Instant)?>(nil)
    /// Of the last backup that this process has made: on a full disk the data folder's note stays
    /// behind, and by that alone one would be made each minute, and push the older ones out.
    private let made = Mutex<Instant?>(nil)

    /// - Returns: nil where none is to be made.
    init?(_ settings: Settings, of folder: DataFolder, clock: any LogClock, logger: Logger) {
        guard let place = settings.backup.folder, let minute = settings.backup.minute else {
            return nil
        }
        self.settings = settings.backup
        (self.place, self.minute, self.folder) = (place, minute, folder)
        (self.clock, self.logger) = (clock, logger)
    }

    private var now: Instant { Instant(seconds: clock.now().milliseconds / 1_000) }

    /// Of the last backup into this place that is known. One into another folder, by hand, stands
    /// in for none here; one of the future was stamped by a clock that was wrong, and says nothing.
    private func last(before now: Instant) -> Instant? {
        [BackupNote(in: folder.path, into: place)?.moment, made.withLock { $0 }]
            .compactMap { $0 }.filter { $0 <= now }.max()
    }

    /// nil while the last backup went well and is not old.
    var warning: String? {
        let now = now
        let last = last(before: now)
        let age = last.map { "the last one is of \($0.rfc3339)" } ?? "none has been made yet"
        if let reason = failure.withLock({ $0?.reason }) {
            return "the backup into \(place) fails: \(reason); \(age)"
        }
        guard let last, now.seconds - last.seconds > Self.ageMaxSeconds else { return nil }
        return "no backup has been made for long; \(age)"
    }

    func run() async throws {
        await withTaskExecutorPreference(thread) {
            while !Task.isShuttingDownGracefully, !Task.isCancelled {
                await look()
                try? await cancelWhenGracefulShutdown { try await Task.sleep(for: Self.pause) }
            }
        }
    }

    /// Backs up where that is due.
    func look() async {
        let now = now
        guard isDue(at: now) else { return }
        do {
            let report = try await cancelWhenGracefulShutdown { try self.backUp() }
            failure.withLock { $0 = nil }
            made.withLock { $0 = Instant(seconds: report.manifest.moment / 1_000) }
            logger.info(
                "backed up",
                metadata: [
                    "backup": "\(report.manifest.name)", "folder": "\(place)",
                    "copied_bytes": "\(report.copiedByteCount)",
                    "removed": "\(report.removedCount)",
                ])
            for warning in report.warnings { logger.warning("\(warning)") }
        } catch is CancellationError {
            // The next start makes up for it.
        } catch {
            failure.withLock { $0 = ("\(error)", now) }
            logger.warning("the backup failed", metadata: ["error": "\(error)"])
        }
    }

    /// Whether the last time that it was due has passed without a backup since; the first one is
    /// due at once.
    func isDue(at now: Instant) -> Bool {
        if let failed = failure.withLock({ $0 }),
            now.seconds < failed.at.seconds + Self.patienceSeconds
        {
            return false
        }
        guard let last = last(before: now) else { return true }
        return last < ReconcileSchedule.lastOccurrence(ofMinute: minute, before: now)
    }

    private func backUp() throws -> BackupReport {
        let source = folder.backupSource
        let target = try source.place(at: place, key: settings.key())
        return try BackupRun(of: source, into: target, clock: clock).run(
            keeping: settings.keptCount)
    }
}
