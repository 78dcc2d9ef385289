import Vocabulary

/// What was told of refunds without a balance transaction: kept, and looked at again whenever a
/// refund of the same charge is told or booked.
extension Booking {
    func considerNote(_ event: PaymentEvent, _ index: Int) throws -> InputOutcome {
        try PostingRules.check(event)
        guard event.amount > .zero else { throw PostingRefusal.amountIsZero }
        let charge = event.related ?? ""
        let isNews =
            event.kind == .releaseTold ? try keepRelease(event, charge) : try keepRow(event)
        guard isNews else { return .alreadyBooked }
        let count = try settleNotes(of: charge, event, index)
        return count > 0 ? .booked(count: count) : .nothingToBook
    }

    private func keepRow(_ event: PaymentEvent) throws -> Bool {
        guard let told = WaitingMovement(event) else { return false }
        guard var row = try rows.note(told.key) else {
            try keep(told, isNew: true)
            return true
        }
        guard row.currency == told.currency, row.merchant == told.merchant,
            row.account == told.account
        else { throw PostingRefusal.movementConflicts }
        let before = row
        row.merge(told)
        guard row != before else { return false }
        try keep(row, isNew: false)
        return true
    }

    private func keepRelease(_ event: PaymentEvent, _ charge: String) throws -> Bool {
        guard var release = try rows.release(of: charge) else {
            let release = ChargeRelease(
                currency: event.currency, amount: event.amount, refund: nil, moves: 0)
            try keep(release, of: charge, isNew: true)
            return true
        }
        guard release.currency == event.currency else { throw PostingRefusal.movementConflicts }
        guard event.amount > release.amount else { return false }
        release.amount = event.amount
        try keep(release, of: charge, isNew: false)
        return true
    }

    /// Looks at all that was told of a charge's refunds again.
    /// - Returns: how many transactions came of it.
    func settleNotes(of charge: String, _ event: PaymentEvent, _ index: Int) throws -> Int {
        guard try rows.hasNotes() else { return 0 }
        let before = ChargeNotes(
            rows: try rows.notes(of: charge), release: try rows.release(of: charge), refunds: [])
        guard !before.rows.isEmpty || before.release != nil else { return 0 }
        var after = before
        let movement = MovementKey("charge:\(charge)")
        after.refunds = try rows.refunds(of: movement)
        after.payment = try rows.payment(movement)
        let postings = after.settle(event)
        try book(postings, .none, index)
        for transaction in posted.suffix(postings.count)
        where transaction.posting.kind == .refundFailed {
            try rows.add(refund: transaction.id, of: movement)
        }
        for (row, old) in zip(after.rows, before.rows) where row != old {
            try keep(row, isNew: false)
        }
        if let release = after.release, release != before.release {
            try keep(release, of: charge, isNew: false)
        }
        return postings.count
    }

    private func keep(_ note: WaitingMovement, isNew: Bool) throws {
        try rows.keep(note, isNew: isNew)
        hasChangedNotes = true
    }

    private func keep(_ release: ChargeRelease, of charge: String, isNew: Bool) throws {
        try rows.keep(release, of: charge, isNew: isNew)
        hasChangedNotes = true
    }
}
