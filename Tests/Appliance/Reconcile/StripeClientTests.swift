import Synchronization
import Testing

@testable import Appliance
@testable import Reconcile
@testable import Vocabulary

@Suite("The client of Stripe's API")
struct StripeClientTests {
    /// Answers in their order, then 200.
    private static func client(
        _ answers: [StripeAnswer], _ slept: RecordedSleep, random: Double = 0.5
    ) -> (StripeClient, FakeStripe) {
        let stripe = FakeStripe()
        stripe.script.withLock {
            $0 = { number, _ in number <= answers.count ? answers[number - 1] : nil }
        }
        return (
            StripeClient(transport: stripe, sleep: { slept.add($0) }, random: { random }), stripe
        )
    }

    final class RecordedSleep: Sendable {
        private let waits = Mutex<[Duration]>([])
        func add(_ wait: Duration) { waits.withLock { $0.append(wait) } }
        var all: [Duration] { waits.withLock { $0 } }
    }

    private static func status(_ status: Int, retryAfter: String? = nil) -> StripeAnswer {
        StripeAnswer(
            status: status, retryAfter: retryAfter,
            body: Array(#"{"error":{"message":"because","type":"api_error"}}"#.utf8))
    }

    @Test("429 and 5xx are asked again after growing, jittered waits; Retry-After is the least")
    func retries() async throws {
        let slept = RecordedSleep()
        let (client, stripe) = Self.client(
            [
                Self.status(429, retryAfter: "7"), Self.status(500), Self.status(503),
                Self.status(429),
            ], slept)
        _ = try await client.get("/v1/balance")
        #expect(stripe.asked.count == 5)
        #expect(
            slept.all == [
                .milliseconds(7_250), .milliseconds(500), .milliseconds(1_000),
                .milliseconds(2_000),
            ])
    }

    @Test("waits stay within their bounds", arguments: [1, 2, 7, 40, 1000])
    func bounds(attempt: Int) {
        let patience = StripePatience()
        #expect(patience.wait(after: attempt, retryAfter: nil, random: 0) == .zero)
        let longest = patience.wait(after: attempt, retryAfter: nil, random: 0.999_999)
        #expect(longest < .milliseconds(patience.waitMillisecondsMax))
        let asked = patience.wait(after: attempt, retryAfter: "999999", random: 0)
        #expect(asked == .seconds(patience.retryAfterSecondsMax))
        #expect(patience.wait(after: attempt, retryAfter: "Wed, 21 Oct", random: 0) == .zero)
    }

    @Test(
        "patience ends, with the reason",
        arguments: [
            (429, StripeError.rateLimited(attempts: 7)),
            (502, .unavailable(status: 502, attempts: 7)),
        ])
    func givesUp(status: Int, expected: StripeError) async {
        let slept = RecordedSleep()
        let (client, stripe) = Self.client(
            Array(repeating: Self.status(status), count: 50), slept)
        await #expect(throws: expected) { try await client.get("/v1/balance") }
        #expect(stripe.asked.count == 7 && slept.all.count == 6)
    }

    @Test(
        "what repeating cannot help is not repeated",
        arguments: [
            (401, StripeError.unauthorised), (403, .forbidden(message: "because")),
            (400, .refused(status: 400, message: "because")),
            (404, .notFound(message: "because")),
        ])
    func refused(status: Int, expected: StripeError) async {
        let slept = RecordedSleep()
        let (client, stripe) = Self.client([Self.status(status)], slept)
        await #expect(throws: expected) { try await client.get("/v1/balance") }
        #expect(stripe.asked.count == 1 && slept.all.isEmpty)
    }

    @Test("a wrong key names the setting, and no error holds the key")
    func namesSetting() {
        #expect(StripeError.unauthorised.description.contains("stripe.api_key"))
        // Stripe answers 403 to both, in the same words.
        let forbidden = StripeError.forbidden(message: "no access to acct_1").description
        #expect(forbidden.contains("(no access to acct_1); give it read permission"))
        #expect(forbidden.hasSuffix("look whether it is one of this key's platform"))
    }

    @Test("a lost connection is tried again")
    func unreachable() async {
        struct Refused: Error {}
        let (stripe, slept) = (FakeStripe(), RecordedSleep())
        stripe.script.withLock { $0 = { _, _ in throw Refused() } }
        let client = StripeClient(
            transport: stripe, patience: StripePatience(attemptsMax: 3),
            sleep: { slept.add($0) }, random: { 0 })
        await #expect(throws: StripeError.unreachable(reason: "Refused()", attempts: 3)) {
            try await client.get("/v1/balance")
        }
    }

    @Test("an answer that is no list is named")
    func malformed() async {
        let stripe = FakeStripe()
        stripe.script.withLock { $0 = { _, _ in FakeStripe.ok("{}") } }
        let client = StripeClient(transport: stripe)
        await #expect(throws: StripeError.self) {
            try await client.page("/v1/events", after: nil) { (json) throws(RecordCodecError) in
                try json.requiredString("id")
            }
        }
    }

    @Test(
        "an answer that says a member twice is not read: of two amounts none is believed",
        arguments: [
            #"{"data":[{"id":"txn_1","amount":1,"amount":2}],"has_more":false}"#,
            #"{"data":[{"id":"txn_1","source":{"id":"ch_1","id":"ch_2"}}],"has_more":false}"#,
            #"{"data":[{"id":"txn_1"}],"data":[],"has_more":false}"#,
            #"{"data":[{"id":"txn_1"}],"has_more":true,"has_more":false}"#,
        ])
    func repeatedMember(body: String) async throws {
        let stripe = FakeStripe()
        stripe.script.withLock { $0 = { _, _ in FakeStripe.ok(body) } }
        let client = StripeClient(transport: stripe)
        let error = await #expect(throws: StripeError.self) {
            try await client.page("/v1/balance_transactions", after: nil) {
                (json) throws(RecordCodecError) in try json.requiredString("id")
            }
        }
        #expect(error?.description.contains("twice; say it once") == true, "\(body)")
        await #expect(throws: StripeError.self) {
            try await client.object("/v1/balance") { (_) throws(RecordCodecError) in true }
        }
    }

    @Test("what an event holds goes the way of a webhook, whatever it says twice")
    func repeatedInside() async throws {
        let stripe = FakeStripe()
        let body = #"{"data":[{"id":"evt_1","data":{"a":1,"a":2}}],"has_more":false}"#
        stripe.script.withLock { $0 = { _, _ in FakeStripe.ok(body) } }
        let page = try await StripeClient(transport: stripe).page(
            "/v1/events", after: nil, levels: 2
        ) { (json) throws(RecordCodecError) in try json.requiredString("id") }
        #expect(page.items == ["evt_1"])
    }

    @Test("a period that names a moment twice is refused")
    func repeatedPeriod() {
        #expect(throws: PeriodRequest.Refusal.repeatedMember) {
            try PeriodRequest.decode(Array(#"{"from":1,"from":2}"#.utf8))
        }
    }

    @Test("elements of a list are cut out byte for byte")
    func slices() {
        let texts = [
            #"{"a": "}]\",\\", "b": [1, {"c": "]"}]}"#, "12.5", #""x\"y""#, "[ ]", "{ }", "null",
        ]
        let body = #"{ "object" : "list", "nested": {"data": [7]}, "data" : [ "#
            + texts.joined(separator: " ,\n ") + #"], "has_more": false}"#
        let found = JSONSlices.elements(of: "data", in: Array(body.utf8))
            .map { String(decoding: $0, as: UTF8.self).trimmingSuffix(while: \.isWhitespace) }
        #expect(found == texts)
        for bad in ["", "[]", "{", #"{"data": 5}"#, #"{"data": ["#, #"{"data": [1"#] {
            _ = JSONSlices.elements(of: "data", in: Array(bad.utf8))
        }
    }
}

extension String {
    fileprivate func trimmingSuffix(while condition: (Character) -> Bool) -> String {
        var text = self
        while let last = text.last, condition(last) { text.removeLast() }
        return text
    }
}
