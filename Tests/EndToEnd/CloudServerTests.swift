import Foundation
import TestSupport
import Testing

/// Each server goes away, hangs, restarts and forgets under the roles' load; then the oracle
/// judges.
@Suite("Servers under the cloud roles", .serialized, CloudPlace.campaign)
struct CloudServerTests {
    /// A disturbance and how it ends.
    private struct Trouble: Sendable {
        var name: String
        var body: @Sendable (CloudPlace) async throws -> Void
    }

    /// Two instances of each step.
    private static func startRoles(of place: CloudPlace) throws {
        for role in ["ledger", "ledger", "score", "score", "features", "webhook"] {
            try place.start(role)
        }
    }

    /// Traffic, and one disturbance after the other in it; each begins when so many more deliveries
    /// are acknowledged.
    private static func disturb(
        _ place: CloudPlace, by troubles: [Trouble], _ what: String, claimsAreLost: Bool = false,
        lastingSeconds: Int = 0
    ) async throws {
        try startRoles(of: place)
        try await place.untilWebhooksAreTaken()
        let seed = UInt64.random(in: 1...1_000_000)
        let count = 120 * (troubles.count + 1) + 60 * lastingSeconds
        let traffic = try place.traffic(count: count, rate: 60, seed: seed)
        for (number, trouble) in troubles.enumerated() {
            try await eventually("\(trouble.name) is due", within: 120) {
                !traffic.isRunning || place.acknowledgedCount >= (number + 1) * 80
            }
            #expect(traffic.isRunning, "\(trouble.name): the traffic was over before")
            try await trouble.body(place)
        }
        try await place.judge(traffic, "\(what), seed \(seed)", claimsAreLost: claimsAreLost)
    }

    @Test("Redis hangs, is killed, forgets, and throws out what it has no room for")
    func redis() async throws {
        let place = try await CloudPlace(
            redis: try await RedisServer(settings: [
                "--maxmemory", "3mb", "--maxmemory-policy", "allkeys-random",
            ]))
        try await Self.disturb(
            place,
            by: [
                Trouble(name: "Redis hangs") { place in
                    place.redis.freeze()
                    try await place.untilTroubled("webhook")
                    try await place.untilTroubled("score")
                    place.redis.thaw()
                },
                Trouble(name: "Redis is killed") { place in
                    try await place.redis.kill()
                    try await place.untilTroubled("webhook")
                    try await place.redis.start()
                },
                Trouble(name: "Redis forgets") { try await $0.redis.tool("FLUSHALL") },
                Trouble(name: "Redis is full") { place in
                    // Others' keys: what was there is thrown out for them.
                    let filling =
                        "for i = 1, 4000 do redis.call('SET', 'other:' .. i, "
                        + "string.rep('x', 1000)) end"
                    try await place.redis.tool("EVAL", filling, "0")
                },
            ], "Redis in trouble", claimsAreLost: true)
        let evicted = try await place.redis.tool("INFO", "stats")
        #expect(!evicted.contains("evicted_keys:0\r"), "nothing was thrown out")
    }

    @Test("the broker hangs, restarts, and its answers to transactions and records are lost")
    func kafka() async throws {
        let kafkaProxy = try await KafkaProxy()
        let place = try await CloudPlace(broker: try await KafkaServer(behind: kafkaProxy))
        try await Self.disturb(
            place,
            by: [
                Trouble(name: "answers to EndTxn are lost") { _ in
                    let before = try kafkaProxy.lostAnswers
                    try kafkaProxy.loseAnswers(to: KafkaKey.endTxn, count: 3)
                    try await eventually("they were") { try kafkaProxy.lostAnswers >= before + 3 }
                },
                Trouble(name: "answers to Produce are lost") { _ in
                    let before = try kafkaProxy.lostAnswers
                    try kafkaProxy.loseAnswers(to: KafkaKey.produce, count: 3)
                    try await eventually("they were") { try kafkaProxy.lostAnswers >= before + 3 }
                },
                Trouble(name: "answers to offsets are lost") { _ in
                    let before = try kafkaProxy.lostAnswers
                    try kafkaProxy.loseAnswers(to: KafkaKey.txnOffsetCommit, count: 2)
                    try await eventually("they were") { try kafkaProxy.lostAnswers >= before + 2 }
                },
                Trouble(name: "all connections end") { _ in try kafkaProxy.cut() },
                Trouble(name: "the broker hangs") { place in
                    place.broker.freeze()
                    try await place.untilTroubled("webhook")
                    place.broker.thaw()
                },
                Trouble(name: "the broker restarts") { place in
                    try await place.broker.stop()
                    try await place.broker.start()
                },
            ], "Kafka in trouble")
    }

    @Test("instances that are paused for longer than their session come back to nothing of theirs")
    func paused() async throws {
        let kafkaProxy = try await KafkaProxy()
        let place = try await CloudPlace(broker: try await KafkaServer(behind: kafkaProxy))
        try await Self.disturb(
            place,
            by: [
                Trouble(name: "one of each is paused") { place in
                    let paused = ["score", "ledger"].compactMap { role in
                        place.roles.first { $0.role == role }?.child
                    }
                    let expired = try kafkaProxy.expiredMembers
                    for child in paused { child.kill(SIGSTOP) }
                    try await eventually("both are made to leave") {
                        try kafkaProxy.expiredMembers >= expired + 2
                    }
                    // Whoever takes over their partitions fences their producers.
                    let before = try place.ledgerPositions()
                    try await eventually("the others go on with all", every: .milliseconds(100)) {
                        let now = try place.ledgerPositions()
                        return now.count == 3 && now.allSatisfy { $1 > before[$0, default: 0] }
                    }
                    for child in paused { child.kill(SIGCONT) }
                }
            ], "instances paused", lastingSeconds: 20)
    }

    /// A person has to act then: claims that tell of what is not there any more are deleted, and a
    /// sweep (here the same deliveries) brings it back.
    @Test("the broker loses what it had acknowledged: all is to be had again, nothing booked twice")
    func forgets() async throws {
        let place = try await CloudPlace()
        try Self.startRoles(of: place)
        try await place.untilWebhooksAreTaken()
        let seed = UInt64.random(in: 1...1_000_000)
        let (count, rate) = (600, 60)
        let traffic = try place.traffic(count: count, rate: rate, seed: seed, proves: false)
        try await eventually("there is something to remember", within: 120) {
            place.acknowledgedCount >= 100
        }
        try await place.broker.remember()
        let remembered = place.acknowledgedCount
        let booked = try place.ledgerCount()
        try await eventually("there is something to forget", within: 120) {
            try place.acknowledgedCount >= remembered + 100 && place.ledgerCount() >= booked + 50
        }
        #expect(traffic.isRunning, "the traffic was over before")
        try await place.broker.forget()
        let reason = "does not hold offset"
        try await eventually("it is acknowledged", within: 120, every: .milliseconds(500)) {
            try place.revive(reason)
            return !traffic.isRunning
        }
        let deleting =
            "for _, key in ipairs(redis.call('KEYS', 'tillbox:gate:*')) do "
            + "redis.call('DEL', key) end"
        try await place.redis.tool("EVAL", deleting, "0")
        // Whoever read on behind the end, where other records have come since, begins anew.
        for role in ["score", "ledger"] { try await place.restart(role) }
        let again = try place.traffic(count: count, rate: rate, seed: seed)
        try await eventually("all is booked", within: 120, every: .milliseconds(500)) {
            try place.revive(reason)
            return !again.isRunning
        }
        try await place.judge(again, "Kafka forgets, seed \(seed)", claimsAreLost: true)
    }

    @Test("Postgres hangs, restarts, and goes before and behind a COMMIT")
    func postgres() async throws {
        let place = try await CloudPlace()
        let proxy = try PostgresProxy(to: place.postgres.port)
        defer { proxy.close() }
        place.environment["TILLBOX_POSTGRES_URL"] = place.postgres.networkURI(
            place.database, port: proxy.port)
        try await Self.disturb(
            place,
            by: [
                Trouble(name: "a COMMIT does not arrive") { _ in
                    let before = proxy.cutCount
                    proxy.cutOnce(.beforeCommit)
                    try await eventually("it was cut") { proxy.cutCount > before }
                },
                Trouble(name: "a COMMIT's answer is lost") { _ in
                    let before = proxy.cutCount
                    proxy.cutOnce(.afterCommit)
                    try await eventually("it was cut") { proxy.cutCount > before }
                },
                Trouble(name: "Postgres restarts") { place in
                    place.postgres.stop(.fast)
                    try place.postgres.start()
                },
                Trouble(name: "Postgres crashes") { place in
                    place.postgres.stop(.immediate)
                    try place.postgres.start()
                },
                Trouble(name: "Postgres hangs") { place in
                    place.postgres.pause()
                    try await place.untilTroubled("ledger")
                    place.postgres.resume()
                },
            ], "Postgres in trouble")
    }
}
