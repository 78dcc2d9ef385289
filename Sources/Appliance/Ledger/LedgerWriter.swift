internal import GRDB

/// Everything between `BEGIN` and `COMMIT` of one batch: asks the rules, books what they say, keeps
/// the chain. Lives inside the ledger's queue.
final class LedgerWriter {
    private let clockMilliseconds: @Sendable () -> Int64
    private let accounts: AccountCache
    let charges: ChargeStore
    let notes: NoteStore
    private let statements: Statements
    private let pending: TransactionBuffer
    let entries: EntryBuffer
    private var recent = RecentMovements()
    /// Inputs judged by what is pending, which may turn out never to be stored.
    private var repetitions: [Int] = []
    private var canonical = CanonicalBytes()

    /// The last transaction, as of this batch, with what is pending; nil when it has to be read
    /// again.
    private var head: (id: Int64, hash: [UInt8])?
    private var dataVersion: Int64 = -1
    private var isGateOpen = false
    private var postedAt: Int64 = 0
    private var inputs: [LedgerInput] = []
    private var outcomes: [InputOutcome] = []
    private var details: [Int: String] = [:]
    private(set) var posted: [PostedTransaction] = []

    private struct Statements {
        let begin, commit, rollback: LedgerStatement
        let head, dataVersion, openGate, closeGate: LedgerStatement
        let readPosition, updatePosition, insertPosition: LedgerStatement
    }

    init(_ database: Database, _ clockMilliseconds: @escaping @Sendable () -> Int64) throws {
        self.clockMilliseconds = clockMilliseconds
        accounts = try AccountCache(database)
        charges = try ChargeStore(database)
        notes = try NoteStore(database)
        pending = try TransactionBuffer(database)
        entries = try EntryBuffer(database)
        func make(_ sql: String) throws -> LedgerStatement { try LedgerStatement(database, sql) }
        statements = Statements(
            begin: try make("BEGIN IMMEDIATE"), commit: try make("COMMIT"),
            rollback: try make("ROLLBACK"),
            head: try make("SELECT id, hash FROM transactions ORDER BY id DESC LIMIT 1"),
            dataVersion: try make("PRAGMA data_version"),
            // By its id: without it SQLite would make a temporary table of the one row.
            openGate: try make("UPDATE gate SET state = 1, first = ? WHERE id = 1"),
            closeGate: try make("UPDATE gate SET state = 2 WHERE id = 1"),
            readPosition: try make("SELECT next_offset FROM positions WHERE topic = ?"),
            updatePosition: try make("UPDATE positions SET next_offset = ?2 WHERE topic = ?1"),
            insertPosition: try make("INSERT INTO positions VALUES (?, ?)"))
    }

    /// One database transaction; whatever is thrown, nothing of it is stored or remembered.
    func post(_ inputs: [LedgerInput], _ positions: [ConsumerPosition]) throws -> PostOutcome {
        do {
            try statements.begin.run()
            try book(inputs)
            for position in positions { try advance(position) }
            let waitingCount = try notes.hasChanged ? notes.waitingCount() : nil
            try statements.commit.run()
            notes.hasChanged = false
            defer { (posted, outcomes, details, self.inputs) = ([], [], [:], []) }
            return PostOutcome(
                inputs: outcomes, posted: posted, details: details, waiting: waitingCount)
        } catch {
            forget()
            // SQLite has rolled back by itself after some errors, and then refuses to.
            _ = try? statements.rollback.run()
            throw error
        }
    }

    /// Drops what is remembered of the database.
    private func forget() {
        head = nil
        accounts.forget()
        charges.forget()
        notes.forget()
        recent.forget()
        pending.removeAll()
        repetitions.removeAll()
        entries.forget()
        isGateOpen = false
    }

    private func book(_ inputs: [LedgerInput]) throws {
        try begin(inputs)
        for index in inputs.indices { try refusing(index) { try consider(inputs[index], index) } }
        try flush()
        try entries.flush()
        if isGateOpen { try statements.closeGate.run() }
        isGateOpen = false
        guard let last = posted.last else { return }
        try advance(ConsumerPosition(topic: LedgerNote.next, nextOffset: last.id.rawValue + 1))
    }

    private func begin(_ inputs: [LedgerInput]) throws {
        _ = try statements.dataVersion.step()
        let version = statements.dataVersion.integer(0)
        statements.dataVersion.reset()
        // Another connection has written, so nothing that is remembered need be true.
        if version != dataVersion { forget() }
        dataVersion = version
        accounts.trim()
        recent.trim()
        self.inputs = inputs
        // What is pending counts as booked until the table says otherwise.
        outcomes = Array(repeating: .booked(count: 1), count: inputs.count)
        details = [:]
        posted = []
        posted.reserveCapacity(inputs.count)
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
            } else if let booked = try charges.posting(of: movement) {
                try entries.flush()
                let total = try charges.payment(movement)?.amount
                text += "; booked: \(booked.telling(total: total))"
            } else if let noted = try notes.row(movement) {
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
            if !pending.rows.isEmpty { repetitions.append(index) }
            _ = try judged.get()
            return .alreadyBooked
        }
        switch base.kind {
        case .refund, .refundFailed, .paymentReversed: return try considerAlone(index)
        case .payment where try charges.waiting(for: base.movement) != nil:
            return try considerAlone(index)
        default: break
        }
        let standing = base.kind == .payment ? Standing(scored) : .none
        guard try append(base, standing, scored.event.merchant, index) else {
            return try considerAlone(index)
        }
        if pending.isFull { try flush() }
        return nil
    }

    /// Stores what is pending. From the first row on whose movement turns out to be booked, each
    /// input is considered again, alone: its id and hash were made for another place. So is what
    /// was judged by rows that are not stored.
    private func flush() throws {
        guard !pending.rows.isEmpty else { return }
        let count = try storePending()
        let rest = Array(pending.rows[count...])
        pending.removeAll()
        let again = (rest.map(\.input) + repetitions).sorted()
        repetitions.removeAll(keepingCapacity: true)
        guard let first = rest.first else { return }
        head = (first.id - 1, first.previous)
        for row in rest { takeBack(row) }
        for index in again { try refusing(index) { try considerAlone(index) } }
    }

    /// Considers an input with everything before it in the tables.
    private func considerAlone(_ index: Int) throws -> InputOutcome {
        try flush()
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

    private func considerPayment(
        _ scored: ScoredPayment, _ base: Posting, _ index: Int
    ) throws -> InputOutcome {
        let (movement, standing) = (base.movement, Standing(scored))
        var state = ChargeState()
        state.waiting = try charges.waiting(for: movement)
        if state.waiting == nil, recent[movement] == nil,
            try bookFirst(base, standing, scored.event.merchant, index)
        {
            return .booked(count: 1)
        }
        try entries.flush()
        state.payment = try charges.payment(movement)
        if state.waiting?.decision == .declined {
            state.refunds = try charges.refunds(of: movement)
        }
        let before = state
        let postings = try PostingRules.payment(scored, base, &state)
        try book(postings, standing, index)
        try keep(state, was: before, movement)
        if let payment = state.payment {
            recent.add(base, payment.standing, payment.merchant, amount: payment.amount)
        }
        return postings.isEmpty ? .alreadyBooked : .booked(count: postings.count)
    }

    private func considerRefund(
        _ event: PaymentEvent, _ base: Posting, _ index: Int
    ) throws -> InputOutcome {
        var state = ChargeState()
        let charge = event.related.map { MovementKey("charge:\($0)") }
        if let charge {
            try entries.flush()
            state.payment = try charges.payment(charge)
        }
        let postings = PostingRules.refund(event, base, state)
        if postings.count > 1 {
            if try charges.isBooked(base.movement) { return try confirm(base) }
            try book(postings, .none, index)
        } else {
            guard try bookFirst(base, .none, event.merchant, index) else {
                return try confirm(base)
            }
        }
        // What goes back to where a transfer came from is no merchant's refund.
        guard let charge, event.counterparty == nil else { return .booked(count: postings.count) }
        try charges.add(refund: posted[posted.count - postings.count].id, of: charge)
        let settled = try settleNotes(of: event.related ?? "", event, index)
        return .booked(count: postings.count + settled)
    }

    private func considerReversal(
        _ event: PaymentEvent, _ base: Posting, _ index: Int
    ) throws -> InputOutcome {
        if try charges.isBooked(base.movement) { return try confirm(base) }
        // The statement may have told of it before, by its balance transaction.
        if let transaction = event.balanceTransaction,
            try charges.isBooked(MovementKey("charge_reversed:\(transaction)"))
        {
            return .alreadyBooked
        }
        try entries.flush()
        let charge = MovementKey("charge:\(event.related ?? event.objectID)")
        var state = ChargeState()
        state.payment = try charges.payment(charge)
        let before = state
        try book([try PostingRules.reversal(event, base, &state)], .none, index)
        try keep(state, was: before, charge)
        return .booked(count: 1)
    }

    private func consider(_ record: ReviewRecord, _ index: Int) throws -> InputOutcome {
        guard let decision = PostingRules.decision(of: record) else { return .nothingToBook }
        let movement = record.movement
        var state = ChargeState()
        try entries.flush()
        state.payment = try charges.payment(movement)
        state.waiting = try charges.waiting(for: movement)
        if decision.decision == .declined { state.refunds = try charges.refunds(of: movement) }
        let before = state
        let postings = try PostingRules.review(record, &state)
        try book(postings, .none, index)
        try keep(state, was: before, movement)
        if !postings.isEmpty { return .booked(count: postings.count) }
        return state == before ? .alreadyBooked : .nothingToBook
    }

    private func keep(
        _ state: ChargeState, was before: ChargeState, _ movement: MovementKey
    ) throws {
        guard state != before else { return }
        try openGate()
        try charges.store(state, was: before, movement)
    }

    /// The movement is booked: does it say the same?
    private func confirm(_ posting: Posting) throws -> InputOutcome {
        try entries.flush()
        guard let stored = try charges.entries(of: posting.movement),
            PostingRules.says(posting, stored)
        else { throw PostingRefusal.movementConflicts }
        return .alreadyBooked
    }
}

// MARK: - Booking

extension LedgerWriter {
    /// Books a posting unless its movement stands in the ledger; one look into the index serves
    /// for both. Nothing may be pending.
    /// - Returns: whether it was booked.
    private func bookFirst(
        _ posting: Posting, _ standing: Standing, _ merchant: MerchantID, _ index: Int
    ) throws -> Bool {
        guard try append(posting, standing, merchant, index) else {
            // A movement that is booked needs no room for its amount.
            if try charges.isBooked(posting.movement) { return false }
            throw PostingRefusal.balanceOverflow
        }
        let isBooked = try storePending() == 1
        if !isBooked { takeBackPending() }
        pending.removeAll()
        return isBooked
    }

    /// Books postings whose movements the rules know to be new: all of them, or a refusal. Nothing
    /// may be pending.
    func book(_ postings: [Posting], _ standing: Standing, _ index: Int) throws {
        for posting in postings {
            guard try append(posting, standing, nil, index) else {
                takeBackPending()
                pending.removeAll()
                throw PostingRefusal.balanceOverflow
            }
        }
        let stored = try storePending()
        pending.removeAll()
        guard stored == postings.count else {
            throw LedgerError.invariant(
                code: 0,
                detail: "\(postings[stored].movement) is booked, against the rules' knowledge")
        }
    }

    /// Makes a posting the next of the chain, to be stored later.
    /// - Parameter merchant: given where a repetition is to be recognised by it.
    /// - Returns: false, with nothing changed, when a balance would overflow.
    private func append(
        _ posting: Posting, _ standing: Standing, _ merchant: MerchantID?, _ index: Int
    ) throws -> Bool {
        guard let last = head else { preconditionFailure("a batch has begun without its head") }
        guard let indexes = try accounts.add(posting.entries) else { return false }
        let id = last.id + 1
        let hash = canonical.hash(after: last.hash, id: TransactionID(id), posting)
        pending.append(
            TransactionBuffer.Row(
                id: id, posting: posting, standing: standing, previous: last.hash, hash: hash,
                accounts: indexes, input: index))
        head = (id, hash)
        if let merchant { recent.add(posting, standing, merchant) }
        return true
    }

    /// Undoes `append` of everything that is pending.
    private func takeBackPending() {
        if let first = pending.rows.first { head = (first.id - 1, first.previous) }
        for row in pending.rows { takeBack(row) }
    }

    private func takeBack(_ row: TransactionBuffer.Row) {
        accounts.take(back: row.posting.entries, row.accounts)
        recent.remove(row.posting.movement)
    }

    /// - Returns: how many of the pending rows are stored; see `TransactionBuffer.store`.
    private func storePending() throws -> Int {
        if pending.rows.isEmpty { return 0 }
        try openGate()
        let count = try pending.store(postedAt: postedAt)
        let rows = pending.rows
        for number in 0..<count {
            let row = rows[number]
            try insertEntries(of: row)
            posted.append(
                PostedTransaction(
                    id: TransactionID(row.id), posting: row.posting,
                    postedAtMilliseconds: postedAt, hash: row.hash))
        }
        return count
    }

    func openGate() throws {
        guard !isGateOpen, let head else { return }
        statements.openGate.bind(1, pending.rows.first?.id ?? head.id + 1)
        try statements.openGate.run()
        isGateOpen = true
    }

    private func insertEntries(of row: TransactionBuffer.Row) throws {
        for (number, entry) in row.posting.entries.enumerated() {
            try entries.append(
                EntryBuffer.Line(
                    transaction: row.id, currency: entry.currency, sequence: Int64(number + 1),
                    account: try accounts.id(at: row.accounts[number], of: entry),
                    amount: entry.amount.rawValue))
        }
    }
}
