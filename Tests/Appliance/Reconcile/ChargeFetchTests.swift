import AppendLog
import Logging
import TestSupport
import Testing

@testable import Appliance
@testable import Reconcile
@testable import Vocabulary

private let now = ReconcileFixture.now

/// Payments whose charge does not arrive by itself.
@Suite("Charges that do not arrive")
struct ChargeFetchTests {
    private static func event(
        _ charge: String, from object: String, at: Int64 = now, account: String? = nil
    ) throws -> PaymentEvent {
        var event = PaymentEvent(
            eventID: EventID("evt_\(object)"), kind: .payment, objectID: object,
            movement: MovementKey("charge:\(charge)"), amount: MinorUnits(500),
            currency: try #require(Currency("usd")), created: Instant(seconds: at),
            livemode: false, account: account, merchant: MerchantID("m"), customer: nil, card: nil,
            cardCountry: nil, country: nil, device: nil, outcome: nil, balanceTransaction: nil,
            related: nil, fee: .zero, counterparty: nil)
        if object.hasPrefix("ch_") { event.card = "fp_1" }
        return event
    }

    @Test("only an intent whose charge is not there waits, and it stops when the charge comes")
    func waits() throws {
        var awaited = AwaitedCharges()
        awaited.take(try Self.event("ch_1", from: "pi_1"), dueAt: 30)
        awaited.take(try Self.event("ch_1", from: "pi_1"), dueAt: 90)
        awaited.take(try Self.event("ch_2", from: "ch_2"), dueAt: 30)
        awaited.take(try Self.event("ch_2", from: "pi_2"), dueAt: 30)
        #expect(awaited.waits.keys.map(\.rawValue) == ["charge:ch_1"])
        #expect(awaited.nextDue == 30)
        #expect(awaited.due(at: 29).isEmpty)
        #expect(awaited.due(at: 30).map(\.movements.count) == [1])
        awaited.take(try Self.event("ch_1", from: "ch_1"), dueAt: 30)
        #expect(awaited.waits.isEmpty && awaited.nextDue == nil)
    }

    @Test("what lies close together is asked for at once, each account for itself")
    func windows() throws {
        var awaited = AwaitedCharges()
        for (charge, at, account) in [
            ("a", 0, nil), ("b", 300, nil), ("c", 700, nil), ("d", 10, "acct_1"),
        ] as [(String, Int64, String?)] {
            awaited.take(
                try Self.event(
                    "ch_\(charge)", from: "pi_\(charge)", at: now + at, account: account),
                dueAt: 0)
        }
        let windows = awaited.due(at: 0)
        #expect(windows.map(\.account.rawValue) == ["", "", "acct_1"])
        #expect(windows.map(\.movements.count) == [2, 1, 1])
        #expect(windows[0].from.seconds == now - 120 && windows[0].to.seconds == now + 420)
    }

    @Test("each wait is twice the one before, and after the last the sweep has it")
    func backsOff() throws {
        var awaited = AwaitedCharges()
        awaited.take(try Self.event("ch_1", from: "pi_1"), dueAt: 30)
        var time: Int64 = 30
        var waits: [Int64] = []
        while let window = awaited.due(at: time).first {
            awaited.asked(window, listed: [], now: time, waitMilliseconds: 30)
            guard let next = awaited.nextDue else { break }
            waits.append(next - time)
            time = next
        }
        #expect(waits == [60, 120, 240, 480])
        #expect(awaited.waits.isEmpty)
        #expect(AwaitedCharges.lifeSeconds(wait: 30) >= 30 + waits.reduce(0, +))
    }

    @Test("no more wait than the bound")
    func isBounded() throws {
        var awaited = AwaitedCharges()
        for number in 0...AwaitedCharges.countMax {
            awaited.take(try Self.event("ch_\(number)", from: "pi_\(number)"), dueAt: 0)
        }
        #expect(awaited.waits.count == AwaitedCharges.countMax)
    }

    /// An intent, its charge, and what else happened then.
    private static let events = [
        FakeStripe.Event(
            id: "evt_pi", type: "payment_intent.succeeded", created: now,
            object: """
                {"id": "pi_1", "object": "payment_intent", "amount": 4200,
                 "amount_received": 4200, "currency": "usd", "status": "succeeded",
                 "latest_charge": "ch_1"}
                """),
        FakeStripe.Event(
            id: "evt_ch", type: "charge.succeeded", created: now,
            object: """
                {"id": "ch_1", "object": "charge", "amount": 4200, "amount_captured": 4200,
                 "captured": true, "currency": "usd", "status": "succeeded",
                 "payment_intent": "pi_1", "balance_transaction": "txn_1",
                 "billing_details": {"address": {"country": "US"}},
                 "payment_method_details": {"type": "card",
                    "card": {"fingerprint": "fp_1", "country": "US"}}}
                """),
        FakeStripe.Event(
            id: "evt_other", type: "customer.created", created: now,
            object: #"{"id": "cus_1", "object": "customer"}"#),
    ]

    @Test(
        "the charge is fetched by its own event, and a review that was open for want of it closes")
    func fetches() async throws {
        let fixture = try ReconcileFixture()
        fixture.stripe.change { $0.events = Self.events }
        let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let slept = HandSleep(fixture.clock)
        let fetch = ChargeFetch(
            validated: FollowedTopic(fixture.topics[.paymentValidated]),
            sweep: EventSweep(
                client: fixture.client, store: fixture.store, admission: fixture.admission,
                accepts: { !$0 }, limits: SweepLimits(), clock: fixture.clock,
                stripeClock: fixture.clock, counters: fixture.counters, logger: silent),
            waitSeconds: 30, clock: fixture.clock, counters: fixture.counters, logger: silent,
            sleep: { try await slept.sleep(milliseconds: $0) })
        try await fixture.running {
            try await fixture.deliver(lost: ["evt_ch", "evt_other"])
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await fetch.run() }
                defer { group.cancelAll() }
                try await eventually("it waits for the charge to come by itself") {
                    slept.count > 0
                }
                #expect(slept.last == 30_000)
                #expect(fixture.stripe.asked.isEmpty)
                fixture.clock.set(now + 31)
                try await eventually("the charge is in the log") {
                    fixture.counters[.chargesFetched] == 1
                }
            }
            try await fixture.drained()
            let asked = try #require(fixture.stripe.asked.first)
            #expect(asked.contains("types[]=charge.succeeded"))
            let stored = try fixture.topics[.webhookReceived].read(
                from: Offset(0), byteCountMax: 1 << 20)
            #expect(stored.map { $0.record.text("endpoint") } == ["backfill", "backfill"])
            let key = stored.last.map { String(decoding: $0.record.key ?? [], as: UTF8.self) }
            #expect(key == "evt_ch")
            // Nothing else is fetched by the way, and the charge that still comes is a repetition.
            #expect(fixture.counters[.eventsBackfilled] == 1)
            try await fixture.deliver(lost: ["evt_other"])
            #expect(fixture.topics[.webhookReceived].highWatermark.rawValue == 2)
            #expect(try fixture.processor() == ["usd": 4_200])
        }
    }
}
