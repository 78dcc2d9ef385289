import Foundation
import Relay
import Vocabulary

/// The settings of bridges and of the cloud plane.
extension SettingsLoader {
    func loadOutside(_ settings: inout Settings) throws {
        settings.bridges = try bridges()
        settings.kafka = try kafka()
        settings.redis = try redis()
        settings.postgres = try postgres()
        settings.bigQuery = try bigQuery()
        // A payment that waits is forgotten after a week.
        settings.scoreWaitSeconds = Int64(
            try integer(.scoreWaitSeconds, 1...604_800) ?? Int(settings.scoreWaitSeconds))
    }

    /// `PORT` is where the platform sends requests, whatever else is set.
    func listenWhereToldByThePlatform(_ settings: inout Settings) throws {
        guard let value = environment["PORT"], !value.isEmpty else { return }
        guard let port = Int(value), (1...65535).contains(port) else {
            throw SettingsError.badValue(key: "PORT", value: value, expected: "a port's number")
        }
        settings.webhook = Settings.Address(host: "0.0.0.0", port: port)
    }

    private func bridges() throws -> [BridgeName] {
        var targets: [BridgeName] = []
        for name in list(SettingsKey.bridges.rawValue) {
            guard let target = BridgeName(rawValue: name), !targets.contains(target) else {
                let all = BridgeName.allCases.map(\.rawValue).joined(separator: ", ")
                throw SettingsError.badValue(
                    key: SettingsKey.bridges.rawValue, value: name,
                    expected: "a list of different ones of \(all)")
            }
            targets.append(target)
        }
        return targets
    }

    private func kafka() throws -> KafkaSettings {
        var kafka = KafkaSettings()
        let brokers = list(SettingsKey.kafkaBootstrap.rawValue)
        for broker in brokers where !Self.isHostAndPort(broker) {
            throw SettingsError.badValue(
                key: SettingsKey.kafkaBootstrap.rawValue, value: broker,
                expected: "host:port pairs such as broker-1:9092,broker-2:9092")
        }
        kafka.bootstrap = brokers.isEmpty ? nil : brokers.joined(separator: ",")
        kafka.topicPrefix = try topicPrefix()
        kafka.partitions = Int32(
            try integer(.kafkaPartitions, 1...10_000) ?? Int(kafka.partitions))
        kafka.pollIntervalSeconds =
            try integer(.kafkaPollInterval, 10...3_600) ?? kafka.pollIntervalSeconds
        kafka.security = try choice(.kafkaSecurity, default: kafka.security)
        kafka.username = text(.kafkaUsername)
        kafka.passwordFile = text(.kafkaPasswordFile)
        kafka.caFile = text(.kafkaCAFile)
        try refuseContradictions(kafka)
        return kafka
    }

    private func refuseContradictions(_ kafka: KafkaSettings) throws {
        let security = "kafka.security is \(kafka.security.rawValue)"
        if kafka.security == .plaintext, kafka.caFile != nil {
            throw SettingsError.contradicts(
                key: SettingsKey.kafkaCAFile.rawValue,
                reason: "\(security), which checks no certificate; set that to tls")
        }
        let keys: [(SettingsKey, value: String?, isTaken: Bool)] = [
            (.kafkaUsername, kafka.username, [.saslPlain, .saslGoogle].contains(kafka.security)),
            (.kafkaPasswordFile, kafka.passwordFile, kafka.security == .saslPlain),
        ]
        for (key, value, isTaken) in keys {
            if value != nil, !isTaken {
                throw SettingsError.contradicts(
                    key: key.rawValue, reason: "\(security), which never uses it; set that to "
                        + "sasl_plain, or remove \(key.rawValue)")
            }
            if value == nil, isTaken {
                throw SettingsError.missing(
                    key: key.rawValue, needs: "kafka.security \(kafka.security.rawValue)",
                    example: key == .kafkaUsername ? "tillbox" : "/run/secrets/kafka-password")
            }
        }
    }

    /// Kafka's own alphabet; the longest of our names must fit behind it.
    private func topicPrefix() throws -> String {
        let prefix = text(.kafkaTopicPrefix) ?? ""
        let isLegal =
            prefix.count <= 200 && prefix.wholeMatch(of: /[A-Za-z0-9._-]*/) != nil
        guard isLegal else {
            throw SettingsError.badValue(
                key: SettingsKey.kafkaTopicPrefix.rawValue, value: prefix,
                expected: "at most 200 letters, digits, dots, - and _")
        }
        return prefix
    }

    private func redis() throws -> RedisSettings {
        var redis = RedisSettings()
        redis.url = try address(.redisURL, schemes: ["redis", "rediss"])
        redis.prefix = text(.redisPrefix) ?? redis.prefix
        redis.caFile = text(.redisCAFile)
        redis.passwordFile = try passwordFile(.redisPasswordFile, besides: .redisURL, redis.url)
        if redis.caFile != nil, redis.url?.hasPrefix("redis:") == true {
            throw SettingsError.contradicts(
                key: SettingsKey.redisCAFile.rawValue,
                reason: "redis.url is no rediss:// address, whose certificate it would check")
        }
        return redis
    }

    private func postgres() throws -> PostgresSettings {
        var postgres = PostgresSettings()
        postgres.url = try address(.postgresURL, schemes: ["postgres", "postgresql"])
        postgres.passwordFile = try passwordFile(
            .postgresPasswordFile, besides: .postgresURL, postgres.url)
        return postgres
    }

    private func passwordFile(
        _ key: SettingsKey, besides address: SettingsKey, _ url: String?
    ) throws -> String? {
        guard let path = text(key) else { return nil }
        if let url, AddressSecret.isWithin(url) {
            throw SettingsError.contradicts(
                key: key.rawValue,
                reason: "\(address.rawValue) holds a password too; keep one of them")
        }
        return path
    }

    /// An address, by its scheme alone: what stands behind it is for who connects.
    private func address(_ key: SettingsKey, schemes: [String]) throws -> String? {
        guard let value = text(key) else { return nil }
        guard schemes.contains(where: { value.hasPrefix("\($0)://") }),
            !value.contains(where: \.isWhitespace)
        else {
            throw SettingsError.badValue(
                key: key.rawValue, value: value,
                expected: "an address that begins with "
                    + schemes.map { "\($0)://" }.joined(separator: " or "))
        }
        return value
    }

    /// `host:port`, and `[…]:port` of an IPv6 address.
    private static func isHostAndPort(_ text: String) -> Bool {
        guard let match = text.wholeMatch(of: /(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]+)/),
            let port = Int(match.output.1)
        else { return false }
        return (1...65535).contains(port)
    }
}
