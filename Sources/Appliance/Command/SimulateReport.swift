import Foundation
import NIOCore
import Terminal
import Traffic
import Vocabulary

/// What a simulation sent and how it was answered: a table for people, JSON for programs.
struct SimulateReport: Hashable, Sendable, Codable {
    struct Sent: Hashable, Sendable, Codable {
        /// Deliveries, retries not counted.
        var deliveries: Int
        /// Requests, retries counted.
        var attempts: Int
        var retries: Int
        /// Different events among the deliveries.
        var events: Int
        var copies: Int
        var forgeries: Int
        /// Attempts to pay that a fraudster made.
        var fraudulentPayments: Int
        /// Different events, by Stripe's type.
        var byType: [String: Int]
    }

    struct Answers: Hashable, Sendable, Codable {
        var accepted: Int
        var duplicates: Int
        /// By the error's code, else `http_<status>`.
        var refused: [String: Int]
        var abandoned: Int
        var connectionsLost: Int
        var timeouts: Int
        var perSecond: Double
    }

    /// From the intended time of sending to the final answer, milliseconds.
    struct Latency: Hashable, Sendable, Codable {
        var p50: Double
        var p90: Double
        var p99: Double
        var p999: Double
        var max: Double
        var mean: Double
    }

    var seed: UInt64
    var seconds: Double
    var sent: Sent
    var answers: Answers
    var latencyMs: Latency
    /// Processor time of the simulator itself for each request, microseconds.
    var clientMicrosecondsPerRequest: Double
    /// Answers that were not as expected, by what they were; empty when all is well.
    var differences: [String: Int]
    /// What `--prove` found; nil without it.
    var ledger: LedgerProof?

    /// Whether all answers, and the ledger if it was asked, were as expected.
    var isAsExpected: Bool { differences.isEmpty && ledger?.holds != false }

    init(_ result: LoadResult, seed: UInt64) {
        let tally = result.tally
        self.seed = seed
        seconds = Double(result.elapsed.nanoseconds) / 1e9
        sent = Sent(
            deliveries: tally.firsts + tally.copies + tally.forgeries, attempts: tally.attempts,
            retries: tally.retries, events: tally.firsts, copies: tally.copies,
            forgeries: tally.forgeries, fraudulentPayments: tally.fraudulentPayments,
            byType: tally.events)
        answers = Answers(
            accepted: tally.accepted, duplicates: tally.duplicates, refused: tally.refused,
            abandoned: tally.abandoned, connectionsLost: tally.connectionsLost,
            timeouts: tally.timeouts,
            perSecond: seconds > 0 ? Double(tally.answered) / seconds : 0)
        let milliseconds = { (nanoseconds: UInt64) in Double(nanoseconds) / 1e6 }
        let histogram = tally.latency
        latencyMs = Latency(
            p50: milliseconds(histogram.value(atShare: 0.5)),
            p90: milliseconds(histogram.value(atShare: 0.9)),
            p99: milliseconds(histogram.value(atShare: 0.99)),
            p999: milliseconds(histogram.value(atShare: 0.999)),
            max: milliseconds(histogram.max), mean: histogram.mean / 1e6)
        clientMicrosecondsPerRequest =
            tally.attempts > 0
            ? Double(result.processorTime.nanoseconds) / 1e3 / Double(tally.attempts) : 0
        differences = tally.differences
    }

    /// One JSON document; its keys are in snake case and stay as they are.
    func json() -> String {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(self) else {
            preconditionFailure("a report of numbers and words must encode")
        }
        return String(decoding: data, as: UTF8.self)
    }

    /// Several lines, without a line end after the last.
    func table() -> String {
        var rows: [(String, String)] = [
            ("deliveries", Figures.grouped(sent.deliveries)),
            ("  events", Figures.grouped(sent.events)),
            ("  copies", Figures.grouped(sent.copies)),
            ("  forgeries", Figures.grouped(sent.forgeries)),
            ("  fraudulent payments", Figures.grouped(sent.fraudulentPayments)),
            ("requests", Figures.grouped(sent.attempts)),
            ("  retries", Figures.grouped(sent.retries)),
            ("accepted", Figures.grouped(answers.accepted)),
            ("duplicates", Figures.grouped(answers.duplicates)),
            ("refused", Figures.grouped(answers.refused.values.reduce(0, +))),
        ]
        rows += answers.refused.sorted { $0.key < $1.key }.map {
            ("  \($0.key)", Figures.grouped($0.value))
        }
        if answers.abandoned > 0 { rows.append(("abandoned", Figures.grouped(answers.abandoned))) }
        if answers.connectionsLost > 0 {
            rows.append(("connections lost", Figures.grouped(answers.connectionsLost)))
        }
        if answers.timeouts > 0 { rows.append(("timeouts", Figures.grouped(answers.timeouts))) }
        rows += [
            ("seconds", Self.decimal(seconds)),
            ("answers a second", Self.decimal(answers.perSecond)),
            ("latency p50", Self.decimal(latencyMs.p50) + " ms"),
            ("latency p90", Self.decimal(latencyMs.p90) + " ms"),
            ("latency p99", Self.decimal(latencyMs.p99) + " ms"),
            ("latency p99.9", Self.decimal(latencyMs.p999) + " ms"),
            ("latency max", Self.decimal(latencyMs.max) + " ms"),
        ]
        rows += differences.sorted { $0.key < $1.key }.map {
            ("not as expected: \($0.key)", Figures.grouped($0.value))
        }
        if let ledger { rows += Self.rows(of: ledger) }
        let width = rows.map(\.0.count).max() ?? 0
        let digits = rows.map(\.1.count).max() ?? 0
        return rows.map { name, value in
            let gap = width - name.count + digits - value.count + 2
            return name + String(repeating: " ", count: gap) + value
        }.joined(separator: "\n")
    }

    private static func rows(of proof: LedgerProof) -> [(String, String)] {
        var rows = [("movements in the ledger", Figures.grouped(proof.movements - proof.missing))]
        rows += proof.processor.sorted { $0.key < $1.key }.map { code, change in
            let shown = Currency(code)?.display(MinorUnits(change)) ?? String(change)
            return ("  processor:stripe \(code)", shown)
        }
        if proof.missing > 0 {
            rows.append(("not as expected: missing in the ledger", Figures.grouped(proof.missing)))
        }
        if proof.different > 0 {
            rows.append(("not as expected: booked differently", Figures.grouped(proof.different)))
        }
        return rows + proof.examples.map { ("  \($0)", "") }
    }

    static func decimal(_ number: Double) -> String {
        String(format: number < 10 ? "%.2f" : "%.1f", number)
    }
}
