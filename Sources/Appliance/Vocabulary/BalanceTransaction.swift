/// One line of Stripe's statement (docs.stripe.com/api/balance_transactions/object), without what
/// the books do not need.
package struct BalanceTransaction: Hashable, Sendable {
    /// `txn_…`
    package var id: String
    /// Stripe's word; ``BalanceTransactionType`` knows those that are documented.
    package var type: String
    /// The object that moved: `ch_…`, `re_…`, `dp_…`, `po_…`; empty where Stripe names none.
    package var source: String
    package var reportingCategory: String?
    /// What moved before fees: above zero into the balance, below zero out of it.
    package var amount: MinorUnits
    /// What Stripe kept of it; below zero where it gave a fee back.
    package var fee: MinorUnits
    /// The change of the balance: amount less fee.
    package var net: MinorUnits
    package var currency: Currency
    package var created: Instant
    package var availableOn: Instant
    /// Whether the money was paid in another currency and converted.
    package var isConverted: Bool
    /// The charge that a refund or a failed payment belongs to, where the source is expanded.
    package var payment: String?

    package init(
        id: String, type: String, source: String, reportingCategory: String? = nil,
        amount: MinorUnits, fee: MinorUnits, net: MinorUnits, currency: Currency, created: Instant,
        availableOn: Instant, isConverted: Bool, payment: String? = nil
    ) {
        self.id = id
        self.type = type
        self.source = source
        self.reportingCategory = reportingCategory
        self.amount = amount
        self.fee = fee
        self.net = net
        self.currency = currency
        self.created = created
        self.availableOn = availableOn
        self.isConverted = isConverted
        self.payment = payment
    }
}

extension BalanceTransaction {
    /// - Throws: `RecordCodecError.field` naming the first field that is missing or wrong.
    package init(json: JSONValue) throws(RecordCodecError) {
        id = try json.requiredString("id")
        type = try json.requiredString("type")
        source = try Self.source(json)
        reportingCategory = try json.optionalString("reporting_category")
        amount = MinorUnits(try json.requiredInt64("amount"))
        fee = MinorUnits(try json.requiredInt64("fee"))
        net = MinorUnits(try json.requiredInt64("net"))
        currency = try json.requiredCurrency("currency")
        created = try json.requiredInstant("created")
        availableOn = try json.optionalInstant("available_on") ?? created
        isConverted = json["exchange_rate"].map { !$0.isNull } ?? false
        payment = Self.payment(json)
        // The smallest Int64 has no opposite, which booking the other side needs.
        for (key, value) in [("amount", amount), ("fee", fee), ("net", net)]
        where value.rawValue == .min {
            throw .field(key)
        }
    }

    /// An id, or the object it stands for where the list was asked to expand it.
    private static func source(_ json: JSONValue) throws(RecordCodecError) -> String {
        guard let value = json["source"], !value.isNull else { return "" }
        guard let id = (value["id"] ?? value).string else { throw .field("source") }
        return id
    }

    private static func payment(_ json: JSONValue) -> String? {
        guard let charge = json["source"]?["charge"], !charge.isNull else { return nil }
        let id = (charge["id"] ?? charge).string
        return id?.isEmpty == false ? id : nil
    }

    /// What a balance transaction is to the ledger.
    package enum Meaning: Hashable, Sendable {
        /// A movement that a webhook tells of, by its key (contracts §3). `processor` is how it
        /// changes `processor:stripe`; `fee` comes on top, as a movement of its own.
        case movement(key: String, processor: MinorUnits, fee: MinorUnits)
        /// The same, and its source says all that the webhook would: where none came, the run
        /// books it under the same key.
        case told(key: String, processor: MinorUnits, fee: MinorUnits)
        /// A payment failed: it takes back what an earlier balance transaction of the same payment
        /// gave. As a rule it was only announced, and the ledger knows neither. The key is the
        /// payment's; nil where only Stripe can say which it was.
        case failedPayment(key: String?, fee: MinorUnits)
        /// Stripe moved the money by itself, and reconciliation books all of it.
        case own(CounterAccount)
        /// Not a type that Tillbox can book; a person has to look.
        case unknown
    }

    /// The reading of docs/RECONCILIATION.md, from this balance transaction alone.
    package var meaning: Meaning {
        guard let type = BalanceTransactionType(rawValue: type) else { return .unknown }
        switch type {
        case .charge, .payment: return movement("charge")
        case .refund, .paymentRefund, .refundFailure:
            // Stripe gives a refund back that the customer's bank would not take.
            return movement(amount > .zero ? "refund_failed" : "refund")
        case .paymentFailureRefund, .paymentReversal:
            return source.isEmpty ? .unknown : .failedPayment(key: failedPayment, fee: fee)
        case .payout: return movement("payout")
        case .payoutCancel, .payoutFailure: return movement("payout_failed")
        case .adjustment where isDispute:
            // The event of a dispute names its balance transactions, fees and all; of some versions
            // by their ids alone, and then only the line says how much moved.
            return .told(key: "dispute:\(id)", processor: net, fee: .zero)
        case .adjustment where source.hasPrefix("re_") || source.hasPrefix("pyr_"):
            return movement("refund_failed")
        case .transfer where source.isEmpty, .topup where source.isEmpty,
            .topupReversal where source.isEmpty, .applicationFee where source.isEmpty,
            .applicationFeeRefund where source.isEmpty, .transferRefund where source.isEmpty:
            return type.counterAccount.map(Meaning.own) ?? .unknown
        case .transfer: return told("transfer")
        case .transferRefund: return told("transfer_reversed")
        case .transferCancel, .transferFailure:
            // Only transfers to a bank can fail, and those are the payouts of before 2017-04-06.
            return movement("payout_failed")
        case .applicationFee: return told("application_fee")
        case .applicationFeeRefund: return told("application_fee_refunded")
        case .topup: return told("topup")
        case .topupReversal: return told("topup_reversed")
        default: return type.counterAccount.map(Meaning.own) ?? .unknown
        }
    }

    private func movement(_ prefix: String) -> Meaning {
        guard !source.isEmpty else { return .unknown }
        return .movement(key: "\(prefix):\(source)", processor: amount, fee: fee)
    }

    private func told(_ prefix: String) -> Meaning {
        .told(key: "\(prefix):\(source)", processor: amount, fee: fee)
    }

    /// The key of the payment that a failure takes back. A refund that Stripe made of it stands
    /// between the two in some statements.
    private var failedPayment: String? {
        if let payment { return "charge:\(payment)" }
        return source.hasPrefix("pyr_") || source.hasPrefix("re_") ? nil : "charge:\(source)"
    }

    /// Other keys under which the ledger may hold what this line settles: as an earlier version
    /// booked it, or as an older version of Stripe's API told it.
    package var otherKeys: [String] {
        switch BalanceTransactionType(rawValue: type) {
        case .payout where amount > .zero: ["payout_failed:\(source)"]
        case .transfer: ["payout:\(source)", ReconciledRecord.feeKey(id)]
        case .transferRefund, .applicationFee, .applicationFeeRefund, .topup, .topupReversal:
            [ReconciledRecord.feeKey(id)]
        case .paymentFailureRefund, .paymentReversal:
            [ReconciledRecord.formerReversalKey(id), "refund:\(source)"]
        default: []
        }
    }

    /// Before disputes had ids of their own in statements, their source was the charge.
    private var isDispute: Bool {
        if let reportingCategory, ["dispute", "dispute_reversal"].contains(reportingCategory) {
            return true
        }
        return ["dp_", "du_", "ch_", "py_"].contains { source.hasPrefix($0) }
    }

    /// What reconciliation has to book of it under ``ReconciledRecord/feeKey(_:)``: how much
    /// leaves `processor:stripe`, below zero where it comes in, and what stands against it. Nil
    /// where there is nothing.
    package var charged: (taken: MinorUnits, against: CounterAccount)? {
        switch meaning {
        case .movement(_, _, let fee), .told(_, _, let fee), .failedPayment(_, let fee):
            fee == .zero ? nil : (fee, .fees)
        case .own(let account): net == .zero ? nil : (-net, account)
        case .unknown: nil
        }
    }
}
