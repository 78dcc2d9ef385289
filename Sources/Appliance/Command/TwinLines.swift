import Foundation
import Synchronization
import Twin
import Vocabulary

/// What the twin prints of its calls and deliveries, a line each:
///
/// ```
/// 2026-01-05T10:00:00.123Z call 200 POST /v1/payment_intents req_1Abc…
/// 2026-01-05T10:00:00.124Z call 402 POST /v1/payment_intents req_1Abd… card_declined
/// 2026-01-05T10:00:00.130Z send 200 charge.succeeded evt_1… http://127.0.0.1:8080/hook attempt 1
/// 2026-01-05T10:00:00.140Z send connection_failed charge.succeeded evt_1… http://… attempt 2
/// ```
enum TwinLines {
    static func listener(_ writer: LineWriter) -> LiveTwin.Listener {
        LiveTwin.Listener(
            onAnswer: { call, answer, _ in writer.write(line(call, answer, at: .now)) },
            onAttempt: { endpoint, shipment, outcome in
                writer.write(line(endpoint, shipment, outcome, at: .now))
            })
    }

    static func line(_ call: APIRequest, _ answer: APIAnswer, at time: Date) -> String {
        var words = [
            stamp(time), "call", "\(answer.status)", call.method.rawValue, printable(call.path),
            answer.requestID,
        ]
        if let account = call.account { words.append(printable(account)) }
        if answer.isReplayed { words.append("replayed") }
        if let refusal = answer.refusal {
            words.append(refusal.code ?? refusal.kind.rawValue)
            if let parameter = refusal.parameter { words.append(printable(parameter)) }
        }
        return words.joined(separator: " ")
    }

    static func line(
        _ endpoint: TwinEndpoint, _ shipment: Shipment, _ outcome: DeliveryOutcome, at time: Date
    ) -> String {
        let answer =
            switch outcome {
            case .answered(let status): "\(status)"
            case .unanswered(let reason): reason
            }
        return [
            stamp(time), "send", answer, shipment.event.type, shipment.event.id,
            printable(endpoint.url), "attempt \(shipment.attempts)",
        ].joined(separator: " ")
    }

    private static func stamp(_ time: Date) -> String {
        time.formatted(.iso8601.year().month().day().dateTimeSeparator(.standard)
            .time(includingFractionalSeconds: true)) + "Z"
    }

    /// What callers write stays on its line and leaves the terminal alone.
    private static func printable(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.prefix(200).map {
                    $0.value > 32 && !(127...159).contains($0.value) ? $0 : "?"
                }))
    }
}

/// Writes lines to standard output from a queue of its own, so that a terminal that stands still
/// holds up nobody. What no longer fits is counted and said.
final class LineWriter: Sendable {
    private struct Waiting {
        var count = 0
        var dropped = 0
    }

    /// Lines that may wait.
    private static let waitingMax = 10_000

    private let queue = DispatchQueue(label: "tillbox.twin.lines")
    private let waiting = Mutex(Waiting())

    func write(_ line: String) {
        let (isTaken, dropped) = waiting.withLock { waiting in
            guard waiting.count < Self.waitingMax else {
                waiting.dropped += 1
                return (false, 0)
            }
            waiting.count += 1
            defer { waiting.dropped = 0 }
            return (true, waiting.dropped)
        }
        guard isTaken else { return }
        queue.async { [self] in
            let note = dropped > 0 ? "(\(Counted.words(dropped, "line")) left out)\n" : ""
            // Nobody reads any more: there is nobody to tell.
            try? FileHandle.standardOutput.write(contentsOf: Data((note + line + "\n").utf8))
            waiting.withLock { $0.count -= 1 }
        }
    }

    /// Waits for what was written before.
    func drain() { queue.sync {} }
}
