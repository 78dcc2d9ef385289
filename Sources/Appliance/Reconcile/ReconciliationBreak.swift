import Appliance
package import Vocabulary

/// What kind of disagreement a break is (contracts §7).
package enum BreakKind: String, CaseIterable, Sendable {
    case missingInLedger = "missing_in_ledger"
    case missingAtStripe = "missing_at_stripe"
    case amountMismatch = "amount_mismatch"
    case currencyMismatch = "currency_mismatch"
    case duplicateAtStripe = "duplicate_at_stripe"
    /// What Stripe charged or moved by itself and the ledger does not hold.
    case feeUnbooked = "fee_unbooked"
    /// One side lacks it, and it is younger than the grace period: not yet a break.
    case late
    case unknownType = "unknown_type"
    /// An event of Stripe's list that never arrived and cannot be stored; its subject is its id.
    case eventRefused = "event_refused"
}

/// A disagreement between Stripe and the ledger. Amounts are changes of `processor:stripe`, in
/// minor units; a side that knows nothing has none.
package struct ReconciliationBreak: Hashable, Sendable {
    /// An amount in its currency.
    package struct Side: Hashable, Sendable {
        package var currency: Currency
        package var amount: MinorUnits
    }

    package var kind: BreakKind
    /// What it is about, and with the kind its identity: a balance transaction, or a movement.
    package var subject: String
    package var movement: String?
    package var balanceTransaction: String?
    /// Stripe's word for the balance transaction.
    package var type: String?
    package var stripe: Side?
    package var ledger: Side?
    package var occurredAt: Instant
    /// Whose statement and whose balance it is about.
    package var account = StripeAccount.own
}

extension ReconciliationBreak {
    /// What a person may do about it, in one sentence. Nothing books a correction by hand: what the
    /// ledger holds follows from events and the statement alone.
    var suggestion: String {
        let booked = "`tillbox ledger show \(movement ?? subject)`"
        let letters = "the topic dead.letter (`tillbox log cat dead.letter`; in the profile cloud "
            + "with Kafka's own tools)"
        return switch kind {
        case .missingInLedger:
            "run `tillbox reconcile sweep`; if it stays, look for \(subject) in \(letters), and "
                + "else ask Stripe's support which event tells of it"
        case .missingAtStripe:
            "look \(subject) up in Stripe's dashboard; if Stripe has no such money, find out who "
                + "sent the event that \(booked) names, and roll the signing secret"
        case .amountMismatch:
            "compare \(subject) in Stripe's dashboard with \(booked); an event that never came is "
                + "fetched by `tillbox reconcile sweep`, and else ask Stripe's support why the two "
                + "differ"
        case .currencyMismatch:
            "compare the currency of \(subject) in Stripe's dashboard with \(booked), and ask "
                + "Stripe's support why the event that it names tells of another"
        case .duplicateAtStripe:
            "ask Stripe's support about \(subject): older balance transactions have settled the "
                + "same object in full"
        case .feeUnbooked:
            "run `tillbox reconcile run`; if it stays, look for \(subject) in \(letters)"
        case .late: "nothing yet: the other side has time until the grace period ends"
        case .unknownType:
            "update tillbox: this version has no account for \(type ?? "its type"); until then "
                + "\(subject) is what ledger and Stripe differ by"
        case .eventRefused:
            "`tillbox reconcile sweep` says why \(subject) cannot be stored; where Kafka finds it "
                + "too large, raise max.message.bytes of the topic webhook.received: each sweep "
                + "tries again while Stripe lists it, for 30 days"
        }
    }
}

/// A break as it is stored, with its history.
package struct StoredBreak: Hashable, Sendable {
    /// Its place in lists; nil for what the run itself has booked.
    var id: Int64
    package var found: ReconciliationBreak
    package var firstRun: Int64
    /// The run that no longer saw it, or that booked it itself; nil while it is open.
    package var resolvedRun: Int64?

    /// What a person may do about it; nil for what is resolved.
    package var suggestion: String? { resolvedRun == nil ? found.suggestion : nil }

    /// Seconds from when it happened to `now`, never below zero.
    package func ageSeconds(at now: Instant) -> Int64 {
        max(0, now.seconds - found.occurredAt.seconds)
    }
}

extension Settlement {
    /// The breaks of this row: at most one of its movement and one of its fee.
    ///
    /// - Parameters:
    ///   - booked: what the ledger holds, by key.
    ///   - dueBefore: what happened at or after this is late, not missing.
    ///   - group: what all rows that settle the same movement come to, and the oldest of them; it
    ///     speaks for all of them.
    func breaks(
        booked: [String: LedgerMovement], dueBefore: Instant,
        group: (amount: MinorUnits, oldest: String)? = nil
    ) -> [ReconciliationBreak] {
        var breaks: [ReconciliationBreak] = []
        let speaks = group.map { $0.oldest == statement.id } ?? true
        if let kind = kind(dueBefore: dueBefore), speaks {
            let key = heldKey(booked)
            let held = key.flatMap { booked[$0] }
            let amount = group?.amount ?? processorAmount
            breaks.append(
                ReconciliationBreak(
                    kind: kind, subject: statement.id, movement: key,
                    balanceTransaction: statement.id, type: statement.type,
                    stripe: .init(currency: statement.currency, amount: amount),
                    // A movement that another row settles, or takes back, is not this row's.
                    ledger: transaction == nil || finding == .duplicate
                        ? nil : held.map { .init(currency: $0.currency, amount: $0.amount) },
                    occurredAt: statement.created, account: account))
        }
        if feeState == .unbooked || feeState == .otherAmount {
            let key = ReconciledRecord.feeKey(statement.id)
            breaks.append(
                ReconciliationBreak(
                    kind: feeKind(booked[key]), subject: key,
                    movement: key, balanceTransaction: statement.id, type: statement.type,
                    stripe: .init(currency: statement.currency, amount: -statement.fee),
                    ledger: booked[key].map { .init(currency: $0.currency, amount: $0.amount) },
                    occurredAt: statement.created, account: account))
        }
        return breaks
    }

    private func feeKind(_ held: LedgerMovement?) -> BreakKind {
        guard feeState == .otherAmount, let held else { return .feeUnbooked }
        return held.currency == statement.currency ? .amountMismatch : .currencyMismatch
    }

    private func kind(dueBefore: Instant) -> BreakKind? {
        switch finding {
        case .none: nil
        case .missing: dueAt < dueBefore ? .missingInLedger : .late
        case .otherAmount: .amountMismatch
        case .otherCurrency: .currencyMismatch
        case .duplicate: .duplicateAtStripe
        case .unknownType: .unknownType
        case .unbooked, .unconverted: .feeUnbooked
        }
    }

    /// A payment by a slow method stands in the statement from its announcement on, and its event
    /// comes when it succeeds: not before its money is available.
    private var dueAt: Instant {
        statement.type == BalanceTransactionType.payment.rawValue
            ? max(statement.created, statement.availableOn) : statement.created
    }

    /// The key of the movement that the row settles, else of the one that it should.
    private func heldKey(_ booked: [String: LedgerMovement]) -> String? {
        let settled = SettlementMatcher.settledKeys(of: statement).first { key in
            booked[key]?.transaction == transaction
        }
        return transaction == nil ? movementKey : settled ?? movementKey
    }

    private var movementKey: String? {
        switch statement.meaning {
        case .movement(let key, _, _), .told(let key, _, _): key
        case .failedPayment(let key, _):
            finding == .missing ? key : ReconciledRecord.reversalKey(of: statement)
        case .own: ReconciledRecord.feeKey(statement.id)
        case .unknown: nil
        }
    }

    /// How Stripe's side changed, without a fee that is judged on its own.
    private var processorAmount: MinorUnits {
        switch statement.meaning {
        case .movement(_, let processor, _), .told(_, let processor, _): processor
        case .failedPayment: statement.amount
        case .own, .unknown: statement.net
        }
    }
}
