import AppendLog
import Foundation
import Logging
import ServiceLifecycle
import Synchronization
import TestSupport

@testable import Appliance
@testable import Command
@testable import Daemon
@testable import Vocabulary

/// A data folder with small segments, whose stages run without ports.
final class StartFixture: Sendable {
    let path: String
    let settings: Settings

    init(_ path: String, segmentByteCount: Int = 4 << 10) {
        self.path = path
        var settings = Settings()
        settings.dataPath = path
        settings.segmentByteCountMax = segmentByteCount
        // Every payment is held, so that payment.review grows like the others.
        settings.amountLimits = [Given.usd: MinorUnits(1)]
        self.settings = settings
    }

    /// Events `numbers`, admitted once each, and a dead letter for every third.
    func admit(_ numbers: Range<Int>, _ daemon: Daemon) async throws {
        for number in numbers {
            try await admit(
                "evt_\(number)", PipelineFixture.charge(number, customer: number % 5), daemon)
            guard number % 3 == 0 else { continue }
            // A charge without an id is refused by validation.
            let broken = PipelineFixture.charge(1_000_000 + number)
                .replacingOccurrences(of: "\"id\":\"ch_\(1_000_000 + number)\",", with: "")
            try await admit("evt_\(1_000_000 + number)", broken, daemon)
        }
    }

    private func admit(_ event: String, _ body: String, _ daemon: Daemon) async throws {
        let identity = EventIdentity(id: EventID(event), type: "charge.succeeded", created: "")
        let outcome = try await daemon.admission.admit(
            identity, record: PipelineFixture.received(body, event: event))
        guard case .admitted = outcome else { throw NotAdmitted(event: event, outcome: outcome) }
    }

    struct NotAdmitted: Error {
        var event: String
        var outcome: AdmissionOutcome
    }

    func start() throws -> Daemon { try Daemon(settings: settings, logger: PipelineFixture.quiet) }

    /// The stages, until each has taken what the one before it gave.
    func process(_ daemon: Daemon) async throws {
        try await daemon.held.makeUp(in: daemon.log)
        let group = try services(daemon)
        async let running: Void = group.run()
        await group.triggerGracefulShutdown()
        try await running
    }

    func services(_ daemon: Daemon) throws -> ServiceGroup {
        let pipeline = Pipeline(
            plane: daemon.plane, ledger: daemon.ledger,
            steps: try PipelineSteps(settings, counters: Counters()),
            folder: try DataFolder(at: path), rewinds: daemon.held.plan.rewinds)
        return ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: DaemonPart.inOrder(try pipeline.services()).map {
                    ServiceGroupConfiguration.ServiceConfiguration(service: $0)
                }, logger: PipelineFixture.quiet))
    }

    /// Runs the stages beside a constant traffic, a fixed number of events ahead of the ledger at
    /// most, until `body` is done or has thrown; then stops both in good order.
    ///
    /// - Parameters:
    ///   - step: how many events are admitted before `acknowledged` hears of them.
    ///   - body: is asked to wait for what it needs; nothing need be booked when it begins.
    func underTraffic(
        step: Int = 1, acknowledged: @escaping @Sendable (Range<Int>, Daemon) async throws -> Void,
        _ body: (Daemon) async throws -> Void
    ) async throws {
        let daemon = try start()
        let group = try services(daemon)
        let traffic = Traffic()
        let outcome = await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            tasks.addTask {
                // The stages take what was admitted before they stop.
                try await traffic.run(of: self, daemon, step: step, acknowledged)
                await group.triggerGracefulShutdown()
            }
            var outcome: Result<Void, any Error>
            do {
                outcome = .success(try await body(daemon))
            } catch {
                outcome = .failure(error)
            }
            traffic.end()
            do {
                try await tasks.waitForAll()
            } catch {
                await group.triggerGracefulShutdown()
                if case .success = outcome { outcome = .failure(error) }
            }
            return outcome
        }
        try await stop(daemon)
        try outcome.get()
    }

    /// Events that are admitted one after the other until somebody has seen enough.
    private final class Traffic: Sendable {
        private let isOver = Mutex(false)

        func end() { isOver.withLock { $0 = true } }

        func run(
            of fixture: StartFixture, _ daemon: Daemon, step: Int,
            _ acknowledged: @Sendable (Range<Int>, Daemon) async throws -> Void
        ) async throws {
            var number = 0
            while !isOver.withLock({ $0 }) {
                let numbers = number..<number + step
                try await fixture.admit(numbers, daemon)
                try await acknowledged(numbers, daemon)
                number += step
                let due = number - 50
                try await eventually("the ledger is near") {
                    try isOver.withLock { $0 } || daemon.ledger.point().head >= due
                }
            }
        }
    }

    /// What `dead-letter redrive` would do while no daemon runs.
    func redrive(isDryRun: Bool) async throws -> [RedriveLine] {
        try await RedriveDoor(settings: settings).send(RedriveRequest(isDryRun: isDryRun))
    }

    func snapshotGate(_ daemon: Daemon) async throws {
        try await AdmissionSnapshot.write(daemon.admission, to: "\(path)/gate/index.snapshot")
    }

    func stop(_ daemon: Daemon) async throws {
        // The last to close the ledger empties its WAL, if it may write.
        try daemon.seenStatement.close()
        try daemon.seenLedger.close()
        try daemon.ledger.close()
        await daemon.log.close()
        daemon.held.lock.release()
    }

    /// Every file but the locks, the note of who has them, and SQLite's shared memory: no data.
    func contents() throws -> [String: Data] {
        var contents: [String: Data] = [:]
        for case let name as String in FileManager.default.enumerator(atPath: path) ?? .init() {
            guard !name.hasSuffix("/lock"), name != "holder", !name.hasSuffix("-shm"),
                let data = FileManager.default.contents(atPath: "\(path)/\(name)")
            else { continue }
            contents[name] = data
        }
        return contents
    }

    // MARK: The judge

    /// What is wrong with a folder that started: an acknowledged event is gone, something is booked
    /// twice or not at all, or a replay differs.
    func complaints(acknowledged: Set<String>, scratch: String) async throws -> [String] {
        var complaints: [String] = []
        let log = try Log.openReadOnly(at: "\(path)/log", checksSegments: true)
        var received: [String] = []
        if let topic = log.topic(try TopicName(TopicID.webhookReceived.rawValue)) {
            try topic.scan(from: topic.start) { stored in
                received.append(String(decoding: stored.record.key ?? [], as: UTF8.self))
                return true
            }
            if let corruption = try topic.verify().corruption { complaints.append("\(corruption)") }
        }
        if Set(received).count != received.count {
            complaints.append("an event was admitted twice")
        }
        let gone = acknowledged.subtracting(received)
        if !gone.isEmpty { complaints.append("\(gone.count) acknowledged events are gone") }
        let ledger = try SQLiteLedgerReader.open(
            path: "\(path)/ledger.sqlite")
        if let fault = try ledger.verify().fault { complaints.append("\(fault)") }
        complaints += try retold(ledger, log)
        for event in received {
            guard let number = Int(event.dropFirst(4)), number < 1_000_000 else { continue }
            let booked = try ledger.transactions(of: MovementKey("charge:ch_\(number)"))
            if booked.count != 1 {
                complaints.append("charge \(number): booked \(booked.count) times")
            }
        }
        try ledger.close()
        complaints += try await replayed(into: scratch)
        return complaints
    }

    /// Where the ledger says something else of what it has published, its time included. Texts are
    /// left to `ledger verify`: no start compares them.
    private func retold(_ ledger: SQLiteLedgerReader, _ log: ReadOnlyLog) throws -> [String] {
        var complaints: [String] = []
        let reviews = try ReviewTexts.fault(in: ledger) {
            log.topic(try TopicName(TopicID.paymentReview.rawValue)).map { TopicReader($0) }
        }
        if let reviews, reviews.row.hasSuffix("posted_at") { complaints.append("\(reviews)") }
        guard let posted = log.topic(try TopicName(TopicID.ledgerPosted.rawValue)) else {
            return complaints
        }
        let booked = try ledger.posted(after: TransactionID(0), limit: 1_000)
        var published: [Int64] = []
        try posted.scan(from: posted.start) { stored in
            published.append(stored.record.timestamp.milliseconds)
            return true
        }
        if booked.map(\.postedAtMilliseconds) != published {
            complaints.append("transactions bear another time than they were published with")
        }
        return complaints
    }

    private func replayed(into scratch: String) async throws -> [String] {
        let replay = try Replay(of: settings, into: scratch)
        let report = try await replay.run { _, _ in }
        return report.isEqual ? [] : ["the replay differs: \(report.differences.listed.prefix(2))"]
    }
}
