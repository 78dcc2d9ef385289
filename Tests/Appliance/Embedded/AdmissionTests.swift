import AppendLog
import Foundation
import Logging
import TestSupport
import Testing

@testable import Appliance
@testable import Vocabulary

@Suite("Admission index")
struct AdmissionTests {
    @Test("finds every offset of a digest, also where digests collide, and forgets below a start")
    func index() {
        var index = AdmissionIndex()
        for offset in 0..<10_000 {
            index.insert(
                AdmissionIndex.digest(of: "evt_\(offset % 5_000)".utf8), at: Offset(Int64(offset)))
        }
        #expect(index.count == 10_000)
        for offset in [0, 1, 4_999] {
            let found = index.candidates(for: AdmissionIndex.digest(of: "evt_\(offset)".utf8))
            #expect(Set(found) == [Offset(Int64(offset)), Offset(Int64(offset + 5_000))])
        }
        index.insert(AdmissionIndex.digest(of: "evt_7".utf8), at: Offset(7))
        #expect(index.count == 10_000)
        for shard in 0..<AdmissionIndex.shardCount {
            index.forget(below: Offset(5_000), inShard: shard)
        }
        #expect(index.count == 5_000)
        #expect(index.candidates(for: AdmissionIndex.digest(of: "evt_3".utf8)) == [Offset(5_003)])
        #expect(index.candidates(for: AdmissionIndex.digest(of: "evt_x".utf8)).isEmpty)
    }

    @Test(
        "from a hundred thousand on an event takes 16 bytes at most, wherever the log begins",
        arguments: [0, Int64.max - 400_000])
    func memory(start: Int64) {
        var index = AdmissionIndex(from: Offset(start))
        for number in Int64(0)..<300_000 {
            index.insert(
                AdmissionIndex.digest(of: "evt_\(number)".utf8), at: Offset(start + number))
            // Each growth, and not only the end.
            guard number >= 100_000, number % 20_000 == 0 else { continue }
            #expect(index.byteCount <= 16 * Int(number))
        }
        for number in stride(from: Int64(0), to: 300_000, by: 17) {
            let found = index.candidates(for: AdmissionIndex.digest(of: "evt_\(number)".utf8))
            #expect(found.contains(Offset(start + number)))
        }
    }

    @Test("pairs put in together are those put in one by one, in a snapshot's order or in any")
    func together() {
        var one = AdmissionIndex()
        let pairs = (Int64(0)..<50_000).map { number in
            (
                digest: AdmissionIndex.digest(of: "evt_\(number % 49_000)".utf8),
                offset: Offset(number)
            )
        }
        for (digest, offset) in pairs { one.insert(digest, at: offset) }
        for pairs in [pairs, pairs.sorted { $0.digest < $1.digest }] {
            var index = AdmissionIndex()
            for first in stride(from: 0, to: pairs.count, by: 1_000) {
                index.insert(Array(pairs[first..<first + 1_000]))
            }
            // The same again is what is there already.
            index.insert(pairs)
            #expect(index.count == 50_000)
            #expect(index.byteCount <= 16 * 50_000 + AdmissionIndex.shardCount * 16 * 8)
            for (digest, _) in pairs {
                #expect(Set(index.candidates(for: digest)) == Set(one.candidates(for: digest)))
            }
        }
    }

    @Test("a search reads a few slots, however many events the index holds")
    func probes() {
        var index = AdmissionIndex()
        for number in Int64(0)..<1_000_000 {
            index.insert(AdmissionIndex.digest(of: "evt_\(number)".utf8), at: Offset(number))
        }
        var random = SeededGenerator(seed: 1)
        var probes = 0
        for _ in 0..<10_000 {
            let shard = index.shards[Int.random(in: 0..<AdmissionIndex.shardCount, using: &random)]
            probes += shard.probeCount(for: UInt64.random(in: 0..<1 << 24, using: &random))
        }
        // Linear probing at four fifths: 13 where nothing is found (Knuth, volume 3, 6.4).
        #expect(probes < 16 * 10_000, "\(probes) for 10,000")
    }

    /// What stands on disk between two runs of a gate.
    enum Snapshot: CaseIterable {
        case fresh, stale, missing, damaged, cutOff
    }

    @Test("a restarted gate knows every event, whatever became of its snapshot",
        arguments: Snapshot.allCases)
    func restart(snapshot: Snapshot) async throws {
        let folder = try TemporaryFolder()
        let path = folder.file("log")
        let file = folder.file("index.snapshot")
        let bodies = (0..<200).map { GateFixture.event(id: "evt_\($0)") }

        let first = try GateFixture(at: path)
        for (place, body) in bodies.enumerated() {
            if snapshot == .stale, place == 100 {
                try await AdmissionSnapshot.write(first.admission, to: file)
            }
            #expect(await deliver(body, to: first) == .received(isDuplicate: false))
        }
        if snapshot != .stale { try await AdmissionSnapshot.write(first.admission, to: file) }
        await first.log.close()
        try spoil(file, snapshot)

        let log = try Log.open(at: path)
        let topics = try Topics(of: log)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let admission = try AdmissionSnapshot.restore(
            from: file, topic: topics[.webhookReceived], logger: logger)
        #expect(admission.count == 200)
        let known = EventIdentity(
            id: EventID("evt_17"), type: "charge.succeeded", created: "1700000000")
        let record = Record(
            key: ArraySlice("evt_17".utf8), value: ArraySlice(bodies[17].utf8), headers: [],
            timestamp: Timestamp(milliseconds: 0))
        #expect(try await admission.admit(known, record: record) == .duplicate)
        var other = known
        other.created = "1700000001"
        #expect(try await admission.admit(other, record: record) == .conflict)
        #expect(topics[.webhookReceived].highWatermark == Offset(200))
        await log.close()
    }

    @Test("a snapshot that knows more than the log, as after a restored backup, is not believed")
    func snapshotAhead() async throws {
        let folder = try TemporaryFolder()
        let file = folder.file("index.snapshot")
        let whole = try GateFixture(at: folder.file("whole"))
        for number in 0..<20 {
            _ = await deliver(GateFixture.event(id: "evt_\(number)"), to: whole)
        }
        try await AdmissionSnapshot.write(whole.admission, to: file)
        await whole.log.close()

        let older = try GateFixture(at: folder.file("older"))
        for number in 0..<5 {
            _ = await deliver(GateFixture.event(id: "evt_\(number)"), to: older)
        }
        let received = older.topics[.webhookReceived]
        let restored = try AdmissionSnapshot.restore(
            from: file, topic: received,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        #expect(restored.count == 5)
        for (number, outcome) in [
            (3, AdmissionOutcome.duplicate), (17, .admitted(Self.received(5))), (17, .duplicate),
        ] {
            let answer = try? await restored.admit(
                Self.identity("evt_\(number)"), record: Self.record("evt_\(number)"))
            #expect(answer == outcome, "evt_\(number)")
        }
    }

    @Test("an event whose digest another one has is admitted all the same")
    func sharedDigest() async throws {
        let folder = try TemporaryFolder()
        let fixture = try GateFixture(at: folder.file("log"))
        _ = await deliver(GateFixture.event(id: "evt_a"), to: fixture)
        var index = AdmissionIndex()
        // As if both ids had the same 64 bits.
        for id in ["evt_a", "evt_b"] {
            index.insert(AdmissionIndex.digest(of: id.utf8), at: .zero)
        }
        let scanner = EventScanner()
        let admission = LogAdmission(
            topic: fixture.topics[.webhookReceived], index: index, indexed: Offset(1),
            identify: { (try? scanner.scan($0))?.identity })
        #expect(
            try await admission.admit(Self.identity("evt_b"), record: Self.record("evt_b"))
                == .admitted(Self.received(1)))
        #expect(
            try await admission.admit(Self.identity("evt_a"), record: Self.record("evt_a"))
                == .duplicate)
    }

    @Test("an event that has left the log is admitted anew, though the index was not told yet")
    func leftTheLog() async throws {
        let folder = try TemporaryFolder()
        var configuration = LogConfiguration()
        configuration.segmentBytesMax = 4 << 10
        configuration.preallocationBytes = 4 << 10
        configuration.retentionBytes = 8 << 10
        let log = try Log.open(at: folder.file("log"), configuration: configuration)
        let topic = try log.topic(try TopicName(TopicID.webhookReceived.rawValue))
        let scanner = EventScanner()
        let admission = LogAdmission(
            topic: topic, index: AdmissionIndex(), indexed: .zero,
            identify: { (try? scanner.scan($0))?.identity })
        for number in 0..<100 {
            let id = "evt_\(number)"
            _ = try await admission.admit(Self.identity(id), record: Self.record(id))
        }
        #expect(try await log.applyRetention()[topic.name, default: 0] > 0)
        #expect(topic.start > .zero && topic.start < Offset(99))
        for (number, outcome) in [
            (0, AdmissionOutcome.admitted(Self.received(100))), (0, .duplicate), (99, .duplicate),
        ] {
            let id = "evt_\(number)"
            let answer = try await admission.admit(Self.identity(id), record: Self.record(id))
            #expect(answer == outcome, "\(id)")
        }
        await log.close()
    }

    private static func received(_ offset: Int64) -> SourcePlace {
        SourcePlace(topic: .webhookReceived, offset: Offset(offset))
    }

    private static func identity(_ id: String) -> EventIdentity {
        EventIdentity(id: EventID(id), type: "charge.succeeded", created: "1700000000")
    }

    private static func record(_ id: String) -> Record {
        Record(
            key: ArraySlice(id.utf8), value: ArraySlice(GateFixture.event(id: id).utf8),
            headers: [], timestamp: Timestamp(milliseconds: 0))
    }

    private func deliver(_ body: String, to fixture: GateFixture) async -> GateAnswer {
        await fixture.gate.receive(
            endpoint: "", signature: fixture.signature(body), body: Array(body.utf8))
    }

    private func spoil(_ file: String, _ snapshot: Snapshot) throws {
        switch snapshot {
        case .fresh, .stale: break
        case .missing: try FileManager.default.removeItem(atPath: file)
        case .damaged, .cutOff:
            var bytes = try [UInt8](Data(contentsOf: URL(filePath: file)))
            if snapshot == .damaged { bytes[bytes.count / 2] ^= 0x40 } else { bytes.removeLast(9) }
            try Data(bytes).write(to: URL(filePath: file))
        }
    }
}
