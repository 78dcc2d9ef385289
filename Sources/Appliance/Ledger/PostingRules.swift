import Vocabulary

/// The table of contracts §6: from a record, and what is booked of its charge, to postings.
///
/// Pure. Each rule changes the `ChargeState` it is given as if its postings were booked. What an
/// account holds in the end depends on which records came, not on their order or number:
/// - a movement's own posting follows from its event alone;
/// - a payment's place follows from the highest `Standing` and the stricter decision;
/// - a refund, or its failure, is settled as soon as both it and a decline are booked.
enum PostingRules {
    /// Who stands in `ReviewRecord.by` when the daemon itself opened or closed a review.
    static let scoringActor = ReservedNames.scoring

    /// The posting of a movement from its event alone; a payment's from its scoring too.
    /// - Returns: nil for a kind that moves no money.
    static func posting(for scored: ScoredPayment) throws(PostingRefusal) -> Posting? {
        let event = scored.event
        guard let kind = PostingKind(event.kind) else { return nil }
        try check(event, kind)
        let entries = try entries(of: event, kind, place: Standing(scored).place)
        return Posting(
            movement: event.movement, eventID: event.eventID, kind: kind,
            effectiveAt: event.created, entries: entries)
    }

    /// A scored payment: books it, or moves its money when this scoring outweighs the last.
    static func payment(
        _ scored: ScoredPayment, _ base: Posting, _ state: inout ChargeState
    ) throws(PostingRefusal) -> [Posting] {
        let event = scored.event
        let standing = Standing(scored)
        guard var payment = state.payment else {
            var booked = BookedPayment(
                movement: event.movement, eventID: event.eventID, effectiveAt: event.created,
                merchant: event.merchant, processor: .processor(of: event.account),
                currency: event.currency, amount: event.amount, standing: standing,
                place: standing.place, decision: nil, moves: 0)
            var postings = [base]
            if let waiting = state.waiting {
                postings += decide(waiting, &booked, state.refunds)
                state.waiting = nil
            }
            state.payment = booked
            return postings
        }
        guard payment.merchant == event.merchant, payment.currency == event.currency,
            payment.processor == .processor(of: event.account)
        else { throw .movementConflicts }
        var postings: [Posting] = []
        if event.amount > payment.amount { postings.append(growth(of: &payment, event)) }
        if standing > payment.standing {
            payment.standing = standing
            if payment.decision == nil, payment.place != standing.place {
                postings += rescore(&payment, to: standing.place, event)
            }
        }
        state.payment = payment
        return postings
    }

    /// A charge's captured amount only grows, so of two tellings the larger counts and in the end
    /// the largest is booked, whichever came first. The difference goes where the payment stands.
    private static func growth(
        of payment: inout BookedPayment, _ event: PaymentEvent
    ) -> Posting {
        let difference = MinorUnits(event.amount.rawValue - payment.amount.rawValue)
        payment.amount = event.amount
        return Posting(
            movement: MovementKey(
                "\(PostingKind.captureGrown.name):\(payment.movement)#\(event.amount.rawValue)"),
            eventID: event.eventID, kind: .captureGrown, effectiveAt: event.created,
            entries: pair(
                debit: payment.processor, credit: .funds(of: payment.merchant, in: payment.place),
                payment.currency, difference))
    }

    /// A payment is taken back from where its money stands.
    static func reversal(
        _ event: PaymentEvent, _ base: Posting, _ state: inout ChargeState
    ) throws(PostingRefusal) -> Posting {
        guard var payment = state.payment else { throw .paymentUnknown }
        guard payment.merchant == event.merchant, payment.currency == event.currency,
            payment.processor == .processor(of: event.account)
        else { throw .movementConflicts }
        payment.reversed = MinorUnits(payment.reversed.rawValue + event.amount.rawValue)
        state.payment = payment
        var posting = base
        posting.entries = pair(
            debit: .funds(of: payment.merchant, in: payment.place), credit: payment.processor,
            event.currency, event.amount)
        return posting
    }

    /// Whether a record says nothing new of a movement that is booked.
    static func isRepetition(
        _ scored: ScoredPayment, _ base: Posting, of booked: RecentMovements.Booked
    ) throws(PostingRefusal) -> Bool {
        guard base.kind == .payment else {
            guard says(base, booked.posting.entries) else { throw .movementConflicts }
            return true
        }
        guard scored.event.merchant == booked.merchant, let first = booked.posting.entries.first,
            base.kind == booked.posting.kind, scored.event.currency == first.currency,
            first.account == base.entries.first?.account
        else { throw .movementConflicts }
        guard scored.event.amount <= booked.amount else { return false }
        let standing = Standing(scored)
        // Of two that weigh the same and hold the money, the review says what the larger says.
        return standing < booked.standing || (standing == booked.standing && standing.isMild)
    }

    /// Whether a posting says the same as the entries that its movement was booked with. Where a
    /// refund and a reversal take the money from may be told in more than one way; that it leaves
    /// the processor may not.
    static func says(_ posting: Posting, _ booked: [Entry]) -> Bool {
        switch posting.kind {
        case .refund, .refundFailed, .paymentReversed:
            posting.entries.filter(\.account.isProcessor) == booked.filter(\.account.isProcessor)
        default: posting.entries == booked
        }
    }

    /// A person's decision: moves the money, or waits for the payment.
    static func review(
        _ record: ReviewRecord, _ state: inout ChargeState
    ) throws(PostingRefusal) -> [Posting] {
        guard let decision = decision(of: record) else { return [] }
        guard isUsable(record.movement.rawValue), record.movement.rawValue.hasPrefix("charge:")
        else { throw .notReviewable }
        guard var payment = state.payment else {
            state.waiting = state.waiting.map { .standing($0, decision) } ?? decision
            return []
        }
        let postings = decide(decision, &payment, state.refunds)
        state.payment = payment
        return postings
    }

    /// A refund or a failed one: settles it when its payment was declined.
    static func refund(_ event: PaymentEvent, _ base: Posting, _ state: ChargeState) -> [Posting] {
        let refund = BookedRefund(
            objectID: BookedRefund.objectID(of: event.movement),
            failed: base.kind == .refundFailed, eventID: event.eventID, effectiveAt: event.created,
            merchant: event.merchant, processor: .processor(of: event.account),
            currency: event.currency, amount: event.amount)
        guard let decision = state.payment?.decision, decision.decision == .declined else {
            return [base]
        }
        return [base, settlement(of: refund, declinedAt: declineEffective(state.payment, decision))]
    }

    /// The failure of a booked refund that no event books by itself.
    static func failure(_ refund: BookedRefund, _ payment: BookedPayment?) -> [Posting] {
        let base = Posting(
            movement: MovementKey("\(PostingKind.refundFailed.name):\(refund.objectID)"),
            eventID: refund.eventID, kind: .refundFailed, effectiveAt: refund.effectiveAt,
            entries: pair(
                debit: refund.processor, credit: .funds(of: refund.merchant, in: .payable),
                refund.currency, refund.amount))
        guard let decision = payment?.decision, decision.decision == .declined else {
            return [base]
        }
        return [base, settlement(of: refund, declinedAt: declineEffective(payment, decision))]
    }

    /// The decision that a record carries; nil for what is no decision of a person.
    static func decision(of record: ReviewRecord) -> DatedDecision? {
        guard record.by != scoringActor else { return nil }
        switch record.state {
        case .approved: return DatedDecision(decision: .approved, at: record.at)
        case .declined: return DatedDecision(decision: .declined, at: record.at)
        case .opened, .expired: return nil
        }
    }
}

// MARK: - Moves between a merchant's own accounts

extension PostingRules {
    private static func decide(
        _ new: DatedDecision, _ payment: inout BookedPayment, _ refunds: [BookedRefund]
    ) -> [Posting] {
        let old = payment.decision
        let standing = old.map { DatedDecision.standing($0, new) } ?? new
        // A second decline never moves its date: what was settled under it keeps its own.
        guard standing.decision != old?.decision else { return [] }
        payment.decision = standing
        var postings: [Posting] = []
        let effective = declineEffective(payment, standing)
        if payment.place != standing.decision.place {
            let kind: PostingKind =
                standing.decision == .approved ? .reviewApproved : .reviewDeclined
            postings += move(
                payment, to: standing.decision.place, kind, payment.eventID, effective, ordinal: 1)
            payment.place = standing.decision.place
        }
        guard standing.decision == .declined else { return postings }
        return postings + refunds.map { settlement(of: $0, declinedAt: effective) }
    }

    private static func rescore(
        _ payment: inout BookedPayment, to place: FundsPlace, _ event: PaymentEvent
    ) -> [Posting] {
        // Held and released take turns, so every second move is of the same kind again.
        let postings = move(
            payment, to: place, place == .held ? .held : .released, event.eventID, event.created,
            ordinal: payment.moves / 2 + 1)
        payment.moves += 1
        payment.place = place
        return postings
    }

    /// - Returns: nothing where the payment was taken back, so that there is nothing to move.
    private static func move(
        _ payment: BookedPayment, to place: FundsPlace, _ kind: PostingKind, _ event: EventID,
        _ effectiveAt: Instant, ordinal: Int64
    ) -> [Posting] {
        guard payment.remaining != .zero else { return [] }
        let key = "\(kind.name):\(payment.movement)" + (ordinal == 1 ? "" : "#\(ordinal)")
        let posting = Posting(
            movement: MovementKey(key), eventID: event, kind: kind, effectiveAt: effectiveAt,
            entries: pair(
                debit: .funds(of: payment.merchant, in: payment.place),
                credit: .funds(of: payment.merchant, in: place), payment.currency,
                payment.remaining))
        return [posting]
    }

    /// A decision takes effect no earlier than its payment.
    private static func declineEffective(
        _ payment: BookedPayment?, _ decision: DatedDecision
    ) -> Instant {
        max(decision.at, payment?.effectiveAt ?? decision.at)
    }

    /// Takes a refund of a declined payment out of what is due; a failed refund puts it back. Each
    /// is booked for itself, so neither has to know whether the other came.
    private static func settlement(of refund: BookedRefund, declinedAt: Instant) -> Posting {
        let due = AccountName.funds(of: refund.merchant, in: .refundDue)
        let payable = AccountName.funds(of: refund.merchant, in: .payable)
        let kind: PostingKind = refund.failed ? .refundUnsettled : .refundSettled
        return Posting(
            movement: MovementKey("\(kind.name):\(refund.objectID)"), eventID: refund.eventID,
            kind: kind, effectiveAt: max(refund.effectiveAt, declinedAt),
            entries: refund.failed
                ? pair(debit: payable, credit: due, refund.currency, refund.amount)
                : pair(debit: due, credit: payable, refund.currency, refund.amount))
    }
}
