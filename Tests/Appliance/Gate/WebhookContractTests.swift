import AppendLog
import Foundation
import TestSupport
import Testing

@testable import Appliance
@testable import Vocabulary

/// Contracts §1, row by row, over a socket.
@Suite("Webhook in")
struct WebhookContractTests {
    @Test("a new event is answered 200 when it is on disk, with its raw bytes and headers")
    func newEvent() async throws {
        let fixture = try GateFixture()
        let body = GateFixture.event() + "\n  "
        let signature = fixture.signature(body)
        try await fixture.serve { client in
            let answer = try await client.deliver(body, signature: signature)
            #expect(answer.status == 200)
            #expect(answer.body == #"{"received":true}"#)
        }
        let stored = try fixture.records(.webhookReceived)
        #expect(stored.count == 1)
        #expect(stored[0].record.value.map { Array($0) } == Array(body.utf8))
        #expect(stored[0].record.key.map { Array($0) } == Array("evt_1".utf8))
        #expect(Self.header("signature", of: stored[0]) == signature)
        #expect(Self.header("received-at", of: stored[0]) == "1700000000000")
        #expect(Self.header("endpoint", of: stored[0]) == "")
        #expect(Self.header("event-id", of: stored[0]) == "evt_1")
    }

    @Test("an event seen before is answered 200 duplicate, and nothing is stored")
    func duplicate() async throws {
        let fixture = try GateFixture()
        let body = GateFixture.event()
        try await fixture.serve { client in
            _ = try await client.deliver(body, signature: fixture.signature(body))
            let again = try await client.deliver(body, signature: fixture.signature(body, age: 9))
            #expect(again.status == 200)
            #expect(again.body == #"{"received":true,"duplicate":true}"#)
        }
        #expect(try fixture.records(.webhookReceived).count == 1)
        #expect(try fixture.records(.deadLetter).isEmpty)
        #expect(fixture.counters[.duplicates] == 1)
    }

    @Test("concurrent copies of one event yield one record and only 200s")
    func concurrentCopies() async throws {
        let fixture = try GateFixture()
        let body = GateFixture.event()
        let answers = try await withThrowingTaskGroup(of: GateAnswer.self) { group in
            for _ in 0..<64 {
                group.addTask {
                    await fixture.gate.receive(
                        endpoint: "", signature: fixture.signature(body), body: Array(body.utf8))
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(answers.filter { $0 == .received(isDuplicate: false) }.count == 1)
        #expect(answers.filter { $0 == .received(isDuplicate: true) }.count == 63)
        #expect(try fixture.records(.webhookReceived).count == 1)
    }

    @Test("the same id with another type or creation time is a conflict",
        arguments: [
            GateFixture.event(type: "charge.failed"), GateFixture.event(created: 1_700_000_001),
        ])
    func conflict(other: String) async throws {
        let fixture = try GateFixture()
        let body = GateFixture.event()
        try await fixture.serve { client in
            _ = try await client.deliver(body, signature: fixture.signature(body))
            let answer = try await client.deliver(other, signature: fixture.signature(other))
            #expect(answer.status == 200)
        }
        #expect(try fixture.records(.webhookReceived).count == 1)
        #expect(try fixture.deadLetter("reason") == "conflicting_event")
        #expect(
            try fixture.records(.deadLetter)[0].record.value.map { Array($0) } == Array(other.utf8))
        #expect(fixture.counters[.conflicts] == 1)
    }

    @Test("what is signed but cannot be an event is kept as a dead letter",
        arguments: [
            ("not json", "not_json"), ("", "not_json"), (#"{"id":"evt_1""#, "not_json"),
            (#"{"type":"x"}"#, "no_event_id"), (#"{"id":7}"#, "no_event_id"),
            (#"{"id":""}"#, "no_event_id"), ("[]", "no_event_id"),
            (String(repeating: "[", count: 70) + String(repeating: "]", count: 70), "too_deep"),
        ])
    func unusable(body: String, reason: String) async throws {
        let fixture = try GateFixture()
        try await fixture.serve { client in
            let answer = try await client.deliver(body, signature: fixture.signature(body))
            #expect(answer.status == 200)
        }
        #expect(try fixture.records(.webhookReceived).isEmpty)
        #expect(try fixture.deadLetter("reason") == reason)
        #expect(try fixture.deadLetter("stage") == "gate")
        #expect(
            try fixture.records(.deadLetter)[0].record.value.map { Array($0) } == Array(body.utf8))
    }

    @Test("a body that is not UTF-8 is kept as a dead letter, byte for byte")
    func notUTF8() async throws {
        let fixture = try GateFixture()
        let body: [UInt8] = Array(#"{"id":"evt_"#.utf8) + [0xFF, 0xC0] + Array(#""}"#.utf8)
        let signature = StripeSignature.header(
            signing: body[...], at: Instant(seconds: 1_700_000_000), secrets: [GateFixture.secret])
        let answer = await fixture.gate.receive(endpoint: "", signature: signature, body: body)
        #expect(answer == .received(isDuplicate: false))
        #expect(try fixture.deadLetter("reason") == "not_utf8")
        #expect(try fixture.records(.deadLetter)[0].record.value.map { Array($0) } == body)
    }

    @Test("livemode that differs from the endpoint's setting is a dead letter",
        arguments: [
            (WebhookEndpoint.Livemode.test, false, true), (.test, true, false),
            (.live, true, true), (.live, false, false), (.any, true, true), (.any, false, true),
        ])
    func livemode(setting: WebhookEndpoint.Livemode, livemode: Bool, isStored: Bool) async throws {
        let fixture = try GateFixture(livemode: setting)
        let body = GateFixture.event(livemode: livemode)
        let answer = await fixture.gate.receive(
            endpoint: "", signature: fixture.signature(body), body: Array(body.utf8))
        #expect(answer == .received(isDuplicate: false))
        #expect(try fixture.records(.webhookReceived).count == (isStored ? 1 : 0))
        #expect(try fixture.deadLetter("reason") == (isStored ? nil : "livemode_mismatch"))
    }

    @Test("a type or an id of our own from outside is a dead letter, whatever the signature says",
        arguments: [
            ("tillbox.balance_transaction", "evt_1"), ("tillbox.released", "evt_1"),
            ("charge.succeeded", "evt_tillbox_txn_1"),
        ])
    func reserved(type: String, id: String) async throws {
        let fixture = try GateFixture(livemode: .any)
        let body =
            #"{"id":"\#(id)","object":"event","type":"\#(type)","#
            + #""created":1700000000,"livemode":false}"#
        let answer = await fixture.gate.receive(
            endpoint: "", signature: fixture.signature(body), body: Array(body.utf8))
        #expect(answer == .received(isDuplicate: false))
        #expect(try fixture.records(.webhookReceived).isEmpty)
        #expect(try fixture.deadLetter("reason") == "reserved_type")
    }

    /// A header for a body, and the code it is refused with.
    static let refusals: [(String, @Sendable (GateFixture, String) -> String?, String)] = [
        ("missing", { _, _ in nil }, "signature_missing"),
        ("garbage", { _, _ in "garbage" }, "signature_malformed"),
        (
            "no timestamp", { _, _ in "v1=" + String(repeating: "0", count: 64) },
            "signature_malformed"
        ),
        ("no v1", { _, _ in "t=1700000000" }, "signature_malformed"),
        ("only v0", { fixture, body in
            fixture.signature(body).replacing("v1=", with: "v0=")
        }, "signature_malformed"),
        ("another secret", { fixture, body in
            fixture.signature(body, secret: "whsec_other")
        }, "signature_no_match"),
        ("another body", { fixture, body in fixture.signature(body + " ") }, "signature_no_match"),
        ("too old", { fixture, body in fixture.signature(body, age: 301) }, "signature_too_old"),
        ("too new", { fixture, body in fixture.signature(body, age: -301) }, "signature_too_new"),
    ]

    @Test("a signature that does not hold is answered 400 with its code, and nothing is stored",
        arguments: refusals.indices)
    func refused(row: Int) async throws {
        let (_, header, code) = Self.refusals[row]
        let fixture = try GateFixture()
        let body = GateFixture.event()
        try await fixture.serve { client in
            let answer = try await client.deliver(body, signature: header(fixture, body))
            #expect(answer.status == 400)
            #expect(answer.body.hasPrefix(#"{"error":{"code":"\#(code)","message":""#))
        }
        for topic in TopicID.allCases { #expect(try fixture.records(topic).isEmpty) }
        #expect(fixture.counters[.signatureRefused] == 1)
    }

    @Test("any of the endpoint's active secrets will do, at either end of the tolerance",
        arguments: [GateFixture.secret, GateFixture.rotated], [Int64(-300), 0, 300])
    func accepted(secret: String, age: Int64) async throws {
        let fixture = try GateFixture()
        let body = GateFixture.event()
        let answer = await fixture.gate.receive(
            endpoint: "", signature: fixture.signature(body, secret: secret, age: age),
            body: Array(body.utf8))
        #expect(answer == .received(isDuplicate: false))
    }

    @Test("a named endpoint has its own secrets, and an unknown one is 404")
    func endpoints() async throws {
        let fixture = try GateFixture()
        let body = GateFixture.event()
        try await fixture.serve { client in
            let foreign = try await client.deliver(
                body, signature: fixture.signature(body), to: "/webhooks/stripe/eu")
            #expect(foreign.status == 400)
            let own = try await client.deliver(
                body, signature: fixture.signature(body, secret: "whsec_eu"),
                to: "/webhooks/stripe/eu")
            #expect(own.status == 200)
            let unknown = try await client.deliver(
                body, signature: fixture.signature(body), to: "/webhooks/stripe/us")
            #expect(unknown.status == 404)
        }
        let stored = try fixture.records(.webhookReceived)
        #expect(stored.map { Self.header("endpoint", of: $0) } == ["eu"])
    }

    @Test("a body over the limit is answered 413")
    func tooLarge() async throws {
        let fixture = try GateFixture()
        let body = String(repeating: " ", count: (1 << 20) + 1)
        try await fixture.serve { client in
            let answer = try await client.deliver(body, signature: fixture.signature(body))
            #expect(answer.status == 413)
        }
        for topic in TopicID.allCases { #expect(try fixture.records(topic).isEmpty) }
    }

    @Test("a log that cannot take it is answered 503 with Retry-After")
    func unavailable() async throws {
        let fixture = try GateFixture()
        let body = GateFixture.event()
        await fixture.log.close()
        try await fixture.serve { client in
            let answer = try await client.deliver(body, signature: fixture.signature(body))
            #expect(answer.status == 503)
            #expect(answer.retryAfter == "5")
        }
        #expect(fixture.counters[.unavailable] == 1)
    }

    @Test("a thin event is stored like any other")
    func thinEvent() async throws {
        let fixture = try GateFixture()
        let body = """
            {"id":"evt_thin","object":"v2.core.event","type":"v1.billing.meter.no_meter_found",\
            "created":"2024-09-17T06:20:52.246Z","livemode":false}
            """
        for isDuplicate in [false, true] {
            let answer = await fixture.gate.receive(
                endpoint: "", signature: fixture.signature(body), body: Array(body.utf8))
            #expect(answer == .received(isDuplicate: isDuplicate))
        }
        #expect(try fixture.records(.webhookReceived).count == 1)
    }

    private static func header(_ name: String, of stored: StoredRecord) -> String? {
        stored.record.header(name).map { String(decoding: $0, as: UTF8.self) }
    }
}
