package import Logging
import Vocabulary

/// What the daemon says of itself before it opens anything, so that the head of a log tells what
/// ran where, with which keys and for which mode. It holds no secret.
package struct StartReport {
    package let settings: Settings
    package let role: Role

    package init(settings: Settings, role: Role = .all) {
        self.settings = settings
        self.role = role
    }

    package func write(to logger: Logger) {
        guard settings.profile != .cloud else { return writeRole(to: logger) }
        logger.info(
            "starting",
            metadata: [
                "version": "\(Release.version)", "profile": "\(settings.profile.rawValue)",
                "data": "\(DataFolder.canonical(settings.dataPath))",
                "webhooks": "http://\(settings.webhook)",
                "admin": "\(settings.consoleAddress(port: settings.admin.port))",
                "stripe_api": "\(settings.stripeBase)", "stripe_key": "\(key)",
            ])
        writeEndpoints(to: logger)
        for warning in warnings { logger.warning("\(warning)") }
        if settings.stripeKey == nil {
            logger.info(
                """
                no Stripe key: nothing is reconciled, and events that never arrive are not \
                fetched; see stripe.api_key_file
                """)
        }
    }

    /// Addresses of servers may hold a password, and are left out.
    private func writeRole(to logger: Logger) {
        logger.info(
            "starting",
            metadata: [
                "version": "\(Release.version)", "profile": "\(settings.profile.rawValue)",
                "role": "\(role.rawValue)", "kafka": "\(settings.kafka.bootstrap ?? "none")",
                "topic_prefix": "\(settings.kafka.topicPrefix)",
                "admin": "\(settings.consoleAddress(port: settings.admin.port))",
            ])
        if role == .webhook { writeEndpoints(to: logger) }
    }

    private func writeEndpoints(to logger: Logger) {
        for endpoint in settings.endpoints {
            logger.info(
                "takes webhooks",
                metadata: [
                    "url": "\(Self.url(endpoint, settings.webhook))",
                    "livemode": "\(endpoint.livemode.rawValue)",
                    "secrets": "\(endpoint.secrets.count)",
                ])
        }
    }

    /// `none`, `test` or `live`, and `restricted` where it is a restricted one.
    private var key: String {
        guard let key = settings.stripeKey else { return "none" }
        let mode = StripeKeyMode(of: key)?.rawValue ?? "unknown"
        return key.hasPrefix("rk_") ? "\(mode), restricted" : mode
    }

    private static func url(_ endpoint: WebhookEndpoint, _ address: Settings.Address) -> String {
        "http://\(address)/webhooks/stripe" + (endpoint.name.isEmpty ? "" : "/\(endpoint.name)")
    }

    /// What is set in a way that hardly anybody means.
    package var warnings: [String] {
        guard let key = settings.stripeKey, let mode = StripeKeyMode(of: key) else { return [] }
        var warnings: [String] = []
        let isLive = mode == .live
        for endpoint in settings.endpoints where !endpoint.livemode.accepts(isLive) {
            let url = Self.url(endpoint, settings.webhook)
            warnings.append(
                "the Stripe key is a \(mode.rawValue) key, but \(url) takes "
                    + "\(endpoint.livemode.rawValue) events: their payments are never found at "
                    + "Stripe; give the \(endpoint.livemode.rawValue) key, or set webhook.livemode "
                    + "to \(mode.rawValue)")
        }
        if isLive, settings.stripeBase != Settings().stripeBase {
            warnings.append(
                "the live Stripe key goes to \(settings.stripeBase), which is not Stripe's "
                    + "address; check stripe.api_base")
        }
        return warnings
    }
}
