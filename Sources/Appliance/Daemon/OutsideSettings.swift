import Foundation
import Relay
import Vocabulary

// The outside systems: what bridges copy to, and what the cloud plane stands on. Passwords are
// named by their files and read when somebody connects, so that a new one needs no restart, and who
// connects to nothing need not be allowed to read them.

/// How the brokers are reached, and by which names.
package struct KafkaSettings: Sendable {
    package enum Security: String, CaseIterable, Sendable {
        case plaintext, tls
        /// A user and a password, over TLS.
        case saslPlain = "sasl_plain"
        /// A Google service account's token, over TLS.
        case saslGoogle = "sasl_google"
    }

    /// Brokers to ask first, `host:port` separated by commas; nil where Kafka is not used.
    package var bootstrap: String?
    /// In front of the name of every topic, group and transactional id.
    package var topicPrefix = ""
    /// Partitions of the topics that `cloud prepare` and the Kafka bridge create.
    package var partitions: Int32 = 4
    /// How long a member of a group may go without asking for records.
    package var pollIntervalSeconds = 300
    package var security = Security.plaintext
    /// The user, or the service account's mail address.
    package var username: String?
    var passwordFile: String?
    /// PEM bundle of the authorities to believe; nil for the system's.
    package var caFile: String?

    /// The password; nil where none is set.
    package func password() throws(SettingsError) -> String? {
        try passwordFile.map { path throws(SettingsError) in try SecretFile.password(at: path) }
    }
}

/// How the Redis server is reached, and by which keys.
package struct RedisSettings: Sendable {
    /// `redis://` or `rediss://`, perhaps with user and password; nil where Redis is not used.
    package var url: String?
    /// In front of every key.
    package var prefix = "tillbox:"
    /// PEM bundle of the authorities to believe; nil for the system's.
    package var caFile: String?
    var passwordFile: String?

    /// The password of the file; nil where none is named.
    package func password() throws(SettingsError) -> String? {
        try passwordFile.map { path throws(SettingsError) in try SecretFile.password(at: path) }
    }

    /// The address with the password of the file in it.
    package func address() throws(SettingsError) -> String? {
        guard let url, let password = try password() else { return url }
        guard var parts = URLComponents(string: url) else { return url }
        parts.user = parts.user ?? ""
        parts.percentEncodedPassword = password.addingPercentEncoding(
            withAllowedCharacters: .alphanumerics)
        return parts.string
    }
}

/// How the Postgres server is reached.
package struct PostgresSettings: Sendable {
    /// A URI as libpq takes it; nil where Postgres is not used.
    package var url: String?
    var passwordFile: String?

    /// The password; nil where none is set. Asked at each connect.
    package func password() throws(SettingsError) -> String? {
        try passwordFile.map { path throws(SettingsError) in try SecretFile.password(at: path) }
    }
}

extension SecretFile {
    /// The password that a private file holds; line ends behind it are layout.
    static func password(at path: String) throws(SettingsError) -> String {
        let whole: String
        do throws(Refusal) {
            whole = try text(at: path)
        } catch {
            switch error {
            case .unreadable(let reason): throw .secretFileUnreadable(path: path, reason: reason)
            case .exposed(let mode): throw .secretFileExposed(path: path, mode: mode)
            }
        }
        var password = whole[...]
        while password.last?.isNewline == true { password = password.dropLast() }
        guard !password.isEmpty else { throw .secretFileEmpty(path: path) }
        return String(password)
    }
}

// MARK: What a role needs

extension Settings {
    /// Whether the profile knows the role.
    func check(_ role: Role) throws(SettingsError) {
        switch (profile, role) {
        case (.cloud, .all): throw .roleMissing
        case (.cloud, _), (_, .all): return
        default: throw .roleUnknown(role: role.rawValue, profile: profile.rawValue)
        }
    }

    /// Whether everything is set that `role`, or the bridges beside it, connect to.
    func checkOutside(_ role: Role) throws(SettingsError) {
        guard profile == .cloud else { return try checkBridges() }
        if !bridges.isEmpty {
            throw .contradicts(
                key: SettingsKey.bridges.rawValue,
                reason: "bridges copy a local log, and the profile cloud has none; remove it")
        }
        let needs = "the role \(role.rawValue) of the profile cloud"
        try requireKafka(for: needs)
        if [.webhook, .score].contains(role) { try requireRedis(for: needs) }
        if [.ledger, .console].contains(role) { try requirePostgres(for: needs) }
    }

    private func checkBridges() throws(SettingsError) {
        for target in bridges {
            let needs = "the bridge \(target.rawValue)"
            switch target {
            case .kafka: try requireKafka(for: needs)
            case .redis: try requireRedis(for: needs)
            case .postgres: try requirePostgres(for: needs)
            }
        }
    }

    package func requireKafka(for needs: String) throws(SettingsError) {
        guard kafka.bootstrap != nil else {
            throw .missing(
                key: SettingsKey.kafkaBootstrap.rawValue, needs: needs, example: "127.0.0.1:9092")
        }
        try Self.requireReadable(.kafkaCAFile, kafka.caFile)
        _ = try kafka.password()
    }

    package func requireRedis(for needs: String) throws(SettingsError) {
        guard redis.url != nil else {
            throw .missing(
                key: SettingsKey.redisURL.rawValue, needs: needs, example: "redis://127.0.0.1:6379")
        }
        try Self.requireReadable(.redisCAFile, redis.caFile)
        _ = try redis.address()
    }

    package func requirePostgres(for needs: String) throws(SettingsError) {
        guard postgres.url != nil else {
            throw .missing(
                key: SettingsKey.postgresURL.rawValue, needs: needs,
                example: "postgresql://tillbox@127.0.0.1:5432/tillbox")
        }
        _ = try postgres.password()
    }

    private static func requireReadable(
        _ key: SettingsKey, _ path: String?
    ) throws(SettingsError) {
        guard let path else { return }
        do {
            _ = try Data(contentsOf: URL(filePath: path))
        } catch {
            throw .fileMissing(
                key: key.rawValue, path: path, reason: "it is not there, or may not be read")
        }
    }
}
