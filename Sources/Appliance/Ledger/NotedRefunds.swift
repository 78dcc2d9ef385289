package import Vocabulary

/// A refund, or the sum of a charge's refunds, that was told and is not booked.
package struct WaitingMovement: Hashable, Sendable {
    /// What it is known by.
    package enum Kind: String, Sendable {
        /// One refund, by its id.
        case refund
        /// What a charge tells as refunded in all.
        case refundsOfCharge = "refunds_of_charge"
    }

    enum State: Int64, Sendable {
        case waits = 0
        /// Booked, or explained by what is.
        case booked = 1
        case released = 2
        case failed = 3
    }

    /// `refund:re_…` or `refunds_told:ch_…`.
    package var key: MovementKey
    package var kind: Kind
    /// `ch_…`, or the payment intent where the refund names no charge; empty where it names
    /// neither.
    package var charge: String
    /// Of Connect; nil is the platform.
    package var account: String?
    var merchant: MerchantID
    package var currency: Currency
    package var amount: MinorUnits
    /// The first event that told it, by its time and then its id.
    package var eventID: EventID
    package var since: Instant
    /// The strongest that any event has said of it.
    var said: NotedRefund
    var state: State

    /// Why it is not booked, for people.
    package var reason: String {
        switch kind {
        case .refund: "no balance transaction was told"
        case .refundsOfCharge: "the charge tells a sum and not which refunds"
        }
    }

    /// What would end the waiting, for people.
    package var waitsFor: String {
        switch kind {
        case .refund:
            "refund.updated with a balance transaction, the charge's release, or the statement"
        case .refundsOfCharge: "the charge's refund.* events, or the statement"
        }
    }

    init(
        key: MovementKey, kind: Kind, charge: String, account: String?, merchant: MerchantID,
        currency: Currency, amount: MinorUnits, eventID: EventID, since: Instant,
        said: NotedRefund, state: State
    ) {
        self.key = key
        self.kind = kind
        self.charge = charge
        self.account = account
        self.merchant = merchant
        self.currency = currency
        self.amount = amount
        self.eventID = eventID
        self.since = since
        self.said = said
        self.state = state
    }

    /// - Returns: nil for an event that notes no refund.
    init?(_ event: PaymentEvent) {
        guard event.kind == .refundNoted || event.kind == .refundsTold else { return nil }
        self.init(
            key: event.movement, kind: event.kind == .refundNoted ? .refund : .refundsOfCharge,
            charge: event.related ?? "", account: event.account, merchant: event.merchant,
            currency: event.currency, amount: event.amount, eventID: event.eventID,
            since: event.created, said: event.outcome.flatMap(NotedRefund.init) ?? .told,
            state: .waits)
    }

    /// Both tellings as one; the same in either order.
    mutating func merge(_ other: Self) {
        amount = max(amount, other.amount)
        if (other.since, other.eventID.rawValue) < (since, eventID.rawValue) {
            (since, eventID) = (other.since, other.eventID)
        }
        if charge.isEmpty { charge = other.charge }
        if other.said.weight > said.weight { said = other.said }
    }
}

extension NotedRefund {
    /// What the table keeps; the larger of two stands.
    var weight: Int64 {
        switch self {
        case .told: 0
        case .released: 2
        case .failed: 3
        }
    }

    init?(weight: Int64) {
        switch weight {
        case 0: self = .told
        case 2: self = .released
        case 3: self = .failed
        default: return nil
        }
    }
}

/// How much of a charge's refunds was the release of an authorisation.
struct ChargeRelease: Hashable, Sendable {
    var currency: Currency
    /// The most that any event has told.
    var amount: MinorUnits
    /// The booked refund that is taken back for it.
    var refund: String?
    var moves: Int64
}

/// All that was told of one charge's refunds. Pure: what follows from it depends on what was told
/// and booked, never on the order.
///
/// Of one charge at most one refund is a release: the part that was not captured goes in one piece.
/// Which of several of its size it is makes no difference to any balance.
package struct ChargeNotes: Sendable {
    var rows: [WaitingMovement]
    var release: ChargeRelease?
    /// Booked refunds, and booked failures of refunds.
    var refunds: [BookedRefund]
    /// The charge's payment, where it is booked.
    var payment: BookedPayment?

    /// Brings every row's state and the release up to date.
    /// - Parameter event: what caused it, for the postings that take a refund back or restore one.
    /// - Returns: those postings.
    mutating func settle(_ event: PaymentEvent) -> [Posting] {
        let failures = failures(event)
        let takenBack = judge()
        return failures + takeBack(takenBack, among: refunds.filter { !$0.failed }, event)
    }

    /// The same rows as they must be once all of it is settled.
    func settled() -> Self {
        var settled = self
        let takenBack = settled.judge()
        settled.release?.refund = takenBack
        return settled
    }

    /// A booked refund of which somebody tells that it failed, and not by which transaction: Stripe
    /// gives back what it took. The event that names the transaction says the same.
    private mutating func failures(_ event: PaymentEvent) -> [Posting] {
        let failed = Set(refunds.filter(\.failed).map(\.objectID))
        let told = rows.filter { $0.kind == .refund && $0.said == .failed }
        var postings: [Posting] = []
        for refund in refunds where !refund.failed && !failed.contains(refund.objectID) {
            let row = told.first { BookedRefund.objectID(of: $0.key) == refund.objectID }
            guard let row else { continue }
            var failure = refund
            failure.failed = true
            failure.eventID = event.eventID
            failure.effectiveAt = max(refund.effectiveAt, row.since, event.created)
            refunds.append(failure)
            postings += PostingRules.failure(failure, payment)
        }
        return postings
    }

    /// - Returns: the booked refund that is the release; nil where there is none.
    private mutating func judge() -> String? {
        let made = refunds.filter { !$0.failed }
        let booked = Set(made.map(\.objectID))
        let released = releasedRow(booked)
        let takenBack = released == nil ? releasedRefund(among: made) : nil
        for index in rows.indices where rows[index].kind == .refund {
            rows[index].state = state(of: rows[index], booked, released)
        }
        let isOpen = release != nil && released == nil && takenBack == nil
        for index in rows.indices where rows[index].kind == .refundsOfCharge {
            let isExplained =
                explained(
                    made, booked, in: rows[index].currency, byRelease: isOpen)
                >= rows[index].amount.rawValue
            rows[index].state =
                isExplained ? .booked : rows[index].said == .told ? .waits : .released
        }
        return takenBack
    }

    private func state(
        of row: WaitingMovement, _ booked: Set<String>, _ released: MovementKey?
    ) -> WaitingMovement.State {
        if booked.contains(BookedRefund.objectID(of: row.key)) { return .booked }
        switch row.said {
        case .failed: return .failed
        case .released: return .released
        case .told: return row.key == released ? .released : .waits
        }
    }

    /// The refund without a balance transaction that is the release; nil where none is of its size.
    private func releasedRow(_ booked: Set<String>) -> MovementKey? {
        guard let release else { return nil }
        let fitting = rows.filter {
            $0.kind == .refund && $0.said != .failed && $0.amount == release.amount
                && $0.currency == release.currency
                && !booked.contains(BookedRefund.objectID(of: $0.key))
        }
        // One that was told as released comes before those of which nobody has said so.
        func order(_ row: WaitingMovement) -> (Int, String) {
            (row.said == .released ? 0 : 1, row.key.rawValue)
        }
        return fitting.min { order($0) < order($1) }?.key
    }

    /// The booked refund that is the release: its transaction undid what was never captured.
    private func releasedRefund(among made: [BookedRefund]) -> String? {
        guard let release else { return nil }
        let failed = Set(refunds.filter(\.failed).map(\.objectID))
        let fitting = made.filter {
            $0.amount == release.amount && $0.currency == release.currency
                && !failed.contains($0.objectID)
        }.map(\.objectID)
        if let refund = release.refund, fitting.contains(refund) { return refund }
        return fitting.min()
    }

    /// How much of a told sum is accounted for: by refunds that are known by their ids, whether
    /// they moved money or not, and by a release that no refund stands for.
    private func explained(
        _ made: [BookedRefund], _ booked: Set<String>, in currency: Currency, byRelease: Bool
    ) -> Int64 {
        var sum = made.filter { $0.currency == currency }.reduce(0) { $0 + $1.amount.rawValue }
        for row in rows
        where row.kind == .refund && row.currency == currency && row.said != .failed
            && !booked.contains(BookedRefund.objectID(of: row.key))
        {
            sum += row.amount.rawValue
        }
        if byRelease, let release, release.currency == currency { sum += release.amount.rawValue }
        return sum
    }

    private mutating func takeBack(
        _ wanted: String?, among made: [BookedRefund], _ event: PaymentEvent
    ) -> [Posting] {
        guard var release, wanted != release.refund else { return [] }
        var postings: [Posting] = []
        let moves = [(release.refund, PostingKind.refundRestored), (wanted, .refundReleased)]
        for (id, kind) in moves {
            guard let id, let refund = made.first(where: { $0.objectID == id }) else { continue }
            release.moves += 1
            let payable = AccountName.funds(of: refund.merchant, in: .payable)
            let isBack = kind == .refundReleased
            postings.append(
                Posting(
                    movement: MovementKey("\(kind.name):\(id)#\(release.moves)"),
                    eventID: event.eventID, kind: kind, effectiveAt: event.created,
                    entries: PostingRules.pair(
                        debit: isBack ? refund.processor : payable,
                        credit: isBack ? payable : refund.processor, refund.currency,
                        refund.amount)))
        }
        release.refund = wanted
        self.release = release
        return postings
    }
}
