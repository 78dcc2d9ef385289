import Foundation

@testable import Appliance
@testable import Twin

/// What the twin says over its API, read as a merchant's script would, and what a ledger must hold
/// that has heard of part of it.
struct TwinTruth {
    /// A balance transaction.
    struct Transaction {
        var id: String
        var source: String
        var type: String
        var currency: String
        var amount: Int64
        var fee: Int64
    }

    struct Event {
        var id: String
        var type: String
        var created: Int64
        var account: String?
        var object: [String: Any]
        var whole: [String: Any]

        /// To be delivered again.
        func again() throws -> TwinEvent {
            TwinEvent(
                id: id, type: type, created: created, account: account,
                body: Array(try JSONSerialization.data(withJSONObject: whole)))
        }
    }

    private(set) var transactions: [Transaction] = []
    private(set) var events: [Event] = []
    /// By currency, what is available and pending in all accounts.
    private(set) var balance: [String: Int64] = [:]

    init(_ twin: Twin, apiKey: String, accounts: [String?]) throws {
        for account in accounts {
            let reader = Reader(twin: twin, apiKey: apiKey, account: account)
            transactions += try reader.all("/v1/balance_transactions").map(Self.transaction)
            events += try reader.all("/v1/events").map { try Self.event($0, account: account) }
            let balance = try reader.get("/v1/balance")
            for part in ["available", "pending"] {
                for line in balance[part] as? [[String: Any]] ?? [] {
                    let currency = try Self.text(line, "currency")
                    self.balance[currency, default: 0] += try Self.number(line, "amount")
                }
            }
        }
    }

    // MARK: What was told

    /// `processor:stripe` by currency, in a ledger that received exactly these events: the amounts
    /// of the balance transactions that one of them tells of, less the fees of disputes, which are
    /// told with them. The fees of payments are in no event.
    func processor(whenReceived ids: Set<String>) -> [String: Int64] {
        let told = Set(events.filter { ids.contains($0.id) }.flatMap(Self.told))
        var sums: [String: Int64] = [:]
        for transaction in transactions where told.contains(Self.key(transaction)) {
            let fee = transaction.type == "adjustment" ? transaction.fee : 0
            sums[transaction.currency, default: 0] += transaction.amount - fee
        }
        return sums
    }

    /// The fees that no event tells of, by currency.
    var paymentFees: [String: Int64] {
        var sums: [String: Int64] = [:]
        for transaction in transactions where transaction.type != "adjustment" {
            sums[transaction.currency, default: 0] += transaction.fee
        }
        return sums
    }

    /// A dispute may withdraw and give back, so its transactions go by their own ids.
    private static func key(_ transaction: Transaction) -> String {
        transaction.type == "adjustment"
            ? transaction.id : "\(isReversal(transaction) ? "back" : "there") \(transaction.source)"
    }

    private static func isReversal(_ transaction: Transaction) -> Bool {
        ["refund_failure", "payout_failure", "payout_cancel"].contains(transaction.type)
    }

    /// The transactions that an event tells of, by contracts §3.
    private static func told(_ event: Event) -> [String] {
        let object = event.object
        let id = object["id"] as? String ?? ""
        let status = object["status"] as? String ?? ""
        switch event.type {
        case "charge.succeeded", "charge.captured":
            return object["captured"] as? Bool == true ? ["there \(id)"] : []
        case "payment_intent.succeeded":
            return ["there \(object["latest_charge"] as? String ?? "")"]
        case "refund.created", "refund.updated", "refund.failed", "charge.refund.updated",
            "payout.created", "payout.updated", "payout.paid", "payout.failed", "payout.canceled":
            let isBack = status == "failed" || status == "canceled"
            return isBack ? ["there \(id)", "back \(id)"] : ["there \(id)"]
        case "charge.dispute.created", "charge.dispute.updated", "charge.dispute.closed",
            "charge.dispute.funds_withdrawn", "charge.dispute.funds_reinstated":
            let list = object["balance_transactions"] as? [[String: Any]] ?? []
            return list.compactMap { $0["id"] as? String }
        default: return []
        }
    }

    // MARK: Reading

    private struct Reader {
        let twin: Twin
        let apiKey: String
        let account: String?

        func get(_ path: String, _ fields: [FormField] = []) throws -> [String: Any] {
            let answer = twin.handle(
                APIRequest(
                    method: .get, path: path, fields: fields, apiKey: apiKey, account: account))
            let parsed = try JSONSerialization.jsonObject(with: Data(answer.body))
            guard answer.status == 200, let json = parsed as? [String: Any] else {
                throw Unreadable(what: "\(path): \(answer.status) \(parsed)")
            }
            return json
        }

        /// Every page of a list.
        func all(_ path: String) throws -> [[String: Any]] {
            var found: [[String: Any]] = []
            var fields = [FormField("limit", "100")]
            while true {
                let page = try get(path, fields)
                let data = page["data"] as? [[String: Any]] ?? []
                found += data
                guard page["has_more"] as? Bool == true, let last = data.last else { return found }
                fields = [
                    FormField("limit", "100"),
                    FormField("starting_after", try TwinTruth.text(last, "id")),
                ]
            }
        }
    }

    struct Unreadable: Error, CustomStringConvertible {
        var what: String
        var description: String { what }
    }

    private static func transaction(_ json: [String: Any]) throws -> Transaction {
        Transaction(
            id: try text(json, "id"), source: try text(json, "source"),
            type: try text(json, "type"), currency: try text(json, "currency"),
            amount: try number(json, "amount"), fee: try number(json, "fee"))
    }

    private static func event(_ json: [String: Any], account: String?) throws -> Event {
        let data = json["data"] as? [String: Any]
        return Event(
            id: try text(json, "id"), type: try text(json, "type"),
            created: try number(json, "created"), account: account,
            object: data?["object"] as? [String: Any] ?? [:], whole: json)
    }

    private static func text(_ json: [String: Any], _ key: String) throws -> String {
        guard let value = json[key] as? String else { throw Unreadable(what: "\(key) in \(json)") }
        return value
    }

    private static func number(_ json: [String: Any], _ key: String) throws -> Int64 {
        guard let value = json[key] as? Int64 else { throw Unreadable(what: "\(key) in \(json)") }
        return value
    }
}
