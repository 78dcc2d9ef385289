import AppendLog
import ArgumentParser
import Bridges
import Foundation
import Logging
import NIOCore
import ServiceLifecycle

/// `tillbox demo`: the daemon in a fresh folder with simulated traffic, shown live.
struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Run everything with simulated traffic in a fresh folder, and show it live.")

    @Option(help: "Webhooks a second.")
    var rate = 200.0

    @Option(help: "Stop after so many webhooks. Default: run until Ctrl-C.")
    var count: Int?

    @Option(help: "Seed of the simulated world.")
    var seed: UInt64 = 1

    @Option(help: "Share of deliveries that repeat an earlier event.")
    var duplicates = 0.03

    @Option(help: "Share of deliveries that arrive out of order.")
    var reorder = 0.05

    @Option(help: "Share of customers' visits that are fraud.")
    var fraud = 0.02

    @Option(name: .customLong("bad-signatures"), help: "Share of deliveries that are forged.")
    var badSignatures = 0.01

    @Option(help: "A new folder for the data, kept afterwards. Default: a temporary one, removed.")
    var data: String?

    func validate() throws {
        guard rate > 0, rate <= 100_000 else { throw ValidationError("--rate must be above 0") }
        guard count ?? 1 > 0 else { throw ValidationError("--count must be above 0") }
        let shares = [duplicates, reorder, fraud, badSignatures]
        guard shares.allSatisfy({ (0..<0.5).contains($0) }) else {
            throw ValidationError("shares must be from 0 to below 0.5")
        }
    }

    mutating func run() async throws {
        let isTerminal = isatty(STDOUT_FILENO) == 1
        // The screen belongs to the numbers; what matters still reaches standard error.
        LineLogHandler.bootstrap(level: "warning", format: .text)
        let (demo, folder) = (self, try freshFolder())
        defer { if data == nil { try? FileManager.default.removeItem(atPath: folder) } }
        try await orCannotRun {
            let daemon = try Daemon(
                settings: demo.settings(in: folder), logger: Logger(label: "tillbox"))
            try await demo.run(daemon, folder: folder, isTerminal: isTerminal)
            try demo.summarise(folder)
        }
    }

    private func freshFolder() throws -> String {
        let path =
            data ?? FileManager.default.temporaryDirectory
            .appending(path: "tillbox-demo-\(ProcessInfo.processInfo.processIdentifier)").path
        guard !FileManager.default.fileExists(atPath: path) else {
            throw CommandFailure.cannotRun("\(path) exists; the demo wants a folder of its own")
        }
        return path
    }

    private func settings(in folder: String) -> Settings {
        var settings = Settings()
        settings.dataPath = folder
        settings.webhook.port = 0
        settings.admin.port = 0
        let secret = "whsec_" + String(hex: randomBytes(count: 24))
        settings.endpoints = [WebhookEndpoint(name: "", secrets: [secret], livemode: .test)]
        return settings
    }

    private func run(_ daemon: Daemon, folder: String, isTerminal: Bool) async throws {
        let ports = AsyncStream<(role: String, port: Int)>.makeStream()
        let traffic = DemoTraffic(
            ports: ports.stream, secret: daemon.settings.endpoints[0].secrets[0], rate: rate,
            plan: plan)
        let dashboard = Dashboard(
            counters: daemon.counters,
            header: [
                "data \(folder)", "traffic \(Int(rate))/s of signed Stripe-shaped webhooks, seed \(seed)",
            ], isTerminal: isTerminal)
        try await daemon.run(
            extra: [
                .init(service: dashboard),
                .init(service: traffic, successTerminationBehavior: .gracefullyShutdownGroup),
            ]
        ) { role, port in
            ports.continuation.yield((role, port))
        }
    }

    private var plan: DeliveryPlan {
        DeliveryPlan(DeliveryPlan.Settings(
            world: .init(seed: seed, fraudShare: fraud), count: count ?? .max,
            duplicates: duplicates, reorder: reorder, badSignatures: badSignatures))
    }

    /// Proves the ledger once more from its file, and shows what is in it.
    private func summarise(_ folder: String) throws {
        let ledger = try SQLiteLedger.open(
            path: "\(folder)/ledger.sqlite", readOnly: true, clockMilliseconds: { 0 })
        let found = try ledger.verify { _ in }
        let rows = try ledger.balances().map { balance in
            [
                "account": .text(balance.account.rawValue), "currency": .text(balance.currency.code),
                "balance": .text(balance.display),
            ] as [String: Table.Cell]
        }
        print("\nBalances (debits positive):\n")
        print(Table(columns: ["account", "currency", "balance"], rows: rows).text())
        if let fault = found.fault {
            throw CommandFailure.foundSomething(
                "\(fault.check) is wrong at \(fault.row): expected \(fault.expected), found \(fault.found)")
        }
        print("\nThe ledger is sound: \(found.transactions) transactions, \(found.entries) entries,")
        print("every currency sums to zero, and the hash chain ends in \(String(hex: found.head)).")
    }
}

/// Sends the plan to the daemon's own webhook port over HTTP, from when that is open.
struct DemoTraffic: Service {
    let ports: AsyncStream<(role: String, port: Int)>
    let secret: String
    let rate: Double
    let plan: DeliveryPlan

    func run() async throws {
        try await cancelWhenGracefulShutdown {
            for await (role, port) in ports where role == "webhook" {
                let target = try LoadTarget("http://127.0.0.1:\(port)/webhooks/stripe")
                let client = LoadClient(
                    settings: LoadClient.Settings(target: target, secret: secret, rate: rate))
                _ = try await client.run(plan)
                break
            }
        }
    }
}
