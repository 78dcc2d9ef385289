import Foundation
import Synchronization

/// The `tillbox` binary that was built with the tests, as a user runs it.
public enum Tillbox {
    /// Beside the test runner: both come from one build.
    public static let executable = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        .deletingLastPathComponent().appending(path: "tillbox").path

    /// Runs a command to its end.
    public static func run(
        _ arguments: String..., environment: [String: String] = [:]
    ) async throws -> (code: Int32, output: String, errors: String) {
        try await Child.run(executable, arguments, environment: environment)
    }

    /// Sends signed traffic to the daemon at `port`, from templates, as fast as it answers.
    ///
    /// - Parameter more: further options of `simulate`.
    public static func simulate(
        to port: Int, secret: String = "whsec_test", count: Int, seed: Int = 1,
        _ more: String...
    ) async throws -> (code: Int32, output: String, errors: String) {
        let words = simulation(to: port, secret: secret, count: count, seed: seed) + more
        return try await Child.run(executable, words)
    }

    /// The words of that command, for a child that runs beside the test.
    public static func simulation(
        to port: Int, secret: String = "whsec_test", count: Int, seed: Int = 1
    ) -> [String] {
        [
            "simulate", "--to", "http://127.0.0.1:\(port)/webhooks/stripe", "--secret", secret,
            "--templates", "--rate", "0", "--count", "\(count)", "--seed", "\(seed)",
        ]
    }

    /// What the running daemon of a data folder lets its commands in by; empty where none runs.
    public static func token(of data: String) -> String {
        let text = try? String(contentsOfFile: "\(data)/console/token", encoding: .utf8)
        return (text ?? "").trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Starts the daemon on free loopback ports.
    public static func start(
        data: String, webhookPort: Int, adminPort: Int, secret: String = "whsec_test",
        environment: [String: String] = [:]
    ) throws -> Child {
        let own = [
            "TILLBOX_WEBHOOK_SECRET": secret, "TILLBOX_WEBHOOK_PORT": "\(webhookPort)",
            "TILLBOX_ADMIN_PORT": "\(adminPort)",
        ]
        return try Child(
            executable, ["run", "--data", data], environment: own.merging(environment) { $1 })
    }
}

/// A TCP port on 127.0.0.1 that was free a moment ago.
///
/// It lies below the range from which Linux takes ports by itself (32768 on), so that no other
/// test's port 0 and no outgoing connection takes it while a killed daemon is away.
public func freePort() throws -> Int {
    for _ in 0..<100 {
        let port = Int.random(in: 20_000..<30_000)
        // Two tests that run side by side must not be given the same one.
        let isNew = givenPorts.withLock { $0.insert(port).inserted }
        if isNew, isFree(port) { return port }
    }
    throw NoFreePort()
}

private let givenPorts = Mutex<Set<Int>>([])

private func isFree(_ port: Int) -> Bool {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
    // SAFETY: the address lives through the call and has the length given.
    return withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
        }
    }
}

/// The system gave no port.
public struct NoFreePort: Error {}

extension Child {
    /// Waits until the daemon says that it listens for webhooks, or has ended.
    public func untilListening() async throws {
        try await eventually("the daemon listens: \(standardError.suffix(400))") {
            let text = standardError
            return !isRunning
                || ["webhook", "admin"].allSatisfy { text.contains("\"role\":\"\($0)\"") }
        }
    }
}
