import AppendLog
import Appliance
import ServiceLifecycle
import Synchronization
import Vocabulary

/// What the service manager is told of the role `all`.
extension Daemon {
    /// Notes each port as it opens, and tells the service manager once deliveries are taken.
    func telling(
        _ open: OpenPorts, _ onListening: @escaping @Sendable (String, Int) -> Void
    ) -> @Sendable (String, Int) -> Void {
        { [logger] role, port in
            open.didOpen(role, port)
            if role == DaemonPorts.webhookRole { ServiceManager.ofProcess?.tell(.ready, logger) }
            onListening(role, port)
        }
    }

    /// nil where nobody asks whether this process lives.
    ///
    /// - Parameter ports: where each port listens, once it does; by role.
    func watchdog(_ ports: OpenPorts) -> (any Service)? {
        guard let manager = ServiceManager.ofProcess, let seconds = manager.watchdogSeconds else {
            return nil
        }
        let motion = Mutex(PipelineMotion())
        let blocking = BlockingQueue("tillbox.watchdog")
        let started = ContinuousClock.now
        return Watchdog(manager: manager, seconds: seconds, logger: logger) {
            for question in ports.questions {
                if let sentence = await question.trouble() { return sentence }
            }
            let places = await blocking.run { self.stepPlaces() }
            let (waits, now) = (
                self.counters.standstills.isWaiting, started.duration(to: .now) / .seconds(1)
            )
            return motion.withLock { $0.look(at: places, waits: waits, now: now) }
        }
    }

    /// How far the steps have come. Bridges are none: what they copy to may be gone for days.
    private func stepPlaces() -> [PipelineMotion.Place]? {
        let steps: Set = [
            RedriveStage.name, ValidateStage.name, EmbeddedScoreStage.name, LedgerStep.name,
        ]
        let places = try? ConsumerPlaces(log: log, topics: topics, ledger: seenLedger).all()
        return places?.filter { steps.contains($0.group) }.map {
            PipelineMotion.Place(
                step: $0.group, topic: $0.topic, next: $0.next.rawValue, lagRecords: $0.lag)
        }
    }
}

/// The ports of a process as they are open, for who asks at them.
final class OpenPorts: Sendable {
    private let settings: Settings
    private let ports = Mutex<[String: Int]>([:])

    init(_ settings: Settings) { self.settings = settings }

    func didOpen(_ role: String, _ port: Int) { ports.withLock { $0[role] = port } }

    /// One for each that is open.
    var questions: [PortQuestion] {
        ports.withLock { $0 }.sorted { $0.key < $1.key }.map { role, port in
            let isAdmin = role == DaemonPorts.adminRole
            let host = isAdmin ? settings.admin.host : settings.webhook.host
            return PortQuestion(
                address: Settings.Address(host: host, port: port),
                isSecure: isAdmin && settings.adminTLS != nil)
        }
    }
}
