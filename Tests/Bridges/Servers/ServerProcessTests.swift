import Foundation
import TestSupport
import Testing

@Suite("Servers of the tests", .timeLimit(.minutes(4)))
struct ServerProcessTests {
    private let script = Repository.root.appending(path: "Tests/Support/Servers/guarded.py").path

    @Test("a server ends with the process that started it, even a killed one, and leaves nothing")
    func endsWithParent() async throws {
        let folder = try TemporaryFolder()
        let parent = try Child("/bin/sleep", ["600"])
        let server = try Child(
            "/usr/bin/python3",
            [script, "\(parent.processID)", folder.path, "/bin/sleep", "600"])
        try await eventually("the server has taken its place") {
            let words = FileManager.default.contents(atPath: "/proc/\(server.processID)/cmdline")
            return words.map { String(decoding: $0, as: UTF8.self) }?.hasPrefix("/bin/sleep")
                == true
        }
        #expect(server.isRunning)
        parent.kill(SIGKILL)
        #expect(await server.wait() == 128 + SIGKILL)
        try await eventually("its folder is gone") {
            !FileManager.default.fileExists(atPath: folder.path)
        }
    }

    @Test("a server hears SIGTERM, whatever the thread that started it has blocked")
    func hearsSignals() async throws {
        let server = try ServerProcess(["/bin/sleep", "600"])
        try await server.end(SIGTERM)
        #expect(!server.isRunning)
    }
}
