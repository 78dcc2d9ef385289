import AppendLog
import Foundation
import TestSupport
import Testing

@testable import Appliance
@testable import Vocabulary

@Suite("The feature snapshot's file")
struct FeatureSnapshotFileTests {
    /// Two snapshots of one log, each as bytes: after 3 records of the topic, and after 9.
    private struct Two {
        let folder: TemporaryFolder
        let fixture: GateFixture
        let early: [UInt8]
        let late: [UInt8]

        var topic: Topic { fixture.topics[.webhookReceived] }
        var path: String { folder.file("state.snapshot") }

        init() async throws {
            folder = try TemporaryFolder()
            fixture = try GateFixture(at: folder.file("log"))
            var engine = FeatureEngine()
            var written: [[UInt8]] = []
            for count in [3, 6] {
                for number in 0..<count {
                    let name = "\(written.count)-\(number)"
                    _ = engine.observe(
                        FeatureFixture.event(
                            FeatureFixture.midnight, movement: name, customer: "cus_\(name)"))
                    let body = GateFixture.event(id: "evt_\(name)")
                    _ = await fixture.gate.receive(
                        endpoint: "", signature: fixture.signature(body), body: Array(body.utf8))
                }
                let state = engine.snapshot()
                try FeatureSnapshotFile.write(
                    { sink in
                        // In pieces of which one is shorter than the checksum at its end.
                        for piece in [state.dropLast(6), state.suffix(6).dropLast(2),
                            state.suffix(2)]
                        { try sink(Array(piece)) }
                    }, of: fixture.topics[.webhookReceived],
                    before: fixture.topics[.webhookReceived].highWatermark,
                    to: folder.file("state.snapshot"))
                written.append(
                    try [UInt8](Data(contentsOf: URL(filePath: folder.file("state.snapshot")))))
            }
            (early, late) = (written[0], written[1])
        }

        /// What a start makes of these bytes: the customers it knows, and where it goes on.
        func read(_ bytes: [UInt8]) throws -> (customers: Int, next: Offset)? {
            try Data(bytes).write(to: URL(filePath: path))
            let found = FeatureSnapshotFile.read(path, of: topic, limits: .standard)
            let isWhole =
                if case .whole = FeatureSnapshotFile.look(at: path) { true } else { false }
            // A start compares by the one and restores by the other.
            #expect(isWhole == (found != nil))
            return found.map { ($0.engine.customerCount, $0.next) }
        }
    }

    private static let headByteCount = 40

    @Test("is read as it was written, also as the release before wrote it")
    func whole() async throws {
        let two = try await Two()
        for (bytes, count) in [(two.early, 3), (two.late, 9)] {
            let now = try two.read(bytes)
            #expect(now?.customers == count && now?.next == Offset(Int64(count)))
            let before = try two.read(Array("TBFEAT01".utf8) + bytes.dropFirst(8).dropLast(4))
            #expect(before?.customers == count && before?.next == Offset(Int64(count)))
        }
    }

    @Test("the head of one and the body of another are refused")
    func mixed() async throws {
        let two = try await Two()
        for (head, body) in [(two.early, two.late), (two.late, two.early)] {
            let whole = head.prefix(Self.headByteCount) + body.dropFirst(Self.headByteCount)
            #expect(try two.read(Array(whole)) == nil)
            // With the seal of the head's own snapshot, too.
            #expect(try two.read(Array(whole.dropLast(4) + head.suffix(4))) == nil)
            // And where the head is said to be of the form without a seal.
            #expect(try two.read(Array("TBFEAT01".utf8) + whole.dropFirst(8)) == nil)
        }
    }

    @Test("is refused when any single byte of it is changed, and cut off anywhere")
    func damaged() async throws {
        let two = try await Two()
        for place in two.early.indices {
            var bytes = two.early
            bytes[place] ^= 0x20
            #expect(try two.read(bytes) == nil, "byte \(place)")
        }
        for count in stride(from: 0, to: two.early.count, by: 7) {
            #expect(try two.read(Array(two.early.prefix(count))) == nil, "\(count) bytes")
        }
    }
}
