import Vocabulary

/// What becomes of a batch of records: asks the rules, books what they say, keeps the chain, and
/// moves the positions, all in one transaction of the store.
///
/// Knows no database. Generic over its store, so that the embedded ledger calls it directly.
final class Booking<Rows: LedgerRows> {
    let rows: Rows
    private let clockMilliseconds: @Sendable () -> Int64
    /// What a copy is a copy of; nil for who books first.
    let original: (any LedgerOriginal)?
    /// What tells when something was booked before; nil for who books first.
    var stamps: (any LedgerStamps)?
    var accounts = AccountBook()
    /// Transactions whose movements are believed to be new. The store has the last word: it takes
    /// them up to the first whose movement it has.
    var pending: [PendingTransaction] = []
    var recent = RecentMovements()
    /// Inputs judged by what is pending, which may turn out never to be stored.
    private var repetitions: [Int] = []
    var canonical = CanonicalBytes()

    /// The last transaction, as of this batch, with what is pending; nil when it has to be read
    /// again.
    var head: ChainHead?
    /// The number of the last change of a review, alike.
    private var reviewHead: Int64?
    private(set) var postedAt: Int64 = 0
    private(set) var inputs: [LedgerInput] = []
    private var outcomes: [InputOutcome] = []
    private var details: [Int: String] = [:]
    var posted: [PostedTransaction] = []
    private var reviews: [ReviewChange] = []
    private var renewedCount = 0
    private var places: [Int: DecisionPlace] = [:]
    /// Whether the batch has changed what waits.
    var hasChangedNotes = false
    private var waitingCount: Int?

    init(
        _ rows: Rows, original: (any LedgerOriginal)? = nil,
        clockMilliseconds: @escaping @Sendable () -> Int64
    ) {
        self.rows = rows
        self.original = original
        stamps = original
        self.clockMilliseconds = clockMilliseconds
        pending.reserveCapacity(BookingLimits.pendingMax)
    }

    /// One transaction of the store; whatever is thrown, nothing of it is stored or remembered.
    ///
    /// - Parameter places: of people's decisions, by their place among the inputs.
    func post(
        _ inputs: [LedgerInput], _ positions: [ConsumerPosition],
        _ places: [Int: DecisionPlace] = [:]
    ) throws -> PostOutcome {
        try transaction {
            try begin(inputs, places)
            try book(inputs)
            for position in positions { try advance(position) }
        }
        defer {
            (posted, reviews, outcomes, details) = ([], [], [], [:])
            (self.inputs, self.places) = ([], [:])
        }
        return PostOutcome(
            inputs: outcomes, posted: posted, reviews: reviews, renewedCount: renewedCount,
            details: details, waiting: waitingCount)
    }

    /// Notes which log this ledger is booked from, and how far it has come.
    ///
    /// - Parameter choose: asked once nobody else can write; nil leaves everything as it is.
    func adopt(_ choose: (Rows) throws -> String?) throws {
        try transaction {
            guard let log = try choose(rows) else { return }
            try rows.keep(log: log)
            try rows.keep(
                LedgerEnds(
                    transactions: try rows.head().id, reviews: try rows.lastReview()))
        }
    }

    /// Notes that reviews of payments behind a transaction alone are renewed: of what this ledger
    /// is to be a copy of. Nothing may be booked.
    func inherit(renewalsAfter transaction: Int64) throws {
        try self.transaction { try rows.keep(renewalsAfter: transaction) }
    }

    private func transaction(_ body: () throws -> Void) throws {
        do {
            // What is remembered is of no use once somebody else has written.
            if try rows.begin() { forget() }
            try body()
            waitingCount = try hasChangedNotes ? rows.waitingCount() : nil
            try rows.commit()
            hasChangedNotes = false
        } catch {
            forget()
            rows.rollBack()
            throw error
        }
    }

    /// Drops what is remembered of the store.
    private func forget() {
        (head, reviewHead) = (nil, nil)
        accounts.forget()
        recent.forget()
        pending.removeAll(keepingCapacity: true)
        repetitions.removeAll(keepingCapacity: true)
        hasChangedNotes = false
    }

    private func book(_ inputs: [LedgerInput]) throws {
        for index in inputs.indices {
            try refusing(index) { try consider(inputs[index], index) }
            if !places.isEmpty, let place = places[index] { try keep(place, of: index) }
        }
        try bookPending()
        try rows.seal()
        // A review may be renewed without a transaction.
        guard !posted.isEmpty || !reviews.isEmpty, let head else { return }
        try rows.keep(LedgerEnds(transactions: head.id, reviews: try lastReview()))
    }

    private func begin(_ inputs: [LedgerInput], _ places: [Int: DecisionPlace]) throws {
        accounts.trim()
        (self.inputs, self.places) = (inputs, places)
        // What is pending counts as booked until the store says otherwise.
        outcomes = Array(repeating: .booked(count: 1), count: inputs.count)
        details = [:]
        (posted, reviews, renewedCount) = ([], [], 0)
        posted.reserveCapacity(inputs.count)
        postedAt = clockMilliseconds()
        try rows.prefetch(inputs)
        if head == nil { head = try rows.head() }
    }

    private func advance(_ position: ConsumerPosition) throws {
        let stored = try rows.position(of: position.topic, position.partition)
        // Nothing is stored of a partition that is read from its beginning.
        let from = stored ?? 0
        // Another value than the expected one is another's hand: what was read since is not ours.
        if from > position.nextOffset || from != position.expected ?? from {
            throw LedgerError.positionWentBack(
                topic: position.topic, stored: from,
                given: position.expected ?? position.nextOffset)
        }
        try rows.set(position, isNew: stored == nil)
    }
}

// MARK: - Reviews

extension Booking {
    private func lastReview() throws -> Int64 {
        if let reviewHead { return reviewHead }
        let last = try rows.lastReview()
        reviewHead = last
        return last
    }

    /// Keeps a change of a payment's review, and publishes it after the commit.
    ///
    /// - Parameter renewing: whether the review is open, and stays so.
    func keep(
        _ payment: MovementKey, renewing: Bool = false,
        _ change: (_ id: Int64, _ postedAt: Int64) -> ReviewChange
    ) throws {
        let id = try lastReview() + 1
        let stamp = try stamps?.stamp(ofReviewChange: id)
        let made = change(id, stamp ?? postedAt)
        try original?.confirm(made)
        if renewing {
            try rows.renew(made, of: payment)
            renewedCount += 1
        } else {
            try rows.keep(made, of: payment)
        }
        reviewHead = id
        reviews.append(made)
    }

    /// Everything before the decision has been considered, since a decision is considered alone.
    private func keep(_ place: DecisionPlace, of index: Int) throws {
        guard case .review(let record) = inputs[index] else { return }
        // What a person says of a review is a decision, or nothing.
        let tookEffect =
            switch outcomes[index] {
            case .booked, .nothingToBook: PostingRules.decision(of: record) != nil
            case .alreadyBooked, .refused: false
            }
        try rows.keep(PlacedDecision(place: place, record: record, tookEffect: tookEffect))
    }
}

// MARK: - One input

extension Booking {
    /// Notes the outcome of an input that `body` has judged, if it has; a refusal is one.
    private func refusing(_ index: Int, _ body: () throws -> InputOutcome?) throws {
        do {
            if let outcome = try body() { outcomes[index] = outcome }
        } catch let refusal as PostingRefusal {
            outcomes[index] = .refused(refusal)
            details[index] = try detail(of: refusal, inputs[index])
        }
    }

    /// What a refused input told, what stands in the ledger under its key, and what was expected.
    private func detail(of refusal: PostingRefusal, _ input: LedgerInput) throws -> String {
        var text = input.telling
        if refusal == .movementConflicts, case .scored(let scored) = input {
            let movement = scored.event.movement
            if let booked = recent[movement] {
                text += "; booked: \(booked.posting.telling(total: booked.amount))"
            } else if let booked = try rows.posting(of: movement) {
                let total = try rows.payment(movement)?.amount
                text += "; booked: \(booked.telling(total: total))"
            } else if let noted = try rows.note(movement) {
                text += "; noted: \(noted.telling)"
            }
        }
        return "\(text); expected \(refusal.expectation)"
    }

    /// - Returns: nil when the input is pending.
    private func consider(_ input: LedgerInput, _ index: Int) throws -> InputOutcome? {
        guard case .scored(let scored) = input else { return try considerAlone(index) }
        guard let base = try PostingRules.posting(for: scored) else {
            return scored.event.kind.isNote ? try considerAlone(index) : .nothingToBook
        }
        if let booked = recent[base.movement] {
            let judged = Result { () throws(PostingRefusal) in
                try PostingRules.isRepetition(scored, base, of: booked)
            }
            if case .success(false) = judged { return try considerAlone(index) }
            if !pending.isEmpty { repetitions.append(index) }
            _ = try judged.get()
            return .alreadyBooked
        }
        switch base.kind {
        case .refund, .refundFailed, .paymentReversed: return try considerAlone(index)
        case .payment where try rows.waitingDecision(for: base.movement) != nil:
            return try considerAlone(index)
        default: break
        }
        let standing = base.kind == .payment ? Standing(scored) : .none
        guard try append(base, standing, scored.event.merchant, index) else {
            return try considerAlone(index)
        }
        if pending.count == BookingLimits.pendingMax { try bookPending() }
        return nil
    }

    /// Stores what is pending. From the first row on whose movement turns out to be booked, each
    /// input is considered again, alone: its id and hash were made for another place. So is what
    /// was judged by rows that are not stored.
    private func bookPending() throws {
        guard !pending.isEmpty else { return }
        let count = try storePending(opensReviews: true)
        let rest = Array(pending[count...])
        pending.removeAll(keepingCapacity: true)
        let again = (rest.map(\.input) + repetitions).sorted()
        repetitions.removeAll(keepingCapacity: true)
        guard let first = rest.first else { return }
        head = ChainHead(id: first.id - 1, hash: first.previous)
        for row in rest { takeBack(row) }
        for index in again { try refusing(index) { try considerAlone(index) } }
    }

    /// Considers an input with everything before it in the store.
    private func considerAlone(_ index: Int) throws -> InputOutcome {
        try bookPending()
        switch inputs[index] {
        case .review(let record): return try consider(record, index)
        case .scored(let scored):
            guard let base = try PostingRules.posting(for: scored) else {
                return scored.event.kind.isNote
                    ? try considerNote(scored.event, index) : .nothingToBook
            }
            switch base.kind {
            case .paymentReversed: return try considerReversal(scored.event, base, index)
            case .payment: return try considerPayment(scored, base, index)
            case .refund, .refundFailed: return try considerRefund(scored.event, base, index)
            default:
                let isNew = try bookFirst(base, .none, scored.event.merchant, index)
                return try isNew ? .booked(count: 1) : confirm(base)
            }
        }
    }
}
