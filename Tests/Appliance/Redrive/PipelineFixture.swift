import AppendLog
import Foundation
import Logging
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing

@testable import Appliance
@testable import Daemon
@testable import Vocabulary

/// A data folder whose stages run without the daemon's ports, from one stop to the next.
final class PipelineFixture: Sendable {
    let folder: TemporaryFolder
    let path: String
    let settings: Settings
    let counters = Counters()
    /// When the ledger's transactions are booked.
    private let clockMilliseconds: @Sendable () -> Int64

    convenience init(_ change: (inout Settings) -> Void = { _ in }) throws {
        try self.init(clockMilliseconds: { 1_700_000_000_000 }, change)
    }

    init(
        clockMilliseconds: @escaping @Sendable () -> Int64, _ change: (inout Settings) -> Void
    ) throws {
        self.clockMilliseconds = clockMilliseconds
        folder = try TemporaryFolder()
        path = folder.file("data")
        var settings = Settings()
        settings.dataPath = path
        settings.segmentByteCountMax = 4 << 20
        change(&settings)
        self.settings = settings
        _ = try DataFolder(at: path)
    }

    /// The folder, open for writing.
    struct Opened {
        var plane: EmbeddedPlane
        var ledger: SQLiteLedger
        var log: Log { plane.log }
        var topics: Topics { plane.topics }

        func records(_ id: TopicID) throws -> [StoredRecord] {
            try topics[id].read(from: topics[id].start, byteCountMax: 64 << 20)
        }

        func bookedCount() throws -> Int {
            try ledger.posted(after: TransactionID(0), limit: 1000).count
        }

        func append(_ record: Record, to id: TopicID) async throws -> Offset {
            try await topics[id].append([record]).lowerBound
        }
    }

    /// Opens the folder for `body` and closes it again.
    func opened<Value>(_ body: (Opened) async throws -> Value) async throws -> Value {
        let plane = try EmbeddedPlane(
            logAt: "\(path)/log", gateSnapshot: "\(path)/gate/index.snapshot", settings: settings,
            counters: counters, logger: Self.quiet)
        let ledger = try SQLiteLedger.open(
            path: "\(path)/ledger.sqlite", clockMilliseconds: clockMilliseconds)
        let result: Result<Value, any Error>
        do {
            result = .success(try await body(Opened(plane: plane, ledger: ledger)))
        } catch {
            result = .failure(error)
        }
        try ledger.close()
        await plane.log.close()
        return try result.get()
    }

    /// Runs all stages until each has taken what the one before it gave.
    func process() async throws {
        try await opened { try await self.process($0) }
    }

    func process(_ opened: Opened) async throws {
        let pipeline = Pipeline(
            plane: opened.plane, ledger: opened.ledger,
            steps: try PipelineSteps(settings, counters: counters),
            folder: try DataFolder(at: path))
        let services = DaemonPart.inOrder(try pipeline.services()).map {
            ServiceGroupConfiguration.ServiceConfiguration(service: $0)
        }
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(services: services, logger: Self.quiet))
        // Asked to stop at once, each stage drains before the one behind it is asked.
        let hasEnded = Mutex(false)
        let running = Task {
            defer { hasEnded.withLock { $0 = true } }
            try await group.run()
        }
        await group.triggerGracefulShutdown()
        do {
            try await eventually("every stage has come to an end") { hasEnded.withLock { $0 } }
        } catch {
            // One that goes round for ever does not do so beside the next tests, over a ledger and
            // a log that are closed.
            running.cancel()
            try? await eventually("it has ended") { hasEnded.withLock { $0 } }
            throw error
        }
        try await running.value
    }

    /// One that has just read what is in `webhook.received`.
    func redriver(_ opened: Opened) throws -> Redriver {
        let (plane, topics) = (opened.plane, opened.topics)
        let admission = try AdmissionSnapshot.restore(
            from: "\(path)/gate/index.snapshot", topic: topics[.webhookReceived],
            logger: Self.quiet)
        return Redriver(
            source: LetterSource(topics), letters: plane.letters, admission: admission,
            defaultMerchant: settings.defaultMerchant, livemodes: settings.livemodes,
            clock: plane.clock, counters: counters)
    }

    /// Replays the folder into a fresh one.
    func replay(
        through to: Int64? = nil, _ change: (inout Settings) -> Void = { _ in },
        progress: (Int64, Int64) -> Void = { _, _ in }
    ) async throws -> ReplayReport {
        var settings = settings
        change(&settings)
        let steps = try PipelineSteps(settings, counters: Counters())
        let fresh = try DataFolder(at: folder.file("fresh-\(UUID().uuidString)"))
        let features = FeatureEngine(limits: steps.featureLimits)
        let replay = try Replay(
            original: path,
            fresh: (log: fresh.log, ledger: fresh.ledger, features: fresh.featureSnapshot),
            through: to.map { Offset($0) }, clock: SystemLogClock(),
            stages: (steps.validate(), steps.score(features, try steps.verdicts())))
        return try await replay.run(progress: progress)
    }

    static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    // MARK: Records

    /// A captured charge's event.
    static func charge(
        _ number: Int, amount: Int = 1000, customer: Int = 1, type: String = "charge.succeeded",
        livemode: Bool = false
    ) -> String {
        let created = 1_760_054_400 + number * 60
        return """
            {"id":"evt_\(number)","object":"event","api_version":"2024-06-20","type":"\(type)",\
            "created":\(created),"livemode":\(livemode),"data":{"object":{"id":"ch_\(number)",\
            "object":"charge","amount":\(amount),"amount_captured":\(amount),"currency":"usd",\
            "captured":true,"paid":true,"status":"succeeded","customer":"cus_\(customer)",\
            "created":\(created),"livemode":\(livemode),"balance_transaction":"txn_\(number)",\
            "payment_method_details":{"type":"card","card":{"country":"US",\
            "fingerprint":"fp_\(customer)"}},"billing_details":{"address":{"country":"US"}}}}}
            """
    }

    /// A guest's intent: it names a charge, and nothing that could be scored.
    static func intent(_ number: Int, amount: Int = 1000) -> String {
        let created = 1_760_054_400 + number * 60
        return """
            {"id":"evt_pi_\(number)","object":"event","api_version":"2024-06-20",\
            "type":"payment_intent.succeeded","created":\(created),"livemode":false,\
            "data":{"object":{"id":"pi_\(number)","object":"payment_intent","amount":\(amount),\
            "amount_received":\(amount),"currency":"usd","status":"succeeded",\
            "created":\(created),"livemode":false,"latest_charge":"ch_\(number)"}}}
            """
    }

    static func received(_ body: String, event: String, endpoint: String = "") -> Record {
        Record(
            key: ArraySlice(event.utf8), value: ArraySlice(body.utf8),
            headers: [
                RecordHeader("endpoint", endpoint), RecordHeader("received-at", "1760054400000"),
                RecordHeader("signature", "t=1,v1=aa"), RecordHeader("event-id", event),
                RecordHeader("source-offset", "-1"), RecordHeader("schema", "webhook.received/1"),
            ],
            timestamp: Timestamp(milliseconds: 1_760_054_400_000))
    }

    /// A dead letter as a stage would have written it.
    static func letter(
        _ value: some Collection<UInt8>, topic: String, offset: Offset? = nil,
        stage: String = "validate", reason: String = "bad_id", event: String = "evt"
    ) -> Record {
        DeadLetter(topic: topic, offset: offset, stage: stage, reason: reason, detail: "as it was")
            .record(
                key: ArraySlice(event.utf8), value: ArraySlice(value), eventID: event,
                timestamp: Timestamp(milliseconds: 1_760_054_400_000))
    }

    /// A person's decision.
    static func decision(_ charge: Int, _ state: ReviewState, at: Int64 = 1_760_100_000) -> Record {
        let review = ReviewRecord(
            movement: MovementKey("charge:ch_\(charge)"), state: state, reasons: [], score: nil,
            by: "ada", at: Instant(seconds: at), note: nil)
        return Record(
            key: ArraySlice("ada".utf8), value: review.encoded()[...],
            headers: [RecordHeader("event-id", "decision"), RecordHeader("source-offset", "-1")],
            timestamp: Timestamp(milliseconds: 1_760_054_400_000))
    }
}
