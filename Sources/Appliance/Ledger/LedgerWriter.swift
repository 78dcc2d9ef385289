internal import GRDB

/// Everything between `BEGIN` and `COMMIT` of one batch: asks the rules, books what they say, keeps
/// the chain. Lives inside the ledger's queue.
final class LedgerWriter {
    private let clockMilliseconds: @Sendable () -> Int64
    private let accounts: AccountCache
    private let charges: ChargeStore
    private let statements: Statements
    private var canonical = CanonicalBytes()

    /// The last transaction, as of this batch; nil when it has to be read again.
    private var head: (id: Int64, hash: [UInt8])?
    private var dataVersion: Int64 = -1
    private var isGateOpen = false
    private var postedAt: Int64 = 0
    private var posted: [PostedTransaction] = []
    private let entries: EntryBuffer

    private struct Statements {
        let head, dataVersion, openGate, closeGate: LedgerStatement
        let insertTransaction: LedgerStatement
        let readPosition, updatePosition, insertPosition: LedgerStatement
    }

    init(_ database: Database, _ clockMilliseconds: @escaping @Sendable () -> Int64) throws {
        self.clockMilliseconds = clockMilliseconds
        accounts = try AccountCache(database)
        charges = try ChargeStore(database)
        entries = try EntryBuffer(database)
        func make(_ sql: String) throws -> LedgerStatement { try LedgerStatement(database, sql) }
        statements = Statements(
            head: try make("SELECT id, hash FROM transactions ORDER BY id DESC LIMIT 1"),
            dataVersion: try make("PRAGMA data_version"),
            openGate: try make("UPDATE gate SET state = 1, first = ?"),
            closeGate: try make("UPDATE gate SET state = 2"),
            // OR ROLLBACK spares SQLite a statement journal; a violation ends the batch anyway.
            insertTransaction: try make(
                """
                INSERT OR ROLLBACK INTO transactions VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (movement) DO NOTHING
                """),
            readPosition: try make("SELECT next_offset FROM positions WHERE topic = ?"),
            updatePosition: try make("UPDATE positions SET next_offset = ?2 WHERE topic = ?1"),
            insertPosition: try make("INSERT INTO positions VALUES (?, ?)"))
    }

    /// Drops what is remembered of the database, after a batch that did not commit.
    func forget() {
        head = nil
        accounts.forget()
        charges.forget()
        entries.forget()
        isGateOpen = false
    }

    func post(_ inputs: [LedgerInput], _ positions: [ConsumerPosition]) throws -> PostOutcome {
        try begin()
        var outcomes: [InputOutcome] = []
        outcomes.reserveCapacity(inputs.count)
        for input in inputs {
            do {
                outcomes.append(try consider(input))
            } catch let refusal as PostingRefusal {
                outcomes.append(.refused(refusal))
            }
        }
        try entries.flush()
        if isGateOpen { try statements.closeGate.run() }
        isGateOpen = false
        for position in positions { try advance(position) }
        return PostOutcome(inputs: outcomes, posted: posted)
    }

    private func begin() throws {
        _ = try statements.dataVersion.step()
        let version = statements.dataVersion.integer(0)
        statements.dataVersion.reset()
        // Another connection has written, so nothing that is remembered need be true.
        if version != dataVersion { forget() }
        dataVersion = version
        accounts.trim()
        posted = []
        postedAt = clockMilliseconds()
        guard head == nil else { return }
        let stored = try statements.head.step()
        head =
            stored
            ? (statements.head.integer(0), statements.head.blob(1)) : (0, CanonicalBytes.genesis)
        statements.head.reset()
    }

    private func advance(_ position: ConsumerPosition) throws {
        statements.readPosition.bind(1, position.topic)
        let stored = try statements.readPosition.step() ? statements.readPosition.integer(0) : nil
        statements.readPosition.reset()
        if let stored, stored > position.nextOffset {
            throw LedgerError.positionWentBack(
                topic: position.topic, stored: stored, given: position.nextOffset)
        }
        let statement =
            stored == nil ? statements.insertPosition : statements.updatePosition
        statement.bind(1, position.topic)
        statement.bind(2, position.nextOffset)
        try statement.run()
    }
}

// MARK: - One input

extension LedgerWriter {
    private func consider(_ input: LedgerInput) throws -> InputOutcome {
        switch input {
        case .review(let record): return try consider(record)
        case .scored(let scored):
            guard let base = try PostingRules.posting(for: scored) else { return .nothingToBook }
            switch base.kind {
            case .payment: return try considerPayment(scored, base)
            case .refund, .refundFailed: return try considerRefund(scored.event, base)
            default:
                if try bookFirst(base, Standing(rawValue: 0)) { return .booked(count: 1) }
                return try confirm(base)
            }
        }
    }

    private func considerPayment(_ scored: ScoredPayment, _ base: Posting) throws -> InputOutcome {
        let movement = base.movement
        let standing = Standing(scored)
        var state = ChargeState()
        state.waiting = try charges.waiting(for: movement)
        if state.waiting == nil, try bookFirst(base, standing) { return .booked(count: 1) }
        try entries.flush()
        state.payment = try charges.payment(movement)
        if state.waiting?.decision == .declined { state.refunds = try charges.refunds(of: movement) }
        let before = state
        let postings = try PostingRules.payment(scored, base, &state)
        try reserve(postings)
        for posting in postings { try book(posting, standing) }
        try charges.store(state, was: before, movement)
        return postings.isEmpty ? .alreadyBooked : .booked(count: postings.count)
    }

    private func considerRefund(_ event: PaymentEvent, _ base: Posting) throws -> InputOutcome {
        var state = ChargeState()
        let charge = event.related.map { MovementKey("charge:\($0)") }
        if let charge {
            try entries.flush()
            state.payment = try charges.payment(charge)
        }
        let postings = PostingRules.refund(event, base, state)
        guard postings.count == 1 else {
            if try charges.isBooked(base.movement) { return try confirm(base) }
            try reserve(postings)
            for posting in postings { try book(posting, Standing(rawValue: 0)) }
            if let charge { try charges.add(refund: posted[posted.count - 2].id, of: charge) }
            return .booked(count: postings.count)
        }
        guard try bookFirst(base, Standing(rawValue: 0)) else { return try confirm(base) }
        if let charge, let last = posted.last { try charges.add(refund: last.id, of: charge) }
        return .booked(count: 1)
    }

    private func consider(_ record: ReviewRecord) throws -> InputOutcome {
        guard let decision = PostingRules.decision(of: record) else { return .nothingToBook }
        let movement = record.movement
        var state = ChargeState()
        try entries.flush()
        state.payment = try charges.payment(movement)
        state.waiting = try charges.waiting(for: movement)
        if decision.decision == .declined { state.refunds = try charges.refunds(of: movement) }
        let before = state
        let postings = try PostingRules.review(record, &state)
        try reserve(postings)
        for posting in postings { try book(posting, Standing(rawValue: 0)) }
        try charges.store(state, was: before, movement)
        if !postings.isEmpty { return .booked(count: postings.count) }
        return state == before ? .alreadyBooked : .nothingToBook
    }

    /// The movement is booked: does it say the same?
    private func confirm(_ posting: Posting) throws -> InputOutcome {
        try entries.flush()
        guard let stored = try charges.entries(of: posting.movement), stored == posting.entries
        else { throw PostingRefusal.movementConflicts }
        return .alreadyBooked
    }
}

// MARK: - Booking

extension LedgerWriter {
    private func reserve(_ postings: [Posting]) throws {
        guard try accounts.add(postings) else { throw PostingRefusal.balanceOverflow }
    }

    /// Books a posting unless its movement stands in the ledger; one look into the index serves
    /// for both.
    /// - Returns: whether it was booked.
    private func bookFirst(_ posting: Posting, _ standing: Standing) throws -> Bool {
        guard try accounts.add([posting]) else {
            // A movement that is booked needs no room for its amount.
            if try charges.isBooked(posting.movement) { return false }
            throw PostingRefusal.balanceOverflow
        }
        if try insert(posting, standing) { return true }
        try accounts.take(back: posting)
        return false
    }

    /// Books a posting whose movement the rules know to be new.
    private func book(_ posting: Posting, _ standing: Standing) throws {
        guard try insert(posting, standing) else {
            throw LedgerError.invariant(
                code: 0, detail: "\(posting.movement) is booked, against the rules' knowledge")
        }
    }

    private func insert(_ posting: Posting, _ standing: Standing) throws -> Bool {
        guard let last = head else { preconditionFailure("a batch has begun without its head") }
        let id = last.id + 1
        if !isGateOpen {
            statements.openGate.bind(1, id)
            try statements.openGate.run()
            isGateOpen = true
        }
        let hash = canonical.hash(after: last.hash, id: TransactionID(id), posting)
        let statement = statements.insertTransaction
        statement.bind(1, id)
        statement.bind(2, posting.movement.rawValue)
        statement.bind(3, posting.eventID.rawValue)
        statement.bind(4, Int64(posting.kind.rawValue))
        statement.bind(5, posting.effectiveAt.seconds)
        statement.bind(6, postedAt)
        statement.bind(7, standing.rawValue)
        statement.bind(8, hash)
        guard try statement.run() == 1 else { return false }
        try insertEntries(of: posting, id)
        head = (id, hash)
        posted.append(
            PostedTransaction(
                id: TransactionID(id), posting: posting, postedAtMilliseconds: postedAt,
                hash: hash))
        return true
    }

    private func insertEntries(of posting: Posting, _ id: Int64) throws {
        var sequence: Int64 = 0
        for entry in posting.entries {
            sequence += 1
            try entries.append(
                EntryBuffer.Line(
                    transaction: id, currency: entry.currency, sequence: sequence,
                    account: try accounts.id(of: entry), amount: entry.amount.rawValue))
        }
    }
}
