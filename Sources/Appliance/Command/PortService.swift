import Foundation
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import ServiceLifecycle

/// One of the daemon's own ports as a service, whose bind errors say which port and what to do.
struct PortService: Service {
    let role: String
    let address: Settings.Address
    let responder: any PortResponder
    var limits = PortLimits()
    let logger: Logger
    let onListening: @Sendable (_ port: Int) -> Void

    func run() async throws {
        let server = PortServer(
            host: address.host, port: address.port, responder: responder, limits: limits
        ) { [role, address, logger, onListening] port in
            logger.info("listening", metadata: [
                "role": "\(role)", "address": "\(address.host):\(port)",
            ])
            onListening(port)
        }
        try await DaemonError.namingThePort(role, address) { try await server.run() }
    }
}

/// The same for a server of Hummingbird's, which the twin has.
struct HTTPService: Service {
    let role: String
    let address: Settings.Address
    let responder: RouterResponder<BasicRequestContext>
    let server: HTTPServerBuilder
    let logger: Logger
    let onListening: @Sendable (_ port: Int) -> Void

    private static let connectionCountMax = 4096

    func run() async throws {
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
                logger.info("listening", metadata: [
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
