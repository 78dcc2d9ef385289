import Foundation
import TestSupport
import Testing

/// What root does in the data folder of a service that runs as somebody else and is stopped. What
/// `tillbox backup` does is in ``BackupTests``.
@Suite("A data folder that is somebody else's", .enabled(if: geteuid() == 0))
struct FolderOwnerTests {
    @Test("what root writes beside a service is the service's, which can read it at its next start")
    func byRoot() async throws {
        let filled = try await FilledFolder(count: 40)
        try await filled.giveToService()
        let root = try TemporaryFolder()
        let cold = root.file("cold")
        // A month in which there was nothing yet: the cold folder is made, and stays empty.
        let all: [(words: [String], code: Int32)] = [
            (["dead-letter", "redrive", "--reason", "bad_json", "--dry-run"], 0),
            (["dead-letter", "redrive"], 0), (["bridge", "forget", "redis"], 3),
            (["archive", "seal", "2020-01", "--unreconciled"], 0),
            (["archive", "move", cold], 0), (["archive", "return"], 0), (["user", "list"], 0),
            (["export", "--mode", "test"], 0),
            (["export", "--mode", "test", "--gzip", "--out", "\(filled.path)/files"], 0),
        ]
        for (words, code) in all {
            let done = try await Child.run(Tillbox.executable, words + ["--data", filled.path])
            #expect(done.code == code, "\(words): \(done.errors)")
            #expect(try FilledFolder.owners(in: filled.path).strangers == [], "\(words)")
        }
        #expect(FileManager.default.fileExists(atPath: cold + "/tillbox-cold"))
        #expect(try FilledFolder.owners(in: cold).strangers == [])
        #expect(try FilledFolder.owners(in: filled.path + "/warehouse").count > 5)
        // What is written elsewhere is whose command it was.
        let out = root.file("files")
        let done = try await Child.run(
            Tillbox.executable, ["export", "--mode", "test", "--data", filled.path, "--out", out])
        #expect(done.code == 0, "\(done.errors)")
        let found = try FileManager.default.attributesOfItem(atPath: out)
        #expect((found[.ownerAccountID] as? NSNumber)?.intValue == 0)
    }

    @Test(
        "where somebody else may lead root astray it makes no folder: the owner does, or nobody")
    func astray() async throws {
        let (filled, root) = (try await FilledFolder(count: 40), try TemporaryFolder())
        let files = FileManager.default
        let (theirs, roots) = (root.file("theirs"), root.file("roots"))
        for folder in [theirs, roots] {
            try files.createDirectory(
                atPath: folder, withIntermediateDirectories: false,
                attributes: [.posixPermissions: 0o755])
        }
        try files.createSymbolicLink(atPath: theirs + "/way", withDestinationPath: roots)
        try await FilledFolder.giveToService([filled.path, theirs])
        for words in [["archive", "move"], ["backup"]] {
            let astray = try await Child.run(
                Tillbox.executable, words + ["\(theirs)/way/new", "--data", filled.path])
            #expect(astray.code == 3, "\(words): \(astray.output)")
            #expect(try files.contentsOfDirectory(atPath: roots) == [], "\(words)")
        }
        let made = try await Child.run(
            Tillbox.executable, ["backup", "\(theirs)/new", "--data", filled.path])
        #expect(made.code == 0, "\(made.errors)")
        #expect(try FilledFolder.owners(in: theirs).strangers == [])
    }

    @Test(
        "what root restores into a folder of somebody else's is written as they might write it")
    func restored() async throws {
        let (filled, root) = (try await FilledFolder(count: 40), try TemporaryFolder())
        let (backups, data, roots) = (root.file("backups"), root.file("data"), root.file("roots"))
        let files = FileManager.default
        let made = try await Child.run(
            Tillbox.executable, ["backup", backups, "--data", filled.path])
        #expect(made.code == 0, "\(made.errors)")
        for folder in [data, roots] {
            try files.createDirectory(
                atPath: folder, withIntermediateDirectories: false,
                attributes: [.posixPermissions: 0o755])
        }
        // Were it root that writes there, the one who has the folder could lead it by this.
        try files.createSymbolicLink(atPath: data + "/lost+found", withDestinationPath: roots)
        try await FilledFolder.giveToService([data, backups])
        let restored = try await Child.run(
            Tillbox.executable, ["restore", backups, "--data", data])
        #expect(restored.code == 0, "\(restored.errors)")
        #expect(files.fileExists(atPath: data + "/ledger.sqlite"))
        #expect(try FilledFolder.owners(in: data).strangers == [])
    }
}
