package import AppendLog
package import Vocabulary

// An amount, down to the bytes that it came from. Nothing here is stored: each explanation is read
// from the ledger and the log anew, and what does not fit together is said.

/// Where one of the records behind a transaction lies.
package struct TrailPoint: Hashable, Sendable {
    package enum State: Hashable, Sendable {
        case at(Offset)
        /// Retention has taken it: the first record that is kept has this offset.
        case removed(begins: Offset)
        /// The log should have it, and has not.
        case missing
        /// The ledger has booked it, and the daemon has still to publish it.
        case pending
        /// There is no log, or no such topic in it.
        case noLog
    }

    package var topic: TopicID
    /// nil in a log whose topics have one.
    package var partition: Int32?
    package var state: State

    package var offset: Offset? {
        if case .at(let offset) = state { offset } else { nil }
    }
}

/// What a webhook's signature says when it is computed again, now.
package enum SignatureFinding: Hashable, Sendable {
    /// A secret that is known here made it, over these very bytes.
    case valid(signedAt: Instant)
    /// None of the endpoint's secrets that are known here made it.
    case noMatch
    /// No secret of its endpoint is known here.
    case secretUnknown
    /// The header cannot be read.
    case unreadable(SignatureRefusal)
    case unsigned(UnsignedOrigin)
}

/// How an event came that Stripe did not sign for us.
package enum UnsignedOrigin: String, Sendable {
    case sweep, reconciliation, redrive, unknown
}

/// The webhook that a transaction was booked from, as it lies in `webhook.received`.
package struct ExplainedWebhook: Hashable, Sendable {
    /// nil in a log whose topics have one.
    package var partition: Int32?
    package var offset: Offset
    package var byteCount: Int
    package var type: String?
    /// Empty for the endpoint without a name.
    package var endpoint: String
    package var receivedAt: Timestamp
    package var signature: SignatureFinding
    /// What stands around the amount, or the beginning of the body.
    package var excerpt: Excerpt

    package struct Excerpt: Hashable, Sendable {
        /// The bytes of the body that it is.
        package var range: Range<Int>
        package var bytes: [UInt8]
    }
}

/// How the amount of a transaction follows from what its event tells.
package enum AmountOrigin: Hashable, Sendable {
    /// The event tells it.
    case told
    /// The event tells more than what was booked before it: this much in all.
    case grown(total: MinorUnits)
    /// The ledger moved what it held of the payment or the refund that the event tells of.
    case moved
    /// Nothing is left that tells it.
    case unknown
}

/// A person's decision that moved money.
package struct ExplainedDecision: Hashable, Sendable {
    package var record: ReviewRecord
    package var point: TrailPoint
}

/// A transaction of the ledger with everything that led to it.
package struct ExplainedTransaction: Hashable, Sendable {
    package var transaction: PostedTransaction
    /// `webhook.received`, `payment.validated`, `payment.scored`, `ledger.posted`, in this order.
    package var records: [TrailPoint] = []
    /// Of a record that had been a dead letter: which one.
    package var redrivenFrom: SourcePlace?
    package var webhook: ExplainedWebhook?
    package var origin = AmountOrigin.unknown
    /// What the event tells of the movement, and where.
    package var told: ToldMovement?
    package var decision: ExplainedDecision?
    /// Lines of Stripe's statement that settle it.
    package var statement: [StatementLine] = []
    /// What does not fit together, in sentences.
    package var faults: [String] = []

    /// The numbers in the webhook's bytes that an entry of this account came from.
    package func numbers(for account: AccountName) -> [ToldNumber] {
        guard let told, origin == .told else { return told?.amount ?? [] }
        switch transaction.posting.kind {
        case .disputeWithdrawn, .disputeReinstated:
            if account.isFees { return told.fee }
            guard account.isProcessor else { return told.amount }
            // What the balance changed by: the amount less the fee.
            return told.amount
                + told.fee.map { number in
                    var number = number
                    number.isSubtracted = true
                    return number
                }
        default: return told.amount
        }
    }
}

/// One entry of an account's explanation.
package struct ExplainedEntry: Hashable, Sendable {
    package var amount: MinorUnits
    /// The account's balance behind it, in the order of the ledger.
    package var balance: MinorUnits
    package var transaction: ExplainedTransaction
}

/// An account's balance in one currency, as a page of its entries and their sum.
package struct AccountExplanation: Hashable, Sendable {
    package var account: AccountName
    package var currency: Currency
    package var asOf: Instant?
    package var count: AccountCount
    package var entries: [ExplainedEntry]
    /// The transaction to go on after; nil at the end.
    package var next: TransactionID?
    /// What is wrong with the sum, in sentences; what is wrong with an entry stands there.
    package var sumFaults: [String]

    package var faults: [String] { sumFaults + entries.flatMap(\.transaction.faults) }
}

/// A movement: its own transaction, and the moves that the ledger made because of it.
package struct MovementExplanation: Hashable, Sendable {
    package var name: String
    package var transactions: [ExplainedTransaction]
    /// Of a payout: what Stripe says it is made of, where a run has looked.
    package var payout: PayoutParts?
    package var isPayout: Bool
    /// Of a payout of one's own: what the bank says of it.
    package var bank: BankSide?

    package var faults: [String] { transactions.flatMap(\.faults) }
}
