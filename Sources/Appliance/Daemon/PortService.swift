package import Appliance
import Foundation
package import Hummingbird
package import HummingbirdCore
package import Logging
import NIOCore
import ServiceLifecycle

/// One of the daemon's own ports as a service, whose bind errors say which port and what to do.
package struct PortService: Service {
    package let role: String
    package let address: Settings.Address
    package let responder: any PortResponder
    var limits = PortLimits()
    package let logger: Logger
    let onListening: @Sendable (_ port: Int) -> Void

    package init(
        role: String, address: Settings.Address, responder: any PortResponder,
        limits: PortLimits = PortLimits(), logger: Logger,
        onListening: @escaping @Sendable (_ port: Int) -> Void
    ) {
        self.role = role
        self.address = address
        self.responder = responder
        self.limits = limits
        self.logger = logger
        self.onListening = onListening
    }

    package func run() async throws {
        let server = PortServer(
            host: address.host, port: address.port, responder: responder, limits: limits
        ) { [role, address, logger, onListening] port in
            logger.info(
                "listening",
                metadata: [
                    "role": "\(role)", "address": "\(address.host):\(port)",
                ])
            onListening(port)
        }
        try await DaemonError.namingThePort(role, address) { try await server.run() }
    }
}

/// The same for a server of Hummingbird's, which the twin has.
package struct HTTPService: Service {
    package let role: String
    package let address: Settings.Address
    package let responder: RouterResponder<BasicRequestContext>
    package let server: HTTPServerBuilder
    package let logger: Logger
    let onListening: @Sendable (_ port: Int) -> Void

    package init(
        role: String, address: Settings.Address, responder: RouterResponder<BasicRequestContext>,
        server: HTTPServerBuilder, logger: Logger,
        onListening: @escaping @Sendable (_ port: Int) -> Void
    ) {
        self.role = role
        self.address = address
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
        try await DaemonError.namingThePort(role, address) { try await application.run() }
    }
}

extension DaemonError {
    /// Turns what the system says about a port into what the operator can do about it.
    fileprivate static func namingThePort(
        _ role: String, _ address: Settings.Address, _ listen: () async throws -> Void
    ) async throws {
        do {
            try await listen()
        } catch let error as IOError where error.errnoCode == EADDRINUSE {
            throw DaemonError.portInUse(role: role, address: address)
        } catch let error as IOError {
            throw DaemonError.cannotListen(
                role: role, address: address, reason: String(cString: strerror(error.errnoCode)))
        } catch let error as SocketAddressError {
            throw DaemonError.cannotListen(role: role, address: address, reason: "\(error)")
        }
    }
}
