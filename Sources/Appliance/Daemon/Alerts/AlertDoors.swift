import AsyncHTTPClient
package import Bridges
import Foundation
import NIOCore
import NIOHTTP1
package import Vocabulary

/// A way to somebody who does not look.
package protocol AlertDoor: Sendable {
    /// - Throws: a few words that say why it was not taken.
    func tell(_ alerts: [Alert], at now: Instant) async throws
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

    package init(url: Secret) { self.url = url }

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
            answer = try await HTTPClient.shared.execute(
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
/// It gets PATH and nothing else of the daemon's environment, where secrets may be.
package struct AlertCommand: AlertDoor {
    private let command: String
    private static let patience = Duration.seconds(30)

    package init(_ command: String) { self.command = command }

    package func tell(_ alerts: [Alert], at now: Instant) async throws {
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-c", command]
        process.environment = [
            "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin"
        ]
        let input = Pipe()
        process.standardInput = input
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        let ended = AsyncStream<Int32>.makeStream()
        process.terminationHandler = { ended.continuation.yield($0.terminationStatus) }
        do {
            try process.run()
        } catch {
            throw AlertFailure(description: "alerts.command does not run")
        }
        // A pipe holds as much as the longest of these without a reader; one that does not care for
        // the text has ended, which its exit code tells of.
        let text = AlertWebhook.text(of: alerts) + "\n"
        try? input.fileHandleForWriting.write(contentsOf: Data(text.utf8.prefix(32 << 10)))
        try? input.fileHandleForWriting.close()
        let pid = process.processIdentifier
        let clock = Task {
            try await Task.sleep(for: Self.patience)
            kill(pid, SIGKILL)
        }
        defer { clock.cancel() }
        for await code in ended.stream {
            guard code == 0 else {
                throw AlertFailure(description: "alerts.command ends with \(code)")
            }
            return
        }
    }
}
