import Foundation

/// A Kafka-protocol broker of its own on a loopback port: noida-db, one node, in a fresh folder.
///
/// It is not Apache Kafka: docs/BRIDGES.md says what it does not show. Killed, it loses the last
/// seconds of what it has acknowledged; ended by SIGTERM while nobody writes, nothing.
public final class KafkaServer: @unchecked Sendable {
    // `@unchecked Sendable`: used from one test at a time.
    /// Its own, also where a proxy stands before it.
    public let port: Int
    private let folder: TemporaryFolder
    private let keeping: TemporaryFolder
    private let proxy: KafkaProxy?
    private var process: ServerProcess?

    /// One for all tests of this process that do it no harm; each uses topics of its own.
    public static func shared() async throws -> KafkaServer { try await sharedStart.value }

    private static let sharedStart = Task { try await KafkaServer() }

    /// `host:port` for a client.
    public var bootstrap: String { "127.0.0.1:\(proxy?.port ?? port)" }

    /// The same for a test's own tools, which know no passwords and no certificates.
    public var toolBootstrap: String {
        proxy?.isSecure == true ? "127.0.0.1:\(port)" : bootstrap
    }

    /// - Parameter proxy: stands before it, and is where clients connect.
    public init(behind proxy: KafkaProxy? = nil) async throws {
        self.proxy = proxy
        port = try proxy?.brokerPort ?? freePort()
        folder = try TemporaryFolder()
        keeping = try TemporaryFolder()
        try await start()
    }

    /// Starts it, with what it had saved. Returns when it takes connections.
    public func start() async throws {
        process = try ServerProcess(command(), folder: folder)
        try await eventually("the broker listens") {
            guard process?.isRunning == true else { throw NoBroker(words: errors) }
            return output.contains("press Ctrl-C") && (try? RawConnection(port: port)) != nil
        }
        // Who was held meanwhile has to come anew.
        try proxy?.cut()
        try proxy?.go()
        try proxy?.restarted()
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
    ///
    /// Where a proxy stands before it, nobody is let in any more and what was asked is answered
    /// first: noida-db saves what it has and acknowledges more for another moment, which is lost.
    public func stop() async throws {
        if let proxy {
            try proxy.hold()
            try await eventually("the broker owes no answer") { try proxy.dueAnswers == 0 }
        }
        try await process?.end(SIGTERM)
    }

    /// Ends it at once: what was not saved yet is lost.
    public func kill() async throws { try await process?.end(SIGKILL) }

    /// Ends it in order, keeps a copy of all that it has, and starts it again.
    public func remember() async throws {
        try await stop()
        let copy = kept.path
        try? FileManager.default.removeItem(atPath: copy)
        try FileManager.default.copyItem(atPath: folder.path, toPath: copy)
        try await start()
    }

    /// Kills it, and starts it with what it had when it was told to remember: whatever it has
    /// acknowledged since is lost.
    public func forget() async throws {
        try await kill()
        try FileManager.default.removeItem(atPath: folder.path)
        try FileManager.default.copyItem(atPath: kept.path, toPath: folder.path)
        try await start()
    }

    private var kept: URL { URL(filePath: keeping.file("kept")) }

    /// Bounds a topic's records anew, as somebody may at any time.
    public func bound(_ topic: String, bytes: Int) async throws {
        let script = Repository.root.appending(path: "Tests/Support/Servers/topic_bound.py").path
        let ran = try await Child.run(
            try Repository.python(), [script, toolBootstrap, topic, "\(bytes)"])
        guard ran.code == 0 else { throw NotBound(words: ran.errors) }
    }

    /// Deletes a group with the offsets that it has noted, as a broker does in which nobody has
    /// written any for a week.
    public func forget(group: String) async throws {
        let script = Repository.root.appending(path: "Tests/Support/Servers/forget_group.py").path
        let ran = try await Child.run(
            try Repository.python(), [script, toolBootstrap, group])
        guard ran.code == 0 else { throw NotForgotten(words: ran.errors) }
    }

    /// Holds it: connections stay, and nothing is answered.
    public func freeze() { process?.freeze() }
    public func thaw() { process?.thaw() }
}

/// The broker ended by itself.
public struct NoBroker: Error, CustomStringConvertible {
    public var words: String
    public var description: String { "the broker ended: \(words.suffix(400))" }
}

/// The broker did not take a topic's other bound.
public struct NotBound: Error, CustomStringConvertible {
    public var words: String
    public var description: String { "the topic has its old bound: \(words.suffix(400))" }
}

/// The broker has kept a group.
public struct NotForgotten: Error, CustomStringConvertible {
    public var words: String
    public var description: String { "the group is still there: \(words.suffix(400))" }
}

/// The package is not installed.
public struct MissingBroker: Error, CustomStringConvertible {
    public var description: String { "noida-db is not in .venv; run `make setup`" }
}

/// Stands before a broker: it loses answers, cuts connections, speaks TLS, and sets right what
/// noida-db answers otherwise than Apache Kafka does (`kafka_proxy.py` says what).
public final class KafkaProxy: Sendable {
    /// Where clients connect.
    public let port: Int
    let brokerPort: Int
    let isSecure: Bool
    private let controlPort: Int
    private let process: ServerProcess

    /// - Parameter certificate: with one, the door speaks TLS.
    public init(certificate: TestCertificate? = nil) async throws {
        port = try freePort()
        isSecure = certificate != nil
        brokerPort = try freePort()
        controlPort = try freePort()
        let script = Repository.root.appending(path: "Tests/Support/Servers/kafka_proxy.py").path
        var words = ["/usr/bin/python3", script, "\(port)", "\(brokerPort)", "\(controlPort)"]
        if let certificate { words += [certificate.certificateFile, certificate.keyFile] }
        let process = try ServerProcess(words)
        self.process = process
        try await eventually("the proxy listens") {
            guard process.isRunning else { throw NoBroker(words: process.errors) }
            return process.output.contains("ready")
        }
    }

    /// The next `count` answers to requests of that key are lost, and their connections with them.
    public func loseAnswers(to key: Int, count: Int = 1) throws {
        try order("drop \(key) \(count)")
    }

    /// How many answers were lost so far.
    public var lostAnswers: Int {
        get throws { try number("dropped") }
    }

    /// Ends all connections.
    ///
    /// - Returns: how many there were.
    @discardableResult
    public func cut() throws -> Int { try number("cut") }

    /// Lets nothing through, and again.
    public func hold() throws { try order("hold") }
    /// The same from the answer to the next request of that key on.
    public func hold(at key: Int) throws { try order("hold \(key)") }
    /// Also takes back what `hold(at:)` has not met yet.
    public func go() throws { try order("go") }

    /// Whether nothing is let through now: what `hold(at:)` waits for has come.
    public var isHeld: Bool {
        get throws { try number("held") == 1 }
    }

    /// The broker has been started with what it had kept, in which members that have left since are
    /// members still: they leave once more.
    func restarted() throws { try order("restarted") }

    /// How many requests came through the door.
    public var seenRequests: Int {
        get throws { try number("seen") }
    }

    /// How many answers the broker owes to requests that write something.
    public var dueAnswers: Int {
        get throws { try number("due") }
    }

    /// How many silent members were made to leave their groups.
    public var expiredMembers: Int {
        get throws { try number("expired") }
    }

    /// How many aborted transactions were taken out of answers to Fetch that they do not overlap.
    public var mendedAnswers: Int {
        get throws { try number("mended") }
    }

    /// How many times somebody has asked to join a group.
    public var joins: Int {
        get throws { Int(try command("joins")) ?? -1 }
    }

    /// What noida-db tells of its cluster, wherever it runs.
    public static let cluster = "MkU3OEVBNTctOEUyRi00"

    /// Tells another id of the cluster from now on, which is as long as ``cluster``.
    public func tell(cluster: String) throws { _ = try command("cluster \(cluster)") }

    /// Shows another certificate from now on to who connects anew, as a broker does whose own was
    /// renewed. Connections stay: `cut` ends them.
    public func show(_ certificate: TestCertificate) throws {
        try order("certificate \(certificate.certificateFile) \(certificate.keyFile)")
    }

    /// Refuses from now on who does not show this when it authenticates, as a broker does that
    /// checks passwords; noida-db takes any.
    public func accept(_ secret: String) throws {
        try order("accept " + secret.utf8.map { String(format: "%02x", $0) }.joined())
    }

    /// What was shown by who authenticated last.
    public var shown: String {
        get throws {
            let answer = try command("shown")
            guard answer.first == "=" else { throw NotObeyed(command: "shown", answer: answer) }
            let digits = Array(answer.dropFirst())
            let bytes = stride(from: 0, to: digits.count - 1, by: 2).compactMap {
                UInt8(String(digits[$0...($0 + 1)]), radix: 16)
            }
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    private func order(_ line: String) throws {
        let answer = try command(line)
        guard answer == "ok" else { throw NotObeyed(command: line, answer: answer) }
    }

    private func number(_ line: String) throws -> Int {
        let answer = try command(line)
        guard let number = Int(answer) else { throw NotObeyed(command: line, answer: answer) }
        return number
    }

    private func command(_ line: String) throws -> String {
        let connection = try RawConnection(port: controlPort, patienceSeconds: 60)
        connection.send(line + "\n")
        connection.endSending()
        return connection.readToEnd().trimmingCharacters(in: .whitespacesAndNewlines)
    }
}

/// The proxy did not do what it was told, or did not say so.
public struct NotObeyed: Error, CustomStringConvertible {
    public var command: String
    public var answer: String
    public var description: String { "the proxy answered \(command) with '\(answer)'" }
}

/// Numbers of Kafka's requests.
public enum KafkaKey {
    public static let produce = 0
    public static let findCoordinator = 10
    public static let txnOffsetCommit = 28
    public static let endTxn = 26
}
