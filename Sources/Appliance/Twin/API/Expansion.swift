/// Which references are to be written as whole objects: the tree of `expand[]`.
struct Expansion: Hashable, Sendable {
    /// Stripe's bound for one path.
    static let depthMax = 4

    private(set) var children: [String: Expansion] = [:]

    static let none = Expansion()

    /// What is to be expanded below `field`; nil where the field keeps its id.
    subscript(field: String) -> Expansion? { children[field] }

    /// - Parameters:
    ///   - paths: `latest_charge.balance_transaction`; a list's begin with `data.`.
    ///   - root: what the answer is.
    init(_ paths: [String], of root: Kind, inList: Bool) throws(APIRefusal) {
        for path in paths {
            var fields = path.split(separator: ".", omittingEmptySubsequences: false)
                .map(String.init)
            guard fields.count <= Self.depthMax + (inList ? 1 : 0) else {
                throw APIRefusal(
                    message: "You cannot expand more than \(Self.depthMax) levels of a property.",
                    parameter: "expand")
            }
            if inList {
                guard fields.first == "data" else { throw Self.cannotExpand(path) }
                fields.removeFirst()
            }
            try add(fields[...], of: root, path: path)
        }
    }

    private init() {}

    private mutating func add(
        _ fields: ArraySlice<String>, of kind: Kind, path: String
    ) throws(APIRefusal) {
        guard let field = fields.first else { return }
        guard let next = kind.expandable[field] else { throw Self.cannotExpand(path) }
        var child = children[field] ?? Expansion()
        try child.add(fields.dropFirst(), of: next, path: path)
        children[field] = child
    }

    private static func cannotExpand(_ path: String) -> APIRefusal {
        APIRefusal(
            message: "This property cannot be expanded (\(path)). You may want to try expanding "
                + "'data.\(path)' instead, if this is a list.",
            parameter: "expand")
    }

    /// The kinds of objects an answer holds, with what each refers to.
    enum Kind: Sendable {
        case balance, balanceTransaction, charge, customer, dispute, event, paymentIntent
        case paymentMethod, payout, refund, other
        case transfer, transferReversal, applicationFee, feeRefund, topUp
        /// A balance transaction's source may be any of several.
        case source

        var expandable: [String: Kind] {
            switch self {
            case .balanceTransaction: ["source": .source]
            case .charge:
                [
                    "balance_transaction": .balanceTransaction, "customer": .customer,
                    "payment_intent": .paymentIntent, "refunds": .refund, "dispute": .dispute,
                    "application_fee": .applicationFee,
                    "failure_balance_transaction": .balanceTransaction, "transfer": .transfer,
                ]
            case .transfer:
                [
                    "balance_transaction": .balanceTransaction, "reversals": .transferReversal,
                    "source_transaction": .charge,
                ]
            case .transferReversal:
                [
                    "balance_transaction": .balanceTransaction, "source_refund": .refund,
                    "transfer": .transfer,
                ]
            case .applicationFee:
                [
                    "balance_transaction": .balanceTransaction,
                    "originating_transaction": .charge, "refunds": .feeRefund,
                ]
            case .feeRefund: ["balance_transaction": .balanceTransaction, "fee": .applicationFee]
            case .topUp: ["balance_transaction": .balanceTransaction]
            case .customer: ["invoice_settings": .other, "default_source": .other]
            case .dispute: ["charge": .charge, "payment_intent": .paymentIntent]
            case .paymentIntent:
                [
                    "customer": .customer, "latest_charge": .charge,
                    "payment_method": .paymentMethod,
                ]
            case .paymentMethod: ["customer": .customer]
            case .payout:
                [
                    "balance_transaction": .balanceTransaction,
                    "failure_balance_transaction": .balanceTransaction,
                ]
            case .refund:
                [
                    "balance_transaction": .balanceTransaction, "charge": .charge,
                    "failure_balance_transaction": .balanceTransaction,
                    "payment_intent": .paymentIntent, "transfer_reversal": .transferReversal,
                ]
            case .source:
                Kind.charge.expandable.merging(Kind.refund.expandable) { first, _ in first }
            case .balance, .event, .other: [:]
            }
        }
    }
}
