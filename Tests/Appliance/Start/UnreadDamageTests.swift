import AppendLog
import Foundation
import TestSupport
import Testing

@testable import Appliance
@testable import Daemon
@testable import Vocabulary

/// A byte that is wrong in the middle of a topic's last segment, where a start does not look.
@Suite("Damage in the middle of a topic", .serialized)
struct UnreadDamageTests {
    /// A folder with four runs of six events each, all of them booked, in one segment a topic.
    private func folder(_ root: TemporaryFolder) async throws -> StartFixture {
        let fixture = StartFixture(root.file("data"), segmentByteCount: 1 << 20)
        let daemon = try fixture.start()
        for first in stride(from: 0, to: 24, by: 6) {
            try await fixture.admit(first..<first + 6, daemon)
            try await fixture.process(daemon)
        }
        try await fixture.snapshotGate(daemon)
        try await fixture.stop(daemon)
        return fixture
    }

    /// Flips a bit of the place in the topic where `text` stands first.
    private func damage(_ id: TopicID, at text: String, in fixture: StartFixture) throws {
        let path = "\(fixture.path)/log/\(id.rawValue)-0/00000000000000000000.log"
        var bytes = try Data(contentsOf: URL(filePath: path))
        let place = try #require(bytes.range(of: Data(text.utf8))).lowerBound
        bytes[place] ^= 4
        try bytes.write(to: URL(filePath: path))
    }

    /// Makes a stage begin a topic anew.
    private func setBack(_ id: TopicID, in fixture: StartFixture) async throws {
        switch id {
        case .webhookReceived:
            let daemon = try fixture.start()
            try await fixture.admit(30..<36, daemon)
            try await fixture.stop(daemon)
        case .deadLetter:
            let log = try Log.open(at: "\(fixture.path)/log")
            try await log.cursors.setBack([
                GroupCursor(
                    group: try GroupName(RedriveStage.name), topic: try TopicName(id.rawValue),
                    next: .zero)
            ])
            await log.close()
        default:
            try? FileManager.default.removeItem(atPath: "\(fixture.path)/features/state.snapshot")
        }
    }

    @Test("a snapshot with a damaged body saves no reading: what lies before its end is looked at")
    func damagedSnapshot() async throws {
        let root = try TemporaryFolder()
        let fixture = try await folder(root)
        let path = "\(fixture.path)/features/state.snapshot"
        var bytes = try Data(contentsOf: URL(filePath: path))
        bytes[bytes.count - 9] ^= 1
        try bytes.write(to: URL(filePath: path))
        try damage(.paymentValidated, at: "charge:ch_9", in: fixture)
        let refusal = try #require(throws: StartRefusal.self) { try fixture.start() }
        #expect(
            "\(refusal)".hasPrefix("payment.validated is damaged where it has still to be read: "),
            "\(refusal)")
    }

    @Test(
        "is refused before anything is opened where a stage has still to read it",
        arguments: [
            (TopicID.webhookReceived, "evt_32"), (.paymentValidated, "charge:ch_9"),
            (.deadLetter, "evt_1000009"),
        ])
    func unread(id: TopicID, text: String) async throws {
        let root = try TemporaryFolder()
        let fixture = try await folder(root)
        try await setBack(id, in: fixture)
        try damage(id, at: text, in: fixture)
        let before = try fixture.contents()
        var sentences: Set<String> = []
        for _ in 0..<3 {
            let refusal = try #require(throws: StartRefusal.self) { try fixture.start() }
            sentences.insert("\(refusal)")
        }
        let sentence = try #require(sentences.first)
        #expect(sentences.count == 1, "\(sentences)")
        #expect(
            sentence.hasPrefix("\(id.rawValue) is damaged where it has still to be read: "),
            "\(sentence)")
        #expect(sentence.contains("00000000000000000000.log"), "\(sentence)")
        #expect(sentence.contains("move everything") == (id != .webhookReceived), "\(sentence)")
        #expect(try fixture.contents() == before)
    }

    @Test("is left to `log verify` where every stage has read it")
    func read() async throws {
        let root = try TemporaryFolder()
        let fixture = try await folder(root)
        try damage(.webhookReceived, at: "evt_9", in: fixture)
        let log = try Log.openReadOnly(at: "\(fixture.path)/log")
        let name = try TopicName(TopicID.webhookReceived.rawValue)
        #expect(try log.topic(name)?.verify().corruption != nil)
        let daemon = try fixture.start()
        try await fixture.process(daemon)
        try await fixture.stop(daemon)
    }
}
