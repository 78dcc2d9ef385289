internal import Bridges
internal import Foundation
import Vocabulary

/// The ledger's tables in Postgres as `Booking` sees them.
///
/// A round trip costs what a hundred rows do, so a batch fetches what it will ask about at once,
/// answers from memory, and writes wide when it is sealed: the number of round trips does not grow
/// with the batch. The first statement counts the batch in the one row of `head` and thereby locks
/// it: one writer at a time, whoever else has the ledger open.
final class PostgresRows: LedgerRows {
    let link: PostgresLink
    var batch = PostgresBatch()
    private var stored = ChainHead(id: 0, hash: CanonicalBytes.genesis)
    private var revision: Int64 = 0
    /// The revision of the last batch that this writer has committed.
    var committed: Int64?
    /// Accounts that were answered for since somebody else has written: `Booking` remembers them.
    var answered: Set<PostgresBatch.AccountKey> = []

    init(_ link: PostgresLink) { self.link = link }

    var lookups: PostgresLookups {
        get throws { PostgresLookups(try link.connection()) }
    }

    // MARK: The transaction

    func begin() throws -> Bool {
        batch = PostgresBatch()
        let connection = try link.connection()
        try connection.begin()
        try count(connection)
        guard committed != revision - 1 else { return false }
        answered.removeAll(keepingCapacity: true)
        return true
    }

    private func count(_ connection: PostgresConnection) throws {
        let rows = try connection.query(
            "UPDATE head SET revision = revision + 1 WHERE id = 1 RETURNING revision, last, hash",
            kept: true)
        guard rows.count == 1 else {
            throw LedgerError.corrupt(code: 0, detail: "head has \(rows.count) rows")
        }
        revision = try rows.integer(0, 0)
        stored = ChainHead(id: try rows.integer(0, 1), hash: try rows.bytes(0, 2))
    }

    func prefetch(_ inputs: [LedgerInput]) throws {
        guard !inputs.isEmpty else { return }
        var wishes = PostgresWishes(inputs)
        try load(Array(wishes.movements))
        for movement in wishes.movements {
            guard let stored = batch.transactions[movement] ?? nil,
                let payment = try BookedPayment(stored)
            else { continue }
            wishes.add(accountsOf: payment)
        }
        let rows = try link.connection().query(
            """
            SELECT EXISTS (SELECT 1 FROM waiting_decisions),
                EXISTS (SELECT 1 FROM waiting) OR EXISTS (SELECT 1 FROM releases),
                (SELECT after_transaction FROM renewals)
            """, kept: true)
        batch.someDecisionsWait = try rows.boolean(0, 0)
        batch.someNotes = try rows.boolean(0, 1)
        batch.renewalsAfter = try rows.integer(0, 2)
        try loadFindings(wishes.payments.filter { try payment($0)?.isUnderReview == true })
        if batch.someDecisionsWait == true { try loadDecisions(Array(wishes.payments)) }
        if !wishes.refunds.isEmpty { try loadRefunds(Array(wishes.refunds)) }
        if batch.someNotes == true, !wishes.noteKeys.isEmpty {
            try loadNotes(keys: Array(wishes.noteKeys), charges: Array(wishes.noteCharges))
        }
        if answered.count > AccountBook.accountsMax { answered.removeAll(keepingCapacity: true) }
        try loadAccounts(accounts(of: wishes).filter { !answered.contains($0) })
    }

    /// Between which places a decision or a refund moves money is known once its payment is.
    private func accounts(of wishes: PostgresWishes) -> Set<PostgresBatch.AccountKey> {
        var accounts = wishes.accounts
        for movement in wishes.movements {
            guard let known = batch.transactions[movement] ?? nil, known.posting.kind == .payment
            else { continue }
            for entry in known.posting.entries {
                guard let merchant = entry.account.merchant else { continue }
                for place in [FundsPlace.payable, .held, .refundDue] {
                    accounts.insert(
                        .init(name: .funds(of: merchant, in: place), currency: entry.currency))
                }
            }
        }
        return accounts
    }

    func seal() throws {
        try PostgresWrites(try link.connection()).write(batch)
    }

    func commit() throws {
        let connection = try link.connection()
        try PostgresWrites(connection).write(positions: batch.moved)
        do throws(PostgresError) {
            try connection.commit()
            committed = revision
        } catch where error.isOutcomeUnknown {
            try findOut(error)
        }
    }

    func rollBack() {
        batch = PostgresBatch()
        committed = nil
        link.rollBack()
    }

    // MARK: The chain

    func head() -> ChainHead { stored }

    func insert(_ rows: [PendingTransaction], postedAt: Int64) throws -> Int {
        // What the ledger makes by itself is new by the rules; the table has the last word.
        try load(rows.filter { !$0.posting.kind.isInternal }.map(\.posting.movement))
        for (count, row) in rows.enumerated() {
            let movement = row.posting.movement
            if let known = batch.transactions[movement], known != nil { return count }
            batch.transactions[movement] = PostgresLookups.Stored(
                id: row.id, posting: row.posting, standing: row.standing)
            batch.movements[TransactionID(row.id)] = movement
            batch.newTransactions.append(row)
            batch.postedAt.append(postedAt)
        }
        return rows.count
    }

    func insert(_ entry: PendingEntry) { batch.newEntries.append(entry) }

    func account(_ name: AccountName, _ currency: Currency) throws -> StoredAccount? {
        let key = PostgresBatch.AccountKey(name: name, currency: currency)
        try loadAccounts([key])
        return batch.accounts[key] ?? nil
    }

    func makeAccount(_ name: AccountName, _ currency: Currency) throws -> Int64 {
        if batch.lastAccount == nil {
            batch.lastAccount = try link.connection().query(
                "SELECT coalesce(max(id), 0) FROM accounts", kept: true
            ).integer(0, 0)
        }
        let id = (batch.lastAccount ?? 0) + 1
        batch.lastAccount = id
        let key = PostgresBatch.AccountKey(name: name, currency: currency)
        batch.newAccounts.append((id, key))
        batch.accounts[key] = StoredAccount(id: id, balance: 0)
        return id
    }

    func isBooked(_ movement: MovementKey) throws -> Bool { try transaction(movement) != nil }

    func posting(of movement: MovementKey) throws -> Posting? { try transaction(movement)?.posting }

    private func transaction(_ movement: MovementKey) throws -> PostgresLookups.Stored? {
        try load([movement])
        return batch.transactions[movement] ?? nil
    }

    // MARK: Charges

    func payment(_ movement: MovementKey) throws -> BookedPayment? {
        try transaction(movement).flatMap { try BookedPayment($0) }
    }

    func keep(_ payment: BookedPayment, was before: BookedPayment) throws {
        guard var stored = try transaction(payment.movement) else {
            throw LedgerError.invariant(
                code: 0, detail: "a state of \(payment.movement), which is not booked")
        }
        if payment.amount != before.amount || payment.reversed != before.reversed {
            let capture = PostgresLookups.Stored.Capture(
                total: payment.amount, reversed: payment.reversed)
            let isNew = batch.captures[stored.id]?.isNew ?? (stored.capture == nil)
            batch.captures[stored.id] = (capture, isNew)
            stored.capture = capture
        }
        if payment.standing != before.standing || payment.place != before.place
            || payment.decision != before.decision || payment.moves != before.moves
        {
            let state = PostgresLookups.Stored.State(
                standing: payment.standing, place: payment.place, decision: payment.decision,
                moves: payment.moves)
            let isNew = batch.states[stored.id]?.isNew ?? (stored.state == nil)
            batch.states[stored.id] = (state, isNew)
            stored.state = state
        }
        batch.transactions[payment.movement] = stored
    }

    func waitingDecision(for movement: MovementKey) throws -> DatedDecision? {
        if let known = batch.decisions[movement] { return known }
        guard batch.someDecisionsWait != false else { return nil }
        try loadDecisions([movement])
        return batch.decisions[movement] ?? nil
    }

    func keep(
        waiting decision: DatedDecision?, was before: DatedDecision?, for movement: MovementKey
    ) {
        if batch.decisionsBefore[movement] == nil {
            batch.decisionsBefore[movement] = .some(before)
        }
        batch.decisions[movement] = .some(decision)
    }

    func refunds(of charge: MovementKey) throws -> [BookedRefund] {
        try loadRefunds([charge.rawValue])
        return try (batch.refunds[charge.rawValue] ?? []).compactMap { movement in
            guard let stored = try transaction(movement) else { return nil }
            guard let refund = BookedRefund(stored.posting) else {
                throw LedgerError.corrupt(
                    code: 0, detail: "entries of transaction \(stored.id)")
            }
            return refund
        }
    }

    func add(refund: TransactionID, of charge: MovementKey) throws {
        try loadRefunds([charge.rawValue])
        guard let movement = batch.movements[refund] else {
            throw LedgerError.invariant(
                code: 0, detail: "a refund that transaction \(refund) did not book")
        }
        batch.refunds[charge.rawValue, default: []].append(movement)
        batch.newRefunds.append((charge.rawValue, refund.rawValue))
    }

    // MARK: Reviews

    func lastReview() throws -> Int64 {
        if let last = batch.lastReview { return last }
        let last = try link.connection().query(
            "SELECT coalesce(max(id), 0) FROM reviews", kept: true
        ).integer(0, 0)
        batch.lastReview = last
        return last
    }

    func finding(of payment: MovementKey) throws -> ReviewFinding? {
        try loadFindings([payment])
        return batch.findings[payment] ?? nil
    }

    func keep(_ change: ReviewChange, of payment: MovementKey) throws {
        try append(change, of: payment, wasOpen: change.record.state != .opened)
    }

    func renew(_ change: ReviewChange, of payment: MovementKey) throws {
        try append(change, of: payment, wasOpen: true)
    }

    private func append(
        _ change: ReviewChange, of payment: MovementKey, wasOpen: Bool
    ) throws {
        guard let id = try transaction(payment)?.id else {
            throw LedgerError.invariant(
                code: 0, detail: "a review of \(payment), which is not booked")
        }
        let row = PostgresBatch.NewReview(change: change, transaction: id, wasOpen: wasOpen)
        batch.newReviews.append(row)
        batch.lastReview = change.id
        guard row.isOpen, try renewalsAfter() < id else { return }
        batch.findings[payment] = ReviewFinding(
            score: change.record.score, reasons: change.record.reasons)
    }

    func closeReview(of payment: MovementKey) throws {
        guard let id = try transaction(payment)?.id else {
            throw LedgerError.invariant(code: 0, detail: "no open review of \(payment) to close")
        }
        batch.decided.insert(id)
    }

    private func renewalsAfter() throws -> Int64 {
        if let known = batch.renewalsAfter { return known }
        let after = try link.connection().query(
            "SELECT after_transaction FROM renewals", kept: true
        ).integer(0, 0)
        batch.renewalsAfter = after
        return after
    }

    func keep(_ decision: PlacedDecision) { batch.placed.append(decision) }

    // MARK: Positions

    func position(of topic: String, _ partition: Int32) throws -> Int64? {
        if batch.positions == nil {
            let rows = try link.connection().query(
                "SELECT topic, partition, next_offset FROM positions", kept: true)
            batch.positions = try (0..<rows.count).map {
                ConsumerPosition(
                    topic: try rows.text($0, 0),
                    partition: Int32(clamping: try rows.integer($0, 1)),
                    nextOffset: try rows.integer($0, 2))
            }
        }
        return batch.positions?.first { $0.topic == topic && $0.partition == partition }?.nextOffset
    }

    func set(_ position: ConsumerPosition, isNew: Bool) throws {
        let from = try self.position(of: position.topic, position.partition)
        batch.moved.append((position, from))
    }

    func keep(_ ends: LedgerEnds) throws {
        _ = try link.connection().query(
            """
            INSERT INTO ends VALUES ('transactions', $1), ('reviews', $2)
            ON CONFLICT (name) DO UPDATE SET last = excluded.last
            """, [.integer(ends.transactions), .integer(ends.reviews)], kept: true)
    }

    func logs() throws -> [String] {
        let rows = try link.connection().query("SELECT identity FROM logs")
        return try (0..<rows.count).map { try rows.text($0, 0) }
    }

    /// Whether nothing was booked and nothing was read.
    func isEmpty() throws -> Bool {
        try head().id == 0
            && !link.connection().query("SELECT EXISTS (SELECT 1 FROM positions)").boolean(0, 0)
    }

    func keep(log: String) throws {
        _ = try link.connection().query(
            "INSERT INTO logs VALUES ($1) ON CONFLICT DO NOTHING", [.text(log)])
    }

    func keep(renewalsAfter transaction: Int64) throws {
        _ = try link.connection().query(
            "UPDATE renewals SET after_transaction = $1", [.integer(transaction)])
    }
}

// MARK: - What was told of refunds

extension PostgresRows {
    func hasNotes() throws -> Bool {
        if !batch.changedNotes.isEmpty || !batch.changedReleases.isEmpty { return true }
        if let some = batch.someNotes { return some }
        let some = try link.connection().query(
            "SELECT EXISTS (SELECT 1 FROM waiting) OR EXISTS (SELECT 1 FROM releases)"
        ).boolean(0, 0)
        batch.someNotes = some
        return some
    }

    func note(_ key: MovementKey) throws -> WaitingMovement? {
        try loadNotes(keys: [key.rawValue], charges: [])
        return batch.notes[key] ?? nil
    }

    func notes(of charge: String) throws -> [WaitingMovement] {
        try loadNotes(keys: [], charges: [charge])
        return (batch.notesOfCharge[charge] ?? []).compactMap { batch.notes[$0] ?? nil }
            .filter { $0.charge == charge }.sorted { $0.key.rawValue < $1.key.rawValue }
    }

    func keep(_ note: WaitingMovement, isNew: Bool) throws {
        try loadNotes(keys: [], charges: [note.charge])
        batch.notes[note.key] = note
        batch.notesOfCharge[note.charge, default: []].insert(note.key)
        batch.changedNotes[note.key] = batch.changedNotes[note.key] ?? isNew
    }

    func release(of charge: String) throws -> ChargeRelease? {
        try loadNotes(keys: [], charges: [charge])
        return batch.releases[charge] ?? nil
    }

    func keep(_ release: ChargeRelease, of charge: String, isNew: Bool) {
        batch.releases[charge] = release
        batch.changedReleases[charge] = batch.changedReleases[charge] ?? isNew
    }

    /// Asked after the batch is sealed: the tables have all of it.
    func waitingCount() throws -> Int {
        Int(
            try link.connection().query(
                "SELECT count(*) FROM waiting WHERE \(WaitingRow.isOpen)"
            ).integer(0, 0))
    }
}
