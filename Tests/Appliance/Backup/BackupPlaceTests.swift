import AppendLog
import Foundation
import LogSupport
import TestSupport
import Testing

@testable import Backup
@testable import Vocabulary

@Suite("Backup folders")
struct BackupPlaceTests {
    static let log = String(repeating: "ab", count: 16)

    /// The name of the backup of a version.
    static func name(_ version: Int) -> String {
        BackupName.text(of: Timestamp(milliseconds: 1_700_000_000_000 + Int64(version) * 1_000))
    }

    /// A backup of a few files whose content tells their version.
    static func backUp(
        _ place: BackupPlace, _ version: Int, keeping count: Int = 7
    ) throws -> BackupManifest {
        let lock = try place.locked()
        defer { lock.release() }
        _ = try? place.prune(keeping: .max)
        var files: [BackupManifest.File] = []
        for (name, text) in [("log/a-0/1.log", "the same"), ("ledger.sqlite", "v\(version)")] {
            files.append(try place.store(name) { try $0.write(Array(text.utf8)) })
        }
        let manifest = BackupManifest(
            name: name(version), moment: Int64(version), endedAt: Int64(version),
            log: place.log, topics: [.init(name: "a", start: 0, end: Int64(version))],
            transactions: Int64(version), ledgerHash: "00", files: files)
        try place.complete(manifest)
        _ = try place.prune(keeping: count)
        return manifest
    }

    @Test("a link in the lock's place empties no file that it leads to, and backups can be read")
    func linkedLock() throws {
        let folder = try TemporaryFolder()
        let (path, other) = (folder.file("backups"), folder.file("other"))
        let place = try BackupPlace(at: path, of: Self.log, key: nil)
        let made = try Self.backUp(place, 1)
        let files = FileManager.default
        try Data("somebody's".utf8).write(to: URL(filePath: other))
        try files.removeItem(atPath: path + "/lock")
        try files.createSymbolicLink(atPath: path + "/lock", withDestinationPath: other)
        #expect(try place.verify(nil) == made)
        #expect(throws: BackupError.self) { try place.locked() }
        #expect(try String(contentsOfFile: other, encoding: .utf8) == "somebody's")
    }

    @Test("a manifest comes back as it was; a damaged one, and a newer one, are told apart")
    func manifests() throws {
        let disk = SimulatedDisk(seed: 1)
        for key in [nil, StoredFileTests.key] {
            let path = key == nil ? "/plain" : "/sealed"
            let place = try BackupPlace(at: path, of: Self.log, key: key, disk: disk)
            let made = try Self.backUp(place, 1)
            #expect(try place.manifest(nil) == made)
            #expect(try BackupPlace(existingAt: path, key: key, disk: disk).names() == [made.name])
            disk.flip("\(path)/backups/\(made.name)", at: 60, bit: 2)
            #expect { try place.manifest(nil) } throws: {
                if case BackupError.damaged = $0 { true } else { false }
            }
        }
        let digest = BackupPlace.digest
        let text = Array(#"{"format":2}"#.utf8)
        #expect(throws: BackupError.newer(path: "m", format: 2, known: 1)) {
            try BackupManifest(
                decoding: text + Array("\n\(digest(text))\n".utf8), at: "m", digest: digest)
        }
    }

    @Test("a manifest names no file outside of the folder", arguments: [
        "../etc/passwd", "/etc/passwd", "log//a", "log/../../a", ".", "",
    ])
    func outside(name: String) throws {
        var manifest = BackupManifest(
            name: "m", moment: 0, endedAt: 0, log: Self.log, topics: [], transactions: 0,
            ledgerHash: "", files: [])
        manifest.files = [
            .init(path: name, stored: "a", bytes: 0, digest: "", sealed: nil)
        ]
        let bytes = manifest.encoded(digest: BackupPlace.digest)
        #expect {
            try BackupManifest(decoding: bytes, at: "m", digest: BackupPlace.digest)
        } throws: {
            if case BackupError.damaged = $0 { true } else { false }
        }
    }

    @Test("other folders, other logs, and a key that is missing, wrong or too many are refused")
    func refusals() throws {
        let disk = SimulatedDisk(seed: 2)
        try disk.createDirectory("/photos")
        _ = try disk.open("/photos/cat.jpg", .create)
        #expect(throws: BackupError.notABackup(path: "/photos")) {
            try BackupPlace(at: "/photos", of: Self.log, key: nil, disk: disk)
        }
        #expect(throws: BackupError.notABackup(path: "/photos")) {
            try BackupPlace(existingAt: "/photos", key: nil, disk: disk)
        }
        _ = try BackupPlace(at: "/plain", of: Self.log, key: nil, disk: disk)
        let other = String(repeating: "cd", count: 16)
        #expect(throws: BackupError.otherLog(path: "/plain", holds: Self.log, given: other)) {
            try BackupPlace(at: "/plain", of: other, key: nil, disk: disk)
        }
        #expect(throws: BackupError.keyNotUsed(path: "/plain")) {
            try BackupPlace(existingAt: "/plain", key: StoredFileTests.key, disk: disk)
        }
        _ = try BackupPlace(at: "/sealed", of: Self.log, key: StoredFileTests.key, disk: disk)
        #expect(throws: BackupError.keyMissing(path: "/sealed")) {
            try BackupPlace(at: "/sealed", of: Self.log, key: nil, disk: disk)
        }
        #expect(throws: BackupError.wrongKey(path: "/sealed")) {
            try BackupPlace(existingAt: "/sealed", key: StoredFileTests.other, disk: disk)
        }
        disk.overwrite("/plain/tillbox-backups", at: 0, with: Array("tillbox-backups 9".utf8))
        #expect(throws: BackupError.newer(path: "/plain", format: 9, known: 1)) {
            try BackupPlace(existingAt: "/plain", key: nil, disk: disk)
        }
    }

    @Test("a second backup at once is refused")
    func busy() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("backups")
        let place = try BackupPlace(at: path, of: Self.log, key: nil)
        let lock = try place.locked()
        #expect(throws: BackupError.busy(path: path, by: getpid())) { try place.locked() }
        lock.release()
        try place.locked().release()
    }

    @Test("what has not changed is stored once, and only what the kept backups name stays")
    func pruned() throws {
        let disk = SimulatedDisk(seed: 3)
        let place = try BackupPlace(at: "/b", of: Self.log, key: nil, disk: disk)
        for version in 1...4 { _ = try Self.backUp(place, version, keeping: 2) }
        #expect(try place.names() == [Self.name(4), Self.name(3)])
        let files = disk.contents.keys.filter { $0.hasPrefix("/b/files/") }
        #expect(files.count == 3, "\(files)")
        for name in try place.names() { try place.verify(try place.manifest(name)) }
        // A process that dies leaves parts, and files that nobody names.
        _ = try disk.open("/b/files/ledger.sqlite.part", .create)
        _ = try disk.open("/b/files/log/a-0/2.log.0123456789abcdef", .create)
        _ = try disk.open("/b/backups/\(Self.name(5)).part", .create)
        #expect(try place.names() == [Self.name(4), Self.name(3)])
        _ = try Self.backUp(place, 5, keeping: 2)
        #expect(!disk.contents.keys.contains { $0.hasSuffix(".part") || $0.contains("2.log") })
    }

    @Test("what somebody has put among the backups is none, is in no way, and stays")
    func strangers() throws {
        let disk = SimulatedDisk(seed: 8)
        let place = try BackupPlace(at: "/b", of: Self.log, key: nil, disk: disk)
        _ = try Self.backUp(place, 1)
        let strangers = ["lost+found", "notes.txt", ".DS_Store", "\(Self.name(9)).bak", "9"]
        for name in strangers { _ = try disk.open("/b/backups/\(name)", .create) }
        for version in 2...3 { _ = try Self.backUp(place, version, keeping: 1) }
        #expect(try place.names() == [Self.name(3)])
        #expect(try place.manifest(nil).name == Self.name(3))
        #expect(throws: BackupError.noBackup(path: "/b", name: "notes.txt")) {
            try place.manifest("notes.txt")
        }
        for name in strangers { #expect(try disk.exists("/b/backups/\(name)"), "\(name)") }
    }

    @Test("one that is verified or restored is not removed meanwhile, and the other way round")
    func reading() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("backups")
        let place = try BackupPlace(at: path, of: Self.log, key: nil)
        let made = try Self.backUp(place, 1)
        let busy = BackupError.busy(path: path, by: getpid())
        let lock = try place.locked()
        #expect(throws: busy) { try place.verify(nil) }
        lock.release()
        var isKeptOut = false
        let verified = try place.verify(nil) { _, _, _ in
            isKeptOut = (try? place.locked()) == nil
        }
        #expect(verified == made && isKeptOut)
        // Chosen, and removed before its turn came.
        let restore = try BackupRestore(from: place, into: folder.file("restored"))
        _ = try Self.backUp(place, 2, keeping: 1)
        #expect(throws: BackupError.noBackup(path: path, name: made.name)) { try restore.run() }
        // A copy that nobody has written to has no lock, and gets none from who only reads.
        try FileManager.default.removeItem(atPath: path + "/lock")
        #expect(try place.verify(nil).name == Self.name(2))
        #expect(!FileManager.default.fileExists(atPath: path + "/lock"))
    }

    @Test("the power fails at any moment: the backup before is whole, the new one is, or is not")
    func powerCuts() throws {
        var cuts = 0
        for moment in 1... {
            let disk = SimulatedDisk(seed: UInt64(moment))
            let key = moment % 2 == 0 ? StoredFileTests.key : nil
            let place = try BackupPlace(at: "/b", of: Self.log, key: key, disk: disk)
            _ = try Self.backUp(place, 1, keeping: 1)
            let before = disk.operationCount
            disk.faults.powerCutAt = before + moment
            let hasEnded = (try? Self.backUp(place, 2, keeping: 1)) != nil && !disk.isPowerOff
            if disk.isPowerOff { cuts += 1 }
            let isOver = disk.operationCount < before + moment
            disk.crash()
            let again = try BackupPlace(existingAt: "/b", key: key, disk: disk)
            let manifest = try again.manifest(nil)
            #expect([1, 2].map(Self.name).contains(manifest.name))
            if hasEnded { #expect(manifest.name == Self.name(2)) }
            try again.verify(manifest)
            // The next one finds nothing in its way.
            _ = try Self.backUp(again, 3, keeping: 1)
            #expect(try again.manifest(nil).name == Self.name(3))
            // An operation that changes nothing on the disk is no moment for a cut.
            if isOver { break }
        }
        #expect(cuts > 15, "the power failed at \(cuts) moments only")
    }

    @Test("any call that fails, and a full disk, leave the backup before as it was")
    func failures() throws {
        var count = 0
        for moment in 1... {
            let disk = SimulatedDisk(seed: 5)
            let place = try BackupPlace(at: "/b", of: Self.log, key: nil, disk: disk)
            _ = try Self.backUp(place, 1, keeping: 1)
            disk.faults.failures[disk.operationCount + moment] = moment % 2 == 0 ? ENOSPC : EIO
            let used = disk.operationCount + moment
            _ = try? Self.backUp(place, 2, keeping: 1)
            disk.faults = SimulatedDisk.Faults()
            let manifest = try place.manifest(nil)
            try place.verify(manifest)
            if disk.operationCount < used { break }
            count += 1
        }
        #expect(count > 20)
        let disk = SimulatedDisk(seed: 6)
        let place = try BackupPlace(at: "/b", of: Self.log, key: nil, disk: disk)
        _ = try Self.backUp(place, 1)
        disk.faults.capacityBytes = disk.contents.values.reduce(0) { $0 + $1.count } + 4
        #expect(throws: BackupError.full(path: "/b")) { try Self.backUp(place, 2) }
        try place.verify(try place.manifest(nil))
    }

    @Test("a backup is named after the one before it, also where the clock was set back")
    func names() {
        let moment = Timestamp(milliseconds: 1_700_000_000_123)
        let name = BackupName.text(of: moment)
        #expect(name == "2023-11-14T22-13-20.123Z")
        #expect(BackupName.moment(of: name) == Timestamp(milliseconds: 1_700_000_000_000))
        #expect(BackupName.moment(of: "lost+found") == nil)
    }
}
