import AppendLog
import TwinSupport

@testable import Vocabulary

/// A random life of one charge, told as an API version since 2015 tells it: authorised and
/// released, or captured at once, in part or several times, then refunded up to twice. Refunds may
/// pend, wait for the customer, or fail.
struct ChargeLife {
    private struct Refund {
        let id: String
        let amount: Int64
        var status = "succeeded"
        var transaction: String?
        var failure: String?

        var hasFailed: Bool { status == "failed" || status == "canceled" }

        var json: TestJSON {
            [
                "id": .string(id), "object": "refund", "amount": .int(amount), "currency": "usd",
                "charge": "ch_1", "status": .string(status),
                "balance_transaction": transaction.map { .string($0) } ?? .null,
                "failure_balance_transaction": failure.map { .string($0) } ?? .null,
            ]
        }
    }

    private static let versions = [
        "2015-10-16", "2016-07-06", "2019-05-16", "2020-08-27", "2022-08-01", "2022-11-15",
        "2024-06-20", "2025-03-31.basil", "2026-10-28.endive",
    ]

    /// As they happened.
    private(set) var events: [TestJSON] = []
    /// What is captured and not truly refunded, in minor units of usd.
    var truth: Int64 { captured - refunded }

    private let version: String
    private let authorized: Int64
    /// Whether charges have `amount_captured`.
    private let namesCaptured: Bool
    /// Whether `refund.created` and its kin are told.
    private let tellsRefunds: Bool
    private let hasIntent: Bool
    private var captured: Int64 = 0
    /// What was truly given back.
    private(set) var refunded: Int64 = 0
    private var refunds: [Refund] = []
    private var random: SeededGenerator

    private var listsRefunds: Bool { version < "2022-11-15" }
    private var tellsReleases: Bool { version < "2025-03-31" }

    init(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        version = Self.versions[Int.random(in: Self.versions.indices, using: &random)]
        authorized = [999, 1000, 2000, 100_000][Int.random(in: 0..<4, using: &random)]
        namesCaptured = version >= "2022-08-01" || random.isOne(in: 2)
        tellsRefunds = version >= "2022-11-15" || random.isOne(in: 2)
        hasIntent = random.isOne(in: 2)
        self.random = random
        switch Int.random(in: 0..<5, using: &self.random) {
        case 0: void()
        case 1: captureAll()
        default: captureInParts()
        }
    }

    // MARK: What happens

    private mutating func void() {
        tell("charge.succeeded", charge)
        let hasExpired = random.isOne(in: 2)
        let released = tellsReleases ? release(authorized) : nil
        if hasExpired { tell("charge.expired", charge) }
        guard let released else { return }
        tell("charge.refunded", charge)
        if tellsRefunds { tell("refund.created", released.json) }
        if random.isOne(in: 2) { tell("charge.refund.updated", released.json) }
    }

    private mutating func captureAll() {
        captured = authorized
        tell("charge.succeeded", charge)
        tellIntent()
        refundSome()
    }

    private mutating func captureInParts() {
        tell("charge.succeeded", charge)
        let isRepeated = version >= "2022-11-15" && random.isOne(in: 2)
        let tenths: [Int64] = [1, 3, 6, 10]
        let parts = isRepeated ? [1, 3, 6] : [tenths[Int.random(in: 0..<4, using: &random)]]
        for (number, part) in parts.enumerated() {
            captured = authorized * part / 10
            let isLast = number == parts.count - 1
            let released =
                isLast && tellsReleases && captured < authorized
                ? release(authorized - captured) : nil
            tell("charge.captured", charge)
            if let released {
                if !tellsRefunds || random.isOne(in: 2) { tell("charge.refunded", charge) }
                if tellsRefunds { tell("refund.created", released.json) }
            }
            // Before 2025-03-31 a refund here may be of just the size that is then left
            // uncaptured, and no event tells it from the release.
            if !isLast, !tellsReleases, random.isOne(in: 2) { refundSome() }
        }
        tellIntent()
        refundSome()
    }

    /// The release of what is not captured, told as a refund that may name a transaction.
    private mutating func release(_ amount: Int64) -> Refund {
        let refund = Refund(
            id: "re_release", amount: amount,
            transaction: random.isOne(in: 2) ? "txn_release" : nil)
        refunds.append(refund)
        return refund
    }

    private mutating func refundSome() {
        for _ in 0..<Int.random(in: 0...2, using: &random) where truth > 1 {
            // Among them the size of what was not captured.
            let sizes = [1, truth / 2, truth, min(truth, max(1, authorized - captured))]
            let size = sizes[Int.random(in: 0..<4, using: &random)]
            refund(size)
        }
    }

    private mutating func refund(_ amount: Int64) {
        let place = refunds.count
        refunds.append(Refund(id: "re_\(place)", amount: amount))
        let fate = Int.random(in: 0..<5, using: &random)
        if fate == 0 {
            refunds[place].status = "requires_action"
            if tellsRefunds { tell("refund.created", refunds[place].json) }
        }
        refunds[place].status = fate == 1 ? "pending" : "succeeded"
        refunds[place].transaction = "txn_\(place)"
        if !tellsRefunds || random.isOne(in: 2) { tell("charge.refunded", charge) }
        if tellsRefunds {
            tell(fate == 0 ? "refund.updated" : "refund.created", refunds[place].json)
        }
        guard fate > 2 else {
            refunded += amount
            return
        }
        refunds[place].status = random.isOne(in: 2) ? "failed" : "canceled"
        if fate == 3 { refunds[place].failure = "txn_back_\(place)" }
        tell(tellsRefunds ? "refund.failed" : "charge.refund.updated", refunds[place].json)
    }

    // MARK: How it is told

    private var charge: TestJSON {
        let told = refunds.filter { !$0.hasFailed }.reduce(0) { $0 + $1.amount }
        var charge: TestJSON = [
            "id": "ch_1", "object": "charge", "amount": .int(authorized),
            "amount_refunded": .int(told), "captured": .bool(captured > 0), "paid": true,
            "status": "succeeded", "currency": "usd", "customer": "cus_1",
            "balance_transaction": captured > 0 ? "txn_charge" : .null,
        ]
        if namesCaptured { charge["amount_captured"] = .int(captured) }
        if listsRefunds {
            charge["refunds"] = [
                "object": "list", "data": .array(refunds.reversed().map(\.json)),
                "has_more": false,
            ]
        }
        return charge
    }

    private mutating func tellIntent() {
        guard hasIntent else { return }
        var intent: TestJSON = [
            "id": "pi_1", "object": "payment_intent", "amount": .int(authorized),
            "amount_received": .int(captured), "currency": "usd", "status": "succeeded",
            "customer": "cus_1",
        ]
        if listsRefunds {
            intent["charges"] = ["object": "list", "data": .array([charge])]
        } else {
            intent["latest_charge"] = "ch_1"
        }
        tell("payment_intent.succeeded", intent)
    }

    private mutating func tell(_ type: String, _ object: TestJSON) {
        let number = Int64(events.count)
        events.append([
            "id": .string("evt_\(number)"), "object": "event", "api_version": .string(version),
            "created": .int(1_790_000_000 + number), "livemode": false, "type": .string(type),
            "data": ["object": object],
        ])
    }
}
