import Foundation
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle

/// The demo's twin, from when the daemon's webhook port is open: its API, its deliveries, its
/// world.
struct DemoTwin: Service {
    let demo: DemoCommand
    let twinPort: Int
    let ports: AsyncStream<(role: String, port: Int)>
    let secret: String
    let notes: DemoNotes
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
        delivery.faults = demo.faults.faults
        return try LiveTwin(settings, delivery: delivery, playing: demo.world, logger: logger)
    }

    private func api(_ live: LiveTwin) -> HTTPService {
        let key = TwinSettings().apiKeys[0]
        return HTTPService(
            role: "twin", address: Settings.Address(host: "127.0.0.1", port: twinPort),
            responder: live.router().buildResponder(), server: .http1(), logger: logger
        ) { [notes] port in
            notes.add(about: "twin http://127.0.0.1:\(port)/v1 with the key \(key)")
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

    private static func bound(_ port: Int) async throws -> Int? {
        let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .bind(host: "127.0.0.1", port: port).get()
        let bound = channel.localAddress?.port
        try await channel.close()
        return bound
    }
}
