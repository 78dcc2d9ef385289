import Foundation
import TestSupport
import Testing

/// Kafka, Redis and Postgres that let nobody in without TLS and a password, and what a process is
/// told so that it comes in.
final class SecureServers: @unchecked Sendable {
    // `@unchecked Sendable`: used from one test at a time.
    static let kafkaPassword = "kafka-secret-7"
    static let redisPassword = "redis-secret-7"
    static let wrongPassword = "wrong-secret-7"
    static let token = "ya29.google-secret-7"
    /// None of these may ever be printed.
    static let secrets = [
        kafkaPassword, redisPassword, wrongPassword, token, "google-secret", "whsec_test",
        PostgresServer.password, "correct%20horse",
    ]

    let folder: TemporaryFolder
    let certificate: TestCertificate
    /// For another name, by another authority.
    let other: TestCertificate
    let proxy: KafkaProxy
    let broker: KafkaServer
    let redis: RedisServer
    let postgres: PostgresServer

    init() async throws {
        folder = try TemporaryFolder()
        certificate = try await TestCertificate()
        other = try await TestCertificate(names: "DNS:elsewhere.example")
        proxy = try await KafkaProxy(certificate: certificate)
        try proxy.accept("ann\u{0}" + Self.kafkaPassword)
        broker = try await KafkaServer(behind: proxy)
        redis = try await RedisServer(
            certificate: certificate,
            settings: [
                "--user", "default", "off",
                "--user", "ann", "on", ">" + Self.redisPassword, "~*", "&*", "+@all",
            ])
        postgres = try PostgresServer()
    }

    /// Writes a secret to a private file.
    func file(_ name: String, _ secret: String) throws -> String {
        let path = folder.file(name)
        try Data((secret + "\n").utf8).write(to: URL(filePath: path), options: .atomic)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        return path
    }

    /// Writes whose certificates Kafka's clients trust to the file that they are told.
    @discardableResult
    func kafkaTrusts(_ certificates: [TestCertificate]) throws -> String {
        let path = folder.file("kafka-ca.pem")
        let authorities = try certificates.map {
            try String(contentsOfFile: $0.caFile, encoding: .utf8)
        }
        try authorities.joined().write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    /// With the certificate's authority and its name checked, and the password in a file.
    func postgresURL(_ database: String, host: String = "localhost") -> String {
        postgres.tlsURI(database, host: host).replacing(":correct%20horse@", with: "@")
    }

    func environment(_ database: String) throws -> [String: String] {
        [
            "TILLBOX_KAFKA_BOOTSTRAP": broker.bootstrap, "TILLBOX_KAFKA_SECURITY": "sasl_plain",
            "TILLBOX_KAFKA_USERNAME": "ann",
            "TILLBOX_KAFKA_PASSWORD_FILE": try file("kafka", Self.kafkaPassword),
            "TILLBOX_KAFKA_CA_FILE": try kafkaTrusts([certificate]),
            "TILLBOX_REDIS_URL": Ask.asAnn(redis.secureURL),
            "TILLBOX_REDIS_PASSWORD_FILE": try file("redis", Self.redisPassword),
            "TILLBOX_REDIS_CA_FILE": certificate.caFile,
            "TILLBOX_POSTGRES_URL": postgresURL(database),
            "TILLBOX_POSTGRES_PASSWORD_FILE": try file("postgres", PostgresServer.password),
        ]
    }

    /// A cloud on these servers.
    func cloud(partitions: Int = 2) async throws -> CloudPlace {
        let settings = try environment("")
        return try await CloudPlace(
            broker: broker, redis: redis, postgres: postgres, partitions: partitions
        ) { database in
            settings.merging(["TILLBOX_POSTGRES_URL": postgresURL(database)]) { $1 }
        }
    }

    /// No secret stands in what was printed.
    static func expectNoSecret(_ text: String, _ what: String) {
        for secret in secrets where text.contains(secret) {
            Issue.record("\(what) shows the secret \(secret): \(text.suffix(800))")
        }
    }
}
