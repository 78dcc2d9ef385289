import Foundation
import Testing

/// Reads events as contracts §3 says, from the JSON alone and written apart from the twin, so that
/// the two can be compared.
struct ContractReader {
    struct Movement: Hashable {
        var key: String
        var kind: String
        var amount: Int64
        var currency: String
        var fee: Int64 = 0
    }

    let type: String
    let object: [String: Any]

    init(_ event: [String: Any]) throws {
        type = try #require(event["type"] as? String)
        let data = try #require(event["data"] as? [String: Any])
        object = try #require(data["object"] as? [String: Any])
    }

    func movements() throws -> [Movement] {
        switch type {
        case "charge.succeeded", "charge.captured":
            guard object["captured"] as? Bool == true else { return [] }
            return [try movement("charge:", object, "payment", amount: "amount_captured")]
        case "charge.failed": return [try movement("charge_failed:", object, "payment_failed")]
        case "payment_intent.succeeded":
            let charge = try text(object, "latest_charge")
            return [
                try movement("charge:", object, "payment", amount: "amount_received", id: charge)
            ]
        case "payment_intent.payment_failed":
            let error = try #require(object["last_payment_error"] as? [String: Any])
            let charge = try text(error, "charge")
            return [try movement("charge_failed:", object, "payment_failed", id: charge)]
        case "charge.refunded":
            let list = object["refunds"] as? [String: Any]
            return try (list?["data"] as? [[String: Any]] ?? []).map(refund)
        case "refund.created", "refund.updated", "charge.refund.updated", "refund.failed":
            return [try refund(object)]
        case "charge.dispute.created":
            return [try movement("dispute_opened:", object, "dispute_opened")]
        case "charge.dispute.closed":
            return [try movement("dispute_closed:", object, "dispute_closed")]
        case "charge.dispute.funds_withdrawn", "charge.dispute.funds_reinstated":
            return try #require(object["balance_transactions"] as? [[String: Any]]).map(withdrawal)
        case "payout.created", "payout.paid": return [try movement("payout:", object, "payout")]
        case "payout.failed": return [try movement("payout_failed:", object, "payout_failed")]
        default: return []
        }
    }

    private func refund(_ refund: [String: Any]) throws -> Movement {
        let failed = ["failed", "canceled"].contains(try text(refund, "status"))
        return try movement(
            failed ? "refund_failed:" : "refund:", refund, failed ? "refund_failed" : "refund")
    }

    private func withdrawal(_ transaction: [String: Any]) throws -> Movement {
        var movement = try movement("dispute:", transaction, "dispute_withdrawn")
        if movement.amount > 0 { movement.kind = "dispute_reinstated" }
        movement.amount = abs(movement.amount)
        movement.fee = try number(transaction, "fee")
        #expect(try number(transaction, "net") == number(transaction, "amount") - movement.fee)
        return movement
    }

    private func movement(
        _ prefix: String, _ object: [String: Any], _ kind: String, amount: String = "amount",
        id: String? = nil
    ) throws -> Movement {
        Movement(
            key: prefix + (try id ?? text(object, "id")), kind: kind,
            amount: try number(object, amount), currency: try text(object, "currency"))
    }

    private func text(_ object: [String: Any], _ key: String) throws -> String {
        try #require(object[key] as? String, "\(type): \(key)")
    }

    private func number(_ object: [String: Any], _ key: String) throws -> Int64 {
        try #require((object[key] as? NSNumber)?.int64Value, "\(type): \(key)")
    }
}
