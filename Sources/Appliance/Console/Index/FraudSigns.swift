import AppendLog
import GRDB
import Vocabulary

/// What banks have told of a payment: that its card's issuer reported fraud, or that the payer
/// disputes it.
struct FraudSign: Hashable, Sendable {
    enum Kind: Hashable, Sendable {
        /// Stripe's `radar.early_fraud_warning`, which stops no money and no verdict knows of.
        case warning
        case dispute
    }

    var charge: String
    var kind: Kind
    /// When Stripe's first webhook of it was kept.
    var at: Timestamp
    /// Of the payment; nil while only its webhooks are known.
    var amount: MinorUnits?
    var currency: Currency?
}

extension FraudSign.Kind {
    /// The types of webhooks that tell of each.
    fileprivate static let words: [(String, Self)] = [
        ("radar.early_fraud_warning.created", .warning),
        ("radar.early_fraud_warning.updated", .warning),
        ("charge.dispute.created", .dispute),
    ]
}

extension PaymentIndex {
    /// Payments of one customer that are looked through.
    private static var signPaymentsMax: Int { 1_000 }

    /// Early fraud warnings and disputes of a payment and of its customer's newest others, the
    /// newest first, each once. Whose card it is the index does not know. Blocking.
    func fraudSigns(of row: PaymentRow, limit: Int) throws(StoreFailure) -> [FraudSign] {
        let types = FraudSign.Kind.words
        let marks = types.map { _ in "?" }.joined(separator: ", ")
        return try reading { database in
            let rows = try Row.fetchAll(
                database,
                sql: """
                    SELECT p.charge, p.amount, p.currency, t.word, min(t.at) AS at
                    FROM (SELECT * FROM (
                            SELECT id, charge, amount, currency
                            FROM payments INDEXED BY payments_customer WHERE customer = ?
                            ORDER BY created DESC, id DESC LIMIT ?)
                        UNION SELECT id, charge, amount, currency FROM payments WHERE id = ?) p
                    JOIN trail t ON t.payment = p.id AND t.topic = ?
                    WHERE t.word IN (\(marks))
                    GROUP BY p.id, CASE WHEN t.word LIKE 'charge.%' THEN 1 ELSE 0 END
                    ORDER BY at DESC, p.id LIMIT ?
                    """,
                arguments: [
                    row.told?.customer, Self.signPaymentsMax, row.id,
                    TopicID.webhookReceived.number,
                ] + StatementArguments(types.map(\.0)) + [limit])
            return rows.compactMap { found -> FraudSign? in
                let word: String = found["word"]
                guard let kind = types.first(where: { $0.0 == word })?.1 else { return nil }
                let (amount, code): (Int64?, String?) = (found["amount"], found["currency"])
                return FraudSign(
                    charge: found["charge"], kind: kind,
                    at: Timestamp(milliseconds: found["at"]),
                    amount: amount.map { MinorUnits($0) }, currency: code.flatMap { Currency($0) })
            }
        }
    }
}
