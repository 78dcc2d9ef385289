import AppendLog
import Foundation
import Terminal
import TestSupport
import Testing

@testable import Appliance
@testable import Backup
@testable import Command
@testable import Daemon
@testable import Vocabulary

/// Segments of sealed months in a cold folder: everything that reads history comes to the same.
@Suite("Moving closed months")
struct ArchiveMoveTests {
    @Test("explain, replay, verify and every record are the same before, after, and back again")
    func same() async throws {
        let fixture = try await ArchiveFixture()
        let history = try fixture.history()
        let explanations = try (0..<48).map { try fixture.explanation(of: $0) }
        let replayed = try await fixture.replay("before")
        #expect(replayed.isEqual && replayed.events == 48)

        let report = try await fixture.archived()
        #expect(report.movedCount > 5 && report.through == "2025-10")
        let start = try #require(try fixture.hotStart(.webhookReceived))
        #expect(start > 0 && start <= 24)
        #expect(try #require(try fixture.hotStart(.ledgerPosted)) > 0)
        #expect(try fixture.hotStart(.paymentReview) == 0)
        #expect(try fixture.history(withCold: false) != history)

        #expect(try fixture.history() == history)
        #expect(try (0..<48).map { try fixture.explanation(of: $0) } == explanations)
        #expect(try await fixture.replay("after") == replayed)
        #expect(try fixture.faults().isEmpty)
        let shares = try fixture.place.shares()
        #expect(shares.folders.map(\.path) == [fixture.place.folder + "/../cold"].map(Self.plain))
        #expect(shares.folders.first?.isThere == true)
        // Nothing is left to do.
        #expect(try fixture.move().movedCount == 0)
        #expect(try await EmbeddedPlane.releaseCold(fixture.start.settings) == 0)

        let back = try DataFolder(existingAt: fixture.path).bringBack { _, _, _ in }
        #expect(back.count > 0)
        try FileManager.default.removeItem(atPath: fixture.cold)
        #expect(try fixture.hotStart(.webhookReceived) == 0)
        #expect(try fixture.history(withCold: false) == history)
        #expect(try await fixture.replay("back") == replayed)
    }

    private static func plain(_ path: String) -> String {
        URL(filePath: path).standardizedFileURL.resolvingSymlinksInPath().path
    }

    @Test("a box whose old months are cold starts without them, takes payments, and is moved on")
    func goesOn() async throws {
        let fixture = try await ArchiveFixture()
        _ = try await fixture.archived()
        let history = try fixture.history()
        try FileManager.default.moveItem(atPath: fixture.cold, toPath: fixture.cold + ".away")
        let clock = SetClock()
        clock.advance(milliseconds: 60_054_400_000 + 60 * 86_400_000)
        try await ArchiveFixture.grow(fixture.start, 48..<60, clock)
        let ledger = try SQLiteLedgerReader.open(path: "\(fixture.path)/ledger.sqlite")
        defer { try? ledger.close() }
        #expect(try ledger.verify().fault == nil)
        #expect(try ledger.point().head == 60)

        try FileManager.default.moveItem(atPath: fixture.cold + ".away", toPath: fixture.cold)
        #expect(try await fixture.replay("later").isEqual)
        _ = try fixture.seal(ArchiveFixture.november)
        let before = try #require(try fixture.hotStart(.webhookReceived))
        let report = try ArchiveMove(of: fixture.place).run(
            to: fixture.cold, cutoff: ArchiveFixture.november.to, keptMonths: 1)
        #expect(report.movedCount > 0 && report.through == "2025-11")
        _ = try await EmbeddedPlane.releaseCold(fixture.start.settings)
        #expect(try #require(try fixture.hotStart(.webhookReceived)) > before)
        let now = try fixture.history()
        for (topic, lines) in history {
            #expect(now[topic]?.prefix(lines.count).elementsEqual(lines) == true, "\(topic)")
        }
        #expect(try fixture.faults().isEmpty)
    }

    @Test("killed behind any copy, before and after the note: all is read, the next one goes on")
    func killed() async throws {
        let fixture = try await ArchiveFixture()
        let history = try fixture.history()
        _ = try fixture.seal(ArchiveFixture.october)
        for count in [0, 1, 2, 4] {
            #expect(throws: CancellationError.self) { try fixture.move(upTo: count) }
            #expect(try fixture.history() == history, "\(count)")
            #expect(try fixture.faults().isEmpty, "\(count)")
        }
        #expect(try fixture.hotStart(.webhookReceived) == 0)
        // Noted, and not let go: both have them.
        #expect(try fixture.move().movedCount > 0)
        let again = try fixture.move()
        #expect(again.movedCount == 0 && again.pendingCount > 3)
        #expect(try fixture.history() == history)
        #expect(try #require(try await EmbeddedPlane.releaseCold(fixture.start.settings)) > 0)
        #expect(try fixture.history() == history)

        // The way back, killed behind its second segment.
        var left = 2
        #expect(throws: CancellationError.self) {
            try ArchiveReturn(
                of: fixture.place,
                goesOn: {
                    left -= 1
                    return left >= 0
                }
            ).run()
        }
        #expect(try fixture.history() == history)
        _ = try DataFolder(existingAt: fixture.path).bringBack { _, _, _ in }
        #expect(try fixture.history(withCold: false) == history)
    }

    @Test("a way back that was killed keeps what it has brought, whatever becomes of the copies")
    func keptBack() async throws {
        let fixture = try await ArchiveFixture()
        let history = try fixture.history()
        _ = try await fixture.archived()
        let before = try #require(
            try ColdIndex.read(ofLog: "\(fixture.path)/log", identity: nil))
        var left = 2
        #expect(throws: CancellationError.self) {
            try ArchiveReturn(
                of: fixture.place,
                goesOn: {
                    left -= 1
                    return left >= 0
                }
            ).run()
        }
        let after = try #require(try ColdIndex.read(ofLog: "\(fixture.path)/log", identity: nil))
        let back = Set(before.segments).subtracting(after.segments)
        #expect(back.count == 2 && after.segments.count == before.segments.count - 2)
        // The next start lets nothing of it go again, and reads it without the cold disk.
        #expect(try await EmbeddedPlane.releaseCold(fixture.start.settings) == 0)
        for segment in back { try FileManager.default.removeItem(atPath: segment.file) }
        #expect(try fixture.history() == history)
        #expect(try fixture.faults().isEmpty)
    }

    @Test("an index that was lost is told, and nothing is moved on from there")
    func lostIndex() async throws {
        let fixture = try await ArchiveFixture()
        _ = try await fixture.archived()
        let path = "\(fixture.path)/log/cold"
        let bytes = try Data(contentsOf: URL(filePath: path))
        let index = try #require(try ColdIndex.read(ofLog: "\(fixture.path)/log", identity: nil))
        let first = try #require(index.segments.first)
        try FileManager.default.removeItem(atPath: path)
        let found = try #require(FolderChecks(settings: fixture.start.settings).archive())
        #expect(found.state == .act && found.says.contains("lacks offsets 0 to "), "\(found)")
        #expect(throws: ArchiveError.notNamed(file: first.file)) { try fixture.move() }
        #expect(!FileManager.default.fileExists(atPath: path))
        try bytes.write(to: URL(filePath: path))
        #expect(FolderChecks(settings: fixture.start.settings).archive()?.state == .ok)
        #expect(try fixture.move().movedCount == 0)
    }

    @Test("a file that lies where a segment is to go, and is another, is not written over")
    func taken() async throws {
        let fixture = try await ArchiveFixture()
        _ = try fixture.seal(ArchiveFixture.october)
        #expect(throws: CancellationError.self) { try fixture.move(upTo: 1) }
        let file = Self.plain(fixture.cold)
            + "/webhook.received-0/00000000000000000000.log"
        var bytes = try Data(contentsOf: URL(filePath: file))
        bytes.removeLast()
        try bytes.write(to: URL(filePath: file))
        #expect(throws: ArchiveError.taken(file: file)) { try fixture.move() }
        #expect(try Data(contentsOf: URL(filePath: file)) == bytes)
        #expect(try fixture.hotStart(.webhookReceived) == 0)
        try FileManager.default.removeItem(atPath: file)
        #expect(try fixture.move().movedCount > 0)
        #expect(try fixture.faults().isEmpty)
    }

    @Test("a cold folder behind a link is known by either path: unmounted, it is refused")
    func behindLink() async throws {
        let fixture = try await ArchiveFixture()
        _ = try await fixture.archived()
        let (cold, other) = (Self.plain(fixture.cold), Self.plain(fixture.root.file("other")))
        let files = FileManager.default
        try files.moveItem(atPath: cold, toPath: other)
        try files.createSymbolicLink(atPath: cold, withDestinationPath: other)
        #expect(try fixture.faults().isEmpty)
        try files.moveItem(atPath: other, toPath: other + ".away")
        try files.createDirectory(atPath: other, withIntermediateDirectories: true)
        for path in [cold, other] {
            #expect(throws: ArchiveError.gone(path: other)) {
                try ArchiveMove(of: fixture.place).run(
                    to: path, cutoff: ArchiveFixture.october.to, keptMonths: 13)
            }
        }
    }

    @Test("only sealed months that are old enough go, to a folder of this log outside of the data")
    func refusals() async throws {
        let fixture = try await ArchiveFixture()
        let none = ArchiveError.nothingSealed(keptMonths: 13)
        #expect(throws: none) { try fixture.move() }
        _ = try fixture.seal(ArchiveFixture.october)
        let early = Instant(seconds: ArchiveFixture.october.to.seconds - 1)
        #expect(throws: none) {
            try ArchiveMove(of: fixture.place).run(to: fixture.cold, cutoff: early, keptMonths: 13)
        }
        func refusal(_ path: String) -> ArchiveError? {
            do {
                _ = try ArchiveMove(of: fixture.place).run(
                    to: path, cutoff: ArchiveFixture.october.to, keptMonths: 13)
                return nil
            } catch {
                return error as? ArchiveError
            }
        }
        let inside = Self.plain(fixture.path + "/cold")
        #expect(refusal(inside) == .withinData(path: inside))
        let full = Self.plain(fixture.root.file("full"))
        try FileManager.default.createDirectory(
            atPath: full + "/photos", withIntermediateDirectories: true)
        #expect(refusal(full) == .notCold(path: full))
        let file = Self.plain(fixture.root.file("file"))
        try Data("x".utf8).write(to: URL(filePath: file))
        #expect(refusal(file) == .notAFolder(path: file))
        let other = Self.plain(fixture.root.file("other"))
        try FileManager.default.createDirectory(
            atPath: other, withIntermediateDirectories: true)
        let holds = String(repeating: "0", count: 32)
        try Data("tillbox-cold-folder 1\nlog \(holds)\n".utf8).write(
            to: URL(filePath: other + "/tillbox-cold"))
        let identity = try #require(try Log.openReadOnly(at: "\(fixture.path)/log").identity)
        #expect(refusal(other) == .otherLog(path: other, holds: holds, given: "\(identity)"))

        // Once segments went there, a folder without its mark is a disk that is not mounted.
        _ = try fixture.move()
        let cold = Self.plain(fixture.cold)
        try FileManager.default.moveItem(atPath: cold, toPath: cold + ".away")
        try FileManager.default.createDirectory(atPath: cold, withIntermediateDirectories: true)
        #expect(refusal(cold) == .gone(path: cold))
        // And nothing leaves the data folder for it.
        await #expect(throws: LogError.self) {
            try await EmbeddedPlane.releaseCold(fixture.start.settings)
        }
        #expect(try fixture.hotStart(.webhookReceived) == 0)
    }

    @Test("a cold file that is missing or changed is named, with its folder and what to do")
    func missing() async throws {
        let fixture = try await ArchiveFixture()
        _ = try await fixture.archived()
        let index = try #require(
            try ColdIndex.read(ofLog: "\(fixture.path)/log", identity: nil))
        let first = try #require(
            index.segments.first { $0.topic.rawValue == TopicID.webhookReceived.rawValue })
        let bytes = try Data(contentsOf: URL(filePath: first.file))
        let doctor = FolderChecks(settings: fixture.start.settings)
        #expect(doctor.archive()?.state == .ok)
        try FileManager.default.removeItem(atPath: first.file)
        func sentence(_ body: () throws -> Void) -> String {
            do {
                try body()
                return ""
            } catch {
                return "\(error)"
            }
        }
        for words in [
            sentence { _ = try fixture.explanation(of: 0) },
            sentence { _ = try fixture.history() },
        ] {
            #expect(words.contains(first.file) && words.contains("mount"), "\(words)")
        }
        await #expect(throws: (any Error).self) { try await fixture.replay("without") }
        let found = try #require(doctor.archive())
        #expect(found.state == .act && found.says.contains(first.folder))
        // Nothing is damaged that a backup has, and the log's own segments were read.
        let log = try #require(doctor.findings(isQuick: false).first { $0.check == "log" })
        #expect(log.state == .act && log.chapter == "A full disk", "\(log)")
        #expect(log.says.contains(first.file), "\(log)")
        #expect(
            try fixture.faults()
                == ["2025-10 webhook.received", "\(first.file) cold file"])
        var changed = bytes
        changed[changed.count / 2] ^= 1
        try changed.write(to: URL(filePath: first.file))
        #expect(
            try fixture.faults()
                == ["2025-10 webhook.received", "\(first.file) cold file"])
        #expect(throws: ArchiveError.coldDiffers(file: first.file)) {
            try DataFolder(existingAt: fixture.path).bringBack { _, _, _ in }
        }
        try bytes.write(to: URL(filePath: first.file))
        #expect(try fixture.faults().isEmpty)
    }

    @Test("a damaged segment is not moved: nothing leaves the data folder")
    func damaged() async throws {
        let fixture = try await ArchiveFixture()
        _ = try fixture.seal(ArchiveFixture.october)
        let log = try Log.openReadOnly(at: "\(fixture.path)/log")
        let topic = try #require(log.topic(try TopicName("webhook.received")))
        let segment = topic.segments[1]
        var bytes = try Data(contentsOf: URL(filePath: segment.file))
        bytes[bytes.count - 20] ^= 1
        try bytes.write(to: URL(filePath: segment.file))
        #expect(throws: LogError.self) { try fixture.move() }
        #expect(try ColdIndex.read(ofLog: "\(fixture.path)/log", identity: nil) == nil)
        #expect(try fixture.hotStart(.webhookReceived) == 0)
    }

    @Test("a backup takes the index along; what is restored reads its old months where they lie")
    func backup() async throws {
        let fixture = try await ArchiveFixture()
        _ = try await fixture.archived()
        let source = DataFolder(existingAt: fixture.path).backupSource
        let place = try source.place(at: fixture.root.file("backups"), key: nil)
        let report = try BackupRun(of: source, into: place).run(keeping: 1)
        #expect(report.manifest.files.contains { $0.path == "log/cold" })
        #expect(!report.manifest.files.contains {
            $0.path == "log/webhook.received-0/00000000000000000000.log"
        })
        let target = fixture.root.file("restored")
        _ = try DataFolder(existingAt: target).restore(BackupRestore(from: place, into: target))
        let restored = StartFixture(target)
        let fresh = fixture.root.file("replayed")
        try FileManager.default.createDirectory(
            atPath: fresh, withIntermediateDirectories: true)
        let replayed = try await Replay(of: restored.settings, into: fresh).run { _, _ in }
        #expect(replayed.isEqual && replayed.events == 48)
    }

    @Test("a drill without the cold folder says that it is away, and nothing against the backup")
    func drillWithoutCold() async throws {
        let fixture = try await ArchiveFixture()
        _ = try await fixture.archived()
        let source = DataFolder(existingAt: fixture.path).backupSource
        let place = try source.place(at: fixture.root.file("backups"), key: nil)
        _ = try BackupRun(of: source, into: place).run(keeping: 1)
        func drill() async throws -> BackupDrill {
            try await BackupDrill.run(
                place, nil, fixture.start.settings, at: fixture.root.file("drill"),
                showsProgress: false)
        }
        let whole = try await drill()
        #expect(whole.failure == nil && whole.webhooks == 48 && whole.text.contains("is good"))
        let cold = Self.plain(fixture.cold)
        try FileManager.default.moveItem(atPath: cold, toPath: cold + ".away")
        let found = try await drill()
        #expect(found.faults.isEmpty && found.failure?.exitCode == 3)
        // A file there may also be damaged; what it is stands in the report.
        #expect(found.failure?.message?.contains("put the cold files right") == true)
        #expect(found.coldFault?.contains("cold folder \(cold): mount that") == true)
        #expect(found.notReplayed == found.coldFault)
        #expect(!found.text.contains("not good") && !found.text.contains("is good"))
        // Damage in the restored log itself is still the backup's.
        let view = FolderView(path: fixture.path)
        let topic = try #require(
            try view.log(withCold: false).topic(try TopicName("webhook.received")))
        let segment = try #require(topic.segments.dropLast().first)
        var bytes = try Data(contentsOf: URL(filePath: segment.file))
        bytes[bytes.count - 20] ^= 1
        try bytes.write(to: URL(filePath: segment.file))
        let damaged = try view.verifiedLog()
        #expect(damaged.ofCold != nil && damaged.faults.first?.contains(segment.file) == true)
    }

    @Test("seals that cannot be read end a backup; they are never left out of it")
    func unreadableSeals() async throws {
        let fixture = try await ArchiveFixture()
        _ = try await fixture.archived()
        let seals = "\(fixture.path)/archive"
        try FileManager.default.moveItem(atPath: seals, toPath: seals + ".away")
        try Data("x".utf8).write(to: URL(filePath: seals))
        let source = DataFolder(existingAt: fixture.path).backupSource
        let place = try source.place(at: fixture.root.file("backups"), key: nil)
        #expect(throws: BackupError.self) {
            try BackupRun(of: source, into: place).run(keeping: 1)
        }
        try FileManager.default.removeItem(atPath: seals)
        try FileManager.default.moveItem(atPath: seals + ".away", toPath: seals)
        let report = try BackupRun(of: source, into: place).run(keeping: 1)
        #expect(report.manifest.files.contains { $0.path == "archive/2025-10.json" })
    }
}
