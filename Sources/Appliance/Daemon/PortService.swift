package import Appliance
import Foundation
package import Hummingbird
package import HummingbirdCore
package import Logging
import Reconcile
import NIOCore
import ServiceLifecycle

/// One of the daemon's own ports as a service, whose bind errors say which port and what to do.
package struct PortService: Service {
    package let role: String
    package let address: Settings.Address
    package let responder: any PortResponder
    var limits = PortLimits()
    /// nil speaks plain HTTP.
    var tls: PortTLS?
    package let logger: Logger
    let onListening: @Sendable (_ port: Int) -> Void

    package init(
        role: String, address: Settings.Address, responder: any PortResponder,
        limits: PortLimits = PortLimits(), tls: PortTLS? = nil, logger: Logger,
        onListening: @escaping @Sendable (_ port: Int) -> Void
    ) {
        self.role = role
        self.address = address
        self.responder = responder
        self.limits = limits
        self.tls = tls
        self.logger = logger
        self.onListening = onListening
    }

    package func run() async throws {
        var server = PortServer(
            host: address.host, port: address.port, responder: responder, limits: limits, tls: tls
        ) { [role, address, logger, onListening] port in
            logger.info(
                "listening",
                metadata: [
                    "role": "\(role)", "address": "\(address.host):\(port)",
                ])
            onListening(port)
        }
        try await DaemonError.namingThePort(
            address, (host: "\(role).host", port: "\(role).port")
        ) {
            server.socket = try await KeptSockets.ofProcess?.socket(role, on: address, logger)
            try await server.run()
        }
    }
}

/// The same for a server of Hummingbird's, which the twin has. What it listens on are options of
/// its command, not settings.
package struct HTTPService: Service {
    package let role: String
    package let address: Settings.Address
    /// What changes where it listens; nil for what cannot be changed.
    package let options: (host: String?, port: String)
    package let responder: RouterResponder<BasicRequestContext>
    package let server: HTTPServerBuilder
    package let logger: Logger
    let onListening: @Sendable (_ port: Int) -> Void

    package init(
        role: String, address: Settings.Address, options: (host: String?, port: String),
        responder: RouterResponder<BasicRequestContext>, server: HTTPServerBuilder, logger: Logger,
        onListening: @escaping @Sendable (_ port: Int) -> Void
    ) {
        self.role = role
        self.address = address
        self.options = options
        self.responder = responder
        self.server = server
        self.logger = logger
        self.onListening = onListening
    }

    private static let connectionCountMax = 4096

    package func run() async throws {
        let (role, address, logger) = (role, address, logger)
        // Hummingbird's own lines would repeat ours; what goes wrong is thrown, with its reason.
        var quiet = logger
        quiet.logLevel = .critical
        let application = Application(
            responder: responder, server: server,
            configuration: .init(
                address: .hostname(address.host, port: address.port),
                serverName: nil,
                availableConnectionsDelegate: MaximumAvailableConnections(
                    Self.connectionCountMax)),
            onServerRunning: { channel in
                let port = channel.localAddress?.port ?? address.port
                logger.info(
                    "listening",
                    metadata: [
                        "role": "\(role)", "address": "\(address.host):\(port)",
                    ])
                onListening(port)
            },
            logger: quiet)
        try await DaemonError.namingThePort(address, options) { try await application.run() }
    }
}

extension DaemonError {
    /// Turns what the system says about a port into what the operator can do about it.
    ///
    /// - Parameter names: of what says where to listen; nil for what cannot be changed.
    fileprivate static func namingThePort(
        _ address: Settings.Address, _ names: (host: String?, port: String),
        _ listen: () async throws -> Void
    ) async throws {
        let places = [names.host, names.port].compactMap { $0 }.joined(separator: " and ")
        do {
            try await listen()
        } catch let error as IOError where error.errnoCode == EADDRINUSE {
            throw DaemonError.portInUse(address: address, setBy: names.port)
        } catch where error is IOError || error is SocketAddressError
            || error is SocketAddressError.UnknownHost
        {
            throw DaemonError.cannotListen(
                address: address, reason: NetworkReason.of(error), setBy: places)
        }
    }
}
