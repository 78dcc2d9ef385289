import AppendLog
import Foundation
import Logging
import ServiceLifecycle
import Synchronization
import TestSupport

@testable import Appliance
@testable import Daemon
@testable import Reconcile
@testable import Vocabulary

/// A clock that stands where the test puts it.
final class HandClock: LogClock {
    private let seconds: Atomic<Int64>

    init(_ seconds: Int64) { self.seconds = Atomic(seconds) }

    func set(_ seconds: Int64) { self.seconds.store(seconds, ordering: .relaxed) }
    func now() -> Timestamp {
        Timestamp(milliseconds: seconds.load(ordering: .relaxed) * 1000)
    }
    func monotonicMilliseconds() -> Int64 { seconds.load(ordering: .relaxed) * 1000 }
}

/// Sleeps by a clock that the test moves, and tells how often and how long.
final class HandSleep: Sendable {
    private let clock: HandClock
    private let lengths = Mutex<[Int64]>([])

    init(_ clock: HandClock) { self.clock = clock }

    var count: Int { lengths.withLock { $0.count } }
    /// The last one's length in milliseconds.
    var last: Int64? { lengths.withLock { $0.last } }

    /// Ends early when its task is cancelled, as a real sleep does.
    func sleep(milliseconds: Int64) async throws {
        let end = clock.monotonicMilliseconds() + milliseconds
        lengths.withLock { $0.append(milliseconds) }
        try await eventually("the clock has been moved on", within: 3600) {
            self.clock.monotonicMilliseconds() >= end
        }
    }
}

/// The pipeline behind a gate in a fresh folder, beside a Stripe of the test's own.
final class ReconcileFixture: Sendable {
    static let day: Int64 = 86_400
    /// 2026-02-01T00:00:00Z
    static let start: Int64 = 1_769_904_000
    /// Ten days later, when runs are made unless a test says otherwise.
    static let now = start + 10 * day

    let stripe = FakeStripe()
    let clock: HandClock
    let counters = Counters()
    let folder: TemporaryFolder
    let data: DataFolder
    let plane: EmbeddedPlane
    let ledger: SQLiteLedger
    let store: StatementStore
    private let pipeline: Pipeline
    private let transport: any StripeTransport
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// - Parameter transport: to the Stripe that is read; the fixture's own fake by default.
    init(
        clock: HandClock = HandClock(ReconcileFixture.now), transport: (any StripeTransport)? = nil
    ) throws {
        self.clock = clock
        self.transport = transport ?? stripe
        folder = try TemporaryFolder()
        data = try DataFolder(at: folder.file("data"))
        plane = try EmbeddedPlane(
            logAt: data.log, gateSnapshot: data.gateSnapshot, settings: Settings(), clock: clock,
            counters: counters, logger: logger)
        ledger = try SQLiteLedger.open(path: data.ledger) { clock.now().milliseconds }
        store = StatementStore(of: ledger)
        pipeline = Pipeline(
            plane: plane, ledger: ledger, steps: try PipelineSteps(Settings(), counters: counters),
            folder: data)
    }

    var log: Log { plane.log }
    var topics: Topics { plane.topics }
    var admission: LogAdmission { plane.admission }

    var client: StripeClient {
        StripeClient(transport: transport, sleep: { _ in await Task.yield() }, random: { 0.5 })
    }

    /// One that takes events of the test mode, by the fixture's clock.
    ///
    /// - Parameter seen: for who only looks; the fixture's own store by default.
    func reconciler(seen: StatementStore? = nil) -> Reconciler {
        let path = data.ledger
        return Reconciler(
            settings: ReconcilerSettings(), client: client, store: store, seen: seen,
            openLedger: { try SQLiteLedgerReader.open(path: path) }, admission: admission,
            accepts: { !$0 }, clock: clock, counters: counters, logger: logger)
    }

    /// Runs the stages while `body` does its work.
    func running<Value: Sendable>(
        _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        let services = DaemonPart.inOrder(try pipeline.services())
        return try await withThrowingTaskGroup(of: Value?.self) { group in
            for service in services {
                group.addTask {
                    try await service.run()
                    return nil
                }
            }
            group.addTask { try await body() }
            defer { group.cancelAll() }
            while let value = try await group.next() {
                if let value { return value }
            }
            preconditionFailure("the body returns a value or throws")
        }
    }

    /// Delivers events of the fake Stripe, all but `lost`, and waits until the ledger has seen
    /// them. Call it while the stages run.
    func deliver(lost: Set<String> = []) async throws {
        for event in stripe.state.withLock({ $0.events }) where !lost.contains(event.id) {
            // A delivery says whose event it is; Stripe's list does not.
            let account = event.account.isEmpty ? "" : "\"account\": \"\(event.account)\", "
            let text = "{" + account + event.json.dropFirst()
            try await admit(Array(text.utf8), event.id, event.type, event.created)
        }
        try await drained()
    }

    /// Admits an event as the gate does.
    ///
    /// - Parameter body: of an event of a connected account with its `account`.
    func admit(_ body: [UInt8], _ id: String, _ type: String, _ created: Int64) async throws {
        let identity = EventIdentity(id: EventID(id), type: type, created: String(created))
        _ = try await admission.admit(
            fetched: body, identity, from: .backfill, arrived: clock.now())
    }

    /// Waits until everything that was received has gone the whole way.
    func drained() async throws {
        try await eventually("the ledger has seen everything") {
            let isValidated = try self.isDrained(.webhookReceived, "validate")
            let isScored = try self.isDrained(.paymentValidated, "score")
            return try self.isBooked() && isValidated && isScored
        }
    }

    private func isDrained(_ topic: TopicID, _ stage: String) throws -> Bool {
        let last = topics[topic].highWatermark.rawValue - 1
        guard last >= 0 else { return true }
        // A record that led to nothing has no output to tell by; those tests wait for more.
        let out: TopicID = stage == "validate" ? .paymentValidated : .paymentScored
        let source = try topics[out].lastSource(of: ProducerName(stage))?.rawValue ?? -1
        let letters = try topics[.deadLetter].lastSource(of: ProducerName(stage))?.rawValue ?? -1
        return max(source, letters) >= last
    }

    private func isBooked() throws -> Bool {
        let end = topics[.paymentScored].highWatermark.rawValue
        let position = try ledger.position(topic: "payment.scored") ?? 0
        return position >= end
    }

    /// Makes a run and performs it. Call it while the stages run.
    @discardableResult
    func reconcile(
        from: Int64 = 0, to: Int64? = nil, grace: Int64 = 48 * 3600
    ) async throws -> RunReport {
        let at = Instant(seconds: clock.now().milliseconds / 1000)
        let id = try store.create(
            .request, from: Instant(seconds: from), to: Instant(seconds: to ?? at.seconds), at: at)
        return try await resume(id, grace: grace)
    }

    /// Goes on with a run.
    func resume(_ id: Int64, grace: Int64 = 48 * 3600) async throws -> RunReport {
        let lookup = try SQLiteLedgerReader.open(path: data.ledger)
        try await run(store, lookup, isDry: false, grace).perform(id)
        guard let run = try store.run(id) else { throw NoSuchRun() }
        return try store.report(run)
    }

    /// A dry run and everything that it found.
    func dryRun() async throws -> (report: RunReport, found: [StoredBreak]) {
        let scratch = try StatementStore()
        let at = Instant(seconds: clock.now().milliseconds / 1000)
        let id = try scratch.create(.request, from: Instant(seconds: 0), to: at, at: at)
        let lookup = try SQLiteLedgerReader.open(path: data.ledger)
        try await run(scratch, lookup, isDry: true, 48 * 3600).perform(id)
        guard let run = try scratch.run(id) else { throw NoSuchRun() }
        return (
            try scratch.report(run),
            try scratch.findings(of: run, after: .start, limit: 1000).findings
        )
    }

    private func run(
        _ store: StatementStore, _ lookup: any LedgerReading, isDry: Bool, _ grace: Int64
    ) -> ReconciliationRun {
        var limits = ReconciliationLimits()
        limits.graceSeconds = grace
        limits.balanceSecondsMax = 0
        limits.settleSecondsMax = 20
        return ReconciliationRun(
            client: client, store: store, ledger: LedgerMoment(lookup),
            records: isDry ? nil : OwnRecords(admission: admission, clock: clock), limits: limits,
            clock: clock, logger: logger, progress: { _ in })
    }

    /// - Parameters:
    ///   - stripeClock: Stripe's time; the machine's by default.
    ///   - store: where events are admitted; the log by default.
    func sweep(
        from: Int64 = 0, stripeClock: HandClock? = nil, through store: (any AdmissionStore)? = nil
    ) async throws -> SweepRecord {
        let admission = store ?? self.admission
        return try await sweep(from, stripeClock ?? clock, admission)
    }

    private func sweep(
        _ from: Int64, _ stripeClock: HandClock, _ admission: any AdmissionStore
    ) async throws -> SweepRecord {
        let now = Instant(seconds: stripeClock.now().milliseconds / 1000)
        let from = Instant(seconds: from)
        let id = try store.beginSweep(from: from, to: now, at: now)
        let sweep = EventSweep(
            client: client, store: store, admission: admission, accepts: { !$0 },
            limits: SweepLimits(), clock: clock, stripeClock: stripeClock, counters: counters,
            logger: logger)
        let lookup = try SQLiteLedgerReader.open(path: data.ledger)
        var swept = try await sweep.perform(
            SweepRecord(id: id, state: .reading, from: from, to: now, startedAt: now),
            connected: try lookup.connectedAccounts())
        swept.state = .finished
        try store.noteRefused(swept)
        try store.update(swept)
        return swept
    }

    /// Everything a run found, as `kind subject`, without what it booked itself.
    func found(_ report: RunReport) throws -> [String] {
        try store.breaks(of: report.run.id, after: 0, limit: 1000)
            .map { "\($0.found.kind.rawValue) \($0.found.subject)" }.sorted()
    }

    /// The processor's balance of a Stripe account by currency, without those that stand at zero.
    func processor(of account: String = "") throws -> [String: Int64] {
        let name = "processor:stripe" + (account.isEmpty ? "" : ":\(account)") + " "
        var held: [String: Int64] = [:]
        for (key, amount) in try ledger.standing() where key.hasPrefix(name) {
            held[String(key.dropFirst(name.count))] = amount
        }
        return held
    }

    /// Stripe's balance of an account by currency, without zeros.
    func atStripe(of account: String = "") -> [String: Int64] {
        var sums: [String: Int64] = [:]
        for line in stripe.state.withLock({ $0.lines }) where line.account == account {
            sums[line.currency, default: 0] += line.net
        }
        return sums.filter { $0.value != 0 }
    }
}

struct NoSuchRun: Error {}
