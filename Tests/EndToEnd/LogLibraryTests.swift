import Foundation
import TestSupport
import Testing

/// What `make example` does, as far as it takes seconds: whoever changes the library meets its user
/// here.
@Suite("AppendLog as a library of its own")
struct LogLibraryTests {
    /// Of the build that these tests come from.
    private static let modules = URL(filePath: Tillbox.executable).deletingLastPathComponent()
        .appending(path: "Modules").path

    @Test("the example uses nothing but what the library shows to others")
    func example() async throws {
        let folder = try TemporaryFolder()
        let sources = Repository.root.appending(path: "docs/examples/tally/Sources/tally").path
        let files = try FileManager.default.contentsOfDirectory(atPath: sources).sorted()
        let checksum = "Sources/AppendLog/CLibraries/CChecksum/include/module.modulemap"
        let map = Repository.root.appending(path: checksum).path
        let done = try await Child.run(
            "/usr/bin/env",
            ["swiftc", "-typecheck", "-swift-version", "6", "-package-name", "stranger"]
                + ["-I", Self.modules, "-Xcc", "-fmodule-map-file=\(map)"]
                + ["-module-cache-path", folder.file("cache")]
                + files.map { "\(sources)/\($0)" },
            environment: ["HOME": folder.path])
        #expect(files.count > 1)
        #expect(done.code == 0, "\(done.errors.suffix(2_000))")
    }
}
