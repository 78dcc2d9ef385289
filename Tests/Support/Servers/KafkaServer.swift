import Foundation

/// A Kafka-protocol broker of its own on a loopback port: noida-db, one node, in a fresh folder.
///
/// It is not Apache Kafka: docs/BRIDGES.md says what it does not show. Killed, it loses the last
/// seconds of what it has acknowledged; ended by SIGTERM, nothing.
public final class KafkaServer: @unchecked Sendable {
    // `@unchecked Sendable`: used from one test at a time.
    public let port: Int
    private let folder: TemporaryFolder
    private let network: KafkaNetwork?
    private var process: ServerProcess?

    /// One for all tests of this process that do it no harm; each uses topics of its own.
    public static func shared() async throws -> KafkaServer { try await sharedStart.value }

    private static let sharedStart = Task { try await KafkaServer() }

    /// `host:port` for a client.
    public var bootstrap: String { "127.0.0.1:\(port)" }

    /// - Parameter network: a proxy in whose network the broker runs, at the same port.
    public init(in network: KafkaNetwork? = nil) async throws {
        self.network = network
        port = try network?.port ?? freePort()
        folder = try TemporaryFolder()
        try await start()
    }

    /// Starts it, with what it had saved. Returns when it takes connections.
    public func start() async throws {
        process = try ServerProcess((network?.entering ?? []) + command(), folder: folder)
        try await eventually("the broker listens", within: 20) {
            guard process?.isRunning == true else { throw NoBroker(words: errors) }
            // Behind a proxy the port is open before the broker is there, so its words count too.
            return output.contains("press Ctrl-C") && (try? RawConnection(port: port)) != nil
        }
    }

    private func command() throws -> [String] {
        let python = URL(filePath: try Repository.python())
        let packages = python.deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "lib")
        let version = try FileManager.default.contentsOfDirectory(atPath: packages.path)
            .first { $0.hasPrefix("python3") } ?? ""
        // The binary itself: the package's script leaves it behind when it is killed.
        let binary = packages.appending(path: "\(version)/site-packages/noida_db/noida-db").path
        guard FileManager.default.fileExists(atPath: binary) else { throw MissingBroker() }
        // pip leaves it without the right to be run.
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: binary)
        return [
            binary, "start", "--only", "kafka", "--data-dir", folder.path, "--kafka-port",
            "\(port)",
        ]
    }

    public var output: String { process?.output ?? "" }
    public var errors: String { process?.errors ?? "" }

    /// Ends it in order: everything is saved.
    public func stop() async throws { try await process?.end(SIGTERM) }

    /// Ends it at once: what was not saved yet is lost.
    public func kill() async throws { try await process?.end(SIGKILL) }

    /// Holds it: connections stay, and nothing is answered.
    public func freeze() { process?.kill(SIGSTOP) }
    public func thaw() { process?.kill(SIGCONT) }
}

/// The broker ended by itself.
public struct NoBroker: Error, CustomStringConvertible {
    public var words: String
    public var description: String { "the broker ended: \(words.suffix(400))" }
}

/// The package is not installed.
public struct MissingBroker: Error, CustomStringConvertible {
    public var description: String { "noida-db is not in .venv; run `make setup`" }
}

/// A network of its own with a proxy at its door, which can lose answers, cut connections and
/// speak TLS.
public final class KafkaNetwork: Sendable {
    public let port: Int
    private let controlPort: Int
    private let process: ServerProcess

    /// Whether this machine makes network namespaces for us. Root may, in most containers.
    public static let isPossible: Bool = {
        let probe = Process()
        probe.executableURL = URL(filePath: "/usr/bin/unshare")
        probe.arguments = ["--net", "true"]
        probe.standardError = FileHandle.nullDevice
        do { try probe.run() } catch { return false }
        probe.waitUntilExit()
        return probe.terminationStatus == 0
    }()

    /// What a test that is left out says.
    public static let whyNot: String =
        "this machine gives no network namespace (unshare --net), so no proxy can stand in front "
        + "of the broker"

    /// - Parameter certificate: with one, the door speaks TLS.
    public init(certificate: TestCertificate? = nil) async throws {
        port = try freePort()
        controlPort = try freePort()
        let script = Repository.root.appending(path: "Tests/Support/Servers/kafka_proxy.py").path
        var words = ["/usr/bin/python3", script, "\(port)", "\(controlPort)"]
        if let certificate { words += [certificate.certificateFile, certificate.keyFile] }
        let process = try ServerProcess(words)
        self.process = process
        try await eventually("the proxy listens", within: 20) {
            guard process.isRunning else { throw NoBroker(words: process.errors) }
            return process.output.contains("ready")
        }
    }

    /// The words before a command that is to run inside.
    var entering: [String] { ["/usr/bin/nsenter", "--net=/proc/\(process.processID)/ns/net"] }

    /// The next `count` answers to requests of that key are lost, and their connections with them.
    public func loseAnswers(to key: Int, count: Int = 1) throws {
        _ = try command("drop \(key) \(count)")
    }

    /// How many answers were lost so far.
    public var lostAnswers: Int {
        get throws { Int(try command("dropped")) ?? -1 }
    }

    /// Ends all connections.
    public func cut() throws { _ = try command("cut") }

    /// Lets nothing through, and again.
    public func hold() throws { _ = try command("hold") }
    public func go() throws { _ = try command("go") }

    private func command(_ line: String) throws -> String {
        let connection = try RawConnection(port: controlPort)
        connection.send(line + "\n")
        connection.endSending()
        return connection.readToEnd().trimmingCharacters(in: .whitespacesAndNewlines)
    }
}

/// Numbers of Kafka's requests.
public enum KafkaKey {
    public static let produce = 0
    public static let txnOffsetCommit = 28
    public static let endTxn = 26
}
