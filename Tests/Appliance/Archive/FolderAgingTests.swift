import AppendLog
import Foundation
import TestSupport
import Testing

@testable import Appliance
@testable import Backup
@testable import Daemon
@testable import Vocabulary

/// What `tillbox bench age` measures is a folder as a daemon leaves it.
@Suite("A folder that is made old")
struct FolderAgingTests {
    @Test("days pass through the stages by their own clock; a daemon starts on it, and it replays")
    func days() async throws {
        let root = try TemporaryFolder()
        let fixture = StartFixture(root.file("data"))
        let clock = SetClock()
        clock.advance(milliseconds: 60_054_400_000)
        let first = clock.now().milliseconds
        try await FolderAging.run(fixture.settings, clock: clock, logger: PipelineFixture.quiet) {
            aging in
            for day in 0..<4 {
                try await aging.admit(
                    (day * 6..<day * 6 + 6).map { number in
                        let event = "evt_\(number)"
                        return (
                            EventIdentity(
                                id: EventID(event), type: "charge.succeeded", created: ""),
                            Record.received(
                                ArraySlice(PipelineFixture.charge(number).utf8),
                                id: EventID(event), endpoint: "", receivedAt: clock.now())
                        )
                    })
                try await aging.settled()
                clock.advance(milliseconds: 86_401_000)
            }
        }
        let ledger = try SQLiteLedgerReader.open(path: "\(fixture.path)/ledger.sqlite")
        defer { try? ledger.close() }
        let posted = try ledger.posted(after: TransactionID(0), limit: 100)
        #expect(posted.count == 24)
        let booked = posted.map { ($0.postedAtMilliseconds - first) / 86_401_000 }
        #expect(booked == (0..<24).map { Int64($0 / 6) })
        #expect(try ledger.verify().fault == nil)
        let log = try Log.openReadOnly(at: "\(fixture.path)/log", checksSegments: true)
        for id in ArchiveMove.topics {
            let topic = try #require(log.topic(try TopicName(id.rawValue)))
            #expect(topic.segments.count >= 4, "\(id)")
        }
        let daemon = try fixture.start()
        #expect(daemon.admission.count == 24)
        try await fixture.stop(daemon)
        let fresh = root.file("replayed")
        try FileManager.default.createDirectory(
            atPath: fresh, withIntermediateDirectories: true)
        let replayed = try await Replay(of: fixture.settings, into: fresh).run { _, _ in }
        #expect(replayed.isEqual && replayed.events == 24)
    }
}
