import Vocabulary

/// Records that depend on what is known of their charge: each is considered alone, with everything
/// before it in the store.
extension Booking {
    func considerPayment(
        _ scored: ScoredPayment, _ base: Posting, _ index: Int
    ) throws -> InputOutcome {
        let (movement, standing) = (base.movement, Standing(scored))
        var state = ChargeState()
        state.waiting = try rows.waitingDecision(for: movement)
        if state.waiting == nil, recent[movement] == nil,
            try bookFirst(base, standing, scored.event.merchant, index)
        {
            return .booked(count: 1)
        }
        state.payment = try rows.payment(movement)
        if state.waiting?.decision == .declined {
            state.refunds = try rows.refunds(of: movement)
        }
        let before = state
        let postings = try PostingRules.payment(scored, base, &state)
        try book(postings, standing, index)
        try keep(state, was: before, movement)
        try updateReview(of: state.payment, was: before.payment, by: scored)
        if let payment = state.payment {
            recent.add(base, payment.standing, payment.merchant, amount: payment.amount)
        }
        return postings.isEmpty ? .alreadyBooked : .booked(count: postings.count)
    }

    func considerRefund(
        _ event: PaymentEvent, _ base: Posting, _ index: Int
    ) throws -> InputOutcome {
        var state = ChargeState()
        let charge = event.related.map { MovementKey("charge:\($0)") }
        if let charge { state.payment = try rows.payment(charge) }
        let postings = PostingRules.refund(event, base, state)
        if postings.count > 1 {
            if try rows.isBooked(base.movement) { return try confirm(base) }
            try book(postings, .none, index)
        } else {
            guard try bookFirst(base, .none, event.merchant, index) else {
                return try confirm(base)
            }
        }
        // What goes back to where a transfer came from is no merchant's refund.
        guard let charge, event.counterparty == nil else { return .booked(count: postings.count) }
        try rows.add(refund: posted[posted.count - postings.count].id, of: charge)
        let settled = try settleNotes(of: event.related ?? "", event, index)
        return .booked(count: postings.count + settled)
    }

    func considerReversal(
        _ event: PaymentEvent, _ base: Posting, _ index: Int
    ) throws -> InputOutcome {
        if try rows.isBooked(base.movement) { return try confirm(base) }
        // The statement may have told of it before, by its balance transaction.
        if let transaction = event.balanceTransaction,
            try rows.isBooked(MovementKey("charge_reversed:\(transaction)"))
        {
            return .alreadyBooked
        }
        let charge = MovementKey("charge:\(event.related ?? event.objectID)")
        var state = ChargeState()
        state.payment = try rows.payment(charge)
        let before = state
        try book([try PostingRules.reversal(event, base, &state)], .none, index)
        try keep(state, was: before, charge)
        if before.payment?.isUnderReview == true, state.payment?.isUnderReview == false {
            try keep(charge) { .expired(event, charge, id: $0, postedAt: $1) }
        }
        return .booked(count: 1)
    }

    func consider(_ record: ReviewRecord, _ index: Int) throws -> InputOutcome {
        guard let decision = PostingRules.decision(of: record) else { return .nothingToBook }
        let movement = record.movement
        var state = ChargeState()
        state.payment = try rows.payment(movement)
        state.waiting = try rows.waitingDecision(for: movement)
        if decision.decision == .declined { state.refunds = try rows.refunds(of: movement) }
        let before = state
        let postings = try PostingRules.review(record, &state)
        try book(postings, .none, index)
        try keep(state, was: before, movement)
        if before.payment?.isUnderReview == true, state.payment?.isUnderReview == false {
            try rows.closeReview(of: movement)
        }
        if !postings.isEmpty { return .booked(count: postings.count) }
        return state == before ? .alreadyBooked : .nothingToBook
    }

    /// A payment's review is open exactly while it is under review, and says what the scoring said
    /// that weighs the most.
    private func updateReview(
        of payment: BookedPayment?, was before: BookedPayment?, by scored: ScoredPayment
    ) throws {
        guard let payment else { return }
        let movement = payment.movement
        switch (before?.isUnderReview ?? false, payment.isUnderReview) {
        case (false, false): break
        case (false, true):
            // What is captured after all of it was taken back may be told by who knows less.
            let isBest = Standing(scored) >= payment.standing
            let known = try isBest ? nil : rows.finding(of: movement)
            try keep(movement) {
                .opened(scored, known ?? ReviewFinding(scored), id: $0, postedAt: $1)
            }
        case (true, false): try keep(movement) { .released(scored, id: $0, postedAt: $1) }
        case (true, true):
            try renewReview(of: movement, was: before?.standing ?? Standing.none, by: scored)
        }
    }

    /// A scoring that weighs more than the one that opened a review, or as much and whose finding
    /// is the larger, renews it, unless it says the same.
    private func renewReview(
        of movement: MovementKey, was before: Standing, by scored: ScoredPayment
    ) throws {
        let standing = Standing(scored)
        guard standing >= before, let told = try rows.finding(of: movement) else { return }
        let finding = ReviewFinding(scored)
        guard standing > before ? finding != told : finding > told else { return }
        try keep(movement, renewing: true) { .opened(scored, finding, id: $0, postedAt: $1) }
    }

    private func keep(
        _ state: ChargeState, was before: ChargeState, _ movement: MovementKey
    ) throws {
        if state.waiting != before.waiting {
            try rows.keep(waiting: state.waiting, was: before.waiting, for: movement)
        }
        guard let payment = state.payment else { return }
        // A payment that this batch has booked is known by its transaction.
        let booked = before.payment ?? payment.asBooked
        if payment != booked { try rows.keep(payment, was: booked) }
    }

    /// The movement is booked: does it say the same?
    func confirm(_ posting: Posting) throws -> InputOutcome {
        guard let stored = try rows.posting(of: posting.movement),
            PostingRules.says(posting, stored.entries)
        else { throw PostingRefusal.movementConflicts }
        return .alreadyBooked
    }
}
