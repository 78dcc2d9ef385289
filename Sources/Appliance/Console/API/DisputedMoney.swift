import AppendLog
import Appliance
import Vocabulary

extension PaymentSources {
    /// What disputes have taken of a payment and not given back: while it is away, and for good
    /// where the dispute is lost, Stripe refuses to refund it. What moved in another currency than
    /// the payment's does not count, as with refunds, nor does what is kept in the log no longer.
    ///
    /// - Returns: zero or more; as far as the index has come.
    /// - Throws: `StoreFailure` where index or log cannot be read now.
    func disputed(of review: Review) throws -> MinorUnits {
        guard let row = try index.payment(review.movement.rawValue), row.disputed != 0 else {
            return .zero
        }
        let document = JSONDocument()
        let kinds = [PaymentKind.disputeWithdrawn, .disputeReinstated].map(\.rawValue)
        var taken = MinorUnits.zero
        for step in try index.trail(of: row, limit: StoryReader.recordCountMax)
        where step.topic == .ledgerPosted && kinds.contains(step.word) {
            let record = try log.reader(step.lane).record(at: step.offset)
            guard let posted = try? LedgerPosted(record?.value ?? [], using: document) else {
                continue
            }
            for entry in posted.entries
            where entry.account.hasSuffix(":disputed") && entry.currency == review.currency {
                taken = taken &+ entry.amount
            }
        }
        return max(taken, .zero)
    }
}
