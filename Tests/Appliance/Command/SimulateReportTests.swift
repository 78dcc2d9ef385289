import ArgumentParser
import Foundation
import NIOCore
import Testing

@testable import Appliance
@testable import Command
@testable import Traffic
@testable import Vocabulary

@Suite("Simulate")
struct SimulateReportTests {
    private static func report() -> SimulateReport {
        var tally = LoadTally()
        tally.firsts = 1_234
        tally.accepted = 1_230
        tally.attempts = 1_300
        tally.refused = ["signature_mismatch": 4]
        tally.latency.record(2_500_000)
        tally.close()
        return SimulateReport(
            LoadResult(tally: tally, elapsed: .seconds(2), processorTime: .milliseconds(130)),
            seed: 7)
    }

    @Test("the table lines its numbers up and names what was not as expected")
    func table() {
        let lines = Self.report().table().split(separator: "\n")
        #expect(lines.first?.hasPrefix("deliveries") == true)
        #expect(lines.contains { $0.hasSuffix(" 1,234") })
        #expect(lines.contains { $0.contains("p99.9") && $0.hasSuffix(" 2.50 ms") })
        #expect(lines.contains { $0.hasPrefix("not as expected: called_duplicate_at_first") })
        #expect(Set(lines.map(\.count)).count == 1)
    }

    @Test("what the ledger lacks is named, and makes the run not as expected")
    func ledger() throws {
        var report = Self.report()
        report.differences = [:]
        #expect(report.isAsExpected)
        report.ledger = LedgerProof(movements: 12, processor: ["usd": -1_250, "jpy": 700])
        #expect(report.isAsExpected)
        #expect(report.table().contains("-12.50"))
        report.ledger?.missing = 2
        report.ledger?.examples = ["missing charge:ch_1"]
        #expect(!report.isAsExpected)
        let lines = report.table().split(separator: "\n")
        #expect(lines.contains { $0.hasPrefix("not as expected: missing in the ledger") })
        #expect(lines.contains { $0.hasPrefix("  missing charge:ch_1") })
        #expect(report.json().contains("\"missing\" : 2"))
    }

    @Test("the JSON is one document with keys that stay")
    func json() throws {
        let parsed = try JSONSerialization.jsonObject(with: Data(Self.report().json().utf8))
        let report = try #require(parsed as? [String: Any])
        #expect(
            Set(report.keys) == [
                "seed", "seconds", "sent", "answers", "latency_ms",
                "client_microseconds_per_request", "differences",
            ])
        let latency = try #require(report["latency_ms"] as? [String: Any])
        #expect(Set(latency.keys) == ["p50", "p90", "p99", "p999", "max", "mean"])
        #expect(report["client_microseconds_per_request"] as? Double == 100)
        let answers = try #require(report["answers"] as? [String: Any])
        #expect(answers["per_second"] as? Double == 617)
    }

    @Test(
        "wrong usage is refused before anything is sent",
        arguments: [
            ["--to", "https://x"], ["--to", "http://x", "--duplicates", "1.5"],
            ["--to", "http://x", "--fraud", "0.95"], ["--to", "http://x", "--count", "0"],
            ["--to", "http://x", "--connections", "0"], ["--to", "http://x", "--rate", "nan"],
            ["--to", "http://x", "--duplicates", "0.6", "--bad-signatures", "0.4"], [],
        ])
    func usage(arguments: [String]) {
        #expect(throws: (any Error).self) {
            try Simulate.parse(arguments + ["--secret", "whsec_x"])
        }
    }

    @Test("takes contracts §9's options")
    func options() throws {
        let command = try Simulate.parse([
            "--to", "http://127.0.0.1:1", "--secret", "s", "--rate", "5", "--count", "6",
            "--seed", "7", "--duplicates", "0.1", "--reorder", "0.2", "--fraud", "0.3",
            "--bad-signatures", "0.4",
        ])
        #expect(command.rate == 5)
        #expect(command.count == 6)
        #expect(command.seed == 7)
        #expect(command.badSignatures == 0.4)
    }

    @Test("writes acknowledged ids a line each, and says when it cannot")
    func acknowledged() throws {
        let path = FileManager.default.temporaryDirectory
            .appendingPathComponent("tillbox-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let file = try AcknowledgementFile(path: path)
        file.append(EventID("evt_1"))
        file.append(EventID("evt_2"))
        #expect(file.isComplete)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "evt_1\nevt_2\n")
        #expect(throws: LoadError.cannotWrite(path: "/dev/null/x")) {
            try AcknowledgementFile(path: "/dev/null/x")
        }
    }
}
