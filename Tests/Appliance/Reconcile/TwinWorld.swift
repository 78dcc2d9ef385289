import AppendLog
import Foundation
import Synchronization
import TwinSupport

@testable import Appliance
@testable import Reconcile
@testable import Twin
@testable import Vocabulary

/// The pipeline behind a gate beside the real twin: one clock for both, the twin's answers as they
/// go over its port, and its events delivered but for those that a test loses.
final class TwinWorld: Sendable {
    let fixture: ReconcileFixture
    let twin: Twin
    private let told: Told

    /// What the twin told and was not delivered yet.
    private final class Told: Sendable {
        let events = Mutex<[TwinEvent]>([])
        let markers = Atomic<Int>(0)
    }

    /// Reads the twin as its port answers, without the port.
    private struct Port: StripeTransport {
        let twin: Twin

        func get(_ path: String, of account: StripeAccount) async throws -> StripeAnswer {
            let parts = path.split(separator: "?", maxSplits: 1)
            let answer = twin.handle(
                APIRequest(
                    method: .get, path: String(parts[0]),
                    fields: parts.count > 1 ? FormCoding.decode(parts[1]) : [],
                    apiKey: "sk_test_tillbox", account: account.id))
            return StripeAnswer(
                status: answer.status, retryAfter: answer.retryAfterSeconds.map(String.init),
                body: answer.body)
        }
    }

    /// - Parameters:
    ///   - start: when the twin's account begins, seconds since 1970.
    ///   - sellers: accounts that are connected to it.
    init(
        start: Int64, payouts: TwinSettings.PayoutSchedule, sellers: [String] = []
    ) throws {
        let clock = HandClock(start)
        let told = Told()
        var settings = TwinSettings()
        settings.payoutSchedule = payouts
        settings.connectedAccounts = sellers
        twin = Twin(
            settings: settings, clock: { clock.now().milliseconds / 1000 },
            onEvent: { event in told.events.withLock { $0.append(event) } })
        self.told = told
        fixture = try ReconcileFixture(clock: clock, transport: Port(twin: twin))
    }

    var now: Int64 { fixture.clock.now().milliseconds / 1000 }

    /// Moves the clock of both; what falls due at Stripe happens at its own time.
    func go(to time: Int64) {
        fixture.clock.set(time)
        twin.tick()
    }

    // MARK: Webhooks

    /// Delivers what Stripe has told since the last time, and waits until the ledger has it. What
    /// names an object of `losing` is lost. Call it while the stages run.
    ///
    /// - Parameters:
    ///   - version: whose telling is delivered, nil for the account's own; an endpoint of the twin
    ///     must have asked for it.
    ///   - isReversed: whether the newest comes first.
    /// - Returns: how many events were lost.
    @discardableResult
    func deliver(
        losing: [String] = [], telling version: StripeVersion? = nil, isReversed: Bool = false
    ) async throws -> Int {
        let events = told.events.withLock { events in
            defer { events = [] }
            return events
        }
        var lostCount = 0
        for event in isReversed ? events.reversed() : events {
            guard let body = event.body(in: version) else { continue }
            let text = String(decoding: body, as: UTF8.self)
            if losing.contains(where: text.contains) {
                lostCount += 1
            } else {
                try await fixture.admit(body, event.id, event.type, event.created)
            }
        }
        try await drained()
        return lostCount
    }

    /// Takes out of what was told what a test delivers later.
    func heldBack(_ isHeld: (String) -> Bool) -> [TwinEvent] {
        told.events.withLock { events in
            let held = events.filter { event in
                event.body(in: nil).map { isHeld(String(decoding: $0, as: UTF8.self)) } ?? false
            }
            events.removeAll { event in held.contains { $0.id == event.id } }
            return held
        }
    }

    /// Delivers what was held back, and waits until the ledger has it.
    func deliver(_ events: [TwinEvent]) async throws {
        for event in events {
            guard let body = event.body(in: nil) else { continue }
            try await fixture.admit(body, event.id, event.type, event.created)
        }
        try await drained()
    }

    /// Waits until the ledger has seen everything that was received. Events that lead to nothing
    /// leave nothing to tell by, so one that does, and books nothing, follows them.
    func drained() async throws {
        let number = told.markers.add(1, ordering: .relaxed).newValue
        let body = """
            {"id":"evt_marker\(number)","object":"event","api_version":"2025-09-30.clover",
             "created":\(now),"livemode":false,"type":"charge.failed","data":{"object":{
             "id":"ch_marker\(number)","object":"charge","amount":100,"currency":"usd",
             "status":"failed","captured":false,"paid":false,"customer":"cus_marker"}}}
            """
        try await fixture.admit(Array(body.utf8), "evt_marker\(number)", "charge.failed", now)
        try await fixture.drained()
    }

    // MARK: Acts

    func pay(
        _ amount: Int64, _ currency: String = "usd", card: String = "pm_card_visa",
        isManualCapture: Bool = false
    ) throws -> Twin.PaymentResult {
        guard let currency = Currency(currency) else { throw TwinSays(answer: currency) }
        return try twin.pay(
            Twin.Payment(
                amount: amount, currency: currency, paymentMethod: card,
                isManualCapture: isManualCapture))
    }

    /// The charge of a payment that is made at once.
    func charge(
        _ amount: Int64, _ currency: String = "usd", card: String = "pm_card_visa"
    ) throws -> String {
        guard let charge = try pay(amount, currency, card: card).charge else {
            throw TwinSays(answer: "no charge")
        }
        return charge
    }

    /// Calls one of the twin's controls.
    ///
    /// - Returns: the id of what it made or changed.
    @discardableResult
    func control(_ path: String, _ form: String = "") throws -> String {
        let answer = twin.handle(
            APIRequest(method: .post, path: "/twin/\(path)", fields: FormCoding.decode(form)))
        guard answer.status == 200 else {
            throw TwinSays(answer: String(decoding: answer.body, as: UTF8.self))
        }
        return TwinCaller.parse(answer.body).id
    }

    /// Calls the API, or one of the twin's controls.
    @discardableResult
    func post(_ path: String, _ form: String = "", account: String? = nil) throws -> TestJSON {
        try call(.post, path, form, account)
    }

    func get(
        _ path: String, _ query: String = "", account: String? = nil
    ) throws -> TestJSON {
        try call(.get, path, query, account)
    }

    private func call(
        _ method: APIRequest.Method, _ path: String, _ form: String, _ account: String?
    ) throws -> TestJSON {
        let answer = twin.handle(
            APIRequest(
                method: method, path: path, fields: FormCoding.decode(form),
                apiKey: "sk_test_tillbox", account: account))
        guard answer.status == 200 else {
            throw TwinSays(answer: String(decoding: answer.body, as: UTF8.self))
        }
        return TwinCaller.parse(answer.body)
    }

    /// The first balance transaction of an object.
    func line(of source: String) throws -> String {
        let lines = try get("/v1/balance_transactions", "source=\(source)")["data"].list
        guard let first = lines.last?.id else { throw TwinSays(answer: "no line of \(source)") }
        return first
    }

    /// Stripe's balance by currency, without zeros.
    func balance(account: String? = nil) throws -> [String: Int64] {
        let balance = try get("/v1/balance", account: account)
        var sums: [String: Int64] = [:]
        for line in balance["available"].list + balance["pending"].list {
            sums[line["currency"]?.text ?? "", default: 0] += line["amount"]?.integer ?? 0
        }
        return sums.filter { $0.value != 0 }
    }

    /// A payout of the twin's.
    struct Payout: Sendable {
        var id, currency: String
        var amount, created: Int64
    }

    /// The newest hundred, the oldest of them first.
    func payouts() throws -> [Payout] {
        try get("/v1/payouts", "limit=100")["data"].list.map {
            Payout(
                id: $0.id, currency: $0["currency"]?.text ?? "", amount: $0["amount"]?.integer ?? 0,
                created: $0["created"]?.integer ?? 0)
        }.sorted { ($0.created, $0.id) < ($1.created, $1.id) }
    }
}

/// What the twin answered where a test wanted something else.
struct TwinSays: Error, CustomStringConvertible {
    var answer: String
    var description: String { answer }
}
