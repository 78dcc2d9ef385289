import AsyncHTTPClient
package import Bridges
import CProcess
import Foundation
import NIOCore
import NIOHTTP1
package import Vocabulary

/// A way to somebody who does not look.
package protocol AlertDoor: Sendable {
    /// By which it is known again after a restart: another address was told nothing.
    var key: String { get }

    /// - Throws: a few words that say why it was not taken.
    func tell(_ alerts: [Alert], at now: Instant) async throws
}

/// A digest, since the address is secret.
private func doorKey(_ kind: String, _ place: String) -> String {
    "\(kind) " + String(hex: SHA256.digest(Array(place.utf8)[...]).prefix(8))
}

/// Why somebody could not be told.
package struct AlertFailure: Error, CustomStringConvertible {
    package var description: String
}

/// Posts one JSON object: `text` for chat programs that take just that, and the parts for others.
package struct AlertWebhook: AlertDoor {
    /// Such an address is often all that its owner asks for, so that it is shown to nobody.
    private let url: Secret
    private static let timeoutSeconds: Int64 = 15
    /// It goes nowhere else than it is told to: a page that somebody is led to, such as one to sign
    /// in, answers 200 and tells nobody.
    private static let client: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.redirectConfiguration = .disallow
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    package init(url: Secret) { self.url = url }

    package var key: String { doorKey("url", url.reveal()) }

    package static func body(_ alerts: [Alert], at now: Instant) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("text", text(of: alerts))
        writer.member("at", now.rfc3339)
        writer.key("alerts")
        writer.beginArray()
        for alert in alerts {
            writer.beginObject()
            writer.member("state", alert.state.rawValue)
            writer.member("sentence", alert.sentence)
            writer.member("since", alert.since.rfc3339)
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
        return writer.bytes
    }

    /// A line each.
    static func text(of alerts: [Alert]) -> String {
        alerts.map { alert in
            alert.state == .raised
                ? "Tillbox needs a person: \(alert.sentence)" : "Tillbox: over: \(alert.sentence)"
        }.joined(separator: "\n")
    }

    package func tell(_ alerts: [Alert], at now: Instant) async throws {
        var request = HTTPClientRequest(url: url.reveal())
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.headers.add(name: "User-Agent", value: "tillbox")
        request.body = .bytes(ByteBuffer(bytes: Self.body(alerts, at: now)))
        let answer: HTTPClientResponse
        do {
            answer = try await Self.client.execute(
                request, timeout: .seconds(Self.timeoutSeconds))
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            // An error may name the address.
            throw AlertFailure(description: "alerts.url does not answer")
        }
        guard (200..<300).contains(answer.status.code) else {
            throw AlertFailure(description: "alerts.url answers \(answer.status.code)")
        }
    }
}

/// Runs a command and writes the text to its standard input: `mail -s Tillbox ops@example.com`.
/// It gets PATH and nothing else of the daemon's environment, where secrets may be. One that does
/// not end is killed, with all that it has started.
package struct AlertCommand: AlertDoor {
    private let command: String
    private let secondsMax: Int64
    private let shell: String
    /// Between two looks at whether it has ended.
    private static let pause = Duration.milliseconds(50)
    private static let killedMillisecondsMax: Int32 = 1_000

    package init(_ command: String, secondsMax: Int64 = 30, shell: String = "/bin/sh") {
        self.command = command
        self.secondsMax = secondsMax
        self.shell = shell
    }

    package var key: String { doorKey("command", command) }

    package func tell(_ alerts: [Alert], at now: Instant) async throws {
        let input = Pipe()
        let process = process(reading: input)
        do {
            try Self.unblockingSignals { try process.run() }
        } catch {
            throw AlertFailure(description: "alerts.command does not run")
        }
        // A shell that leads a group is in it with all that it has started.
        let pid = process.processIdentifier
        let all = getpgid(pid) == pid ? -pid : pid
        // A pipe holds as much as the longest of these without a reader; one that does not care for
        // the text has ended, which its exit code tells of.
        let text = AlertWebhook.text(of: alerts) + "\n"
        try? input.fileHandleForWriting.write(contentsOf: Data(text.utf8.prefix(32 << 10)))
        try? input.fileHandleForWriting.close()
        let deadline = ContinuousClock.now + .seconds(secondsMax)
        do {
            while ContinuousClock.now < deadline {
                if let end = Self.end(of: process) { return try Self.judge(end) }
                try await Task.sleep(for: Self.pause)
            }
        } catch is CancellationError {
            _ = Self.kill(pid, all)
            throw CancellationError()
        }
        let isKilled = Self.kill(pid, all)
        throw AlertFailure(
            description: "alerts.command does not end within \(secondsMax) s"
                + (isKilled ? "" : ", and cannot be killed"))
    }

    /// Kills a command, and waits for its end, as long as one that can be killed takes for it.
    ///
    /// - Parameter all: the group that it leads, below zero, or itself.
    /// - Returns: whether it has ended; where not, Foundation takes its end when it comes.
    static func kill(_ process: Int32, _ all: Int32) -> Bool {
        tillbox_kill(process, all, killedMillisecondsMax) == 1
    }

    /// How the command itself has ended: its exit code, or its signal below zero; nil while it
    /// runs. Foundation tells of it only once all that it has left running has ended too, such as a
    /// mailer that delivers in the background.
    private static func end(of process: Process) -> Int32? {
        guard process.isRunning else {
            return process.terminationReason == .exit
                ? process.terminationStatus : -process.terminationStatus
        }
        var end: Int32 = 0
        return tillbox_child_end(process.processIdentifier, &end) == 1 ? end : nil
    }

    private static func judge(_ end: Int32) throws {
        guard end != 0 else { return }
        throw AlertFailure(
            description: end > 0
                ? "alerts.command ends with \(end)" : "alerts.command ends by signal \(-end)")
    }

    /// A pool's thread has most signals blocked, and a child inherits that with all that it starts:
    /// `timeout` would end nothing. Some shells undo it (dash), and others do not (bash).
    private static func unblockingSignals(_ start: () throws -> Void) rethrows {
        var (none, before) = (sigset_t(), sigset_t())
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try start()
    }

    private func process(reading input: Pipe) -> Process {
        let process = Process()
        process.executableURL = URL(filePath: shell)
        process.arguments = ["-c", command]
        process.environment = [
            "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin"
        ]
        process.standardInput = input
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        return process
    }
}
