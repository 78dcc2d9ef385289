import AppendLog
import Foundation
import GRDB
import Synchronization
import TestSupport
import Testing

@testable import Appliance
@testable import Backup
@testable import Command
@testable import Console
@testable import Daemon
@testable import Vocabulary

/// Backups of real data folders, restored and started.
@Suite("Backups")
struct BackupFolderTests {
    private let root: TemporaryFolder

    init() throws { root = try TemporaryFolder() }

    private func backUp(
        _ data: String, into name: String = "backups", key: BackupKey? = nil, keeping count: Int = 9
    ) throws -> BackupReport {
        let source = DataFolder(existingAt: data).backupSource
        let place = try source.place(at: root.file(name), key: key)
        return try BackupRun(of: source, into: place).run(keeping: count)
    }

    private func restore(
        _ backup: String?, from name: String = "backups", to data: String, key: BackupKey? = nil
    ) throws -> [String] {
        let place = try BackupPlace(existingAt: root.file(name), key: key)
        let target = root.file(data)
        return try DataFolder(existingAt: target).restore(
            BackupRestore(from: place, name: backup, into: target))
    }

    /// What is wrong with a restored folder once a daemon has started on it and caught up.
    private func complaints(_ data: String, _ acknowledged: Set<String>) async throws -> [String] {
        let fixture = StartFixture(root.file(data))
        let daemon = try fixture.start()
        try await fixture.process(daemon)
        try await fixture.stop(daemon)
        return try await fixture.complaints(
            acknowledged: acknowledged, scratch: root.file("scratch-\(data)"))
    }

    /// A folder with `count` events in it, at rest.
    private func folder(_ name: String, _ count: Int) async throws -> StartFixture {
        let fixture = StartFixture(root.file(name))
        let daemon = try fixture.start()
        for first in stride(from: 0, to: count, by: 6) {
            try await fixture.admit(first..<min(first + 6, count), daemon)
            try await fixture.process(daemon)
        }
        try await fixture.snapshotGate(daemon)
        try await fixture.stop(daemon)
        return fixture
    }

    @Test("made of a running folder, each holds what was acknowledged before it, and starts")
    func hot() async throws {
        let live = StartFixture(root.file("live"))
        let acknowledged = Mutex<Set<String>>([])
        let made = Mutex<[(name: String, known: Set<String>)]>([])
        try await live.underTraffic { numbers, _ in
            let count = acknowledged.withLock {
                $0.formUnion(numbers.map { "evt_\($0)" })
                return $0.count
            }
            // A slow backup is not to make the folder, and what is then proved of it, huge.
            try await eventually("the backups come along") {
                let number = made.withLock { $0.count }
                return number == 6 || count < (number + 1) * 12 + 40
            }
        } _: { daemon in
            for number in 0..<6 {
                let due = (number + 1) * 12
                try await eventually("\(due) events are acknowledged") {
                    acknowledged.withLock { $0.count } >= due
                }
                // People decide meanwhile: the ledger and payment.review lead back to each other.
                _ = try await daemon.topics[.paymentReview].append(
                    [PipelineFixture.decision(number * 3 + 1, .approved)])
                let known = acknowledged.withLock { $0 }
                let report = try backUp(live.path)
                #expect(report.warnings == [])
                made.withLock { $0.append((report.manifest.name, known)) }
            }
        }
        let backups = made.withLock { $0 }
        #expect(Set(backups.map(\.name)).count == 6)
        for (number, backup) in backups.enumerated() {
            let data = "restored-\(number)"
            _ = try restore(backup.name, to: data)
            let found = try await complaints(data, backup.known)
            // Those that people decided are held and released, which are two.
            let decided = Set((0...number).map { "charge \($0 * 3 + 1): booked 2 times" })
            #expect(Set(found) == decided, "backup \(number)")
        }
    }

    @Test("a restored folder is what was backed up, file by file, sealed or not")
    func same() async throws {
        let fixture = try await folder("data", 24)
        let kinds: [(name: String, key: BackupKey?)] = [
            ("plain", nil), ("sealed", StoredFileTests.key),
        ]
        for (name, key) in kinds {
            let report = try backUp(fixture.path, into: name, key: key)
            #expect(report.isEncrypted == (key != nil))
            #expect(try restore(nil, from: name, to: "from-\(name)", key: key) == [])
            let (before, after) = (
                try Self.logBytes(fixture.path), try Self.logBytes(root.file("from-\(name)"))
            )
            #expect(Set(before.keys) == Set(after.keys))
            for (file, bytes) in before {
                #expect(after[file] == bytes, "\(file)")
            }
            let ledgers = try [fixture.path, root.file("from-\(name)")].map {
                try SQLiteLedgerReader.open(path: "\($0)/ledger.sqlite")
            }
            let points = try ledgers.map { try $0.point() }
            #expect(points[0] == points[1])
            for ledger in ledgers { try ledger.close() }
            let words = try FileManager.default.subpathsOfDirectory(atPath: root.file(name))
                .compactMap { FileManager.default.contents(atPath: "\(root.file(name))/\($0)") }
                .filter { $0.range(of: Data("charge.succeeded".utf8)) != nil }
            #expect(words.isEmpty == (key != nil))
        }
    }

    /// The batches of every segment, without what is preallocated, and what lies beside them.
    private static func logBytes(_ data: String) throws -> [String: Data] {
        let log = try Log.openReadOnly(at: "\(data)/log")
        var bytes: [String: Data] = [:]
        for topic in log.topics {
            for segment in topic.segments {
                let file = try #require(FileManager.default.contents(atPath: segment.file))
                bytes[String(segment.file.dropFirst(data.count))] =
                    file.prefix(Int(segment.byteCount))
            }
        }
        return bytes
    }

    @Test("the second one copies what is new; sealed segments are there once")
    func incremental() async throws {
        let fixture = try await folder("data", 48)
        let first = try backUp(fixture.path)
        let again = try backUp(fixture.path)
        let sealed = first.manifest.files.filter { $0.sealed != nil }
        #expect(sealed.count > 5)
        #expect(again.copiedFileCount < first.copiedFileCount)
        #expect(again.manifest.files.filter { $0.sealed != nil } == sealed)
        #expect(
            again.manifest.files.map(\.path).sorted() == first.manifest.files.map(\.path).sorted())
        // One that is gone, or was cut, from the backup's folder is copied again.
        let lost = try #require(sealed.first)
        try FileManager.default.removeItem(atPath: root.file("backups/files/\(lost.stored)"))
        _ = try backUp(fixture.path)
        _ = try restore(nil, to: "restored")
        // A folder without its ledger is none that a backup could be made of.
        let other = try await folder("other", 48)
        try FileManager.default.removeItem(atPath: "\(other.path)/ledger.sqlite")
        #expect(throws: BackupError.nothingToCopy(path: DataFolder.canonical(other.path))) {
            try backUp(other.path)
        }
    }

    /// Puts a session into the accounts at a path.
    private static func signIn(_ path: String) throws {
        try DatabaseQueue(path: path).write { database in
            try database.execute(
                sql: "INSERT INTO sessions (hash, created, last_seen) VALUES (?, 1, 1)",
                arguments: [Data(repeating: 7, count: 32)])
        }
    }

    @Test("accounts come along, and nobody stays signed in; the data folder knows its last backup")
    func accounts() async throws {
        let fixture = try await folder("data", 6)
        let path = DataFolder(existingAt: fixture.path).accounts
        let store = FolderAccounts(at: path)
        #expect(try store.users().isEmpty)
        store.close()
        try Self.signIn(path)
        let report = try backUp(fixture.path)
        let note = try #require(BackupNote(in: fixture.path))
        #expect(note.name == report.manifest.name && note.folder == root.file("backups"))
        #expect(note.moment.seconds == report.manifest.moment / 1_000)
        _ = try restore(nil, to: "restored")
        #expect(BackupNote(in: root.file("restored"))?.name == note.name)
        let copy = DataFolder(existingAt: root.file("restored")).accounts
        let sessions = try [path, copy].map { path in
            try DatabaseQueue(path: path).read { database in
                try Int.fetchOne(database, sql: "SELECT count(*) FROM sessions")
            }
        }
        #expect(sessions == [1, 0])
        // What is this machine's own is in no backup.
        let names = Set(report.manifest.files.map(\.path))
        for own in ["lock", "holder", "reserve", "console/token", "console/index.sqlite"] {
            #expect(!names.contains(own), "\(own)")
        }
        #expect(names.isSuperset(of: ["ledger.sqlite", "log/identity", "format"]))
    }

    @Test("a target that holds anything, and a damaged file, are refused, and nothing is left")
    func refused() async throws {
        let fixture = try await folder("data", 12)
        let report = try backUp(fixture.path)
        #expect { try restore(nil, to: "data") } throws: {
            if case BackupError.notEmpty = $0 { true } else { false }
        }
        #expect(throws: BackupError.noBackup(path: root.file("backups"), name: "yesterday")) {
            try restore("yesterday", to: "fresh")
        }
        for file in report.manifest.files where file.bytes > 0 {
            let path = root.file("backups/files/\(file.stored)")
            let whole = try #require(FileManager.default.contents(atPath: path))
            var damaged = whole
            damaged[damaged.count / 2] ^= 4
            for bytes in [damaged, whole.dropLast()] {
                try bytes.write(to: URL(filePath: path))
                #expect("\(file.path)") { try restore(nil, to: "fresh") } throws: {
                    if case BackupError.damaged(let named, _) = $0 { named == path } else { false }
                }
                let left = try FileManager.default.contentsOfDirectory(atPath: root.file("fresh"))
                #expect(left == [], "\(file.path)")
            }
            try whole.write(to: URL(filePath: path))
        }
        #expect(try restore(nil, to: "fresh") == [])
    }

    @Test("a folder whose restore was killed is started by nobody, and restored into again")
    func halfRestored() async throws {
        let fixture = try await folder("data", 6)
        _ = try backUp(fixture.path)
        let place = try BackupPlace(existingAt: root.file("backups"), key: nil)
        let target = root.file("half")
        let half = BackupError.halfRestored(path: target)
        // The mark is there before anything else is.
        try BackupRestore(from: place, into: target).run {
            let names = try Self.names(in: target)
            #expect(names == ["restoring"])
            #expect(throws: half) { try StartFixture(target).start() }
        }
        #expect(throws: half) { try StartFixture(target).start() }
        #expect(try Self.names(in: target).isSuperset(of: ["restoring", "gate", "ledger.sqlite"]))
        // What is not a restore's stays, and so does the mark.
        try "mine".write(toFile: target + "/notes.txt", atomically: true, encoding: .utf8)
        #expect(throws: BackupError.notEmpty(path: target, name: "notes.txt")) {
            try restore(nil, to: "half")
        }
        #expect(throws: half) { try StartFixture(target).start() }
        try FileManager.default.removeItem(atPath: target + "/notes.txt")
        // A part of another backup, which this one would not write over.
        try "old".write(
            toFile: target + "/log/webhook.received-0/00000000000000099999.log", atomically: true,
            encoding: .utf8)
        #expect(try restore(nil, to: "half") == [])
        #expect(try Self.logBytes(target) == Self.logBytes(fixture.path))
        #expect(try await complaints("half", Set((0..<6).map { "evt_\($0)" })) == [])
    }

    private static func names(in folder: String) throws -> Set<String> {
        Set(try FileManager.default.contentsOfDirectory(atPath: folder))
    }

    @Test("folders that a refused start has left empty are no hindrance, and all else is named")
    func leftByStarts() async throws {
        let fixture = try await folder("data", 6)
        _ = try backUp(fixture.path)
        let target = root.file("left")
        try FileManager.default.createDirectory(
            atPath: target + "/console", withIntermediateDirectories: true)
        for content in ["gate", "console/token"] {
            try "mine".write(toFile: "\(target)/\(content)", atomically: true, encoding: .utf8)
            let name = String(content.prefix { $0 != "/" })
            #expect(throws: BackupError.notEmpty(path: target, name: name)) {
                try restore(nil, to: "left")
            }
            try FileManager.default.removeItem(atPath: "\(target)/\(content)")
        }
        #expect(try restore(nil, to: "left") == [])
    }

    @Test("two are not in a folder at once; who comes second changes nothing there")
    func heldMeanwhile() async throws {
        let fixture = try await folder("data", 6)
        _ = try backUp(fixture.path)
        let place = try BackupPlace(existingAt: root.file("backups"), key: nil)
        let target = root.file("made/fresh")
        // Somebody has the folder.
        #expect(throws: LogError.closed) {
            try BackupRestore(from: place, into: target).run { throw LogError.closed }
        }
        #expect(try Self.names(in: target) == [])
        // Another one came to its end while this one waited for the folder.
        #expect(throws: BackupError.notEmpty(path: target, name: "ledger.sqlite")) {
            try BackupRestore(from: place, into: target).run {
                try FileManager.default.removeItem(atPath: target + "/restoring")
                try "whole".write(
                    toFile: target + "/ledger.sqlite", atomically: true, encoding: .utf8)
            }
        }
        #expect(try Self.names(in: target) == ["ledger.sqlite"])
    }

    @Test("what is needed of a disk is said with what is free, and never of other backups")
    func room() {
        let error = BackupError.noRoom(path: "/new", needed: (300 << 20) + 1, free: 12 << 20)
        let says = "\(error)"
        #expect(says.contains("557 MiB are needed") && says.contains("12 MiB are free"), "\(says)")
        #expect(says.contains("/new") && !says.contains("backup.keep"), "\(says)")
    }

    @Test("tables that a process which died has staged among the backups go with the next one")
    func staged() async throws {
        let fixture = try await folder("data", 6)
        _ = try backUp(fixture.path)
        // Whatever its number is now: in a container each has the same.
        let left = root.file("backups/backup.part-1")
        try FileManager.default.createDirectory(
            atPath: left, withIntermediateDirectories: false)
        try "rows".write(toFile: left + "/ledger.sqlite", atomically: true, encoding: .utf8)
        _ = try backUp(fixture.path)
        #expect(!FileManager.default.fileExists(atPath: left))
    }

    @Test("a folder within the data folder, or around it, is none for backups")
    func within() async throws {
        let fixture = try await folder("data", 6)
        for name in ["data/inside", "data"] {
            #expect(throws: BackupError.withinItself(path: root.file(name))) {
                try backUp(fixture.path, into: name)
            }
        }
        #expect(!FileManager.default.fileExists(atPath: root.file("data/inside")))
    }

    @Test("what came after a backup is the sweep's, as long as Stripe keeps it")
    func gap() {
        let day: Int64 = 86_400
        let moment = Instant(seconds: 1_800_000_000)
        let near = RestoreGap(from: moment, to: Instant(seconds: moment.seconds + 3 * day))
        #expect(near.sweptFrom == moment && near.lostUntil == nil)
        let far = RestoreGap(from: moment, to: Instant(seconds: moment.seconds + 40 * day))
        #expect(far.lostUntil == Instant(seconds: moment.seconds + 10 * day))
        #expect(far.sweptFrom == far.lostUntil)
    }
}
