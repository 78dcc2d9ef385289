import Appliance
package import Logging
import Reconcile
package import Relay
package import Terminal
package import Vocabulary

/// What the daemon is told: the merged view of the configuration file and the environment.
///
/// ``SettingsKey`` lists every key; ``SettingsLoader`` fills this in.
package struct Settings: Sendable {
    /// Which implementations the composition root picks.
    package enum Profile: String, CaseIterable, Sendable {
        case dev, edge, cloud
    }

    package var profile: Profile = .dev
    package var dataPath = "./tillbox-data"
    package var webhook = Address(host: "127.0.0.1", port: 8080)
    package var admin = Address(host: "127.0.0.1", port: 9090)
    package var endpoints: [WebhookEndpoint] = []
    /// What an endpoint accepts that says nothing else.
    var livemode = WebhookEndpoint.Livemode.test
    /// Seconds that a signature's timestamp may differ from the clock, both ways.
    var toleranceSeconds: Int64 = 300
    var bodyByteCountMax = 1 << 20
    /// Bytes of requests in flight on each port.
    var webhookMemoryByteCountMax = GateLimits.memoryByteCount
    var adminMemoryByteCountMax = GateLimits.memoryByteCount
    /// Names beside the loopback's and `admin.host` under which the admin port is asked.
    var adminHosts: [String] = []
    /// What the admin port shows; nil speaks plain HTTP.
    var adminTLS: PortTLS?
    /// Whether it speaks TLS, for who asks it and may not read its key.
    package var adminIsSecure = false
    /// TLS ends at a proxy that stands before the admin port, and tells whom a request is from.
    var adminIsBehindProxy: Bool { adminProxyCount > 0 }
    /// How many addresses trusted proxies append to `X-Forwarded-For`; 0 without a proxy.
    var adminProxyCount = 0
    /// What a role of the profile cloud wants to see before it says how it stands, and what a
    /// command shows to a daemon of another machine; nil for none.
    package var adminToken: String?
    var defaultMerchant = MerchantID("default")
    /// A model file outside the binary; nil for the built-in one.
    var modelPath: String?
    /// Stricter thresholds than the model's own; nil keeps those.
    var reviewFrom: Double?
    var blockFrom: Double?
    /// Payments above this many minor units go to review, by currency.
    package var amountLimits: [Currency: MinorUnits] = [:]
    var customersMax = 1_000_000
    var movementsMax = 262_144
    var segmentByteCountMax = 256 << 20
    /// Days that `webhook.received` and the derived topics are kept; nil for ever.
    package var retentionDays: Int?
    /// Closed months that stay in the data folder when segments are moved to a cold one.
    package var keptMonths = 13
    /// The gate forgets the events of what has left the data folder, and a sweep lists those of the
    /// last 30 days. The last month that goes ended 59 days ago with 2, and 28 with 1.
    static let keptMonthsMin = 2
    /// Seconds after which a review that nobody has decided is declined; nil keeps it held.
    package var reviewExpirySeconds: Int64?
    /// Where Stripe's API is, and the key for it; without a key nothing is reconciled.
    package var stripeBase = "https://api.stripe.com"
    package var stripeKey: String?
    var reconcile = ReconcilerSettings()
    package var logLevel = Logger.Level.info
    /// Nil is text on a terminal and JSON elsewhere.
    package var logFormat: LogFormat?
    /// Seconds between two lines of what was not booked; nil for none.
    package var summarySeconds: Int? = 60
    /// What the local log and ledger are copied to while the daemon runs.
    package var bridges: [BridgeName] = []
    package var kafka = KafkaSettings()
    package var redis = RedisSettings()
    package var postgres = PostgresSettings()
    package var bigQuery = BigQuerySettings()
    /// Seconds that a payment without a vector waits before its review is left to a person.
    package var scoreWaitSeconds: Int64 = 900

    /// Minutes after midnight, UTC, of the nightly export; nil for none.
    package var exportMinute: Int?
    package var exportsCompressed = false
    /// Where backups go, and when.
    package var backup = BackupSettings()
    /// Who is told when something needs a person.
    package var alerts = AlertSettings()

    package init() {}

    /// The console's address, as a browser on this machine asks for it.
    package func consoleAddress(port: Int) -> String {
        let isEverywhere = ["0.0.0.0", "::"].contains(admin.host)
        let host = isEverywhere ? "localhost" : admin.host
        let name = host.contains(":") ? "[\(host)]" : host
        return "\(adminIsSecure ? "https" : "http")://\(name):\(port)"
    }

    /// Seconds that a delivery's time may be off.
    package var signatureTolerance: Int64 { toleranceSeconds }
    /// Whether alerts go anywhere; told of settings that were read with their secrets.
    package var tellsSomebody: Bool { !alerts.doors.isEmpty }
    /// Whether the model is not the built-in one.
    package var usesOwnModel: Bool { modelPath != nil }
    /// Of the endpoints that deliveries come to; empty for the one without a name.
    package var endpointNames: [String] { endpoints.map(\.name) }

    /// What any of the endpoints accepts.
    var livemodes: [WebhookEndpoint.Livemode] {
        endpoints.isEmpty ? [livemode] : endpoints.map(\.livemode)
    }

    /// A host and a TCP port; port 0 lets the system choose.
    package struct Address: Hashable, Sendable, CustomStringConvertible {
        package var host: String
        package var port: Int

        package init(host: String, port: Int) {
            self.host = host
            self.port = port
        }

        package var description: String { "\(host):\(port)" }
    }
}

/// Every configuration key. The file spells `webhook: {port: 8080}`, the environment
/// `TILLBOX_WEBHOOK_PORT`; the environment wins.
enum SettingsKey: String, CaseIterable {
    case profile
    case data
    case webhookHost = "webhook.host"
    case webhookPort = "webhook.port"
    case webhookSecret = "webhook.secret"
    case webhookSecretFile = "webhook.secret_file"
    case webhookLivemode = "webhook.livemode"
    case webhookEndpoints = "webhook.endpoints"
    case webhookTolerance = "webhook.tolerance_seconds"
    case webhookBodyBytesMax = "webhook.body_bytes_max"
    case webhookMemoryBytesMax = "webhook.memory_bytes_max"
    case adminHost = "admin.host"
    case adminPort = "admin.port"
    case adminHosts = "admin.hosts"
    case adminMemoryBytesMax = "admin.memory_bytes_max"
    case adminCertificateFile = "admin.tls_certificate_file"
    case adminKeyFile = "admin.tls_key_file"
    case adminBehindProxy = "admin.behind_proxy"
    case adminProxyCount = "admin.proxy_count"
    case adminToken = "admin.token"
    case adminTokenFile = "admin.token_file"
    case merchantDefault = "merchant.default"
    case modelPath = "model.path"
    case reviewFrom = "verdict.review_from"
    case blockFrom = "verdict.block_from"
    case amountLimits = "verdict.amount_limits"
    case customersMax = "features.customers_max"
    case movementsMax = "features.movements_max"
    case segmentBytesMax = "log.segment_bytes_max"
    case retentionDays = "log.retention_days"
    case archiveKeepMonths = "archive.keep_months"
    case reviewExpireHours = "review.expire_hours"
    case stripeBase = "stripe.api_base"
    case stripeKey = "stripe.api_key"
    case stripeKeyFile = "stripe.api_key_file"
    case reconcileAt = "reconcile.at"
    case reconcileGraceHours = "reconcile.grace_hours"
    case reconcileChargeWaitSeconds = "reconcile.charge_wait_seconds"
    case exportAt = "export.at"
    case exportGzip = "export.gzip"
    case backupFolder = "backup.folder"
    case backupAt = "backup.at"
    case backupKeyFile = "backup.key_file"
    case backupKeep = "backup.keep"
    case alertsURL = "alerts.url"
    case alertsURLFile = "alerts.url_file"
    case alertsCommand = "alerts.command"
    case alertsAfter = "alerts.after_seconds"
    case alertsAgain = "alerts.again_hours"
    case sweepMinutes = "sweep.every_minutes"
    case sweepDelaySeconds = "sweep.delay_seconds"
    case sweepAlertDays = "sweep.alert_days"
    case logLevel = "logging.level"
    case logFormat = "logging.format"
    case logSummarySeconds = "logging.summary_seconds"
    case bridges
    case kafkaBootstrap = "kafka.bootstrap"
    case kafkaTopicPrefix = "kafka.topic_prefix"
    case kafkaPartitions = "kafka.partitions"
    case kafkaPollInterval = "kafka.poll_interval_seconds"
    case kafkaSecurity = "kafka.security"
    case kafkaUsername = "kafka.username"
    case kafkaPasswordFile = "kafka.password_file"
    case kafkaCAFile = "kafka.ca_file"
    case redisURL = "redis.url"
    case redisPasswordFile = "redis.password_file"
    case redisPrefix = "redis.prefix"
    case redisCAFile = "redis.ca_file"
    case postgresURL = "postgres.url"
    case postgresPasswordFile = "postgres.password_file"
    case scoreWaitSeconds = "score.wait_seconds"
    case bigQueryProject = "bigquery.project"
    case bigQueryDataset = "bigquery.dataset"
    case bigQueryStripeDataset = "bigquery.stripe_dataset"
    case bigQueryLocation = "bigquery.location"
    case bigQueryBase = "bigquery.api_base"
    case bigQueryKeyFile = "bigquery.key_file"
    case bigQueryDaysAtOnce = "bigquery.days_at_once"

    /// The environment variable of a key: `webhook.port` is `TILLBOX_WEBHOOK_PORT`.
    static func environmentVariable(_ key: String) -> String {
        "TILLBOX_" + key.uppercased().replacing(".", with: "_").replacing("-", with: "_")
    }
}

extension SettingsKey {
    /// Keys of one named endpoint, below `webhook.endpoint.<name>.`.
    static let endpointKeys = ["secret", "secret_file", "livemode"]

    /// The last parts of the keys whose values are secrets themselves.
    static let secretNames: Set<String> = ["secret", "api_key", "token"]

    /// Whether a value is a secret, or holds one as an address with a password does.
    static func isSecret(_ name: String, _ value: String?) -> Bool {
        secretNames.contains(name)
            || (name == "url" && value.map { AddressSecret.isWithin($0) } ?? false)
    }

    /// The name of the endpoint that a key belongs to; nil for every other key.
    static func endpoint(of key: String) -> String? {
        let parts = key.split(separator: ".").map(String.init)
        let isOne =
            parts.count == 4 && parts[0] == "webhook" && parts[1] == "endpoint"
            && endpointKeys.contains(parts[3])
        return isOne ? parts[2] : nil
    }

    static func isKnown(_ key: String) -> Bool {
        SettingsKey(rawValue: key) != nil || endpoint(of: key) != nil
    }

    /// Whether a YAML list may stand for the value; secrets are rotated in pairs.
    static func takesList(_ key: String) -> Bool {
        let lists = [
            webhookEndpoints, amountLimits, webhookSecret, adminHosts, bridges, kafkaBootstrap,
        ]
        return lists.map(\.rawValue).contains(key)
            || (endpoint(of: key) != nil && key.hasSuffix(".secret"))
    }

    /// The known key that was probably meant, or of a group alone the group.
    static func nearest(to key: String) -> String? {
        let keys = allCases.map(\.rawValue)
        let groups = Set(keys.compactMap { $0.split(separator: ".").first.map(String.init) })
        return NearestWord.to(key, among: keys + (key.contains(".") ? [] : groups.sorted()))
    }

    /// Whether other keys stand below it.
    static func isGroup(_ key: String) -> Bool {
        allCases.contains { $0.rawValue.hasPrefix(key + ".") }
    }
}
