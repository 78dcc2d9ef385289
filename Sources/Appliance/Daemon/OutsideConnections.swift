package import Bridges
import Logging
package import Vocabulary

/// How the clients of the outside systems are told what the settings say. Secrets are read here,
/// by who connects.
extension Settings {
    /// - Parameters:
    ///   - client: what the brokers' logs call it.
    ///   - warnings: where the client's own complaints go.
    ///   - metadataHost: of Google's metadata server; nil is where it is by itself.
    /// - Throws: `SettingsError`.
    package func kafkaConfiguration(
        client: String, warnings: RationedLog, metadataHost: String? = nil
    ) throws -> KafkaConfiguration {
        var configuration = KafkaConfiguration(
            bootstrap: kafka.bootstrap ?? "", security: try kafkaSecurity(metadataHost),
            clientID: client)
        configuration.pollInterval = .seconds(kafka.pollIntervalSeconds)
        configuration.log = { line in
            // Syslog's error and worse; what passes by itself is said by who waits for it.
            guard line.level <= 3 else { return }
            let (facility, text) = (line.facility, line.text)
            warnings.warning(
                "Kafka's client complains", kind: "kafka.\(facility)",
                ["facility": facility, "text": text])
        }
        return configuration
    }

    private func kafkaSecurity(_ metadataHost: String?) throws -> KafkaSecurity {
        switch kafka.security {
        case .plaintext: .plaintext
        case .tls: .tls(caFile: kafka.caFile)
        case .saslPlain: try kafka.saslPlain()
        case .saslGoogle:
            .saslGoogle(account: kafka.username ?? "", caFile: kafka.caFile) {
                try GoogleMetadata(host: metadataHost).token()
            }
        }
    }

    /// - Throws: `SettingsError`, `RedisConfigurationError`.
    package func redisConfiguration() throws -> RedisConfiguration {
        var configuration = try RedisConfiguration(
            url: try redis.address() ?? "", authorities: redis.caFile)
        if redis.passwordFile != nil {
            let redis = redis
            configuration.password = { Secret(try redis.password() ?? "") }
        }
        return configuration
    }

    package func postgresConfiguration() -> PostgresConfiguration {
        var configuration = PostgresConfiguration(uri: postgres.url ?? "")
        let postgres = postgres
        if postgres.passwordFile != nil {
            configuration.password = { try postgres.password() ?? "" }
        }
        return configuration
    }
}

extension KafkaSettings {
    /// - Throws: now, where the password cannot be read: before anybody connects.
    fileprivate func saslPlain() throws(SettingsError) -> KafkaSecurity {
        _ = try password()
        let settings = self
        return .saslPlain(user: username ?? "", caFile: caFile) {
            Secret(try settings.password() ?? "")
        }
    }
}
