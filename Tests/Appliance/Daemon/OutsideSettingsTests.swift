import Foundation
import TestSupport
import Testing

@testable import Appliance
@testable import Daemon
@testable import Vocabulary

@Suite("Settings of bridges and of the cloud plane")
struct OutsideSettingsTests {
    private static func load(
        _ environment: [String: String], role: Role = .all
    ) throws -> Settings {
        try SettingsLoader(file: nil, environment: environment).load(role: role)
    }

    private static func refusal(_ environment: [String: String], role: Role = .all) -> String {
        do { return "accepted: \(try load(environment, role: role).profile)" } catch {
            return "\(error)"
        }
    }

    private static let edge = ["TILLBOX_WEBHOOK_SECRET": "whsec_a", "TILLBOX_PROFILE": "edge"]
    private static let cloud = [
        "TILLBOX_PROFILE": "cloud", "TILLBOX_KAFKA_BOOTSTRAP": "broker-1:9092,[::1]:9093",
        "TILLBOX_REDIS_URL": "redis://127.0.0.1:6379",
        "TILLBOX_POSTGRES_URL": "postgresql://tillbox@127.0.0.1/tillbox",
    ]

    @Test("each role is content with what it needs, and names what is missing", arguments: [
        (Role.webhook, ["KAFKA_BOOTSTRAP", "REDIS_URL", "WEBHOOK_SECRET"]),
        (.score, ["KAFKA_BOOTSTRAP", "REDIS_URL"]),
        (.ledger, ["KAFKA_BOOTSTRAP", "POSTGRES_URL"]),
        (.console, ["KAFKA_BOOTSTRAP", "POSTGRES_URL"]),
    ])
    func needs(role: Role, keys: [String]) throws {
        let all = Self.cloud.merging(["TILLBOX_WEBHOOK_SECRET": "whsec_a"]) { $1 }
        let needed = all.filter { variable, _ in
            variable == "TILLBOX_PROFILE" || keys.contains { variable == "TILLBOX_\($0)" }
        }
        #expect(try Self.load(needed, role: role).profile == .cloud)
        for key in keys {
            var less = needed
            less["TILLBOX_\(key)"] = nil
            let sentence = Self.refusal(less, role: role)
            #expect(sentence.contains("TILLBOX_\(key)"), "\(sentence)")
        }
    }

    @Test("beyond loopback the role console needs TLS or a proxy, as it shows the ledger")
    func consoleBeyondLoopback() {
        let open = Self.cloud.merging(["TILLBOX_ADMIN_HOST": "0.0.0.0"]) { $1 }
        #expect(Self.refusal(open, role: .console).contains("others reach the console"))
        #expect(Self.refusal(open, role: .ledger) == "accepted: cloud")
        let proxied = open.merging(["TILLBOX_ADMIN_BEHIND_PROXY": "true"]) { $1 }
        #expect(Self.refusal(proxied, role: .console) == "accepted: cloud")
    }

    @Test("a role belongs to the profile cloud, and that to a role")
    func roles() {
        #expect(Self.refusal(Self.cloud).contains("give --role webhook, score, ledger or console"))
        #expect(Self.refusal(Self.edge, role: .score).contains("--role score belongs to"))
        let both = Self.cloud.merging(["TILLBOX_BRIDGES": "kafka"]) { $1 }
        #expect(Self.refusal(both, role: .score).contains("the profile cloud has none"))
    }

    @Test("a bridge names what it lacks", arguments: [
        ("kafka", "TILLBOX_KAFKA_BOOTSTRAP"), ("redis", "TILLBOX_REDIS_URL"),
        ("postgres", "TILLBOX_POSTGRES_URL"),
        // Nothing copies there yet, and nothing may seem to.
        ("bigquery", "kafka, redis, postgres"),
        ("kafka, kafka", "a list of different ones"), ("kafak", "kafka, redis, postgres"),
    ])
    func bridges(value: String, expected: String) {
        let sentence = Self.refusal(Self.edge.merging(["TILLBOX_BRIDGES": value]) { $1 })
        #expect(sentence.contains(expected), "\(sentence)")
    }

    @Test("what cannot be meant is one sentence", arguments: [
        (["KAFKA_BOOTSTRAP": "broker"], "kafka.bootstrap is \"broker\", but must be host:port"),
        (["KAFKA_BOOTSTRAP": "a:1,b:70000"], "\"b:70000\""),
        (["KAFKA_TOPIC_PREFIX": "a b"], "kafka.topic_prefix"),
        (["KAFKA_PARTITIONS": "0"], "kafka.partitions"),
        (["KAFKA_POLL_INTERVAL_SECONDS": "9"], "kafka.poll_interval_seconds"),
        (["KAFKA_SECURITY": "ssl"], "plaintext, tls, sasl_plain, sasl_google"),
        (["KAFKA_CA_FILE": "/ca.pem"], "checks no certificate"),
        (["KAFKA_USERNAME": "me"], "never uses it"),
        (["KAFKA_SECURITY": "sasl_plain"], "needs kafka.username"),
        (["KAFKA_SECURITY": "sasl_plain", "KAFKA_USERNAME": "me"], "needs kafka.password_file"),
        (["KAFKA_SECURITY": "sasl_google"], "needs kafka.username"),
        (["REDIS_URL": "127.0.0.1:6379"], "redis:// or rediss://"),
        (["REDIS_URL": "redis://a", "REDIS_CA_FILE": "/ca.pem"], "no rediss:// address"),
        (
            ["REDIS_URL": "redis://:dontshow@a", "REDIS_PASSWORD_FILE": "/p"],
            "redis.url holds a password too"
        ),
        (["POSTGRES_URL": "host=dontshow"], "postgres:// or postgresql://"),
        (
            ["POSTGRES_URL": "postgres://a/b?password=dontshow", "POSTGRES_PASSWORD_FILE": "/p"],
            "postgres.url holds a password too"
        ),
        (["SCORE_WAIT_SECONDS": "604801"], "score.wait_seconds"),
    ])
    func contradictions(settings: [String: String], expected: String) {
        let environment = Dictionary(
            settings.map { ("TILLBOX_\($0)", $1) }) { $1 }.merging(Self.edge) { $1 }
        let sentence = Self.refusal(environment)
        #expect(sentence.contains(expected), "\(sentence)")
        #expect(!sentence.contains("\n"))
    }

    @Test("a password in an address makes the file a secret, and is never repeated", arguments: [
        "redis: {url: \"redis://me:dontshow@127.0.0.1\"}",
        "redis: {url: \"redis://me:d@dontshow@127.0.0.1\"}",
        "postgres:\n  url: postgresql://me:dontshow@127.0.0.1/db\n",
        "postgres:\n  url: postgresql://127.0.0.1/db?password=dontshow\n",
    ])
    func passwordInAddress(yaml: String) throws {
        let folder = try TemporaryFolder()
        let file = folder.file("tillbox.yaml")
        try SettingsTests.write(yaml, to: file, mode: 0o644)
        #expect(throws: SettingsError.fileExposed(path: file, mode: "644")) {
            try SettingsLoader(file: file, environment: Self.edge)
        }
        let shown = SecretText.masked(yaml)
        #expect(!shown.contains("dontshow") && shown.contains("127.0.0.1"), "\(shown)")
    }

    @Test("a password comes from its private file, as it is written")
    func passwordFiles() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("password")
        try SettingsTests.write(" a@b/c%\n", to: path, mode: 0o600)
        let settings = try Self.load(
            Self.edge.merging([
                "TILLBOX_REDIS_URL": "rediss://127.0.0.1:6380/2",
                "TILLBOX_REDIS_PASSWORD_FILE": path,
                "TILLBOX_POSTGRES_URL": "postgresql://me@/db?host=/run/pg",
                "TILLBOX_POSTGRES_PASSWORD_FILE": path,
                "TILLBOX_KAFKA_SECURITY": "sasl_plain", "TILLBOX_KAFKA_USERNAME": "me",
                "TILLBOX_KAFKA_PASSWORD_FILE": path,
            ]) { $1 })
        #expect(try settings.kafka.password() == " a@b/c%")
        #expect(try settings.postgres.password() == " a@b/c%")
        #expect(try settings.redis.address() == "rediss://:%20a%40b%2Fc%25@127.0.0.1:6380/2")
        try SettingsTests.write("a", to: path, mode: 0o644)
        #expect(throws: SettingsError.secretFileExposed(path: path, mode: "644")) {
            try settings.kafka.password()
        }
    }

    @Test("PORT is where the webhook role listens, and nobody else")
    func port() throws {
        let environment = Self.cloud.merging(
            ["TILLBOX_WEBHOOK_SECRET": "whsec_a", "PORT": "9090", "TILLBOX_WEBHOOK_PORT": "1"]
        ) { $1 }
        let sentence = Self.refusal(environment, role: .webhook)
        #expect(sentence.contains("another port than webhook.port"), "\(sentence)")
        #expect(try Self.load(environment, role: .score).webhook.port == 1)
        let moved = environment.merging(["PORT": "8081"]) { $1 }
        let webhook = try Self.load(moved, role: .webhook).webhook
        #expect(webhook == Settings.Address(host: "0.0.0.0", port: 8081))
        #expect(try Self.load(Self.edge.merging(["PORT": "8081"]) { $1 }).webhook.port == 8080)
        let bad = environment.merging(["PORT": "http"]) { $1 }
        #expect(Self.refusal(bad, role: .webhook).contains("PORT is \"http\""))
    }
}
