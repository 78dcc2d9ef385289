import Foundation
import ServiceLifecycle
import Synchronization

/// Lines above the numbers: the data folder, and addresses as they become known.
final class DashboardHeader: Sendable {
    private let shown: Mutex<[String]>

    init(_ lines: [String]) { shown = Mutex(lines) }

    var lines: [String] { shown.withLock { $0 } }

    func add(_ line: String) { shown.withLock { $0.append(line) } }
}

/// The demo's live view: on a terminal a screen redrawn twice a second, elsewhere a line every second.
struct Dashboard: Service {
    let counters: Counters
    let header: DashboardHeader
    /// Draws a whole screen; false prints lines.
    let isTerminal: Bool

    func run() async throws {
        var previous = Reading(counters)
        let interval: Duration = isTerminal ? .milliseconds(500) : .seconds(1)
        if isTerminal { write("\u{1B}[2J") }
        var shown = 0
        while !Task.isShuttingDownGracefully, !Task.isCancelled {
            try? await cancelWhenGracefulShutdown { try await Task.sleep(for: interval) }
            let reading = Reading(counters)
            let header = header.lines
            if isTerminal {
                write(screen(reading, since: previous, below: header))
            } else {
                write(header.dropFirst(shown).map { $0 + "\n" }.joined())
                shown = header.count
                write(line(reading, since: previous))
            }
            previous = reading
        }
    }

    /// The counters at one moment.
    struct Reading {
        var at = ContinuousClock.now
        var values: [Counters.Name: Int]
        var volume: [Currency: Int64]
        var endToEnd: [Int64]
        var acknowledged: [Int64]

        init(_ counters: Counters) {
            values = Dictionary(
                uniqueKeysWithValues: Counters.Name.allCases.map { ($0, counters[$0]) })
            volume = counters.volume
            endToEnd = counters.endToEnd.quantiles([0.5, 0.99])
            acknowledged = counters.acknowledged.quantiles([0.5, 0.99])
        }

        subscript(name: Counters.Name) -> Int { values[name] ?? 0 }

        /// Increase a second since an earlier reading.
        func rate(_ name: Counters.Name, since earlier: Reading) -> Double {
            let (seconds, attoseconds) = (at - earlier.at).components
            let span = Double(seconds) + Double(attoseconds) / 1e18
            return span > 0 ? Double(self[name] - earlier[name]) / span : 0
        }

        var flagged: Int { self[.flagged] + self[.blocked] }
    }

    private func screen(_ now: Reading, since before: Reading, below header: [String]) -> String {
        func row(_ label: String, _ value: String, _ note: String = "") -> String {
            "  " + label.padding(toLength: 22, withPad: " ", startingAt: 0)
                + String(repeating: " ", count: max(0, 12 - value.count)) + value + "   " + note
        }
        var lines = ["\u{1B}[1mTillbox\u{1B}[0m  a payments backbone in one box        Ctrl-C stops"]
        lines += header.map { "  " + $0 } + [""]
        lines.append(row("webhooks admitted", grouped(now[.admitted]), perSecond(.admitted, now, before)))
        lines.append(row("movements scored", grouped(now[.scored]), perSecond(.scored, now, before)))
        lines.append(row("ledger entries booked", grouped(now[.booked]), perSecond(.booked, now, before)))
        lines.append("")
        lines.append(row("approved", grouped(now[.approved])))
        lines.append(row("flagged for review", grouped(now[.flagged]), share(now[.flagged], now)))
        lines.append(row("blocked", grouped(now[.blocked]), share(now[.blocked], now)))
        lines.append(row("duplicates blocked", grouped(now[.duplicates])))
        lines.append(row("bad signatures", grouped(now[.signatureRefused])))
        lines.append(row("dead letters", grouped(now[.deadLetters])))
        lines.append("")
        lines.append(row("webhook to 200", milliseconds(now.acknowledged[0]),
            "p99 \(milliseconds(now.acknowledged[1]))"))
        lines.append(row("webhook to ledger", milliseconds(now.endToEnd[0]),
            "p99 \(milliseconds(now.endToEnd[1]))"))
        lines.append("")
        lines.append("  volume booked")
        for (currency, amount) in now.volume.sorted(by: { $0.key.code < $1.key.code }) {
            let text = grouped(decimal: currency.display(MinorUnits(amount)))
            lines.append(row("  " + currency.code.uppercased(), text))
        }
        return "\u{1B}[H" + lines.map { $0 + "\u{1B}[K\n" }.joined() + "\u{1B}[J"
    }

    private func line(_ now: Reading, since before: Reading) -> String {
        let volume = now.volume.sorted { $0.key.code < $1.key.code }
            .map { "\($0.key.code.uppercased()) \($0.key.display(MinorUnits($0.value)))" }
            .joined(separator: ", ")
        let rate = String(format: "%.0f/s", now.rate(.scored, since: before))
        return "processed \(now[.scored]) (\(rate))  flagged \(now.flagged)  "
            + "duplicates \(now[.duplicates])  dead letters \(now[.deadLetters])  "
            + "booked \(now[.booked])  ack p99 \(milliseconds(now.acknowledged[1]))  "
            + "to ledger p99 \(milliseconds(now.endToEnd[1]))  volume \(volume)\n"
    }

    private func perSecond(_ name: Counters.Name, _ now: Reading, _ before: Reading) -> String {
        String(format: "%.0f/s", now.rate(name, since: before))
    }

    private func share(_ part: Int, _ now: Reading) -> String {
        let whole = now[.approved] + now[.flagged] + now[.blocked]
        return whole > 0 ? String(format: "%.1f %%", 100 * Double(part) / Double(whole)) : ""
    }

    private func milliseconds(_ microseconds: Int64) -> String {
        String(format: "%.1f ms", Double(microseconds) / 1000)
    }

    private func grouped(_ number: Int) -> String { grouped(decimal: String(number)) }

    /// `1234567.89` as `1,234,567.89`.
    private func grouped(decimal: String) -> String {
        let parts = decimal.split(separator: ".", maxSplits: 1)
        let whole = String(parts[0].reversed().enumerated().map { index, digit in
            index > 0 && index % 3 == 0 && digit != "-" ? ",\(digit)" : "\(digit)"
        }.joined().reversed())
        return parts.count > 1 ? "\(whole).\(parts[1])" : whole
    }

    private func write(_ text: String) {
        // The demo goes on unseen; what it says at its end is checked.
        try? Output.standard.write(Array(text.utf8))
    }
}
