/// What Stripe lets one expand, by the kind of object: its `x-expandableFields`
/// (github.com/stripe/openapi), which its libraries carry as `ExpandableField`.
extension Expansion {
    /// The kinds of objects an answer holds, with what each refers to.
    enum Kind: Sendable {
        case account, balance, balanceTransaction, bankAccount, charge, customer, dispute, event
        case paymentIntent, paymentMethod, payout, refund, other
        /// A balance transaction's source may be any of several.
        case source
        /// A member that is always null here, or an empty list: whatever is asked for below it,
        /// there is nothing.
        case absent
        /// A part of an object, written anyway, with no reference in it.
        case part
        /// Parts of objects with references in them.
        case accountSettings, evidence, invoiceSettings, transferData

        /// What a call to this path answers with; nil where only the answer tells.
        init?(answering path: String) {
            let parts = path.split(separator: "/")
            guard parts.first == "v1", parts.count > 1 else { return nil }
            switch parts[1] {
            case "charges": self = .charge
            case "customers": self = .customer
            case "disputes": self = .dispute
            case "payment_intents": self = .paymentIntent
            case "payment_methods": self = .paymentMethod
            case "payouts": self = .payout
            case "refunds": self = .refund
            case "webhook_endpoints": self = .other
            default: return nil
            }
        }

        var expandable: [String: Kind] {
            switch self {
            case .account: Self.ofAccount
            case .accountSettings: ["branding": .absent, "invoices": .absent]
            case .balanceTransaction: ["source": .source, "fee_details": .part]
            case .bankAccount: ["account": .account, "customer": .customer]
            case .charge: Self.ofCharge
            case .customer: Self.ofCustomer
            case .dispute: Self.ofDispute
            case .evidence: Self.ofEvidence
            case .invoiceSettings: ["default_payment_method": .paymentMethod]
            case .paymentIntent: Self.ofPaymentIntent
            case .paymentMethod:
                ["card": .absent, "customer": .customer, "billing_details": .part]
            case .payout: Self.ofPayout
            case .refund: Self.ofRefund
            case .source: Self.ofSource
            case .transferData: ["destination": .account]
            case .balance, .event, .other, .absent, .part: [:]
            }
        }

        private static let ofAccount: [String: Kind] = [
            "business_profile": .part, "capabilities": .part, "company": .absent,
            "controller": .part, "external_accounts": .bankAccount,
            "future_requirements": .part, "individual": .absent, "requirements": .part,
            "settings": .accountSettings, "tos_acceptance": .part,
        ]

        private static let ofCharge: [String: Kind] = [
            "application": .absent, "application_fee": .absent,
            "balance_transaction": .balanceTransaction, "billing_details": .part,
            "customer": .customer, "dispute": .dispute,
            "failure_balance_transaction": .balanceTransaction, "fraud_details": .part,
            "invoice": .absent, "level3": .absent, "on_behalf_of": .account, "outcome": .absent,
            "payment_intent": .paymentIntent, "payment_method_details": .absent,
            "refunds": .refund, "review": .absent, "shipping": .part, "source": .absent,
            "source_transfer": .absent, "transfer": .absent, "transfer_data": .transferData,
        ]

        private static let ofCustomer: [String: Kind] = [
            "address": .part, "cash_balance": .absent, "default_source": .absent,
            "discount": .absent, "invoice_settings": .invoiceSettings, "shipping": .part,
            "sources": .absent, "subscriptions": .absent, "tax": .absent, "tax_ids": .absent,
            "test_clock": .absent,
        ]

        private static let ofDispute: [String: Kind] = [
            "balance_transactions": .balanceTransaction, "charge": .charge, "evidence": .evidence,
            "evidence_details": .part, "payment_intent": .paymentIntent,
            "payment_method_details": .part,
        ]

        private static let ofEvidence: [String: Kind] = [
            "cancellation_policy": .absent, "customer_communication": .absent,
            "customer_signature": .absent, "duplicate_charge_documentation": .absent,
            "receipt": .absent, "refund_policy": .absent, "service_documentation": .absent,
            "shipping_documentation": .absent, "uncategorized_file": .absent,
        ]

        private static let ofPaymentIntent: [String: Kind] = [
            "amount_details": .absent, "application": .absent, "automatic_payment_methods": .part,
            "customer": .customer, "invoice": .absent, "last_payment_error": .absent,
            "latest_charge": .charge, "next_action": .part, "on_behalf_of": .account,
            "payment_method": .paymentMethod, "payment_method_options": .part,
            "payment_record": .absent, "processing": .part, "review": .absent, "shipping": .part,
            "source": .absent, "transfer_data": .transferData,
        ]

        private static let ofPayout: [String: Kind] = [
            "application_fee": .absent, "balance_transaction": .balanceTransaction,
            "destination": .bankAccount, "failure_balance_transaction": .balanceTransaction,
            "original_payout": .payout, "reversed_by": .payout, "trace_id": .part,
        ]

        private static let ofRefund: [String: Kind] = [
            "balance_transaction": .balanceTransaction, "charge": .charge,
            "customer": .customer, "destination_details": .part,
            "failure_balance_transaction": .balanceTransaction, "payment_intent": .paymentIntent,
            "payment_method": .paymentMethod, "source_transfer_reversal": .absent,
            "transfer_reversal": .absent,
        ]

        /// Any of its kinds' members, for the path does not say which it is.
        private static let ofSource: [String: Kind] = [
            ofCharge, ofRefund, ofDispute, ofPayout,
        ].reduce(into: [:]) { all, members in all.merge(members) { first, _ in first } }
    }
}
