import Foundation
import TestSupport
import Testing

/// What stands outside goes wrong, and is mended, while the roles run; what is too large, and
/// vectors that nobody computes. Nothing is lost, nothing is booked twice.
@Suite("Trouble outside of the roles, and its end", .serialized)
struct OutsideMendedTests {
    @Test("passwords, absences, large records and missing vectors: told, mended, and all is booked")
    func roles() async throws {
        let servers = try await SecureServers()
        let place = try await servers.cloud()
        var taken: [String] = []

        taken += try await redisPassword(servers, place)
        taken += try await kafkaPassword(servers, place)
        taken += try await kafkaAuthority(servers, place)
        taken += try await tooLarge(servers, place)
        try await absences(servers, place)
        try await noVectors(servers, place, taken)
    }

    /// The webhook role of a place, and where it says how it is.
    private func webhook(_ place: CloudPlace) async throws -> CloudPlace.Instance {
        try place.start("webhook")
        try await place.untilWebhooksAreTaken()
        return try #require(place.roles.last)
    }

    /// A claim of which nobody knows what came runs out after 30 s; until then the answer is 503.
    private func takes(_ body: String, _ what: String, at port: Int) async throws {
        try await eventually("\(what): it is taken", within: 120, every: .milliseconds(200)) {
            try Ask.deliver(body, to: port) == 200
        }
    }

    private func says(_ sentence: String, _ instance: CloudPlace.Instance) async throws {
        var answer = ""
        do {
            try await eventually("it says so", every: .milliseconds(100)) {
                answer = Ask.readiness(instance.admin)
                return answer.hasPrefix("HTTP/1.1 503") && answer.contains(sentence)
            }
        } catch {
            Issue.record("\(sentence): \(answer) \(instance.child.standardError.suffix(800))")
        }
        SecureServers.expectNoSecret(answer + instance.child.standardError, instance.role)
    }

    private func isReadyAgain(_ instance: CloudPlace.Instance) async throws {
        do {
            try await eventually("it is ready", every: .milliseconds(100)) {
                Ask.isReady(instance.admin)
            }
        } catch {
            Issue.record("\(instance.role): \(Ask.readiness(instance.admin))")
        }
        #expect(instance.child.isRunning)
    }

    // MARK: Passwords

    private func redisPassword(
        _ servers: SecureServers, _ place: CloudPlace
    ) async throws -> [String] {
        let path = try servers.file("redis", SecureServers.wrongPassword)
        #expect(place.environment["TILLBOX_REDIS_PASSWORD_FILE"] == path)
        let role = try await webhook(place)
        try await says("refuses the user or password", role)
        let event = Ask.payment("redis")
        #expect(try Ask.deliver(event, to: place.port) == 503)
        _ = try servers.file("redis", SecureServers.redisPassword)
        try await takes(event, "Redis' password is mended", at: place.port)
        try await isReadyAgain(role)
        return ["redis"]
    }

    /// It is changed at the broker first, and at the role later.
    private func kafkaPassword(
        _ servers: SecureServers, _ place: CloudPlace
    ) async throws -> [String] {
        let role = try #require(place.roles.first)
        let new = "kafka-secret-7-new"
        try servers.proxy.accept("ann\u{0}" + new)
        try servers.proxy.cut()
        let event = Ask.payment("kafka")
        #expect(try Ask.deliver(event, to: place.port) == 503)
        try await says("the Kafka broker refuses these credentials", role)
        _ = try servers.file("kafka", new)
        try await takes(event, "Kafka's password is mended", at: place.port)
        try await isReadyAgain(role)
        return ["kafka"]
    }

    /// The brokers show certificates of another authority, which the file names later. Who only
    /// waits comes in by itself, as the webhook does.
    private func kafkaAuthority(
        _ servers: SecureServers, _ place: CloudPlace
    ) async throws -> [String] {
        try place.start("ledger")
        let roles = place.roles
        for role in roles { try await isReadyAgain(role) }
        let next = try await TestCertificate()
        try servers.proxy.show(next)
        try servers.proxy.cut()
        let event = Ask.payment("authority")
        #expect(try Ask.deliver(event, to: place.port) == 503)
        for role in roles {
            try await says("the Kafka broker's certificate is not trusted", role)
        }
        try servers.kafkaTrusts([servers.certificate, next])
        try await takes(event, "the other authority is trusted", at: place.port)
        for role in roles { try await isReadyAgain(role) }
        return ["authority"]
    }

    // MARK: Large records

    private func tooLarge(
        _ servers: SecureServers, _ place: CloudPlace
    ) async throws -> [String] {
        await place.stop()
        place.environment["TILLBOX_WEBHOOK_BODY_BYTES_MAX"] = "\(4 << 20)"
        let role = try await webhook(place)
        let port = place.port
        // Larger than the role takes, and than Kafka does.
        #expect(try Ask.announce(5 << 20, to: port) == 413)
        #expect(try Ask.deliver(Ask.payment("large", largerBy: 3 << 20), to: port) == 503)
        let answer = Ask.readiness(role.admin)
        // One event's size keeps nobody from the others.
        #expect(answer.hasPrefix("HTTP/1.1 200"), "\(answer)")
        #expect(answer.contains("too large for the Kafka topic webhook.received"), "\(answer)")
        #expect(try Ask.deliver(Ask.payment("small"), to: port) == 200)

        // Somebody makes the topic's bound smaller, and larger again.
        try await servers.broker.bound("webhook.received", bytes: 20_000)
        let event = Ask.payment("bounded", largerBy: 50_000)
        #expect(try Ask.deliver(event, to: port) == 503)
        #expect(try Ask.deliver(Ask.payment("beside"), to: port) == 200)
        try await eventually("the bound is told of", every: .milliseconds(200)) {
            let answer = Ask.readiness(role.admin)
            return answer.hasPrefix("HTTP/1.1 200")
                && answer.contains("set max.message.bytes=2097152")
        }
        let another = try await Child.run(
            Tillbox.executable, ["run", "--role", "ledger"], environment: place.environment)
        #expect(another.code == 3 && another.errors.contains("set max.message.bytes=2097152"))
        try await servers.broker.bound("webhook.received", bytes: 2 << 20)
        try await takes(event, "the bound is raised again", at: port)
        try await eventually("and forgotten", every: .milliseconds(200)) {
            !Ask.readiness(role.admin).contains("set max.message.bytes")
        }
        return ["small", "bounded", "beside"]
    }

    // MARK: Absences

    /// Roles that begin while nobody is there wait, and go on by themselves.
    private func absences(_ servers: SecureServers, _ place: CloudPlace) async throws {
        await place.stop()
        servers.postgres.stop(.fast)
        try place.start("ledger")
        let ledger = try #require(place.roles.last)
        try await says("cannot connect to Postgres", ledger)
        try await servers.broker.stop()
        try place.start("score")
        let score = try #require(place.roles.last)
        try await says("no Kafka broker answers", score)
        let others = try await otherPartitions(place)
        try servers.postgres.start()
        try await servers.broker.start()
        for other in others { try await endsForPartitions(other) }
        for instance in [ledger, score] { try await isReadyAgain(instance) }
    }

    /// Roles that begin while Kafka is away, and need more partitions than it will come with.
    private func otherPartitions(_ place: CloudPlace) async throws -> [CloudPlace.Instance] {
        var found: [CloudPlace.Instance] = []
        for role in ["webhook", "score"] {
            let admin = try freePort()
            let own = [
                "TILLBOX_ADMIN_PORT": "\(admin)", "TILLBOX_WEBHOOK_PORT": "\(try freePort())",
                "TILLBOX_KAFKA_PARTITIONS": "3",
            ]
            let child = try Child(
                Tillbox.executable, ["run", "--role", role],
                environment: place.environment.merging(own) { $1 })
            found.append(CloudPlace.Instance(role: role, admin: admin, child: child))
        }
        for instance in found { try await says("no Kafka broker answers", instance) }
        return found
    }

    /// What a start refuses ends a role, too, that has waited to see it.
    private func endsForPartitions(_ instance: CloudPlace.Instance) async throws {
        do {
            try await eventually("\(instance.role) ends", every: .milliseconds(100)) {
                !instance.child.isRunning
            }
        } catch {
            instance.child.kill(SIGKILL)
            Issue.record("\(instance.role) stays: \(Ask.readiness(instance.admin))")
        }
        #expect(await instance.child.wait() == 3, "\(instance.role)")
        let lines = instance.child.standardError.split(separator: "\n")
        let sentences = lines.filter { $0.hasPrefix("tillbox: ") }
        #expect(sentences.count == 1 && lines.last == sentences.first, "\(lines.suffix(4))")
        let says = "has 2 partitions and not 3"
        #expect(sentences.first?.contains(says) == true, "\(instance.role): \(sentences)")
    }

    // MARK: Vectors

    /// Nobody computes any: money is held and a person asked, until somebody does.
    private func noVectors(
        _ servers: SecureServers, _ place: CloudPlace, _ taken: [String]
    ) async throws {
        try await eventually("all are booked", every: .milliseconds(200)) {
            try place.ledgerCount() >= taken.count
        }
        var open: Set<String> = []
        try await eventually("all are held", every: .milliseconds(200)) {
            open = try await Self.open(place)
            return open.count >= taken.count
        }
        #expect(open == Set(taken.map { "charge:ch_\($0)" }))
        let list = try await place.run("review", "list", "--json")
        #expect(list.output.contains("features_missing"), "\(list.output)")
        let held = try await place.oracle("without vectors", acknowledged: nil)
        #expect(held["open_reviews"] == taken.count, "\(held)")

        try place.start("features")
        try await eventually("their vectors release them", every: .milliseconds(200)) {
            try await Self.open(place).isEmpty
        }
        await place.stop()
        let counts = try await place.oracle("trouble outside", acknowledged: nil)
        #expect(counts["webhook.received"] == taken.count, "\(counts)")
        #expect(counts["open_reviews"] == 0, "\(counts)")
    }

    private static func open(_ place: CloudPlace) async throws -> Set<String> {
        struct List: Decodable {
            struct Review: Decodable { var movement: String }
            var reviews: [Review]
        }
        let list = try await place.run("review", "list", "--json")
        let found = try JSONDecoder().decode(List.self, from: Data(list.output.utf8))
        return Set(found.reviews.map(\.movement))
    }
}
