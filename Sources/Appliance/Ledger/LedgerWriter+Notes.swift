internal import GRDB

/// What was told of refunds without a balance transaction: kept, and looked at again whenever a
/// refund of the same charge is told or booked.
extension LedgerWriter {
    func considerNote(_ event: PaymentEvent, _ index: Int) throws -> InputOutcome {
        try PostingRules.check(event)
        guard event.amount > .zero else { throw PostingRefusal.amountIsZero }
        try openGate()
        let charge = event.related ?? ""
        let isNews =
            event.kind == .releaseTold ? try keepRelease(event, charge) : try keepRow(event)
        guard isNews else { return .alreadyBooked }
        let count = try settleNotes(of: charge, event, index)
        return count > 0 ? .booked(count: count) : .nothingToBook
    }

    private func keepRow(_ event: PaymentEvent) throws -> Bool {
        guard let told = WaitingMovement(event) else { return false }
        guard var row = try notes.row(told.key) else {
            try notes.store(told, isNew: true)
            return true
        }
        guard row.currency == told.currency, row.merchant == told.merchant,
            row.account == told.account
        else { throw PostingRefusal.movementConflicts }
        let before = row
        row.merge(told)
        guard row != before else { return false }
        try notes.store(row, isNew: false)
        return true
    }

    private func keepRelease(_ event: PaymentEvent, _ charge: String) throws -> Bool {
        guard var release = try notes.release(of: charge) else {
            let release = ChargeRelease(
                currency: event.currency, amount: event.amount, refund: nil, moves: 0)
            try notes.store(release, of: charge, isNew: true)
            return true
        }
        guard release.currency == event.currency else { throw PostingRefusal.movementConflicts }
        guard event.amount > release.amount else { return false }
        release.amount = event.amount
        try notes.store(release, of: charge, isNew: false)
        return true
    }

    /// Looks at all that was told of a charge's refunds again.
    /// - Returns: how many transactions came of it.
    func settleNotes(of charge: String, _ event: PaymentEvent, _ index: Int) throws -> Int {
        guard try !notes.isEmpty() else { return 0 }
        let before = ChargeNotes(
            rows: try notes.rows(of: charge), release: try notes.release(of: charge), refunds: [])
        guard !before.rows.isEmpty || before.release != nil else { return 0 }
        try entries.flush()
        var after = before
        let movement = MovementKey("charge:\(charge)")
        after.refunds = try charges.refunds(of: movement)
        after.payment = try charges.payment(movement)
        let postings = after.settle(event)
        try book(postings, .none, index)
        try openGate()
        for transaction in posted.suffix(postings.count)
        where transaction.posting.kind == .refundFailed {
            try charges.add(refund: transaction.id, of: movement)
        }
        for (row, old) in zip(after.rows, before.rows) where row != old {
            try notes.store(row, isNew: false)
        }
        if let release = after.release, release != before.release {
            try notes.store(release, of: charge, isNew: false)
        }
        return postings.count
    }
}
