import Appliance

extension Appliance.AccountName {
    /// What an account's balance is, in plain words; nil for a name that the ledger gives nobody.
    ///
    /// Its currency, and a merchant of its own, stand beside it.
    var words: String? {
        let parts = rawValue.split(separator: ":", maxSplits: 2).map(String.init)
        switch (parts.first, parts.dropFirst().first) {
        case ("processor", "stripe"): return "What Stripe holds"
        case ("bank", .some): return "What Stripe has sent to the bank"
        case ("fees", "stripe"): return "What Stripe charged"
        case ("income", "application_fees"): return "What connected accounts were charged"
        case ("adjustments", "stripe"): return "What Stripe corrected"
        case ("reserves", "stripe"): return "What Stripe keeps in reserve"
        case ("exchange", "stripe"): return "What was converted at Stripe"
        case ("charges", "bank"): return "What banks kept"
        case ("transfers", _), ("connect", _): return "Between two Stripe accounts"
        case ("merchant", .some):
            switch rawValue.split(separator: ":").last {
            case "payable": return "Due to the merchant"
            case "held": return "Held until a person decides"
            case "refund_due": return "To be paid back after a decline"
            case "disputed": return "Withdrawn for disputes"
            default: return nil
            }
        default: return nil
        }
    }
}
