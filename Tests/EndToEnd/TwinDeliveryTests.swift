import AppendLog
import Foundation
import Logging
import TestSupport
import Testing

@testable import Appliance
@testable import Daemon
@testable import Traffic
@testable import Twin
@testable import Vocabulary

/// The twin beside a real daemon: its world is played, its webhooks are lost, doubled, overtaken
/// and badly signed on their way, and the daemon dies in between.
@Suite("Twin and daemon", .serialized, .timeLimit(.minutes(10)))
struct TwinDeliveryTests {
    private static let apiKey = "sk_test_tillbox"
    private static let eventCount = 2_000

    private static func live(webhookPort: Int, seed: UInt64) throws -> LiveTwin {
        var settings = TwinSettings()
        settings.seed = seed
        settings.apiKeys = [apiKey]
        settings.endpoints = [
            TwinEndpoint(
                url: "http://127.0.0.1:\(webhookPort)/webhooks/stripe", secrets: ["whsec_test"])
        ]
        var delivery = DeliverySettings()
        delivery.seed = seed
        delivery.schedule.firstMilliseconds = 20
        delivery.schedule.longestMilliseconds = 300
        delivery.schedule.attemptsMax = 10_000
        delivery.faults.delayMilliseconds = 50
        for (fault, share) in [
            (DeliveryFault.loss, 0.15), (.duplicate, 0.2), (.reorder, 0.3), (.delay, 0.1),
            (.twoSecrets, 0.1), (.staleTimestamp, 0.05), (.wrongSignature, 0.05),
            (.secondEvent, 0.05),
        ] { delivery.faults[fault].share = share }
        return try LiveTwin(
            settings, delivery: delivery,
            // Few customers make long days: payouts, disputes and refunds come to pass.
            playing: TrafficWorld.Settings(seed: seed, customers: 40, fraudShare: 0.05),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    @Test("the ledger holds what it was told of, to the cent; and all, once the lost events come")
    func lossAndRepair() async throws {
        let seed = UInt64.random(in: 1...1_000_000)
        print("twin and daemon: seed \(seed)")
        let folder = try TemporaryFolder()
        let data = folder.file("data")
        let (webhook, admin) = (try freePort(), try freePort())
        let live = try Self.live(webhookPort: webhook, seed: seed)
        var scenario = try #require(try live.scenario())
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await live.sender.run() }
            let daemon = try Tillbox.start(data: data, webhookPort: webhook, adminPort: admin)
            try await daemon.untilListening()
            while live.sender.taken < Self.eventCount { scenario.step() }
            try await eventually("half is delivered") {
                live.sender.backlog < Self.eventCount / 2
            }
            daemon.kill(SIGKILL)
            await daemon.wait()
            try await eventually("a delivery finds nobody") {
                live.sender.standings().first.map { $0.tally[.unanswered] > 0 } == true
            }
            try await Self.untilDelivered(live.sender, data, webhook, admin)

            let truth = try TwinTruth(live.twin, apiKey: Self.apiKey, accounts: scenario.accounts)
            let tally = try #require(live.sender.standings().first).tally
            let received = try await Self.received(data)
            let known = Set(truth.events.map(\.id))
            #expect(known.count == live.sender.taken)
            let lost = known.subtracting(received)
            #expect(lost.count == tally[.lost], "seed \(seed)")
            #expect(received.subtracting(known).count == tally[.toldTwice], "seed \(seed)")
            #expect(tally[.lost] > 200 && tally[.duplicated] > 200 && tally[.refused] > 30)
            #expect(tally[.givenUp] == 0 && tally[.overflowed] == 0)
            let kinds = Set(truth.transactions.map(\.type))
            #expect(kinds.isSuperset(of: ["charge", "refund", "adjustment", "payout"]))
            let first = try Self.processor(data)
            #expect(first == truth.processor(whenReceived: received), "seed \(seed)")
            #expect(first != truth.processor(whenReceived: known))

            live.sender.clearFaults()
            for event in truth.events where lost.contains(event.id) {
                live.sender.offer(try event.again())
            }
            try await Self.untilDelivered(live.sender, data, webhook, admin)
            let all = try Self.processor(data)
            #expect(all == truth.processor(whenReceived: known), "seed \(seed)")
            // What Stripe holds is what the ledger says less the fees of payments, which no event
            // tells of: reconciliation books them.
            let fees = truth.paymentFees
            let net = all.map { ($0.key, $0.value - fees[$0.key, default: 0]) }
            #expect(
                Dictionary(uniqueKeysWithValues: net).filter { $0.value != 0 }
                    == truth.balance.filter { $0.value != 0 }, "seed \(seed)")
            group.cancelAll()
        }
        let verified = try await Tillbox.run("ledger", "verify", "--data", data)
        #expect(verified.code == 0, "\(verified.output) \(verified.errors)")
        #expect(scenario.tally.refused.isEmpty, "seed \(seed): \(scenario.tally)")
    }

    @Test("the demo names its twin, delivers what it was asked for, and proves its ledger")
    func demo() async throws {
        let ended = try await Tillbox.run(
            "demo", "--count", "400", "--rate", "400", "--duplicates", "0.2", "--loss", "0.1")
        #expect(ended.code == 0, "\(ended.errors)")
        #expect(ended.output.contains("twin http://127.0.0.1:"))
        #expect(ended.output.contains("The ledger is sound"))
        #expect(ended.errors == "")
    }

    @Test("the demo's twin answers while it runs, and both stop at Ctrl-C")
    func demoStops() async throws {
        let port = try freePort()
        let demo = try Child(
            Tillbox.executable, ["demo", "--rate", "100", "--twin-port", "\(port)"])
        try await eventually("the twin is up: \(demo.standardError)") {
            !demo.isRunning
                || demo.standardOutput.contains("twin http://127.0.0.1:\(port) with the key")
        }
        let answer = try await Child.run(
            "/usr/bin/env",
            [
                "curl", "-sS", "http://127.0.0.1:\(port)/v1/events?limit=3", "-u",
                "\(Self.apiKey):",
            ])
        #expect(answer.output.contains(#""object":"event""#), "\(answer.errors)")
        demo.kill(SIGINT)
        #expect(await demo.wait() == 0, "\(demo.standardError.suffix(800))")
        #expect(demo.standardOutput.contains("The ledger is sound"))
    }

    @Test("a twin with a world of its own delivers to the daemon, and stops at SIGTERM")
    func twinCommand() async throws {
        let folder = try TemporaryFolder()
        let data = folder.file("data")
        let (webhook, admin, port) = (try freePort(), try freePort(), try freePort())
        let daemon = try Tillbox.start(data: data, webhookPort: webhook, adminPort: admin)
        try await daemon.untilListening()
        let twin = try Child(
            Tillbox.executable,
            [
                "twin", "--port", "\(port)", "--traffic", "200", "--data", folder.file("twin"),
                "--endpoint", "http://127.0.0.1:\(webhook)/webhooks/stripe=whsec_test",
            ])
        try await eventually("webhooks arrive: \(twin.standardError)") {
            let status = try await Child.run(
                "/usr/bin/env", ["curl", "-sS", "http://127.0.0.1:\(port)/twin/delivery"])
            let parsed = try? JSONSerialization.jsonObject(with: Data(status.output.utf8))
            let endpoints = (parsed as? [String: Any])?["endpoints"] as? [[String: Any]]
            return endpoints?.first?["delivered"] as? Int ?? 0 > 100
        }
        twin.kill(SIGTERM)
        #expect(await twin.wait() == 0, "\(twin.standardError.suffix(800))")
        daemon.kill(SIGTERM)
        #expect(await daemon.wait() == 0)
        #expect(try await Self.received(data).count > 100)
    }

    /// Starts the daemon, waits until nothing is on its way to it, and stops it with all of its
    /// topics processed.
    private static func untilDelivered(
        _ sender: WebhookSender, _ data: String, _ webhook: Int, _ admin: Int
    ) async throws {
        for _ in 0..<2 {
            let daemon = try Tillbox.start(data: data, webhookPort: webhook, adminPort: admin)
            try await daemon.untilListening()
            try await eventually("all is delivered") { sender.backlog == 0 }
            daemon.kill(SIGTERM)
            #expect(await daemon.wait() == 0, "\(daemon.standardError.suffix(800))")
        }
    }

    private static func received(_ data: String) async throws -> Set<String> {
        let answer = try await Tillbox.run("log", "cat", "webhook.received", "--data", data)
        #expect(answer.code == 0, "\(answer.errors)")
        return Set(
            answer.output.split(separator: "\n").compactMap { line in
                let record = try? JSONSerialization.jsonObject(with: Data(line.utf8))
                return (record as? [String: Any])?["key"] as? String
            })
    }

    private static func processor(_ data: String) throws -> [String: Int64] {
        let ledger = try SQLiteLedgerReader.open(
            path: "\(data)/ledger.sqlite")
        let rows = try ledger.balances().filter { $0.account.isProcessor }
        return Dictionary(
            rows.map { ($0.currency.code, $0.balance.rawValue) }, uniquingKeysWith: +)
    }
}
