import Foundation
import TestSupport
import Testing

@testable import Daemon

/// The daemon as a service: what it tells its manager, what a supervisor asks, and how it is told
/// what it must know.
@Suite("As a service", .serialized)
struct ServiceTests {
    /// The words that came to a socket so far.
    private final class Manager: Sendable {
        let path: String
        private let descriptor: Int32

        /// - Throws: what the system says where the socket cannot be made.
        init(in folder: TemporaryFolder) throws {
            path = folder.file("notify")
            descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            let bytes = Array(path.utf8)
            try #require(bytes.count < MemoryLayout.size(ofValue: address.sun_path))
            // SAFETY: the path fits, and a zero byte stands behind it.
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
            // SAFETY: the address lives through the call, which reads no more than its size.
            let code = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            try #require(code == 0, "\(String(cString: strerror(errno)))")
        }

        deinit { close(descriptor) }

        /// What has come since the last call.
        func words() -> [String] {
            var words: [String] = []
            var buffer = [UInt8](repeating: 0, count: 4096)
            while true {
                // SAFETY: the buffer lives through the call, which writes no more than its count.
                let count = buffer.withUnsafeMutableBytes {
                    recv(descriptor, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT))
                }
                guard count > 0 else { return words }
                words += String(decoding: buffer[..<count], as: UTF8.self)
                    .split(separator: "\n").map(String.init)
            }
        }
    }

    @Test("it says that it is ready, that it lives for as long as it does, and that it stops")
    func notifies() async throws {
        let folder = try TemporaryFolder()
        let manager = try Manager(in: folder)
        let running = try await RunningDaemon(
            in: folder,
            environment: ["NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "600000"])
        var words: [String] = []
        try await eventually("ready and alive") {
            words += manager.words()
            return words.contains("READY=1") && words.contains("WATCHDOG=1")
        }
        try await eventually("alive again") { manager.words().contains("WATCHDOG=1") }
        running.daemon.kill(SIGTERM)
        #expect(await running.daemon.wait() == 0)
        #expect(manager.words().contains("STOPPING=1"))
    }

    @Test("health is 0 while it lives, 1 where nobody answers")
    func health() async throws {
        let running = try await RunningDaemon()
        let own = ["TILLBOX_ADMIN_PORT": "\(running.admin)"]
        for words in [["health"], ["health", "--ready"]] {
            // Another folder's daemon is not the one that is asked for.
            let asked = try await Child.run(
                Tillbox.executable, words + ["--data", running.data], environment: own)
            #expect(asked.code == 0, "\(asked.errors)")
            #expect(asked.output == "" && asked.errors == "")
            let other = try await Child.run(
                Tillbox.executable, words + ["--data", "\(running.data)-other"], environment: own)
            #expect(other.code == 1, "\(other.errors)")
            #expect(other.errors.contains("holds another data folder than"), "\(other.errors)")
        }
        running.daemon.kill(SIGTERM)
        #expect(await running.daemon.wait() == 0)
        let asked = try await Child.run(Tillbox.executable, ["health"], environment: own)
        #expect(asked.code == 1)
        #expect(asked.errors.contains("no daemon answers at 127.0.0.1:\(running.admin)"))
    }

    @Test("the folder says which formats its parts are of")
    func format() async throws {
        let running = try await RunningDaemon()
        let text = try String(contentsOfFile: "\(running.data)/format", encoding: .utf8)
        #expect(text == FolderFormat.current)
        #expect(text.contains(#/ledger [0-9]+\naccounts [0-9]+\n/#))
    }

    private static func initialise(
        _ folder: TemporaryFolder, _ answers: String
    ) async throws -> (code: Int32, output: String, errors: String) {
        let file = folder.file("answers")
        try answers.write(toFile: file, atomically: true, encoding: .utf8)
        return try await Child.run(
            "/bin/sh",
            [
                "-c", "exec \"$0\" init --config \"$1\" < \"$2\"", Tillbox.executable,
                folder.file("tillbox.conf"), file,
            ])
    }

    @Test("four answers are enough to start with, and no secret stands in the configuration")
    func initialised() async throws {
        let folder = try TemporaryFolder()
        let (webhook, admin) = (try freePort(), try freePort())
        let asked = try await Self.initialise(
            folder, "test\n127.0.0.1:\(webhook)\nwhsec_four\nrk_test_four\n")
        #expect(asked.code == 0, "\(asked.errors)")
        let text = try String(contentsOfFile: folder.file("tillbox.conf"), encoding: .utf8)
        #expect(!text.contains("whsec_four") && !text.contains("rk_test_four"))
        let attributes = try FileManager.default.attributesOfItem(
            atPath: folder.file("secrets/webhook"))
        #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
        let daemon = try Child(
            Tillbox.executable,
            ["run", "--config", folder.file("tillbox.conf"), "--data", folder.file("data")],
            environment: [
                "TILLBOX_ADMIN_PORT": "\(admin)",
                "TILLBOX_STRIPE_API_BASE": "http://127.0.0.1:1",
            ])
        defer { daemon.kill(SIGKILL) }
        try await daemon.untilListening()
        let traffic = try await Tillbox.simulate(to: webhook, secret: "whsec_four", count: 5)
        #expect(traffic.code == 0, "\(traffic.errors)")
    }

    @Test("asked again, it keeps what a person wrote and the secrets that are there")
    func again() async throws {
        let folder = try TemporaryFolder()
        #expect(try await Self.initialise(folder, "test\n\nwhsec_four\n\n").code == 0)
        let path = folder.file("tillbox.conf")
        let first = try String(contentsOfFile: path, encoding: .utf8)
        try (first + "\n# mine\nlogging:\n  level: debug\n").write(
            toFile: path, atomically: true, encoding: .utf8)
        #expect(try await Self.initialise(folder, "live\n9999\n\n\n").code == 0)
        let second = try String(contentsOfFile: path, encoding: .utf8)
        #expect(second.contains("# mine\nlogging:\n  level: debug\n"))
        #expect(second.contains("port: 9999") && second.contains("livemode: live"))
        let secret = try String(contentsOfFile: folder.file("secrets/webhook"), encoding: .utf8)
        #expect(secret == "whsec_four\n")
    }

    @Test("empty answers to a second run change nothing; a key of another mode is not kept")
    func kept() async throws {
        let folder = try TemporaryFolder()
        let first = try await Self.initialise(folder, "test\r\n9000\r\n whsec_four \r\n\r\n")
        #expect(first.code == 0, "\(first.errors)")
        #expect(first.output.contains("Without an API key no missed event is fetched"))
        let path = folder.file("tillbox.conf")
        let text = try String(contentsOfFile: path, encoding: .utf8)
        #expect(text.contains("port: 9000") && text.contains("livemode: test"))
        #expect(try await Self.initialise(folder, "\n \n\n\n").code == 0)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == text)
        let keyed = try await Self.initialise(folder, "\n\n\nrk_test_four\n")
        #expect(keyed.code == 0 && !keyed.output.contains("Without an API key"))
        let moved = try await Self.initialise(folder, "live\n\n\n\n")
        #expect(moved.code == 2)
        #expect(moved.errors.contains("the one that is there cannot be kept: that is a key"))
        let still = try String(contentsOfFile: path, encoding: .utf8)
        #expect(still.contains("livemode: test"))
        let key = try String(contentsOfFile: folder.file("secrets/stripe"), encoding: .utf8)
        #expect(key == "rk_test_four\n")
    }

    @Test("a wrong answer is refused in a sentence, and nothing is written", arguments: [
        ("both\n", "neither live nor test"), ("live\nhost\n", "no host:port"),
        ("live\n\nsk_live_a\n", "API key"), ("live\n\nwhsec_a\nrk_test_a\n", "test mode"),
        ("live\n\n", "no answer to: The endpoint's signing secret"), ("", "needs four lines"),
        ("live\n\nwhsec_a\n", "no answer to: A restricted API key"),
        ("live\n\n \n\n", "it is needed"), ("live\n0\n", "no host:port"),
        ("live\nhttps://pay.example.com/webhooks/stripe\n", "such as 127.0.0.1:8080"),
    ])
    func refused(answers: String, expected: String) async throws {
        let folder = try TemporaryFolder()
        let asked = try await Self.initialise(folder, answers)
        #expect(asked.code == 2)
        #expect(asked.errors.contains(expected), "\(asked.errors)")
        #expect(!FileManager.default.fileExists(atPath: folder.file("tillbox.conf")))
        #expect(!FileManager.default.fileExists(atPath: folder.file("secrets")))
    }
}
