import Foundation
import TestSupport
import Testing

@testable import Appliance
@testable import Vocabulary

/// The simulated world against the whole daemon: what it says must be booked is booked.
@Suite("Simulated traffic proves the ledger", .serialized)
struct SimulateEndToEndTests {
    private struct Report: Decodable {
        struct Ledger: Decodable {
            var movements: Int
            var missing: Int
            var different: Int
            var processor: [String: Int64]
        }
        var ledger: Ledger
    }

    private static func simulate(
        webhook: Int, data: String, _ more: [String]
    ) async throws -> (code: Int32, report: Report) {
        let ended = try await Child.run(
            Tillbox.executable,
            [
                "simulate", "--to", "http://127.0.0.1:\(webhook)/webhooks/stripe", "--secret",
                "whsec_test", "--rate", "0", "--prove", data, "--json",
            ] + more)
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let report = try? decoder.decode(Report.self, from: Data(ended.output.utf8))
        return (ended.code, try #require(report, "\(ended.code) \(ended.errors) \(ended.output)"))
    }

    @Test(
        "each movement is booked to the cent, through copies, disorder and forgeries",
        arguments: [[], ["--templates"]])
    func proves(mode: [String]) async throws {
        let folder = try TemporaryFolder()
        let data = folder.file("data")
        let (webhook, admin) = (try freePort(), try freePort())
        let daemon = try Tillbox.start(data: data, webhookPort: webhook, adminPort: admin)
        try await daemon.untilListening()
        let (code, report) = try await Self.simulate(
            webhook: webhook, data: data,
            mode + [
                "--count", "6000", "--seed", "31", "--duplicates", "0.1", "--reorder", "0.2",
                "--bad-signatures", "0.05", "--fraud", "0.05",
            ])
        #expect(code == 0)
        #expect(report.ledger.movements > 1_000)
        #expect(report.ledger.missing == 0 && report.ledger.different == 0)
        // The folder was fresh, so nothing else can be in it.
        let balances = try SQLiteLedgerReader.open(
            path: "\(data)/ledger.sqlite").balances().filter { $0.account.isProcessor }
        let held = Dictionary(
            balances.map { ($0.currency.code, $0.balance.rawValue) }, uniquingKeysWith: +)
        #expect(held == report.ledger.processor)
        daemon.kill(SIGTERM)
        #expect(await daemon.wait() == 0)
    }

    @Test("what was acknowledged but is not in the ledger is told, with exit code 1")
    func missing() async throws {
        let folder = try TemporaryFolder()
        let data = folder.file("data")
        let (webhook, admin) = (try freePort(), try freePort())
        // Every event becomes a dead letter there.
        let daemon = try Tillbox.start(
            data: data, webhookPort: webhook, adminPort: admin,
            environment: ["TILLBOX_WEBHOOK_LIVEMODE": "live"])
        try await daemon.untilListening()
        let (code, report) = try await Self.simulate(
            webhook: webhook, data: data, ["--count", "300", "--seed", "2"])
        #expect(code == 1)
        #expect(report.ledger.movements > 30)
        #expect(report.ledger.missing == report.ledger.movements)
        daemon.kill(SIGTERM)
        #expect(await daemon.wait() == 0)
    }
}
