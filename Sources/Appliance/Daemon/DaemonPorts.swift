import Appliance
import Console
import Logging
import ServiceLifecycle
import Vocabulary

/// The two ports of a process, as its settings want them, whatever plane is behind them.
struct DaemonPorts {
    let settings: Settings
    let counters: Counters
    let readiness: Readiness
    /// Connections that each may serve.
    let connectionCounts: (webhook: Int, admin: Int)
    let logger: Logger
    /// Told each port once it is open.
    let onListening: @Sendable (_ role: String, _ port: Int) -> Void

    static let adminRole = "admin"
    static let webhookRole = "webhook"

    /// Deliveries. Once it listens, the process is ready.
    func webhook(_ gate: Gate) -> any Service {
        readiness.watch { gate.clockSuspicion.warning }
        return PortService(
            role: Self.webhookRole, address: settings.webhook,
            responder: WebhookRoutes(gate: gate, counters: counters),
            limits: PortLimits(
                connectionCountMax: connectionCounts.webhook,
                memoryByteCountMax: settings.webhookMemoryByteCountMax),
            logger: logger
        ) { [readiness, onListening] port in
            readiness.set([])
            onListening(Self.webhookRole, port)
        }
    }

    /// What operators ask.
    ///
    /// - Parameter setupPath: of the link by which the first person comes in; nil where somebody
    ///   has an account.
    func admin(
        _ routes: AdminRoutes, access: any AdminAccess, setupPath: String? = nil
    ) -> any Service {
        PortService(
            role: Self.adminRole, address: settings.admin,
            responder: AdminResponder(
                routes: routes,
                guards: AdminGuard(
                    listensOn: settings.admin.host, further: settings.adminHosts),
                access: access, isSecure: settings.adminTLS != nil,
                proxyCount: settings.adminProxyCount, counters: counters, logger: logger),
            limits: PortLimits(
                connectionCountMax: connectionCounts.admin,
                memoryByteCountMax: settings.adminMemoryByteCountMax),
            tls: settings.adminTLS, logger: logger
        ) { [settings, logger, onListening] port in
            if let setupPath {
                logger.notice(
                    "nobody has an account yet: open this link to come in",
                    metadata: ["link": "\(settings.consoleAddress(port: port))\(setupPath)"])
            }
            onListening(Self.adminRole, port)
        }
    }
}
