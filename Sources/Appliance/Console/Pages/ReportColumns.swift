import Appliance
import Vocabulary

/// What pages say of a report, and where its numbers lead.
extension DayReport {
    var path: String { "/reports/\(rawValue)" }

    var title: String {
        switch self {
        case .revenue: "Revenue"
        case .verdicts: "Verdicts"
        case .reviews: "Reviews"
        case .chargebacks: "Chargebacks"
        case .fees: "Fees"
        case .payouts: "Payouts"
        }
    }

    /// Which day counts, and what a rate is a share of.
    var rule: String {
        switch self {
        case .revenue: "By the day on which money moved; fees of disputes are among the fees."
        case .verdicts: "By the day of the payment; rates are shares of what was scored."
        case .reviews:
            "By the day of the decision; a false positive is a held payment that a person approved."
        case .chargebacks: "By the day on which money moved; the rate is disputes of payments."
        case .fees: "By the day on which Stripe took them; the rate is fees of volume."
        case .payouts: "By the day on which Stripe paid out or debited the bank account."
        }
    }

    /// The columns that are drawn; the first of them on the page of all reports, too.
    var drawn: [String] {
        switch self {
        case .revenue: ["volume", "net"]
        case .verdicts: ["approval_rate", "review_rate"]
        case .reviews: ["false_positive_rate"]
        case .chargebacks: ["withdrawn_amount", "dispute_rate"]
        case .fees: ["fee_rate", "fees"]
        case .payouts: ["paid_out"]
        }
    }

    /// Those that a phone has room for.
    var isOnPhones: Set<String> {
        switch self {
        case .revenue: ["volume", "net"]
        case .verdicts: ["approval_rate", "review_rate"]
        case .reviews: ["approved", "declined", "false_positive_rate"]
        case .chargebacks: ["withdrawn_amount", "dispute_rate"]
        case .fees: ["fees", "fee_rate"]
        case .payouts: ["paid_out", "failed_amount"]
        }
    }

    static func title(of column: String) -> String {
        switch column {
        case Verdict.approve.rawValue: "Approved"
        case Verdict.manualReview.rawValue: "In review"
        case Verdict.block.rawValue: "Blocked"
        default: column.replacing("_", with: " ").sentence
        }
    }

    /// Where a number of a column leads: to the transactions or the payments that it is made of.
    ///
    /// - Returns: nil for a rate, and for what is counted from events that move no money.
    func explanation(of column: String, _ currency: String, _ period: ReportPeriod) -> String? {
        let rest = "currency=\(currency)&\(period.query)"
        if column == "fees" { return "\(TransactionsPath.base)?account=fees:&\(rest)" }
        if self == .verdicts {
            return Verdict(rawValue: column).map { "/payments?verdict=\($0.rawValue)&\(rest)" }
        }
        if self == .reviews {
            guard let state = ReviewState(rawValue: column), state != .opened else { return nil }
            return "/reports/decisions?state=\(state.rawValue)&\(rest)"
        }
        let kinds = Self.kinds(of: column)
        guard !kinds.isEmpty else { return nil }
        let words = kinds.map(\.name).joined(separator: ",")
        return "\(TransactionsPath.base)?kind=\(words)&\(rest)"
    }

    private static func kinds(of column: String) -> [PostingKind] {
        switch column {
        case "payments": [.payment]
        case "volume": volumeKinds
        case "refunded": refundKinds
        case "disputed": disputeKinds
        case "reversed": [.paymentReversed]
        case "net": volumeKinds + refundKinds + disputeKinds + [.paymentReversed, .fee]
        case "withdrawn", "withdrawn_amount": [.disputeWithdrawn]
        case "reinstated", "reinstated_amount": [.disputeReinstated]
        case "payouts", "paid_out": [.payout]
        case "failed", "failed_amount": [.payoutFailed]
        case "debited": [.payoutDebit, .payoutDebitFailed]
        default: []
        }
    }

    private static let volumeKinds: [PostingKind] = [.payment, .captureGrown]
    private static let refundKinds: [PostingKind] = [
        .refund, .refundFailed, .refundReleased, .refundRestored,
    ]
    private static let disputeKinds: [PostingKind] = [.disputeWithdrawn, .disputeReinstated]
}

/// The list of the ledger's transactions.
enum TransactionsPath {
    static let base = "/ledger/transactions"
}
