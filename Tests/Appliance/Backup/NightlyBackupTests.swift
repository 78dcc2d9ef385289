import AppendLog
import Foundation
import TestSupport
import Testing

@testable import Appliance
@testable import Backup
@testable import Daemon
@testable import Reconcile
@testable import Vocabulary

private let hour: Int64 = 3_600
/// A midnight, UTC.
private let midnight: Int64 = 1_800_057_600

@Suite("The nightly backup")
struct NightlyBackupTests {
    private let root: TemporaryFolder
    private let clock = HandClock(midnight + 2 * hour)
    private let fixture: StartFixture

    init() async throws {
        root = try TemporaryFolder()
        fixture = StartFixture(root.file("data"))
        let daemon = try fixture.start()
        try await fixture.admit(0..<3, daemon)
        try await fixture.process(daemon)
        try await fixture.stop(daemon)
    }

    private func nightly(into name: String, keeping count: Int = 2) throws -> NightlyBackup {
        var settings = fixture.settings
        settings.backup.folder = root.file(name)
        settings.backup.minute = 3 * 60 + 30
        settings.backup.keptCount = count
        return try #require(
            NightlyBackup(
                settings, of: DataFolder(existingAt: fixture.path), clock: clock,
                logger: PipelineFixture.quiet))
    }

    private var now: Instant { Instant(seconds: clock.now().milliseconds / 1_000) }

    private func names(in name: String) throws -> Int {
        try BackupPlace(existingAt: root.file(name), key: nil).names().count
    }

    @Test("the first is due at once, the next at its time; a missed night is made up for, once")
    func due() async throws {
        let backup = try nightly(into: "backups")
        #expect(backup.isDue(at: now) && backup.warning == nil)
        await backup.look()
        #expect(!backup.isDue(at: now) && backup.warning == nil)
        #expect(BackupNote(in: fixture.path)?.moment == now)
        clock.set(midnight + 3 * hour + 1_799)
        #expect(!backup.isDue(at: now))
        clock.set(midnight + 3 * hour + 1_800)
        #expect(backup.isDue(at: now))
        await backup.look()
        #expect(!backup.isDue(at: now))
        clock.set(midnight + 80 * hour)
        // Another process finds the same.
        let again = try nightly(into: "backups")
        #expect(again.isDue(at: now))
        #expect(again.warning?.contains("no backup has been made for long") == true)
        await again.look()
        #expect(!again.isDue(at: now) && again.warning == nil)
        #expect(try names(in: "backups") == 2)
    }

    @Test("one that fails is told of, and tried again after ten minutes")
    func failing() async throws {
        let file = root.file("file")
        try "no folder".write(toFile: file, atomically: true, encoding: .utf8)
        let backup = try nightly(into: "file")
        await backup.look()
        #expect(backup.warning?.contains("is no folder") == true)
        #expect(backup.warning?.contains("none has been made yet") == true)
        clock.set(midnight + 2 * hour + 599)
        #expect(!backup.isDue(at: now))
        clock.set(midnight + 2 * hour + 600)
        #expect(backup.isDue(at: now))
        try FileManager.default.removeItem(atPath: file)
        await backup.look()
        #expect(backup.warning == nil)
        #expect(try names(in: "file") == 1)
    }

    @Test("where the data folder cannot note it, the next one is made at its time and not at once")
    func unnoted() async throws {
        // No file takes a folder's place.
        try FileManager.default.createDirectory(
            atPath: fixture.path + "/backup.json", withIntermediateDirectories: false)
        let backup = try nightly(into: "backups", keeping: 9)
        await backup.look()
        clock.set(midnight + 2 * hour + 60)
        #expect(!backup.isDue(at: now))
        await backup.look()
        #expect(try names(in: "backups") == 1)
        clock.set(midnight + 4 * hour)
        #expect(backup.isDue(at: now))
    }

    @Test("a folder whose backups have gone is not begun anew: its disk may not be mounted")
    func gone() async throws {
        let (files, path) = (FileManager.default, root.file("backups"))
        let backup = try nightly(into: "backups")
        await backup.look()
        try files.moveItem(atPath: path, toPath: root.file("disk"))
        try files.createDirectory(atPath: path, withIntermediateDirectories: false)
        clock.set(midnight + 30 * hour)
        await backup.look()
        #expect(backup.warning?.contains("is its disk mounted?") == true)
        #expect(try files.contentsOfDirectory(atPath: path) == [])
        // A person wants it so.
        try files.removeItem(atPath: fixture.path + "/backup.json")
        clock.set(midnight + 31 * hour)
        await backup.look()
        #expect(backup.warning == nil)
        #expect(try names(in: "backups") == 1)
    }

    @Test("a note from the future, of a clock that was wrong, keeps none from being made")
    func future() async throws {
        let backup = try nightly(into: "backups")
        clock.set(midnight + 900 * hour)
        await backup.look()
        clock.set(midnight + 2 * hour)
        #expect(backup.isDue(at: now))
        // It tells nothing of an age, either.
        try FileManager.default.moveItem(
            atPath: root.file("backups"), toPath: root.file("unmounted"))
        await backup.look()
        #expect(backup.warning?.contains("none has been made yet") == true)
        try FileManager.default.moveItem(
            atPath: root.file("unmounted"), toPath: root.file("backups"))
        clock.set(midnight + 3 * hour)
        await backup.look()
        #expect(!backup.isDue(at: now))
        // The newest is found by its name all the same.
        let place = try BackupPlace(existingAt: root.file("backups"), key: nil)
        #expect(try place.manifest(nil).moment == now.seconds * 1_000)
    }

    @Test("one by hand into another folder is noted beside it, and stands in for none")
    func byHand() async throws {
        let backup = try nightly(into: "backups")
        await backup.look()
        let first = now
        clock.set(midnight + 40 * hour)
        let source = DataFolder(existingAt: fixture.path).backupSource
        let elsewhere = root.file("elsewhere")
        _ = try BackupRun(
            of: source, into: try source.place(at: elsewhere, key: nil), clock: clock
        ).run(keeping: 7)
        // Another process knows what the folder's note says.
        let again = try nightly(into: "backups")
        #expect(again.isDue(at: now))
        #expect(again.warning?.contains(first.rfc3339) == true)
        #expect(BackupNote(in: fixture.path)?.moment == now)
        #expect(BackupNote(in: fixture.path, into: elsewhere)?.moment == now)
        #expect(BackupNote(in: fixture.path, into: root.file("backups"))?.moment == first)
        var settings = BackupSettings()
        #expect(settings.note(in: fixture.path)?.folder == elsewhere)
        settings.folder = root.file("backups")
        #expect(settings.note(in: fixture.path)?.moment == first)
        await again.look()
        #expect(!again.isDue(at: now) && again.warning == nil)
        #expect(BackupNote(in: fixture.path, into: elsewhere)?.moment == now)
    }

    @Test("without a folder, or switched off, there is none")
    func none() {
        var settings = fixture.settings
        let folder = DataFolder(existingAt: fixture.path)
        func isNone() -> Bool {
            NightlyBackup(
                settings, of: folder, clock: clock, logger: PipelineFixture.quiet) == nil
        }
        #expect(isNone())
        settings.backup.folder = "/mnt/backup"
        #expect(isNone())
        settings.backup.minute = 0
        #expect(!isNone())
    }

    @Test("what the settings say of backups is checked when they are read")
    func settings() throws {
        let key = root.file("key")
        try String(repeating: "0f", count: 32).write(
            toFile: key, atomically: true, encoding: .utf8)
        chmod(key, 0o600)
        func load(_ more: [String: String]) throws -> Settings {
            let own = ["TILLBOX_WEBHOOK_SECRET": "whsec_test"]
            return try SettingsLoader(file: nil, environment: own.merging(more) { $1 }).load()
        }
        let plain = try load([:]).backup
        #expect(plain.folder == nil && plain.minute == nil)
        let set = try load([
            "TILLBOX_BACKUP_FOLDER": "/mnt/b", "TILLBOX_BACKUP_KEY_FILE": key,
            "TILLBOX_BACKUP_KEEP": "3",
        ]).backup
        #expect(set.folder == "/mnt/b" && set.minute == 210 && set.keptCount == 3)
        #expect(try set.key()?.check == BackupKey(String(repeating: "0f", count: 32))?.check)
        let off = try load(["TILLBOX_BACKUP_FOLDER": "/mnt/b", "TILLBOX_BACKUP_AT": "off"])
        #expect(off.backup.minute == nil)
        for (more, says) in [
            (["TILLBOX_BACKUP_AT": "04:00"], "backup.folder"),
            (["TILLBOX_BACKUP_FOLDER": "/b", "TILLBOX_BACKUP_AT": "25:00"], "backup.at"),
            (["TILLBOX_BACKUP_FOLDER": "/b", "TILLBOX_BACKUP_KEEP": "0"], "backup.keep"),
            (["TILLBOX_BACKUP_FOLDER": "/b", "TILLBOX_BACKUP_KEY_FILE": "/nowhere"], "/nowhere"),
        ] {
            #expect { try load(more) } throws: { "\($0)".contains(says) }
        }
        try "not a key".write(toFile: key, atomically: true, encoding: .utf8)
        chmod(key, 0o600)
        #expect(throws: BackupError.badKey(path: key)) {
            try load(["TILLBOX_BACKUP_FOLDER": "/b", "TILLBOX_BACKUP_KEY_FILE": key])
        }
    }
}
