import ArgumentParser
import Daemon
import Foundation
import Hummingbird
import HummingbirdCore
import Logging
import ServiceLifecycle
import Terminal
import Traffic
import Twin
import UnixSignals
import Vocabulary

/// `tillbox twin`: the stand-in for Stripe's API as a server of its own.
struct TwinCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "twin", abstract: "Run a stand-in for Stripe's API, for work offline.",
        discussion: """
            It keeps customers, payments, refunds, disputes, payouts, balance transactions and \
            events as Stripe does, and answers /v1 like Stripe. docs/TWIN.md says what it knows.
            """)

    @Option(help: "The port to listen on; 0 takes a free one.")
    var port = TwinSettings.usualPort

    @Option(help: "The address to listen on.")
    var host = "127.0.0.1"

    @Option(
        help: """
            A folder that keeps the state, and the options below with it: those that are given at \
            a later start hold from then on. Default: memory only.
            """)
    var data: String?

    @Option(
        help: """
            Seed of ids; the same seed and calls give the same bytes. Default: the folder's, or a \
            new one, which is printed.
            """)
    var seed: UInt64?

    @Option(help: "A secret key that the API takes, sk_test_…; may be given several times.")
    var key: [String] = []

    @Option(help: "A webhook endpoint, URL=SECRET; may be given several times.")
    var endpoint: [String] = []

    @Option(help: "A Connect account, acct_…; may be given several times.")
    var account: [String] = []

    @Option(help: "When Stripe pays out by itself: daily or manual. Default: daily.")
    var payouts: TwinSettings.PayoutSchedule?

    @Flag(
        inversion: .prefixedNo,
        help: """
            Print a line for each call and each delivery, with its answer. Default: on a terminal.
            """)
    var lines: Bool?

    @Option(help: "How long webhooks are tried again: quick, test or live (docs/TRAFFIC.md).")
    var retries = RetrySchedule.Name.quick

    @Option(
        help: """
            Play a simulated world on the twin, so fast that it tells so many events a second; \
            the twin's clock is then the world's.
            """)
    var traffic: Double?

    @Option(help: "End the simulated world after so many events; the API goes on. Default: never.")
    var count: Int?

    @Option(
        help: """
            Customers of the simulated world, each of whom pays about once a day: with fewer, the \
            same number of events spans more days.
            """)
    var customers = 20_000

    @Option(help: "Share of the simulated payment attempts that are fraud, 0 to 0.9.")
    var fraud = 0.02

    @OptionGroup(title: "What deliveries suffer")
    var faults: FaultOptions<NoFaults>

    func validate() throws {
        guard (0...65_535).contains(port) else {
            throw ValidationError("--port is from 0 to 65535.")
        }
        for key in key where !key.hasPrefix(TwinSettings.apiKeyPrefix) {
            throw ValidationError("--key is a test key, \(TwinSettings.apiKeyPrefix)…")
        }
        for account in account where !account.hasPrefix("acct_") {
            throw ValidationError("--account is an id of the form acct_…")
        }
        guard (traffic ?? 1) > 0, (traffic ?? 1) <= 100_000 else {
            throw ValidationError("--traffic is above 0 and at most 100000 events a second.")
        }
        guard count ?? 1 > 0 else { throw ValidationError("--count is above 0.") }
        guard count == nil || traffic != nil else {
            throw ValidationError("--count ends a simulated world; start one with --traffic RATE.")
        }
        guard (1...1_000_000).contains(customers) else {
            throw ValidationError("--customers is from 1 to 1000000.")
        }
        guard (0...TrafficWorld.Settings.fraudShareMax).contains(fraud) else {
            throw ValidationError(
                "--fraud is a share from 0 to \(TrafficWorld.Settings.fraudShareMax).")
        }
        _ = try endpoint.map(Self.endpoint)
    }

    /// The last `=` parts them: an address may hold others, a secret does not.
    private static func endpoint(_ text: String) throws -> TwinEndpoint {
        guard let place = text.lastIndex(of: "="), text.hasPrefix("http") else {
            throw ValidationError("--endpoint is URL=SECRET, with an http:// or https:// address.")
        }
        return TwinEndpoint(
            url: String(text[..<place]), secrets: [String(text[text.index(after: place)...])])
    }

    mutating func run() async throws {
        LineLogHandler.bootstrap(level: .warning, format: .text)
        let command = self
        try await orCannotRun { try await command.serve() }
    }

    private func serve() async throws {
        let lock = try data.map { folder throws(TwinError) in try TwinFolderLock(folder) }
        defer { withExtendedLifetime(lock) {} }
        let settings = try settings()
        let logger = Logger(label: "twin")
        var delivery = DeliverySettings()
        delivery.seed = settings.seed
        delivery.schedule = retries.schedule
        delivery.faults = faults.faults
        let writer = LineWriter()
        let live = try LiveTwin(
            settings, folder: data, delivery: delivery,
            playing: traffic.map { _ in
                TrafficWorld.Settings(
                    seed: settings.seed, customers: customers, fraudShare: fraud)
            },
            listener: showsLines ? TwinLines.listener(writer) : nil, logger: logger)
        let server = HTTPService(
            role: "twin", address: Settings.Address(host: host, port: port),
            options: (host: "--host", port: "--port"),
            responder: live.router().buildResponder(), server: .http1(),
            logger: logger
        ) { [host] port in
            writer.write(Self.welcome(address: "http://\(host):\(port)", settings))
        }
        var services: [any Service] = [TwinClockwork(twin: live.twin), live.sender, server]
        if let traffic, let world = try live.traffic(rate: traffic, count: count) {
            services.append(PlayedOut(world: world, writer: writer))
        }
        var configuration = ServiceGroupConfiguration(
            services: services.map { .init(service: $0) },
            gracefulShutdownSignals: [.sigterm, .sigint, .sighup], logger: logger)
        configuration.maximumGracefulShutdownDuration = .seconds(4)
        try await ServiceGroup(configuration: configuration).run()
        writer.drain()
        if let failure = live.twin.journalFailure { throw failure }
    }

    /// What is kept in the folder, and what was given now. A fresh twin without a seed draws one,
    /// so that the ids of one run do not come again in the next.
    private func settings() throws -> TwinSettings {
        var settings = TwinSettings()
        settings.seed = seed ?? .random(in: 1...Self.drawnSeedMax)
        if let data, let kept = try TwinJournal.settings(in: data, otherwise: settings) {
            settings = kept
            // Another one than the folder's is refused where the journal is opened.
            settings.seed = seed ?? kept.seed
        }
        if !key.isEmpty { settings.apiKeys = key }
        if !account.isEmpty { settings.connectedAccounts = account }
        if !endpoint.isEmpty { settings.endpoints = try endpoint.map(Self.endpoint) }
        settings.payoutSchedule = payouts ?? settings.payoutSchedule
        return settings
    }

    /// Short enough to type again.
    private static let drawnSeedMax: UInt64 = 999_999_999

    private var showsLines: Bool { lines ?? (isatty(STDOUT_FILENO) == 1) }

    private static func welcome(address: String, _ settings: TwinSettings) -> String {
        let key = settings.apiKeys[0]
        return """
            Stripe's twin listens on \(address)
            key      \(key)
            seed     \(settings.seed)
            try      curl \(address)/v1/payment_intents -u \(key): \\
                       -d amount=2000 -d currency=usd -d payment_method=pm_card_visa -d confirm=true
            """
    }
}

extension TwinSettings.PayoutSchedule: ExpressibleByArgument {}
extension RetrySchedule.Name: ExpressibleByArgument {}

/// A world that says when it has been played and all of it is delivered; the twin then goes on.
private struct PlayedOut: Service {
    let world: TwinTraffic
    let writer: LineWriter

    func run() async throws {
        try await world.run()
        guard let count = world.count, !Task.isShuttingDownGracefully else { return }
        writer.write(
            "The world has ended: \(Counted.words(count, "event")) "
                + "\(Counted.noun(count, "is", "are")) told and delivered. The API goes on.")
        try await gracefulShutdown()
    }
}

/// Lets the twin's time pass while nobody calls.
struct TwinClockwork: Service {
    let twin: Twin

    func run() async throws {
        while !Task.isShuttingDownGracefully, !Task.isCancelled {
            twin.tick()
            try? await cancelWhenGracefulShutdown { try await Task.sleep(for: .seconds(1)) }
        }
    }
}
