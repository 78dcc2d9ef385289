import Foundation
import Synchronization

@testable import Appliance
@testable import Reconcile
@testable import Vocabulary

/// A Stripe that answers what a test has put in: a statement, payouts, events, a balance; with
/// faults by script.
final class FakeStripe: StripeTransport, Sendable {
    /// A balance transaction.
    struct Line: Sendable {
        var id: String
        var type: String
        var source: String?
        var category: String?
        var amount: Int64
        var fee: Int64 = 0
        var currency = "usd"
        var created: Int64
        var availableOn: Int64?
        var exchangeRate: Double?
        var payout: String?
        /// Whose statement it stands in; empty for the key's own account.
        var account = ""
        /// What the source is in full, where it is asked for.
        var sourceObject: String?

        var net: Int64 { amount - fee }

        var json: String { json(expanded: false) }

        func json(expanded: Bool) -> String {
            let id = source.map { "\"\($0)\"" } ?? "null"
            return text(source: expanded ? sourceObject ?? id : id)
        }

        private func text(source: String) -> String {
            """
            {
                  "id": "\(id)", "object": "balance_transaction", "amount": \(amount),
                  "available_on": \(availableOn ?? created), "created": \(created),
                  "currency": "\(currency)", "description": "a ] \\" } [ line",
                  "exchange_rate": \(exchangeRate.map { "\($0)" } ?? "null"), "fee": \(fee),
                  "fee_details": [], "net": \(net),
                  "reporting_category": \(category.map { "\"\($0)\"" } ?? "null"),
                  "source": \(source), "status": "pending",
                  "type": "\(type)"
                }
            """
        }
    }

    struct Payout: Sendable {
        var id: String
        var amount: Int64
        var currency = "usd"
        var created: Int64
        var automatic = true
        var account = ""
    }

    struct Event: Sendable {
        var id: String
        var type: String
        var created: Int64
        var object: String
        var account = ""

        var json: String {
            """
            {"id": "\(id)", "object": "event", "api_version": "2025-06-30.basil",
             "created": \(created), "livemode": false, "type": "\(type)",
             "data": { "object": \(object) } }
            """
        }
    }

    struct State: Sendable {
        var lines: [Line] = []
        var payouts: [Payout] = []
        var events: [Event] = []
        /// Objects that are asked for alone, by their path; and whose they are.
        var objects: [String: String] = [:]
        /// Refunds of a charge, for `/v1/refunds?charge=`.
        var refunds: [String: [String]] = [:]
        /// Paths asked for, decoded, in order.
        var asked: [String] = []
    }

    let state = Mutex(State())
    /// Asked before each answer, with the number of the request from 1: another answer, or an
    /// error, instead.
    let script = Mutex<@Sendable (Int, String) async throws -> StripeAnswer?>({ _, _ in nil })

    func change(_ body: (inout State) -> Void) { state.withLock { body(&$0) } }

    /// Paths asked for, with their query, decoded.
    var asked: [String] { state.withLock { $0.asked } }

    func get(_ path: String, of account: StripeAccount) async throws -> StripeAnswer {
        let plain = path.removingPercentEncoding ?? path
        let number = state.withLock { state in
            state.asked.append(account.id.map { "\($0) \(plain)" } ?? plain)
            return state.asked.count
        }
        let script = script.withLock { $0 }
        if let answer = try await script(number, plain) { return answer }
        return state.withLock { state in
            var own = state
            own.lines.removeAll { $0.account != account.rawValue }
            own.payouts.removeAll { $0.account != account.rawValue }
            own.events.removeAll { $0.account != account.rawValue }
            return Self.answer(plain, own)
        }
    }

    private static func answer(_ path: String, _ state: State) -> StripeAnswer {
        let parts = path.split(separator: "?", maxSplits: 1).map(String.init)
        var query: [String: String] = [:]
        for pair in parts.count > 1 ? parts[1].split(separator: "&") : [] {
            let sides = pair.split(separator: "=", maxSplits: 1).map(String.init)
            query[sides[0]] = sides.count > 1 ? sides[1] : ""
        }
        switch parts[0] {
        case "/v1/balance": return ok(balance(state))
        case "/v1/balance_transactions":
            let lines = state.lines.filter { line in
                (query["source"].map { $0 == line.source } ?? true)
                    && (query["payout"].map { $0 == line.payout } ?? true)
            }
            return list(lines.map { ($0.id, $0.created, $0.json) }, query)
        case "/v1/payouts": return list(state.payouts.map { ($0.id, $0.created, json($0)) }, query)
        case "/v1/events":
            let types = parts.count > 1
                ? parts[1].split(separator: "&").filter { $0.hasPrefix("types[]=") }
                    .map { String($0.dropFirst("types[]=".count)) } : []
            let events = state.events.filter { types.isEmpty || types.contains($0.type) }
            return list(events.map { ($0.id, $0.created, $0.json) }, query)
        case "/v1/refunds":
            let ids = state.refunds[query["charge"] ?? ""] ?? []
            return list(ids.map { ($0, 0, #"{"id": "\#($0)", "object": "refund"}"#) }, query)
        default:
            if let object = state.objects[parts[0]] { return ok(object) }
            let id = parts[0].split(separator: "/").last.map(String.init)
            guard let line = state.lines.first(where: { $0.id == id }) else {
                return refused(404, "resource_missing")
            }
            return ok(line.json(expanded: query["expand[]"] != nil))
        }
    }

    private static func balance(_ state: State) -> String {
        var sums: [String: Int64] = [:]
        for line in state.lines { sums[line.currency, default: 0] += line.net }
        let parts = sums.sorted { $0.key < $1.key }.map {
            #"{"amount": \#($0.value), "currency": "\#($0.key)"}"#
        }
        return """
            {"object": "balance", "available": [], "livemode": false,
             "pending": [\(parts.joined(separator: ","))]}
            """
    }

    private static func json(_ payout: Payout) -> String {
        """
        {"id": "\(payout.id)", "object": "payout", "amount": \(payout.amount), "currency":
         "\(payout.currency)", "created": \(payout.created), "automatic": \(payout.automatic),
         "status": "paid"}
        """
    }

    private static func list(
        _ all: [(id: String, created: Int64, json: String)], _ query: [String: String]
    ) -> StripeAnswer {
        let from = query["created[gte]"].flatMap { Int64($0) } ?? .min
        let to = query["created[lt]"].flatMap { Int64($0) } ?? .max
        var rows = all.filter { $0.created >= from && $0.created < to }
            .sorted { ($0.created, $0.id) > ($1.created, $1.id) }
        if let after = query["starting_after"] {
            guard let place = rows.firstIndex(where: { $0.id == after }) else {
                return refused(400, "resource_missing")
            }
            rows.removeFirst(place + 1)
        }
        let limit = query["limit"].flatMap { Int($0) } ?? 10
        let page = rows.prefix(limit)
        return ok(
            """
            {
              "object": "list",
              "data": [
                \(page.map(\.json).joined(separator: ",\n    "))
              ],
              "has_more": \(rows.count > limit), "url": "x"
            }
            """)
    }

    static func ok(_ body: String) -> StripeAnswer {
        StripeAnswer(status: 200, retryAfter: nil, body: Array(body.utf8))
    }

    static func refused(_ status: Int, _ code: String) -> StripeAnswer {
        StripeAnswer(
            status: status, retryAfter: nil,
            body: Array(#"{"error":{"code":"\#(code)","message":"no such thing"}}"#.utf8))
    }
}

/// What happens at Stripe in a test: each act puts lines into the statement and an event into the
/// list, and says the event's id.
extension FakeStripe {
    private func add(_ line: Line?, _ event: Event) -> String {
        change { state in
            if let line { state.lines.append(line) }
            state.events.append(event)
        }
        return event.id
    }

    /// - Parameter amount: what was captured.
    @discardableResult
    func charge(
        _ id: String, _ amount: Int64, _ currency: String = "usd", fee: Int64 = 0, at: Int64,
        authorized: Int64? = nil, settled: (amount: Int64, currency: String, rate: Double)? = nil,
        payout: String? = nil
    ) -> String {
        let line = Line(
            id: "txn_\(id)", type: "charge", source: "ch_\(id)", category: "charge",
            amount: settled?.amount ?? amount, fee: fee, currency: settled?.currency ?? currency,
            created: at, exchangeRate: settled?.rate, payout: payout)
        return add(
            line,
            Event(
                id: "evt_ch_\(id)", type: "charge.succeeded", created: at,
                object: """
                    {"id": "ch_\(id)", "object": "charge", "amount": \(authorized ?? amount),
                     "amount_captured": \(amount), "captured": true, "currency": "\(currency)",
                     "customer": "cus_1", "status": "succeeded",
                     "balance_transaction": "txn_\(id)"}
                    """))
    }

    @discardableResult
    func refund(
        _ id: String, of charge: String, _ amount: Int64, _ currency: String = "usd", at: Int64,
        failedAt: Int64? = nil
    ) -> String {
        func object(_ status: String) -> String {
            """
            {"id": "re_\(id)", "object": "refund", "amount": \(amount), "status": "\(status)",
             "currency": "\(currency)", "charge": "ch_\(charge)",
             "balance_transaction": "txn_r\(id)",
             "failure_balance_transaction": \(status == "failed" ? "\"txn_f\(id)\"" : "null")}
            """
        }
        if let failedAt {
            change { state in
                state.lines.append(
                    Line(
                        id: "txn_f\(id)", type: "refund_failure", source: "re_\(id)",
                        category: "refund_failure", amount: amount, currency: currency,
                        created: failedAt))
                state.events.append(
                    Event(
                        id: "evt_rf_\(id)", type: "refund.failed", created: failedAt,
                        object: object("failed")))
            }
        }
        return add(
            Line(
                id: "txn_r\(id)", type: "refund", source: "re_\(id)", category: "refund",
                amount: -amount, currency: currency, created: at),
            Event(
                id: "evt_re_\(id)", type: "refund.created", created: at,
                object: object("succeeded")))
    }

    /// A dispute that takes `amount` and a fee, and later gives some of it back.
    @discardableResult
    func dispute(
        _ id: String, of charge: String, _ amount: Int64, _ currency: String = "usd", fee: Int64,
        at: Int64, reinstated: (amount: Int64, fee: Int64, at: Int64)? = nil
    ) -> String {
        var lines = [
            Line(
                id: "txn_d\(id)", type: "adjustment", source: "dp_\(id)", category: "dispute",
                amount: -amount, fee: fee, currency: currency, created: at)
        ]
        if let reinstated {
            lines.append(
                Line(
                    id: "txn_e\(id)", type: "adjustment", source: "dp_\(id)",
                    category: "dispute_reversal", amount: reinstated.amount, fee: -reinstated.fee,
                    currency: currency, created: reinstated.at))
        }
        func event(_ name: String, _ lines: [Line], _ at: Int64) -> Event {
            Event(
                id: "evt_\(name)_\(id)", type: "charge.dispute.funds_\(name)", created: at,
                object: """
                    {"id": "dp_\(id)", "object": "dispute", "amount": \(amount),
                     "currency": "\(currency)", "charge": "ch_\(charge)", "status": "lost",
                     "balance_transactions": [\(lines.map(\.json).joined(separator: ","))]}
                    """)
        }
        if let reinstated {
            change { $0.events.append(event("reinstated", lines, reinstated.at)) }
        }
        change { state in
            state.lines += lines
            state.events.append(event("withdrawn", [lines[0]], at))
        }
        return "evt_withdrawn_\(id)"
    }

    @discardableResult
    func payout(
        _ id: String, _ amount: Int64, _ currency: String = "usd", at: Int64, eventAt: Int64? = nil
    ) -> String {
        change {
            $0.payouts.append(
                Payout(id: "po_\(id)", amount: amount, currency: currency, created: at))
        }
        return add(
            Line(
                id: "txn_p\(id)", type: "payout", source: "po_\(id)", category: "payout",
                amount: -amount, currency: currency, created: at, payout: "po_\(id)"),
            Event(
                id: "evt_po_\(id)", type: "payout.paid", created: eventAt ?? at,
                object: """
                    {"id": "po_\(id)", "object": "payout", "amount": \(amount),
                     "currency": "\(currency)", "status": "paid"}
                    """))
    }

    /// What Stripe does by itself: no event tells of it.
    func own(
        _ id: String, _ type: String, _ amount: Int64, fee: Int64 = 0, _ currency: String = "usd",
        source: String? = nil, at: Int64
    ) {
        change {
            $0.lines.append(
                Line(
                    id: "txn_\(id)", type: type, source: source, amount: amount, fee: fee,
                    currency: currency, created: at))
        }
    }
}
