// MARK: - Entries

import Vocabulary

extension PostingRules {
    /// Debits and credits of contracts §6. A zero entry is left out.
    static func entries(
        of event: PaymentEvent, _ kind: PostingKind, place: FundsPlace
    ) throws(PostingRefusal) -> [Entry] {
        switch kind {
        case .disputeWithdrawn, .disputeReinstated: return try disputeEntries(of: event, kind)
        case _ where event.amount == .zero: throw .amountIsZero
        case .fee: return try ownEntries(of: event)
        default: break
        }
        let processor = AccountName.processor(of: event.account)
        let other = counterpart(of: event, kind, place)
        return comesIn(kind)
            ? pair(debit: processor, credit: other, event.currency, event.amount)
            : pair(debit: other, credit: processor, event.currency, event.amount)
    }

    /// Whether the money comes into the processor's account.
    private static func comesIn(_ kind: PostingKind) -> Bool {
        switch kind {
        case .payment, .refundFailed, .payoutFailed, .payoutDebit, .transferReversed,
            .transferPayment, .applicationFee, .topup:
            true
        default: false
        }
    }

    /// What stands against the processor's account.
    private static func counterpart(
        of event: PaymentEvent, _ kind: PostingKind, _ place: FundsPlace
    ) -> AccountName {
        switch kind {
        case .payment: .funds(of: event.merchant, in: place)
        // Where the payment stands is the ledger's to say; see `reversal`.
        case .paymentReversed: .funds(of: event.merchant, in: .payable)
        case .refund, .refundFailed:
            event.counterparty.map { .transfers(to: $0) }
                ?? .funds(of: event.merchant, in: .payable)
        case .payout, .payoutFailed, .payoutDebit, .payoutDebitFailed, .topup, .topupReversed:
            .bank(event.currency, of: event.account)
        case .transfer, .transferReversed: .transfers(to: event.counterparty)
        case .transferPayment: .transfers(to: event.account)
        case .applicationFee, .applicationFeeRefunded: .applicationFees
        case .disputeWithdrawn, .disputeReinstated, .fee, .captureGrown, .reviewApproved,
            .reviewDeclined, .held, .released, .refundSettled, .refundUnsettled, .refundReleased,
            .refundRestored:
            preconditionFailure("\(kind) has no one account against the processor's")
        }
    }

    /// A dispute moves its amount and its fee, which is below zero when Stripe gives it back; the
    /// processor's entry is their sum.
    private static func disputeEntries(
        of event: PaymentEvent, _ kind: PostingKind
    ) throws(PostingRefusal) -> [Entry] {
        let disputed =
            kind == .disputeWithdrawn ? event.amount.rawValue : -event.amount.rawValue
        // Neither is above `MinorUnits.movementMax`, so their sum is far from the ends of Int64.
        let taken = disputed + event.fee.rawValue
        let entries = [
            Entry(.disputed(event.merchant), event.currency, MinorUnits(disputed)),
            Entry(.fees(of: event.account), event.currency, event.fee),
            Entry(.processor(of: event.account), event.currency, MinorUnits(-taken)),
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
        let account = AccountName.counter(counter, event.currency, of: event.account)
        // A bank keeps of what Stripe has sent: nothing of that is Stripe's.
        let holder: AccountName =
            counter == .bankCharges
            ? .bank(event.currency, of: event.account) : .processor(of: event.account)
        return event.fee < .zero
            ? pair(debit: holder, credit: account, event.currency, event.amount)
            : pair(debit: account, credit: holder, event.currency, event.amount)
    }

    static func pair(
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

    static func check(
        _ event: PaymentEvent, _ kind: PostingKind
    ) throws(PostingRefusal) {
        try check(event)
        guard isOwn(event.movement.rawValue, kind) else { throw .movementUnusable }
    }

    /// What holds for every kind, notes included.
    static func check(_ event: PaymentEvent) throws(PostingRefusal) {
        guard event.amount >= .zero else { throw .amountIsNegative }
        guard event.amount <= .movementMax,
            event.fee.rawValue.magnitude <= MinorUnits.movementMax.rawValue
        else { throw .amountOverflow }
        guard isUsable(event.eventID.rawValue) else { throw .eventIDUnusable }
        // A derived key is longer by at most `review_approved:` and an ordinal.
        guard isUsable(event.movement.rawValue) else { throw .movementUnusable }
        let merchant = event.merchant.rawValue
        guard (1...merchantBytesMax).contains(merchant.utf8.count), all(merchant, isPlain) else {
            throw .merchantUnusable
        }
    }

    /// Printable ASCII without the space, so that a key is one word everywhere.
    static func isUsable(_ key: String) -> Bool {
        (1...keyBytesMax).contains(key.utf8.count)
            && all(key) { (0x21...0x7E).contains($0) }
    }

    /// Over the bytes where they lie: the view's own iterator decodes each of them.
    @inline(__always)
    private static func all(_ text: String, _ holds: (UInt8) -> Bool) -> Bool {
        text.utf8.withContiguousStorageIfAvailable { $0.allSatisfy(holds) }
            ?? text.utf8.allSatisfy(holds)
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
        // Reconciliation names what it books after the balance transaction's own type.
        case .fee:
            !PostingKind.allCases.contains { $0 != .fee && key.hasPrefix($0.keyPrefix) }
        default: !kind.isInternal && key.hasPrefix(kind.keyPrefix)
        }
    }
}

extension PostingKind {
    fileprivate var keyPrefix: String {
        switch self {
        case .payment, .transferPayment: "charge:"
        case .paymentReversed: "charge_reversed:"
        case .disputeWithdrawn, .disputeReinstated: "dispute:"
        case .payout, .payoutDebit: "payout:"
        case .payoutFailed, .payoutDebitFailed: "payout_failed:"
        default: "\(name):"
        }
    }

    /// - Returns: nil for a kind that moves no money.
    init?(_ kind: PaymentKind) {
        switch kind {
        case .payment: self = .payment
        case .refund: self = .refund
        case .refundFailed: self = .refundFailed
        case .disputeWithdrawn: self = .disputeWithdrawn
        case .disputeReinstated: self = .disputeReinstated
        case .payout: self = .payout
        case .payoutFailed: self = .payoutFailed
        case .fee: self = .fee
        case .paymentReversed: self = .paymentReversed
        case .payoutDebit: self = .payoutDebit
        case .payoutDebitFailed: self = .payoutDebitFailed
        case .transfer: self = .transfer
        case .transferReversed: self = .transferReversed
        case .transferPayment: self = .transferPayment
        case .applicationFee: self = .applicationFee
        case .applicationFeeRefunded: self = .applicationFeeRefunded
        case .topup: self = .topup
        case .topupReversed: self = .topupReversed
        case .paymentFailed, .disputeOpened, .disputeClosed, .refundNoted, .refundsTold,
            .releaseTold:
            return nil
        }
    }
}
