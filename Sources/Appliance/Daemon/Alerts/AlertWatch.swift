import AppendLog
import Bridges
import Console
import Foundation
import Logging
import ServiceLifecycle
import Synchronization
import Vocabulary

/// Who is told when something needs a person, and after how long.
package struct AlertSettings: Sendable {
    /// nil where nobody is told.
    var url: Secret?
    var command: String?
    /// Seconds that a sentence lasts before it is told, and is gone before it is over.
    var afterSeconds: Int64 = 60
    /// Seconds after which one that lasts is told again.
    var againSeconds: Int64 = 86_400

    var doors: [any AlertDoor] {
        var doors: [any AlertDoor] = []
        if let url { doors.append(AlertWebhook(url: url)) }
        if let command { doors.append(AlertCommand(command)) }
        return doors
    }
}

extension SettingsLoader {
    func alerts(_ profile: Settings.Profile, needsSecrets: Bool) throws -> AlertSettings {
        var alerts = AlertSettings()
        alerts.command = text(.alertsCommand)
        for key in [SettingsKey.alertsCommand, .alertsURL, .alertsURLFile]
        where profile == .cloud && text(key) != nil {
            throw SettingsError.contradicts(
                key: key.rawValue,
                reason: "the roles of the profile cloud tell nobody by themselves; watch their "
                    + "metrics, and remove it")
        }
        if needsSecrets, let (value, _) = try secret(SettingsKey.alertsURL.rawValue) {
            let address = value.trimmingCharacters(in: .whitespacesAndNewlines)
            let url = URL(string: address)
            guard let url, ["http", "https"].contains(url.scheme), url.host() != nil else {
                throw SettingsError.badValue(
                    key: SettingsKey.alertsURL.rawValue, value: "…",
                    expected: "an address such as https://hooks.example.com/…")
            }
            alerts.url = Secret(address)
        }
        alerts.afterSeconds = Int64(try integer(.alertsAfter, 0...86_400) ?? 60)
        alerts.againSeconds = Int64(try integer(.alertsAgain, 1...720) ?? 24) * 3_600
        return alerts
    }
}

/// Looks at what the daemon says of itself, and tells somebody: each sentence once, and when it is
/// over. What cannot be told is tried again at the next look, and then behind twice the wait each
/// time: who takes it and answers too late, or with an error, has it told each time.
final class AlertWatch: Service {
    /// Between two looks.
    private static let pause = Duration.seconds(20)

    /// That somebody could not be told.
    private struct Failure: Sendable {
        var reason: String
        /// Until the next attempt, and when that is, by the monotonic clock.
        var waitMilliseconds: Int64
        var nextAt: Int64

        private static let waitMin: Int64 = 20_000
        private static let waitMax: Int64 = 900_000

        init(_ reason: String, behind last: Failure?, at now: Int64) {
            self.reason = reason
            waitMilliseconds = last.map { min($0.waitMilliseconds * 2, Self.waitMax) }
                ?? Self.waitMin
            nextAt = now + waitMilliseconds
        }
    }

    private let doors: [any AlertDoor]
    private let notices: @Sendable () -> [Notice]
    private let clock: any LogClock
    private let logger: Logger
    /// One for each door: one of them may take what another does not.
    private let books: Mutex<[AlertBook]>
    private let failures: Mutex<[Failure?]>
    private let memory: AlertMemory?
    private let queue = BlockingQueue("tillbox.alerts")

    /// - Parameters:
    ///   - memory: what was told before the start; nil where nothing is kept.
    ///   - notices: why the daemon is not ready, and its warnings.
    init(
        _ settings: AlertSettings, doors: [any AlertDoor], memory: AlertMemory? = nil,
        clock: any LogClock, logger: Logger, notices: @escaping @Sendable () -> [Notice]
    ) {
        let (told, now) = (memory?.told() ?? [:], Self.now(clock))
        books = Mutex(
            doors.map { door in
                var book = AlertBook(
                    afterSeconds: settings.afterSeconds, againSeconds: settings.againSeconds)
                book.restore(told[door.key] ?? [], at: now)
                return book
            })
        self.memory = memory
        failures = Mutex(Array(repeating: nil, count: doors.count))
        (self.doors, self.notices, self.clock, self.logger) = (doors, notices, clock, logger)
    }

    /// nil while everybody could be told.
    var warning: String? {
        failures.withLock { $0.compactMap { $0 }.first }
            .map { "alerts cannot be told: \($0.reason)" }
    }

    func run() async throws {
        while !Task.isShuttingDownGracefully, !Task.isCancelled {
            await look()
            try? await cancelWhenGracefulShutdown { try await Task.sleep(for: Self.pause) }
        }
    }

    /// Takes one look, and tells what is due.
    func look() async {
        let now = Self.now(clock)
        // That somebody cannot be told is told to the others by readiness alone.
        let found = notices()
        for (place, door) in doors.enumerated() {
            let due = books.withLock { $0[place].look(found, at: now) }
            let isWaiting = failures.withLock { failures in
                failures[place].map { clock.monotonicMilliseconds() < $0.nextAt } ?? false
            }
            guard !due.isEmpty, !isWaiting else { continue }
            do {
                try await cancelWhenGracefulShutdown { try await door.tell(due, at: now) }
                books.withLock { $0[place].noteTold(due, at: now) }
                failures.withLock { $0[place] = nil }
                await keep()
            } catch is CancellationError {
                return
            } catch {
                let isNew = failures.withLock { failures in
                    let last = failures[place]
                    failures[place] = Failure(
                        "\(error)", behind: last, at: clock.monotonicMilliseconds())
                    return last == nil
                }
                guard isNew else { continue }
                logger.warning("an alert cannot be told", metadata: ["error": "\(error)"])
            }
        }
    }

    private static func now(_ clock: any LogClock) -> Instant {
        Instant(seconds: clock.now().milliseconds / 1_000)
    }

    /// What cannot be kept, as on a full disk, is told once more after the next start.
    private func keep() async {
        guard let memory else { return }
        let told = books.withLock { $0.map(\.told) }
        let kept = zip(doors.map(\.key), told).map { (key: $0, told: $1) }
        do throws(DiskError) {
            try await queue.run { () throws(DiskError) in try memory.keep(kept) }
        } catch {
            logger.warning(
                "what was told cannot be kept: a restart tells it again",
                metadata: ["error": "\(error)"])
        }
    }
}
