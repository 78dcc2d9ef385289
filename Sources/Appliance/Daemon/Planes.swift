package import AppendLog
package import Appliance
import Foundation
package import Logging
package import Relay
import ServiceLifecycle
package import Vocabulary

// A plane is the set of doors to the outside world: where records, claims and rows are kept. What
// runs on it is put together here and nowhere else, and nothing behind these doors asks which plane
// it is in.

/// The plane of the profiles `dev` and `edge`: the log in a folder, opened by this process alone.
///
/// The daemon, the offline door of `dead-letter redrive` and the benchmark's gate all open it here.
package struct EmbeddedPlane: Sendable {
    package let log: Log
    package let topics: Topics
    let admission: LogAdmission
    let settings: Settings
    package let clock: any LogClock
    let counters: Counters
    let logger: Logger

    /// From one sync of a topic to its next: more of them a second cost the disk, and so the gate,
    /// more than they gain.
    static let syncIntervalMicroseconds = 2_000
    /// Deliveries within that time from which on they share a sync: 4,000 a second. A slower one is
    /// synced at once, since somebody waits for its answer.
    static let gatheringAppends = 8

    /// Opens the log and the gate's index. Blocks while it recovers.
    ///
    /// - Parameter lookedAt: what the caller, who holds the folder, has seen of the log's segments
    ///   already, as a ``HeldFolder`` does: a box of five years has ten thousand.
    /// - Throws: `LogError`; `.locked` where another process has the folder.
    package init(
        logAt path: String, gateSnapshot: String, settings: Settings,
        clock: any LogClock = SystemLogClock(), counters: Counters, logger: Logger,
        lookedAt: LogLooks? = nil
    ) throws {
        let log = try Log.open(
            at: path, clock: clock, configuration: Self.configuration(settings),
            lookedAt: lookedAt)
        do {
            let topics = try Topics(of: log)
            admission = try AdmissionSnapshot.restore(
                from: gateSnapshot, topic: topics[.webhookReceived], logger: logger)
            self.topics = topics
        } catch {
            log.close {}
            throw error
        }
        self.log = log
        self.settings = settings
        self.clock = clock
        self.counters = counters
        self.logger = logger
    }

    private static func configuration(_ settings: Settings) -> LogConfiguration {
        var configuration = LogConfiguration()
        configuration.segmentBytesMax = settings.segmentByteCountMax
        configuration.syncIntervalMicroseconds = syncIntervalMicroseconds
        configuration.gatheringAppends = gatheringAppends
        configuration.retentionAgeMilliseconds = settings.retentionDays.map {
            Int64($0) * 86_400_000
        }
        return configuration
    }

    /// The ledger beside the log, noted as booked from it.
    func openLedger(at path: String) throws(LedgerError) -> SQLiteLedger {
        let clock = clock
        let ledger = try SQLiteLedger.open(
            path: path, clockMilliseconds: { clock.now().milliseconds })
        try ledger.adopt(log: log.identity.description)
        return ledger
    }

    // MARK: Doors

    package var decisions: LogDecisions { LogDecisions(topic: topics[.paymentReview]) }

    var letters: LogLetters { LogLetters(topic: topics[.deadLetter]) }

    package func reader(_ id: TopicID) -> TopicReader { TopicReader(topics[id]) }

    package func followed(_ id: TopicID) -> FollowedTopic { FollowedTopic(topics[id]) }

    package func gate() -> Gate {
        Gate(
            endpoints: settings.endpoints, toleranceSeconds: settings.toleranceSeconds,
            bodyByteCountMax: settings.bodyByteCountMax, admission: admission,
            deadLetters: letters, clock: clock, counters: counters, logger: logger)
    }

    /// The log as bridges see it. What one has copied is noted as a consumer group's place, so that
    /// retention keeps what is still to come.
    func relaySource() -> RelaySource {
        let (log, topics, logger) = (log, topics, RationedLog(logger: logger))
        return RelaySource(
            log: log.identity.description, followed: { FollowedTopic(topics[$0]) },
            noted: { bridge in
                guard let group = try? GroupName(bridge.group) else { return [:] }
                return TopicID.allCases.reduce(into: [:]) { places, topic in
                    places[topic] = log.cursors.committed(group: group, topic: topics[topic].name)
                }
            },
            note: { bridge, places in
                guard let group = try? GroupName(bridge.group) else { return }
                for (topic, place) in places {
                    log.cursors.commit(place, group: group, topic: topics[topic].name) { result in
                        guard case .failure(let error) = result else { return }
                        // Only retention asks for it, and the next note says more.
                        logger.warning(
                            "the place of a bridge is not noted", kind: bridge.group,
                            ["topic": topic.rawValue, "error": "\(error)"])
                    }
                }
            },
            forget: { bridge throws(RelayFailure) in
                guard let group = try? GroupName(bridge.group) else { return }
                do throws(LogError) {
                    try await log.cursors.remove(group: group)
                } catch {
                    throw .passing("the log cannot be written now: \(error)")
                }
            })
    }

    /// Lets the place of a bridge go that the settings do not name.
    package func forget(
        _ bridge: BridgeName, _ settings: Settings
    ) async throws(FormerBridgeRefusal) {
        let pauses = BridgePauses(folder: DataFolder(existingAt: settings.dataPath).bridges)
        try await FormerBridges(
            listed: settings.bridges, source: relaySource(), pauses: pauses
        ).forget(bridge)
    }

    package func redriver() -> Redriver {
        Redriver(
            source: LetterSource(topics), letters: letters, admission: admission,
            defaultMerchant: settings.defaultMerchant, livemodes: settings.livemodes,
            clock: clock, counters: counters)
    }

    /// A flow of the log for a stage without a state.
    ///
    /// - Parameter rewind: where to begin if the stage's cursor is beyond it.
    func flow(
        _ stage: (some Stage).Type, rewind: Offset? = nil
    ) -> @Sendable () throws -> LogFlow {
        let (log, topics, logger, step) = (log, topics, logger, FlowStep(stage))
        let rewind = rewind.map { [stage.input: $0] } ?? [:]
        let standstills = counters.standstills
        return {
            try LogFlow(
                log: log, topics: topics, step: step, rewind: rewind, standstills: standstills,
                logger: logger)
        }
    }
}

/// The services of a daemon. Their order is the order in which they start; a group stops them one
/// after the other from the last to the first, each when the one before it has ended:
///
///     start  admin · watches · bridges · ledger · score · validate · redrive · what fetches · …
///     stop   … · what fetches · redrive · validate · score · ledger · bridges · watches · admin
enum DaemonPart: CaseIterable, Sendable {
    /// Up before anything else and down after it, so that readiness says why the rest is not there.
    case admin
    /// Tells the service manager that the others live, to their end.
    case watchdog
    /// Watch what the others stand on, for as long as any of them runs.
    case poisonWatch, folderWatch, kafkaWatch, redisWatch, postgresWatch, upkeep
    /// What lists of payments are answered from; it only reads what the others write.
    case paymentIndex
    /// Waits for somebody who wants the ledger verified; it only reads.
    case ledgerCheck
    /// Writes the warehouse's files; of the daemon's own it only reads.
    case nightlyExport
    /// Copies the folder to where it can be restored from; it only reads.
    case nightlyBackup
    /// Tells somebody what readiness and its warnings say.
    case alerts
    /// Looks at all of them for open consoles.
    case live
    /// Copies in other systems; they stop behind the ledger, so that little is left to copy.
    case bridges
    /// The steps behind the gate from the last to the first: each stops after the one that feeds it
    /// and takes in what that has left.
    case ledger, score, validate, redrive
    /// These bring events in, and stop before the steps that take them.
    case chargeFetch, reconciler
    /// Asks Stripe for refunds of what was declined; it reads what the ledger has booked.
    case refunds
    /// Writes decisions, and stops before the ledger that books them.
    case reviewExpiry
    /// Opens when everything behind it runs; from then on the daemon is ready.
    case webhook
    /// Stops first: what the others write while they stop then finds room.
    case reserveRelease
    case refusalSummary

    /// The services in the order of their start.
    static func inOrder(_ services: [DaemonPart: any Service]) -> [any Service] {
        allCases.compactMap { services[$0] }
    }
}

/// Which of the parts one process runs. A plane whose log only one process can open has one role.
package enum Role: String, CaseIterable, Sendable {
    case all, webhook, score, ledger
    /// Runs no step: it answers people and programs from what the others have written.
    case console

    /// The steps of the pipeline that the role runs; of all but `all` there may be several
    /// instances.
    var steps: Set<DaemonPart> {
        switch self {
        case .all: [.webhook, .redrive, .validate, .score, .ledger]
        case .webhook: [.webhook]
        case .score: [.validate, .score]
        case .ledger: [.redrive, .ledger]
        case .console: []
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

/// What is done now and then: retention, the release of what was moved to cold folders, and a
/// snapshot of the gate's index.
struct Upkeep: Service {
    let log: Log
    let admission: LogAdmission
    /// `webhook.received`, which the admission indexes.
    let received: Topic
    let snapshotPath: String
    let logger: Logger

    /// Seconds between two looks.
    private static let intervalSeconds = 60
    private let thread = OwnThread("tillbox.upkeep")
    /// Looks at cold folders, which may hang.
    private let release = UnawaitedWork("tillbox.cold")

    init(_ plane: EmbeddedPlane, snapshotPath: String) {
        log = plane.log
        admission = plane.admission
        received = plane.topics[.webhookReceived]
        self.snapshotPath = snapshotPath
        logger = plane.logger
    }

    func run() async throws {
        await withTaskExecutorPreference(thread) { await look() }
    }

    private func look() async {
        // By offsets, as the index has fewer events again when some leave the log.
        let interval = Int64(GateLimits.snapshotIntervalCount)
        var (end, due) = (admission.snapshotEnd, interval)
        while true {
            try? await cancelWhenGracefulShutdown {
                try await Task.sleep(for: .seconds(Self.intervalSeconds))
            }
            let grown = end.distance(to: received.highWatermark)
            let isStopping = Task.isShuttingDownGracefully || Task.isCancelled
            if grown >= due || (isStopping && grown > 0) {
                if let written = await snapshot() {
                    (end, due) = (written, interval)
                } else {
                    due = grown + interval
                }
            }
            if isStopping { return }
            await retain()
        }
    }

    /// The snapshot only saves time at the next start, so that failing to write one is no reason to
    /// stop.
    ///
    /// - Returns: the offset below which every event is in it; nil where it was not written.
    private func snapshot() async -> Offset? {
        do {
            return try await AdmissionSnapshot.write(admission, to: snapshotPath)
        } catch {
            logger.warning("gate snapshot not written", metadata: ["error": "\(error)"])
            return nil
        }
    }

    private func retain() async {
        do {
            tell(try await log.applyRetention(), "segments removed by retention")
        } catch {
            logger.warning("retention failed", metadata: ["error": "\(error)"])
        }
        // Also of what it has removed before it failed.
        admission.forget(below: received.start)
        if !release.begin({ await releaseCold() }) {
            logger.warning("a cold folder does not answer; segments that were copied there stay")
        }
    }

    /// What `tillbox archive move` has copied.
    private func releaseCold() async {
        do {
            tell(try await log.releaseCold(), "segments moved to a cold folder")
        } catch {
            logger.warning("no segments moved to a cold folder", metadata: ["error": "\(error)"])
        }
        admission.forget(below: received.start)
    }

    private func tell(_ removed: [TopicName: Int], _ what: Logger.Message) {
        for (topic, count) in removed where count > 0 {
            logger.info(what, metadata: ["topic": "\(topic)", "count": "\(count)"])
        }
    }
}
