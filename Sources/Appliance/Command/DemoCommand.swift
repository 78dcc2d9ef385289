import AppendLog
import ArgumentParser
import Bridges
import Foundation
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle

/// `tillbox demo`: the daemon in a fresh folder beside a Stripe twin, on which a simulated world is
/// played and which sends the daemon its webhooks, shown live.
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

    @Option(help: "Share of events that are delivered twice.")
    var duplicates = 0.03

    @Option(help: "Share of events that later ones overtake.")
    var reorder = 0.05

    @Option(help: "Share of events that are never delivered, though the API lists them.")
    var loss = 0.0

    @Option(help: "Share of payment attempts that are fraud.")
    var fraud = 0.02

    @Option(
        name: .customLong("bad-signatures"),
        help: "Share of events whose first delivery is signed wrongly or long ago.")
    var badSignatures = 0.01

    @Option(name: .customLong("twin-port"), help: "Port of the twin's API. Default: any free one.")
    var twinPort = 0

    @Option(help: "A new folder for the data, kept afterwards. Default: a temporary one, removed.")
    var data: String?

    func validate() throws {
        guard rate > 0, rate <= 100_000 else { throw ValidationError("--rate must be above 0") }
        guard count ?? 1 > 0 else { throw ValidationError("--count must be above 0") }
        guard (0...65_535).contains(twinPort) else {
            throw ValidationError("--twin-port is a port from 1 to 65535")
        }
        let shares = [duplicates, reorder, loss, fraud, badSignatures]
        guard shares.allSatisfy({ (0..<0.5).contains($0) }) else {
            throw ValidationError("shares must be from 0 to below 0.5")
        }
    }

    mutating func run() async throws {
        let isTerminal = isatty(STDOUT_FILENO) == 1
        // The screen belongs to the numbers; what matters still reaches standard error.
        LineLogHandler.bootstrap(level: .warning, format: .text)
        let (demo, folder) = (self, try freshFolder())
        defer { if data == nil { try? FileManager.default.removeItem(atPath: folder) } }
        try await orCannotRun {
            // The daemon is told where the twin will be before it is there.
            let twinPort = try demo.twinPort == 0 ? await freePort() : demo.twinPort
            let daemon = try Daemon(
                settings: demo.settings(in: folder, twinPort: twinPort),
                logger: Logger(label: "tillbox"))
            try await demo.run(
                daemon, folder: folder, twinPort: twinPort, isTerminal: isTerminal)
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

    private func settings(in folder: String, twinPort: Int) -> Settings {
        var settings = Settings()
        settings.dataPath = folder
        settings.webhook.port = 0
        settings.admin.port = 0
        // The demo forges signatures on purpose, and shows how many.
        settings.summarySeconds = nil
        let secret = "whsec_" + String(hex: randomBytes(count: 24))
        settings.endpoints = [WebhookEndpoint(name: "", secrets: [secret], livemode: .test)]
        settings.stripeBase = "http://127.0.0.1:\(twinPort)"
        settings.stripeKey = TwinSettings().apiKeys[0]
        return settings
    }

    private func run(
        _ daemon: Daemon, folder: String, twinPort: Int, isTerminal: Bool
    ) async throws {
        let ports = AsyncStream<(role: String, port: Int)>.makeStream()
        let header = DashboardHeader([
            "data \(folder)",
            "a Stripe twin tells \(Int(rate)) events a second, seed \(seed)",
        ])
        let twin = DemoTwin(
            demo: self, twinPort: twinPort, ports: ports.stream, secret: daemon.settings.endpoints[0].secrets[0],
            header: header, logger: daemon.logger)
        let dashboard = Dashboard(
            counters: daemon.counters, header: header, isTerminal: isTerminal)
        try await daemon.run(
            extra: [
                .init(service: dashboard),
                .init(service: twin, successTerminationBehavior: .gracefullyShutdownGroup),
            ]
        ) { role, port in
            ports.continuation.yield((role, port))
            if role == "admin" {
                header.add("reconcile it: TILLBOX_ADMIN_PORT=\(port) tillbox reconcile run --data \(folder)")
            }
        }
    }

    /// What the deliveries suffer.
    fileprivate var faults: DeliveryFaults {
        var faults = DeliveryFaults()
        faults[.duplicate].share = duplicates
        faults[.reorder].share = reorder
        faults[.loss].share = loss
        faults[.wrongSignature].share = badSignatures / 2
        faults[.staleTimestamp].share = badSignatures / 2
        return faults
    }

    /// A world small enough that its day passes in a minute at the usual rate, so that payouts can
    /// be watched. It begins a month ago: its days are over when they are reconciled.
    fileprivate var world: TrafficWorld.Settings {
        let day: Int64 = 86_400
        let today = Int64(Date().timeIntervalSince1970) / day
        // A statement tells of one account, so that the whole demo can be reconciled.
        return TrafficWorld.Settings(
            seed: seed, start: Instant(seconds: (today - 30) * day), customers: 4_000,
            fraudShare: fraud, hasOneAccount: true)
    }

    /// Proves the ledger once more from its file, and shows what is in it.
    private func summarise(_ folder: String) throws {
        let ledger = try SQLiteLedger.open(
            path: "\(folder)/ledger.sqlite", readOnly: true, clockMilliseconds: { 0 })
        let found = try ledger.verify { _ in }
        let rows = try ledger.balances().map { balance in
            [
                "account": .text(balance.account.rawValue), "currency": .text(balance.currency.code),
                "balance": .amount(balance.display),
            ] as [String: Table.Cell]
        }
        let output = Output.standard
        try output.line("\nBalances (debits positive):\n")
        try output.line(Table(columns: ["account", "currency", "balance"], rows: rows).text())
        if let fault = found.fault {
            throw CommandFailure.foundSomething(
                "\(fault.check) is wrong at \(fault.row): expected \(fault.expected), found \(fault.found)")
        }
        try output.line("\nThe ledger is sound: \(found.transactions) transactions, \(found.entries) entries,")
        try output.line("every currency sums to zero, and the hash chain ends in \(String(hex: found.head)).")
    }
}

/// The demo's twin, from when the daemon's webhook port is open: its API, its deliveries, its
/// world.
private struct DemoTwin: Service {
    let demo: DemoCommand
    let twinPort: Int
    let ports: AsyncStream<(role: String, port: Int)>
    let secret: String
    let header: DashboardHeader
    let logger: Logger

    func run() async throws {
        let webhookPort = await cancelWhenGracefulShutdown {
            await ports.first { $0.role == "webhook" }?.port
        }
        guard let webhookPort else { return }
        let live = try live(webhookPort: webhookPort)
        guard let traffic = try live.traffic(rate: demo.rate, count: demo.count) else { return }
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [
                    .init(service: api(live)), .init(service: live.sender),
                    .init(service: traffic, successTerminationBehavior: .gracefullyShutdownGroup),
                ], logger: logger))
        try await group.run()
    }

    private func live(webhookPort: Int) throws(TwinError) -> LiveTwin {
        var settings = TwinSettings()
        settings.seed = demo.seed
        settings.endpoints = [
            TwinEndpoint(
                url: "http://127.0.0.1:\(webhookPort)/webhooks/stripe", secrets: [secret])
        ]
        var delivery = DeliverySettings()
        delivery.seed = demo.seed
        delivery.faults = demo.faults
        return try LiveTwin(settings, delivery: delivery, playing: demo.world, logger: logger)
    }

    private func api(_ live: LiveTwin) -> HTTPService {
        let key = TwinSettings().apiKeys[0]
        return HTTPService(
            role: "twin", address: Settings.Address(host: "127.0.0.1", port: twinPort),
            responder: live.router().buildResponder(), server: .http1(), logger: logger
        ) { [header] port in
            header.add("twin http://127.0.0.1:\(port)/v1 with the key \(key)")
        }
    }
}

/// A port on 127.0.0.1 that nobody listens on at this moment.
private func freePort() async throws -> Int {
    do {
        let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = channel.localAddress?.port
        try await channel.close()
        if let port { return port }
    } catch {}
    throw CommandFailure.cannotRun("no free port on 127.0.0.1; choose one with --twin-port")
}
