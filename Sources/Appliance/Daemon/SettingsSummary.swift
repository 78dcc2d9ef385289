import Appliance
import Reconcile
import Relay
import Vocabulary

extension Settings {
    /// What decides over money and over who comes in, in one line for the audit log. It holds no
    /// secret, only how many there are.
    var summary: String {
        let endpoints = endpoints.map { endpoint in
            "\(endpoint.name.isEmpty ? "default" : endpoint.name) \(endpoint.livemode.rawValue) "
                + "(\(Counted.words(endpoint.secrets.count, "secret")))"
        }
        let limits = amountLimits.map { "\($0.key.code):\($0.value.rawValue)" }.sorted()
        let proxies = adminIsBehindProxy ? [("proxy_count", "\(adminProxyCount)")] : []
        let words: [(String, String)] = [
            ("profile", profile.rawValue), ("webhook", "\(webhook)"), ("admin", "\(admin)"),
            ("admin.hosts", adminHosts.joined(separator: ",")), ("tls", "\(adminIsSecure)"),
            ("behind_proxy", "\(adminIsBehindProxy)"),
        ] + proxies + [
            ("endpoints", endpoints.joined(separator: ", ")),
            ("tolerance_seconds", "\(toleranceSeconds)"),
            ("merchant", defaultMerchant.rawValue), ("model", modelPath ?? "built in"),
            ("review_from", reviewFrom.map { "\($0)" } ?? "the model's"),
            ("block_from", blockFrom.map { "\($0)" } ?? "the model's"),
            ("amount_limits", limits.joined(separator: ",")),
            ("retention_days", retentionDays.map { "\($0)" } ?? "for ever"),
            ("review_expire_seconds", reviewExpirySeconds.map { "\($0)" } ?? "never"),
            ("stripe", stripeBase), ("stripe_key", stripeKey == nil ? "none" : "set"),
            ("reconcile_minute", reconcile.schedule.nightlyMinute.map { "\($0)" } ?? "off"),
            ("grace_seconds", "\(reconcile.limits.graceSeconds)"),
            ("sweep_seconds", reconcile.schedule.sweepSeconds.map { "\($0)" } ?? "off"),
            ("backup", backup.folder ?? "none"),
            ("backup_encrypted", "\(backup.keyFile != nil)"),
            ("bridges", bridges.map(\.rawValue).joined(separator: ",")),
        ]
        return words.map { "\($0)=\($1)" }.joined(separator: " ")
    }
}
