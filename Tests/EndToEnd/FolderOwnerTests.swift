import Foundation
import TestSupport
import Testing

/// What root does in the data folder of a service that runs as somebody else and is stopped. What
/// `tillbox backup` does is in ``BackupTests``.
@Suite("A data folder that is somebody else's")
struct FolderOwnerTests {
    private static let nobody = 65_534

    /// Files and folders that are not the service's.
    private static func strangers(in folder: String) throws -> [String] {
        let files = FileManager.default
        let names = try #require(files.enumerator(atPath: folder)).compactMap { $0 as? String }
        return try ([""] + names).filter { name in
            let found = try files.attributesOfItem(atPath: "\(folder)/\(name)")
            return (found[.ownerAccountID] as? NSNumber)?.intValue != nobody
        }
    }

    @Test(
        "what root writes beside a service is the service's, which can read it at its next start",
        .enabled(if: geteuid() == 0))
    func byRoot() async throws {
        let filled = try await FilledFolder(count: 40)
        let root = try TemporaryFolder()
        let given = try await Child.run(
            "/bin/chown", ["-R", "\(Self.nobody):\(Self.nobody)", filled.path])
        #expect(given.code == 0, "\(given.errors)")
        let cold = root.file("cold")
        // A month in which there was nothing yet: the cold folder is made, and stays empty.
        let all: [(words: [String], code: Int32)] = [
            (["dead-letter", "redrive", "--reason", "bad_json", "--dry-run"], 0),
            (["bridge", "forget", "redis"], 3),
            (["archive", "seal", "2020-01", "--unreconciled"], 0),
            (["archive", "move", cold], 0), (["archive", "return"], 0),
        ]
        for (words, code) in all {
            let done = try await Child.run(Tillbox.executable, words + ["--data", filled.path])
            #expect(done.code == code, "\(words): \(done.errors)")
            #expect(try Self.strangers(in: filled.path) == [], "\(words)")
        }
        #expect(FileManager.default.fileExists(atPath: cold + "/tillbox-cold"))
        #expect(try Self.strangers(in: cold) == [])
    }
}
