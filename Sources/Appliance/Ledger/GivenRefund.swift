package import Vocabulary

/// A refund of a charge that is booked and has given money back. One that failed since, or turned
/// out to be the release of an authorisation, has not.
package struct GivenRefund: Hashable, Sendable {
    /// `re_…`
    package var id: String
    /// What it gave back, above zero.
    package var amount: MinorUnits
    package var currency: Currency

    package init(id: String, amount: MinorUnits, currency: Currency) {
        self.id = id
        self.amount = amount
        self.currency = currency
    }
}

extension [GivenRefund] {
    /// What is left of a payment to be refunded, never below zero. Refunds that were made in
    /// Stripe's dashboard count like those that were made from here.
    ///
    /// - Parameter disputed: what disputes have taken of it and not given back, in its currency:
    ///   Stripe refuses to refund that.
    package func left(of payment: Review, disputed: MinorUnits = .zero) -> MinorUnits {
        let left = reduce(payment.amount &+ -disputed) { left, refund in
            guard refund.currency == payment.currency else { return left }
            return left &+ -refund.amount
        }
        return Swift.max(left, .zero)
    }
}

extension LedgerSQL {
    package func givenRefunds(of charge: MovementKey) throws(LedgerError) -> [GivenRefund] {
        try reading { database in
            let refunds = try Self.refunds(of: charge, database)
            guard !refunds.isEmpty else { return [] }
            let keys = refunds.flatMap { ["refund:\($0)", "refund_failed:\($0)"] }
            let booked = try Self.movements(keys, through: .max, database)
            return refunds.compactMap { refund in
                guard let made = booked["refund:\(refund)"] else { return nil }
                let back = booked["refund_failed:\(refund)"]?.amount ?? .zero
                // What left the processor's account.
                let moved = made.amount &+ back
                guard moved < .zero else { return nil }
                return GivenRefund(id: refund, amount: -moved, currency: made.currency)
            }
        }
    }

    /// The ids of all that were ever booked, each once, in the order of the ledger.
    private static func refunds(
        of charge: MovementKey, _ database: any LedgerSnapshot
    ) throws -> [String] {
        let rows = try database.query("""
            SELECT t.movement FROM refunds r JOIN transactions t ON t.id = r.transaction_id
            WHERE r.charge = ? ORDER BY t.id
            """)
        defer { rows.reset() }
        rows.bind(1, charge.rawValue)
        var refunds: [String] = []
        while try rows.step() {
            let id = BookedRefund.objectID(of: MovementKey(rows.text(0)))
            if !refunds.contains(id) { refunds.append(id) }
        }
        return refunds
    }
}
