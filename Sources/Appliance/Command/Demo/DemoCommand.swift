import AppendLog
import Appliance
import ArgumentParser
import Bridges
import Daemon
import Foundation
import Logging
import ServiceLifecycle
import Terminal
import Traffic
import Twin
import Vocabulary

/// `tillbox demo`: the daemon in a fresh folder beside a Stripe twin, on which a simulated world is
/// played and which sends the daemon its webhooks, shown live.
struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Run everything with simulated traffic in a fresh folder, and show it live.",
        discussion: """
            The daemon listens on 127.0.0.1, at the ports of TILLBOX_WEBHOOK_PORT and \
            TILLBOX_ADMIN_PORT where these are set; else at \(Settings().webhook.port) and \
            \(Settings().admin.port) where they are free, and at any free ones where not. It takes \
            no other setting from the environment, and none from a file.
            """)

    @Option(help: "Webhooks a second.")
    var rate = 200.0

    @Option(help: "Stop after so many webhooks. Default: run until Ctrl-C.")
    var count: Int?

    @Option(help: "Seed of the simulated world.")
    var seed: UInt64 = 1

    @Option(help: "Share of payment attempts that are fraud.")
    var fraud = 0.02

    @Option(
        name: .customLong("twin-port"),
        help: """
            Port of the twin's API. Default: \(TwinSettings.usualPort) where it is free, else any \
            free one.
            """)
    var twinPort: Int?

    @Option(help: "A new folder for the data, kept afterwards. Default: a temporary one, removed.")
    var data: String?

    @OptionGroup(title: "What deliveries suffer")
    var faults: FaultOptions<DemoFaults>

    func validate() throws {
        guard rate > 0, rate <= 100_000 else {
            throw ValidationError("--rate is above 0 and at most 100000 webhooks a second.")
        }
        guard count ?? 1 > 0 else { throw ValidationError("--count must be above 0") }
        guard (1...65_535).contains(twinPort ?? 1) else {
            throw ValidationError("--twin-port is a port from 1 to 65535")
        }
        guard (0..<0.5).contains(fraud) else {
            throw ValidationError("--fraud is a share from 0 to below 0.5.")
        }
    }

    mutating func run() async throws {
        let terminal = Terminal.onStandardOutput()
        let notes = DemoNotes(about: [])
        // The screen belongs to the figures: an error has its place on it, or is a line. What the
        // twin forges on purpose is a warning only.
        if terminal == nil {
            LineLogHandler.bootstrap(level: .error, format: .text)
        } else {
            DemoLogHandler.bootstrap(notes)
        }
        let demo = self
        let folder = try DemoFolder(kept: data)
        defer { folder.remove() }
        try await orCannotRun {
            try await demo.run(in: folder.path, terminal, notes)
            for warning in notes.content.warnings { writeError(warning) }
            try demo.summarise(folder.path)
        }
    }

    private static func whole(_ rate: Double) -> String {
        rate == rate.rounded() ? DemoNumber.grouped(Int(rate)) : "\(rate)"
    }

    private func run(in folder: String, _ terminal: Terminal?, _ notes: DemoNotes) async throws {
        // The daemon is told where the twin will be before it is there. The usual ports are taken
        // where they are free, so that what is pasted finds the daemon without being told.
        let twinPort =
            if let twinPort {
                try await LocalPort.named(twinPort, by: "--twin-port")
            } else {
                try await LocalPort.usual(TwinSettings.usualPort)
            }
        var settings = Settings()
        settings.dataPath = folder
        let environment = ProcessInfo.processInfo.environment
        settings.webhook.port = try await LocalPort.told(
            "TILLBOX_WEBHOOK_PORT", environment, else: settings.webhook.port)
        settings.admin.port = try await LocalPort.told(
            "TILLBOX_ADMIN_PORT", environment, else: settings.admin.port)
        // The demo forges signatures on purpose, and shows how many.
        settings.summarySeconds = nil
        let secret = "whsec_" + String(hex: randomBytes(count: 24))
        settings.endpoints = [WebhookEndpoint(name: "", secrets: [secret], livemode: .test)]
        settings.stripeBase = "http://127.0.0.1:\(twinPort)"
        settings.stripeKey = TwinSettings().apiKeys[0]
        let chosen = settings
        let daemon = try Daemon(settings: settings, logger: Logger(label: "tillbox"))
        notes.add(
            about: "\(Self.whole(rate)) events a second · seed \(seed) · data \(folder)")
        let feed = DemoFeed(
            scored: daemon.plane.reader(.paymentScored),
            posted: daemon.plane.followed(.ledgerPosted),
            clock: SystemLogClock())
        let view = DemoView(
            counters: daemon.counters, feed: feed, notes: notes,
            ledgerPath: "\(folder)/ledger.sqlite",
            terminal: terminal)
        let ports = AsyncStream<(role: String, port: Int)>.makeStream()
        let twin = DemoTwin(
            demo: self, twinPort: twinPort, webhookPort: settings.webhook.port,
            ports: ports.stream, secret: secret,
            hint: Self.hint(settings, folder, environment), notes: notes,
            logger: daemon.logger)
        try await daemon.run(
            extra: [
                .init(service: feed),
                // It ends when its reader has gone.
                .init(service: view, successTerminationBehavior: .gracefullyShutdownGroup),
                .init(service: twin, successTerminationBehavior: .gracefullyShutdownGroup),
            ]
        ) { role, port in
            if role == "admin" {
                notes.add(
                    about: "console " + chosen.consoleAddress(port: port)
                        + (daemon.setupPath ?? "/"))
            }
            ports.continuation.yield((role, port))
        }
    }

    /// What a person pastes into another terminal to see the ledger proved. It names the daemon's
    /// address where the command would look elsewhere: by itself, or by the environment, which
    /// another terminal may have otherwise.
    static func hint(
        _ settings: Settings, _ folder: String, _ environment: [String: String]
    ) -> String {
        let usual = Settings().admin
        let names = [
            ("TILLBOX_ADMIN_HOST", settings.admin.host, usual.host),
            ("TILLBOX_ADMIN_PORT", "\(settings.admin.port)", "\(usual.port)"),
        ].filter { name, value, usual in value != usual || environment[name] != nil }
        return names.map { name, value, _ in "\(name)=\(ShellWord.quoted(value)) " }.joined()
            + ShellWord.quoted(ShellWord.thisProgram) + " reconcile run --data "
            + ShellWord.quoted(folder)
    }

    /// A world whose day passes in a minute at any rate, so that payouts can be watched. It begins
    /// 29 days ago: its days are over when they are reconciled, and are among the 30 that reports
    /// and statements show unasked.
    var world: TrafficWorld.Settings {
        let day: Int64 = 86_400
        let today = Int64(Date().timeIntervalSince1970) / day
        let customers = Int(min(max(rate * Self.customersPerRate, 200), 1_000_000))
        // One account: its balances are few enough to be read at a glance.
        return TrafficWorld.Settings(
            seed: seed, start: Instant(seconds: (today - 29) * day), customers: customers,
            fraudShare: fraud, hasOneAccount: true)
    }

    /// So many customers tell an event a second when their day lasts a minute.
    private static let customersPerRate = 20.0

    /// Proves the ledger once more from its file, and shows what is in it.
    private func summarise(_ folder: String) throws {
        let ledger = try SQLiteLedgerReader.open(
            path: "\(folder)/ledger.sqlite")
        let found = try ledger.verify { _ in }
        let rows = try ledger.balances().map { balance in
            [
                "account": .text(balance.account.rawValue),
                "currency": .text(balance.currency.code),
                "balance": .amount(balance.display),
            ] as [String: Table.Cell]
        }
        let output = Output.standard
        try output.line("\nBalances (debits positive):\n")
        try output.line(Table(columns: ["account", "currency", "balance"], rows: rows).text())
        if let fault = found.fault {
            throw CommandFailure.foundSomething(
                "\(fault.check) is wrong at \(fault.row): "
                    + "expected \(fault.expected), found \(fault.found)")
        }
        try output.line(
            "\nThe ledger is sound: \(Counted.words(found.transactions, "transaction")), "
                + "\(Counted.words(found.entries, "entry", "entries")),")
        try output.line(
            "every currency sums to zero, and the hash chain ends in \(String(hex: found.head)).")
    }
}
