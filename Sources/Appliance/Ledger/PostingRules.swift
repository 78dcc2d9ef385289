/// The table of contracts §6: from a record, and what is booked of its charge, to postings.
///
/// Pure. Each rule changes the `ChargeState` it is given as if its postings were booked. What an
/// account holds in the end depends on which records came, not on their order or number:
/// - a movement's own posting follows from its event alone;
/// - a payment's place follows from the highest `Standing` and the stricter decision;
/// - a refund, or its failure, is settled as soon as both it and a decline are booked.
enum PostingRules {
    /// Who stands in `ReviewRecord.by` when the daemon itself opened or closed a review.
    static let scoringActor = "scoring"

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
                merchant: event.merchant, currency: event.currency, amount: event.amount,
                standing: standing, place: standing.place, decision: nil, moves: 0)
            var postings = [base]
            if let waiting = state.waiting {
                postings += decide(waiting, &booked, state.refunds)
                state.waiting = nil
            }
            state.payment = booked
            return postings
        }
        guard payment.merchant == event.merchant, payment.currency == event.currency,
            payment.amount == event.amount
        else { throw .movementConflicts }
        guard standing > payment.standing else { return [] }
        payment.standing = standing
        var postings: [Posting] = []
        if payment.decision == nil, payment.place != standing.place {
            postings.append(rescore(&payment, to: standing.place, event))
        }
        state.payment = payment
        return postings
    }

    /// Whether a record says nothing new of a movement that is booked.
    static func isRepetition(
        _ scored: ScoredPayment, _ base: Posting, of booked: RecentMovements.Booked
    ) throws(PostingRefusal) -> Bool {
        guard base.kind == .payment else {
            guard base.entries == booked.posting.entries else { throw .movementConflicts }
            return true
        }
        guard scored.event.merchant == booked.merchant,
            scored.event.currency == booked.posting.entries.first?.currency,
            scored.event.amount == booked.posting.entries.first?.amount
        else { throw .movementConflicts }
        return Standing(scored) <= booked.standing
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
            merchant: event.merchant, currency: event.currency,
            amount: event.amount)
        guard let decision = state.payment?.decision, decision.decision == .declined else {
            return [base]
        }
        return [base, settlement(of: refund, declinedAt: declineEffective(state.payment, decision))]
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
            postings.append(
                move(
                    payment, to: standing.decision.place, kind, payment.eventID, effective,
                    ordinal: 1))
            payment.place = standing.decision.place
        }
        guard standing.decision == .declined else { return postings }
        return postings + refunds.map { settlement(of: $0, declinedAt: effective) }
    }

    private static func rescore(
        _ payment: inout BookedPayment, to place: FundsPlace, _ event: PaymentEvent
    ) -> Posting {
        // Held and released take turns, so every second move is of the same kind again.
        let posting = move(
            payment, to: place, place == .held ? .held : .released, event.eventID, event.created,
            ordinal: payment.moves / 2 + 1)
        payment.moves += 1
        payment.place = place
        return posting
    }

    private static func move(
        _ payment: BookedPayment, to place: FundsPlace, _ kind: PostingKind, _ event: EventID,
        _ effectiveAt: Instant, ordinal: Int64
    ) -> Posting {
        let key = "\(kind.name):\(payment.movement)" + (ordinal == 1 ? "" : "#\(ordinal)")
        return Posting(
            movement: MovementKey(key), eventID: event, kind: kind, effectiveAt: effectiveAt,
            entries: pair(
                debit: .funds(of: payment.merchant, in: payment.place),
                credit: .funds(of: payment.merchant, in: place), payment.currency, payment.amount))
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

// MARK: - Entries

extension PostingRules {
    /// Debits and credits of contracts §6. A zero entry is left out.
    private static func entries(
        of event: PaymentEvent, _ kind: PostingKind, place: FundsPlace
    ) throws(PostingRefusal) -> [Entry] {
        let (amount, currency) = (event.amount, event.currency)
        var payable: AccountName { .funds(of: event.merchant, in: .payable) }
        switch kind {
        case .disputeWithdrawn, .disputeReinstated: return try disputeEntries(of: event, kind)
        case _ where amount.rawValue == 0: throw .amountIsZero
        case .payment:
            return pair(
                debit: .processor, credit: .funds(of: event.merchant, in: place), currency, amount)
        case .refund: return pair(debit: payable, credit: .processor, currency, amount)
        case .refundFailed: return pair(debit: .processor, credit: payable, currency, amount)
        case .payout:
            return pair(debit: .bank(currency), credit: .processor, currency, amount)
        case .payoutFailed:
            return pair(debit: .processor, credit: .bank(currency), currency, amount)
        case .fee: return try ownEntries(of: event)
        case .reviewApproved, .reviewDeclined, .held, .released, .refundSettled, .refundUnsettled:
            preconditionFailure("\(kind) comes from no event")
        }
    }

    /// A dispute moves its amount and its fee, which is below zero when Stripe gives it back; the
    /// processor's entry is their sum.
    private static func disputeEntries(
        of event: PaymentEvent, _ kind: PostingKind
    ) throws(PostingRefusal) -> [Entry] {
        let disputed =
            kind == .disputeWithdrawn ? event.amount.rawValue : -event.amount.rawValue
        let (taken, overflow) = disputed.addingReportingOverflow(event.fee.rawValue)
        guard !overflow, taken != .min else { throw .amountOverflow }
        let entries = [
            Entry(.disputed(event.merchant), event.currency, MinorUnits(disputed)),
            Entry(.fees, event.currency, event.fee),
            Entry(.processor, event.currency, MinorUnits(-taken)),
        ].filter { $0.amount != .zero }
        guard !entries.isEmpty else { throw .amountIsZero }
        return entries
    }

    /// What Stripe charged or moved by itself. `fee` says which way and `outcome` against what;
    /// without them the amount is a fee that was taken.
    private static func ownEntries(of event: PaymentEvent) throws(PostingRefusal) -> [Entry] {
        guard event.fee == .zero || event.fee.rawValue.magnitude == event.amount.rawValue.magnitude
        else { throw .amountOverflow }
        let counter = event.outcome.flatMap(CounterAccount.init) ?? .fees
        let account = AccountName.counter(counter, event.currency)
        return event.fee < .zero
            ? pair(debit: .processor, credit: account, event.currency, event.amount)
            : pair(debit: account, credit: .processor, event.currency, event.amount)
    }

    private static func pair(
        debit: AccountName, credit: AccountName, _ currency: Currency, _ amount: MinorUnits
    ) -> [Entry] {
        [Entry(debit, currency, amount), Entry(credit, currency, -amount)]
    }
}

// MARK: - What a record must be to be booked

extension PostingRules {
    /// Bytes of a movement key or an event id, at most.
    static let keyBytesMax = 255
    /// Bytes of a merchant's id, at most.
    static let merchantBytesMax = 128

    private static func check(
        _ event: PaymentEvent, _ kind: PostingKind
    ) throws(PostingRefusal) {
        guard event.amount >= .zero else { throw .amountIsNegative }
        guard isUsable(event.eventID.rawValue) else { throw .eventIDUnusable }
        // A derived key is longer by at most `review_approved:` and an ordinal.
        guard isUsable(event.movement.rawValue),
            isOwn(event.movement.rawValue, kind)
        else { throw .movementUnusable }
        let merchant = event.merchant.rawValue.utf8
        guard (1...merchantBytesMax).contains(merchant.count), merchant.allSatisfy(isPlain) else {
            throw .merchantUnusable
        }
    }

    /// Printable ASCII without the space, so that a key is one word everywhere.
    private static func isUsable(_ key: String) -> Bool {
        (1...keyBytesMax).contains(key.utf8.count)
            && key.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2E, 0x5F, 0x2D: true
        default: false
        }
    }

    /// Whether a key is one that this kind may carry. Keys of moves that the ledger makes itself
    /// come from no event, or an event could take one that a later move needs.
    private static func isOwn(_ key: String, _ kind: PostingKind) -> Bool {
        switch kind {
        case .payment: key.hasPrefix("charge:")
        case .refund: key.hasPrefix("refund:")
        case .refundFailed: key.hasPrefix("refund_failed:")
        case .disputeWithdrawn, .disputeReinstated: key.hasPrefix("dispute:")
        case .payout: key.hasPrefix("payout:")
        case .payoutFailed: key.hasPrefix("payout_failed:")
        // Reconciliation names what it books after the balance transaction's own type.
        case .fee:
            !PostingKind.allCases.contains { $0 != .fee && key.hasPrefix($0.keyPrefix) }
        default: false
        }
    }
}

extension PostingKind {
    fileprivate var keyPrefix: String {
        switch self {
        case .payment: "charge:"
        case .disputeWithdrawn, .disputeReinstated: "dispute:"
        default: "\(name):"
        }
    }

    /// - Returns: nil for a kind that moves no money.
    fileprivate init?(_ kind: PaymentKind) {
        switch kind {
        case .payment: self = .payment
        case .refund: self = .refund
        case .refundFailed: self = .refundFailed
        case .disputeWithdrawn: self = .disputeWithdrawn
        case .disputeReinstated: self = .disputeReinstated
        case .payout: self = .payout
        case .payoutFailed: self = .payoutFailed
        case .fee: self = .fee
        case .paymentFailed, .disputeOpened, .disputeClosed: return nil
        }
    }
}
