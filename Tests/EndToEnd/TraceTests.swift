import Foundation
import TestSupport
import Testing

/// One payment through the log lines of a running daemon (docs/METRICS.md).
@Suite("One payment in the log", .serialized, .timeLimit(.minutes(3)))
struct TraceTests {
    /// The lines that name an event, as JSON.
    private static func lines(of event: String, in daemon: RunningDaemon) throws -> [JSON] {
        try daemon.daemon.standardError.split(separator: "\n")
            .filter { $0.contains("\"event_id\":\"\(event)\"") }.map { try JSON(String($0)) }
    }

    /// What a line is about: `score payment.scored`, `ledger ledger.posted`.
    private static func word(_ line: JSON) -> String {
        let topic = line["topic"].text
        return topic.isEmpty
            ? "\(line["stage"].text): \(line["message"].text)" : "\(line["stage"].text) → \(topic)"
    }

    @Test("its event's id finds a line of every step, at the level debug")
    func every() async throws {
        let redis = try await RedisServer()
        let daemon = try await RunningDaemon(environment: [
            "TILLBOX_LOGGING_LEVEL": "debug", "TILLBOX_BRIDGES": "redis",
            "TILLBOX_REDIS_URL": redis.url,
        ])
        #expect(try Ask.deliver(Ask.payment("trace1"), to: daemon.webhook) == 200)
        #expect(try Ask.deliver(Ask.payment("trace2"), to: daemon.webhook) == 200)
        #expect(try Ask.deliver(Ask.payment("trace1"), to: daemon.webhook) == 200)
        let steps: Set = [
            "gate: delivery admitted", "gate: delivery known", "validate: record taken in",
            "validate → payment.validated", "score: record taken in", "score → payment.features",
            "score → payment.scored", "ledger: record taken in", "ledger → ledger.posted",
            "bridge: record copied",
        ]
        try await eventually("every step has told: \(daemon.daemon.standardError.suffix(800))") {
            let found = try Self.lines(of: "evt_trace1", in: daemon)
            return steps.isSubset(of: found.map(Self.word))
        }
        for line in try Self.lines(of: "evt_trace1", in: daemon) {
            #expect(line["level"].text == "debug" && !line["time"].text.isEmpty, "\(line)")
            let movement = line["movement"].text
            #expect(movement.isEmpty || movement == "charge:ch_trace1", "\(line)")
        }
        let named = try Self.lines(of: "evt_trace1", in: daemon)
            .filter { $0["movement"].text == "charge:ch_trace1" }.map(Self.word)
        #expect(Set(named).isSuperset(of: [
            "validate → payment.validated", "score → payment.scored", "ledger → ledger.posted",
        ]))
        // The movement finds the same payment where only that is known.
        let places = try Self.lines(of: "evt_trace1", in: daemon)
            .filter { Self.word($0) == "validate → payment.validated" }.map { $0["from"].text }
        #expect(places == ["webhook.received/0"])
        try await daemon.stop()
    }

    @Test("at the level info no payment is told of, and a dead letter is by its event's id")
    func quiet() async throws {
        let daemon = try await RunningDaemon()
        #expect(try Ask.deliver(Ask.payment("trace3"), to: daemon.webhook) == 200)
        let broken = Ask.payment("trace4").replacing("\"currency\":\"usd\"", with: "\"currency\":7")
        #expect(try Ask.deliver(broken, to: daemon.webhook) == 200)
        try await eventually("the dead letter is told of") {
            try !Self.lines(of: "evt_trace4", in: daemon).isEmpty
        }
        try await daemon.drained("all is booked")
        #expect(try Self.lines(of: "evt_trace3", in: daemon).isEmpty)
        try await daemon.stop()
    }
}
