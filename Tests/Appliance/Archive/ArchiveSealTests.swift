import AppendLog
import Foundation
import TestSupport
import Testing

@testable import Appliance
@testable import Backup
@testable import Command
@testable import Daemon
@testable import Vocabulary

/// A closed month that is sealed, and what is found of it later.
@Suite("Seals of closed months")
struct ArchiveSealTests {
    @Test("a seal holds what log and ledger held at the month's end; the next one goes on there")
    func values() async throws {
        let fixture = try await ArchiveFixture()
        #expect(FolderChecks(settings: fixture.start.settings).archive() == nil)
        let held = fixture.held
        let first = try fixture.seal(ArchiveFixture.october)
        let seal = first.seal
        #expect(first.isNew && seal.before == nil && seal.isReconciled)
        #expect(held.transactions == 24)
        #expect(seal.transactions == held.transactions && seal.ledgerHash == held.hash)
        #expect(Set(seal.holdings) == held.holdings && !seal.holdings.isEmpty)
        #expect(Set(seal.reaches.map(\.topic)) == Set(held.ends.keys))
        for reach in seal.reaches {
            #expect(reach.start == 0 && reach.end == held.ends[reach.topic], "\(reach)")
            #expect(reach.digest == held.digests[reach.topic], "\(reach)")
        }
        let second = try fixture.seal(ArchiveFixture.november, isReconciled: false)
        #expect(second.seal.before == first.digest && !second.seal.isReconciled)
        #expect(second.seal.transactions == 48)
        for (reach, last) in zip(second.seal.reaches, seal.reaches) {
            #expect(reach.topic == last.topic && reach.start == last.end)
        }
        #expect(second.seal.reaches.first { $0.topic == "webhook.received" }?.end == 48)
        #expect(try fixture.faults().isEmpty)
    }

    @Test("sealing again changes nothing; a month that is not over, or not the next, is refused")
    func order() async throws {
        let fixture = try await ArchiveFixture()
        let early = ArchiveFixture.october.to.seconds * 1_000 - 1
        #expect(throws: ArchiveError.notOver(month: "2025-10")) {
            try fixture.seal(ArchiveFixture.october, now: early)
        }
        let first = try fixture.seal(ArchiveFixture.october)
        let file = fixture.place.path(of: "2025-10")
        let bytes = try #require(FileManager.default.contents(atPath: file))
        let again = try fixture.seal(
            ArchiveFixture.october, isReconciled: false, now: ArchiveFixture.now + 5_000)
        #expect(!again.isNew && again.digest == first.digest && again.seal == first.seal)
        #expect(FileManager.default.contents(atPath: file) == bytes)
        #expect(throws: ArchiveError.notNext(month: "2025-12", due: "2025-11")) {
            try fixture.seal(ArchiveFixture.december)
        }
        let end = ArchiveFixture.october.from
        let september = SealMonth(
            name: "2025-09", from: Instant(seconds: end.seconds - 30 * 86_400), to: end)
        #expect(throws: ArchiveError.within(month: "2025-09", first: "2025-10")) {
            try fixture.seal(september)
        }
        #expect(try fixture.place.months() == ["2025-10"])
    }

    @Test("a seal comes back as it was written; one that is cut, changed or newer is told apart")
    func form() throws {
        let seal = MonthSeal(
            month: ArchiveFixture.october, sealedAt: 7, release: "1.2.3", log: "ab",
            isReconciled: true, before: "cd",
            reaches: [
                .init(topic: "webhook.received", start: 3, end: 9, bytes: 12, digest: "ef")
            ], transactions: 5, ledgerHash: nil,
            holdings: [.init(account: "processor:stripe", currency: "usd", amount: -12)])
        let bytes = seal.encoded()
        let read = try MonthSeal.decode(bytes, at: "f")
        #expect(read.seal == seal)
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        #expect(lines.count == 2 && lines[1] == read.digest)
        for place in [0, 1, bytes.count / 2, bytes.count - 1] {
            #expect(throws: ArchiveError.self) {
                try MonthSeal.decode(Array(bytes.prefix(place)), at: "f")
            }
        }
        for place in bytes.indices {
            var changed = bytes
            changed[place] ^= 1
            #expect(throws: ArchiveError.self, "byte \(place)") {
                try MonthSeal.decode(changed, at: "f")
            }
        }
        let newer = Array(#"{"format":2}"#.utf8)
        #expect(throws: ArchiveError.sealNewer(file: "f", format: 2, known: 1)) {
            try MonthSeal.decode(newer + Array("\n\(BackupPlace.digest(newer))\n".utf8), at: "f")
        }
    }

    @Test("what differs is named: a changed segment, another balance, a seal that was rewritten")
    func tampered() async throws {
        let fixture = try await ArchiveFixture()
        _ = try fixture.seal(ArchiveFixture.october)
        _ = try fixture.seal(ArchiveFixture.november)
        // Whoever rewrites a seal with its checksum changes what the next one names.
        let file = fixture.place.path(of: "2025-10")
        let bytes = try #require(FileManager.default.contents(atPath: file))
        var forged = try fixture.place.seal(of: "2025-10").seal
        forged.holdings[0].amount += 1
        try Data(forged.encoded()).write(to: URL(filePath: file))
        #expect(try fixture.faults() == ["2025-11 seal", "2025-10 ledger"])
        #expect(throws: ArchiveError.self) { try fixture.place.allSeals() }
        forged = try fixture.place.seal(of: "2025-11").seal
        forged.ledgerHash = String(repeating: "0", count: 64)
        let last = fixture.place.path(of: "2025-11")
        try Data(forged.encoded()).write(to: URL(filePath: last))
        try bytes.write(to: URL(filePath: file))
        #expect(try fixture.faults() == ["2025-11 ledger"])
        try bytes.dropLast(3).write(to: URL(filePath: file))
        #expect(try fixture.faults().first == "2025-10 seal")
        try bytes.write(to: URL(filePath: file))

        let log = try Log.openReadOnly(at: "\(fixture.path)/log")
        let topic = try #require(log.topic(try TopicName("payment.scored")))
        let segment = try #require(topic.segments.first)
        var content = try Data(contentsOf: URL(filePath: segment.file))
        content[content.count / 2] ^= 16
        try content.write(to: URL(filePath: segment.file))
        #expect(try fixture.faults() == ["2025-10 payment.scored", "2025-11 ledger"])
    }

    @Test("a batch that differs, though its checksum holds, is not what was sealed")
    func exchanged() async throws {
        let fixture = try await ArchiveFixture()
        let sealed = try fixture.seal(ArchiveFixture.october)
        var forged = sealed.seal
        let place = try #require(forged.reaches.firstIndex { $0.topic == "webhook.received" })
        forged.reaches[place].digest = BackupPlace.digest([])
        try Data(forged.encoded()).write(
            to: URL(filePath: fixture.place.path(of: "2025-10")))
        #expect(try fixture.faults() == ["2025-10 webhook.received"])
    }

    @Test("seals go along with a backup, and hold in the folder that is restored from it")
    func backup() async throws {
        let fixture = try await ArchiveFixture()
        _ = try fixture.seal(ArchiveFixture.october)
        let source = DataFolder(existingAt: fixture.path).backupSource
        let place = try source.place(at: fixture.root.file("backups"), key: nil)
        _ = try BackupRun(of: source, into: place).run(keeping: 1)
        let restored = DataFolder(existingAt: fixture.root.file("restored"))
        _ = try restored.restore(BackupRestore(from: place, into: restored.path))
        let report = try ArchiveVerification(of: restored.archivePlace).run()
        #expect(report.faults.isEmpty && report.lines.count == 9)
    }

    @Test("a seal of another log is never taken for this one's")
    func ofAnotherLog() async throws {
        let (fixture, other) = (try await ArchiveFixture(), try await ArchiveFixture())
        _ = try other.seal(ArchiveFixture.october)
        let (own, foreign) = (
            "\(fixture.path)/archive/2025-10.json", "\(other.path)/archive/2025-10.json"
        )
        _ = try fixture.seal(ArchiveFixture.october)
        try Data(contentsOf: URL(filePath: foreign)).write(to: URL(filePath: own))
        #expect(try fixture.faults().contains("2025-10 seal"))
        #expect(throws: ArchiveError.self) { try fixture.move() }
        #expect(throws: ArchiveError.self) { try fixture.seal(ArchiveFixture.november) }
        #expect(try fixture.hotStart(.webhookReceived) == 0)
    }

    @Test("a month whose seal was lost is sealed again with what of it lies in a cold folder")
    func sealedAgain() async throws {
        let fixture = try await ArchiveFixture()
        let first = try fixture.seal(ArchiveFixture.october).seal
        _ = try await fixture.archived()
        try FileManager.default.removeItem(atPath: "\(fixture.path)/archive/2025-10.json")
        let again = try fixture.seal(ArchiveFixture.october)
        #expect(again.isNew && again.seal == first)
    }
}
