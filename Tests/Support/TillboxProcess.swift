import Foundation

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
