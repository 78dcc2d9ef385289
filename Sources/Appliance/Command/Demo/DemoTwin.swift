import Daemon
import Foundation
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import Reconcile
import ServiceLifecycle
import Terminal
import Twin
import Vocabulary

/// The demo's twin: its API, which the daemon asks from its start on, its deliveries, and its world
/// once the daemon's ports are open.
struct DemoTwin: Service {
    let demo: DemoCommand
    let twinPort: Int
    let webhookPort: Int
    let ports: AsyncStream<(role: String, port: Int)>
    let secret: String
    /// What a person pastes: shown once both the daemon and the twin can answer it.
    let hint: String
    let notes: DemoNotes
    let logger: Logger

    func run() async throws {
        let live = try live(webhookPort: webhookPort)
        guard let traffic = try live.traffic(rate: demo.rate, count: demo.count) else { return }
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [
                    .init(service: api(live)), .init(service: live.sender),
                    .init(
                        service: Begun(traffic: traffic, ports: ports),
                        successTerminationBehavior: .gracefullyShutdownGroup),
                ], logger: logger))
        try await group.run()
    }

    /// The world's life, from when the daemon and its console can be reached.
    private struct Begun: Service {
        let traffic: TwinTraffic
        let ports: AsyncStream<(role: String, port: Int)>

        func run() async throws {
            guard await areOpen() else { return }
            try await traffic.run()
        }

        /// - Returns: false when the demo ends before they are.
        private func areOpen() async -> Bool {
            await cancelWhenGracefulShutdown {
                var open: Set<String> = []
                for await (role, _) in ports {
                    open.insert(role)
                    if open.isSuperset(of: ["admin", "webhook"]) { return true }
                }
                return false
            }
        }
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
        delivery.faults = demo.faults.faults
        return try LiveTwin(settings, delivery: delivery, playing: demo.world, logger: logger)
    }

    /// Where the twin is, as `stripe.api_base` and a client want it; it fits into 80 columns.
    static func about(port: Int, key: String) -> String {
        "twin http://127.0.0.1:\(port) with the key \(key)"
    }

    private func api(_ live: LiveTwin) -> HTTPService {
        let key = TwinSettings().apiKeys[0]
        return HTTPService(
            role: "twin", address: Settings.Address(host: "127.0.0.1", port: twinPort),
            options: (host: nil, port: "--twin-port"),
            responder: live.router().buildResponder(), server: .http1(), logger: logger
        ) { [notes, hint] port in
            notes.add(about: Self.about(port: port, key: key))
            notes.add(hint: hint)
        }
    }
}

/// Ports on 127.0.0.1.
enum LocalPort {
    /// `port` where nobody listens on it at this moment, else any free one.
    static func usual(_ port: Int) async throws -> Int {
        for candidate in [port, 0] {
            if let free = try? await bound(candidate) { return free }
        }
        throw CommandFailure.cannotRun(
            "no port of 127.0.0.1 is free; stop something that listens there")
    }

    /// The port that the environment names, 0 for any free one; where it names none, `port`, where
    /// nobody listens on it at this moment, else any free one.
    ///
    /// - Throws: wrong usage for what is no port, and what cannot run where it is not free.
    static func told(
        _ variable: String, _ environment: [String: String], else port: Int
    ) async throws -> Int {
        guard let text = environment[variable], !text.isEmpty else { return try await usual(port) }
        guard let named = Int(text), (0...65_535).contains(named) else {
            throw CommandFailure(
                exitCode: CommandFailure.wrongUsage,
                message: "\(variable) is \(ShownText.escaped(text)), and must be a port from 1 to "
                    + "65535, or 0 for any free one")
        }
        return named == 0 ? try await usual(0) : try await self.named(named, by: variable)
    }

    /// `port`, which an option or a variable names, where nobody listens on it at this moment.
    static func named(_ port: Int, by option: String) async throws -> Int {
        do {
            _ = try await bound(port)
        } catch {
            throw CommandFailure.cannotRun(
                "127.0.0.1:\(port) cannot be listened on: \(NetworkReason.of(error)); name a free "
                    + "port with \(option)")
        }
        return port
    }

    private static func bound(_ port: Int) async throws -> Int? {
        let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .bind(host: "127.0.0.1", port: port).get()
        let bound = channel.localAddress?.port
        try await channel.close()
        return bound
    }
}
