import AppendLog
import Foundation
import TestSupport
import Testing

@testable import Appliance
@testable import Backup
@testable import Command
@testable import Daemon
@testable import Vocabulary

/// A data folder of two months at rest: 24 payments of October 2025 and 24 of November, all booked,
/// in small segments.
final class ArchiveFixture: Sendable {
    static let october = SealMonth(
        name: "2025-10", from: Instant(seconds: 1_759_276_800),
        to: Instant(seconds: 1_761_955_200))
    static let november = SealMonth(
        name: "2025-11", from: Instant(seconds: 1_761_955_200),
        to: Instant(seconds: 1_764_547_200))
    static let december = SealMonth(
        name: "2025-12", from: Instant(seconds: 1_764_547_200),
        to: Instant(seconds: 1_767_225_600))
    /// A moment behind all of them, in milliseconds.
    static let now: Int64 = 1_770_000_000_000

    /// What the folder held when October's payments were booked, read without the archive's code.
    struct Held: Sendable {
        var transactions: Int64
        var hash: String
        var holdings: Set<MonthSeal.Holding>
        var ends: [String: Int64] = [:]
        /// SHA-256 of all files of a topic, one after the other.
        var digests: [String: String] = [:]
    }

    let root: TemporaryFolder
    let start: StartFixture
    let held: Held

    init() async throws {
        root = try TemporaryFolder()
        start = StartFixture(root.file("data"))
        let clock = SetClock()
        // 10 October 2025.
        clock.advance(milliseconds: 60_054_400_000)
        try await Self.grow(start, 0..<24, clock)
        held = try Self.look(start.path)
        clock.advance(milliseconds: 30 * 86_400_000)
        try await Self.grow(start, 24..<48, clock)
    }

    var path: String { start.path }
    var cold: String { root.file("cold") }
    var place: ArchivePlace { DataFolder(existingAt: path).archivePlace }

    /// Admits payments by a clock, and books them.
    static func grow(
        _ fixture: StartFixture, _ numbers: Range<Int>, _ clock: any LogClock
    ) async throws {
        let daemon = try Daemon(
            settings: fixture.settings, clock: clock, logger: PipelineFixture.quiet)
        for number in numbers {
            let event = "evt_\(number)"
            let plain = PipelineFixture.received(
                PipelineFixture.charge(number, customer: number % 5), event: event)
            let outcome = try await daemon.admission.admit(
                EventIdentity(id: EventID(event), type: "charge.succeeded", created: ""),
                record: Record(
                    key: plain.key, value: plain.value, headers: plain.headers,
                    timestamp: clock.now()))
            guard case .admitted = outcome else {
                throw StartFixture.NotAdmitted(event: event, outcome: outcome)
            }
        }
        try await fixture.process(daemon)
        try await fixture.stop(daemon)
    }

    private static func look(_ path: String) throws -> Held {
        let ledger = try SQLiteLedgerReader.open(path: "\(path)/ledger.sqlite")
        defer { try? ledger.close() }
        let point = try ledger.point()
        var held = Held(
            transactions: point.head, hash: String(hex: point.hash),
            holdings: Set(
                try ledger.balances().map {
                    MonthSeal.Holding(
                        account: $0.account.rawValue, currency: $0.currency.code,
                        amount: $0.balance.rawValue)
                }))
        for topic in try Log.openReadOnly(at: "\(path)/log").topics {
            let files = try FileManager.default.contentsOfDirectory(atPath: topic.folder)
                .filter { $0.hasSuffix(".log") }.sorted()
            let bytes = files.flatMap { name in
                FileManager.default.contents(atPath: "\(topic.folder)/\(name)").map(Array.init)
                    ?? []
            }
            held.ends[topic.name.rawValue] = topic.end.rawValue
            held.digests[topic.name.rawValue] = BackupPlace.digest(bytes)
        }
        return held
    }

    // MARK: What is done

    func seal(
        _ month: SealMonth, isReconciled: Bool = true, now: Int64 = ArchiveFixture.now
    ) throws -> (seal: MonthSeal, digest: String, isNew: Bool) {
        try MonthSealing(of: place).run(month, isReconciled: isReconciled, now: now)
    }

    /// Copies October's segments; only as many as `count` says, as if it was killed then.
    func move(upTo count: Int = .max) throws -> MoveReport {
        var left = count
        let move = ArchiveMove(
            of: place,
            goesOn: {
                left -= 1
                return left >= 0
            })
        return try move.run(to: cold, cutoff: Self.october.to, keptMonths: 13)
    }

    /// Seals October, moves it, and lets it go from the data folder.
    func archived() async throws -> MoveReport {
        _ = try seal(Self.october)
        let report = try move()
        _ = try #require(try await EmbeddedPlane.releaseCold(start.settings))
        return report
    }

    // MARK: What is seen

    /// Every record of every topic.
    func history(withCold: Bool = true) throws -> [String: [String]] {
        var history: [String: [String]] = [:]
        for topic in try Log.openReadOnly(at: "\(path)/log", withCold: withCold).topics {
            var lines: [String] = []
            try topic.scan(from: topic.start) { stored in
                let record = stored.record
                lines.append(
                    "\(stored.offset) \(record.timestamp) "
                        + "\(String(decoding: record.key ?? [], as: UTF8.self)) "
                        + String(decoding: record.value ?? [], as: UTF8.self))
                return true
            }
            history[topic.name.rawValue] = lines
        }
        return history
    }

    /// The first offset in the data folder.
    func hotStart(_ id: TopicID) throws -> Int64? {
        try Log.openReadOnly(at: "\(path)/log").topic(try TopicName(id.rawValue))?.start.rawValue
    }

    /// What `tillbox explain` answers of a payment.
    func explanation(of number: Int) throws -> String {
        let explainer = try FolderView(path: path).explainer(endpoints: [])
        var writer = JSONWriter(capacity: 4_096)
        try explainer.movement(MovementKey("charge:ch_\(number)"))
            .encodeDocument(into: &writer)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    /// What a replay into a fresh folder comes to.
    func replay(_ name: String) async throws -> ReplayReport {
        let fresh = root.file(name)
        try FileManager.default.createDirectory(
            atPath: fresh, withIntermediateDirectories: true)
        return try await Replay(of: start.settings, into: fresh).run { _, _ in }
    }

    /// What `tillbox archive verify` finds wrong, as `NAME PART`.
    func faults() throws -> [String] {
        try ArchiveVerification(of: place).run().faults.map { "\($0.name) \($0.part)" }
    }
}
