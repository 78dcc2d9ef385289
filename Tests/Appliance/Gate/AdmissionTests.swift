import AppendLog
import Foundation
import Logging
import TestSupport
import Testing

@testable import Appliance

@Suite("Admission index")
struct AdmissionTests {
    @Test("finds every offset of a digest, also where digests collide, and forgets below a start")
    func index() {
        var index = AdmissionIndex()
        for offset in 0..<10_000 {
            index.insert(AdmissionIndex.digest(of: "evt_\(offset % 5_000)".utf8), at: Offset(Int64(offset)))
        }
        #expect(index.count == 10_000)
        for offset in [0, 1, 4_999] {
            let found = index.candidates(for: AdmissionIndex.digest(of: "evt_\(offset)".utf8))
            #expect(Set(found) == [Offset(Int64(offset)), Offset(Int64(offset + 5_000))])
        }
        index.insert(AdmissionIndex.digest(of: "evt_7".utf8), at: Offset(7))
        #expect(index.count == 10_000)
        index.forget(below: Offset(5_000))
        #expect(index.count == 5_000)
        #expect(index.candidates(for: AdmissionIndex.digest(of: "evt_3".utf8)) == [Offset(5_003)])
        #expect(index.candidates(for: AdmissionIndex.digest(of: "evt_x".utf8)).isEmpty)
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
