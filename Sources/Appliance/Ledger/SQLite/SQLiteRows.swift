internal import GRDB
import Vocabulary

/// The ledger's tables as `Booking` sees them. Lives inside the ledger's queue.
///
/// The gate (docs/formats/ledger.md) opens with the first row that a batch appends or changes, and
/// closes when the batch is sealed.
final class SQLiteRows: LedgerRows {
    private let charges: ChargeRows
    private let notes: NoteRows
    private let reviews: ReviewRows
    private let transactions: TransactionInsert
    private let entries: EntryBuffer
    private let statements: Statements

    private var dataVersion: Int64 = -1
    private var isGateOpen = false
    /// The number of the next transaction that is stored.
    private var next: Int64 = 0
    /// What the table says, so that a batch without reviews spares itself the row.
    private var keptReviewEnd: Int64?

    private struct Statements {
        let begin, commit, rollback: LedgerStatement
        let head, dataVersion, openGate, closeGate: LedgerStatement
        let findAccount, nextAccount, makeAccount: LedgerStatement
        let readPosition, updatePosition, insertPosition: LedgerStatement
        let updateEnd, insertEnd, insertLog, updateRenewals: LedgerStatement
    }

    init(_ database: Database) throws {
        charges = try ChargeRows(database)
        notes = try NoteRows(database)
        reviews = try ReviewRows(database)
        transactions = try TransactionInsert(database)
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
            findAccount: try make(
                "SELECT id, balance FROM accounts WHERE name = ? AND currency = ?"),
            nextAccount: try make("SELECT coalesce(max(id), 0) + 1 FROM accounts"),
            makeAccount: try make("INSERT INTO accounts (id, name, currency) VALUES (?, ?, ?)"),
            readPosition: try make(
                "SELECT next_offset FROM positions WHERE topic = ? AND partition = ?"),
            updatePosition: try make(
                """
                UPDATE positions SET next_offset = ?3, checksum = ?4
                WHERE topic = ?1 AND partition = ?2
                """),
            insertPosition: try make("INSERT INTO positions VALUES (?, ?, ?, ?)"),
            updateEnd: try make("UPDATE ends SET last = ?2 WHERE name = ?1"),
            insertEnd: try make("INSERT INTO ends VALUES (?, ?)"),
            insertLog: try make("INSERT OR IGNORE INTO logs VALUES (?)"),
            updateRenewals: try make("UPDATE renewals SET after_transaction = ?"))
    }

    // MARK: The transaction

    func begin() throws -> Bool {
        try statements.begin.run()
        _ = try statements.dataVersion.step()
        let version = statements.dataVersion.integer(0)
        statements.dataVersion.reset()
        defer { dataVersion = version }
        guard version != dataVersion else { return false }
        forget()
        return true
    }

    func seal() throws {
        try entries.insertAll()
        if isGateOpen { try statements.closeGate.run() }
        isGateOpen = false
    }

    func commit() throws { try statements.commit.run() }

    func rollBack() {
        forget()
        // SQLite has rolled back by itself after some errors, and then refuses to.
        _ = try? statements.rollback.run()
    }

    /// Drops what is remembered of the database.
    private func forget() {
        charges.forget()
        notes.forget()
        entries.forget()
        isGateOpen = false
        keptReviewEnd = nil
    }

    private func openGate() throws {
        guard !isGateOpen else { return }
        statements.openGate.bind(1, next)
        try statements.openGate.run()
        isGateOpen = true
    }

    // MARK: The chain

    func head() throws -> ChainHead {
        defer { statements.head.reset() }
        let isStored = try statements.head.step()
        let head =
            isStored
            ? ChainHead(id: statements.head.integer(0), hash: statements.head.blob(1))
            : ChainHead(id: 0, hash: CanonicalBytes.genesis)
        next = head.id + 1
        return head
    }

    func insert(_ rows: [PendingTransaction], postedAt: Int64) throws -> Int {
        try openGate()
        let count = try transactions.store(rows, postedAt: postedAt)
        next += Int64(count)
        return count
    }

    func insert(_ entry: PendingEntry) throws { try entries.append(entry) }

    func account(_ name: AccountName, _ currency: Currency) throws -> StoredAccount? {
        let find = statements.findAccount
        find.bind(1, name.rawValue)
        find.bind(2, currency.code)
        defer { find.reset() }
        guard try find.step() else { return nil }
        return StoredAccount(id: find.integer(0), balance: find.integer(1))
    }

    func makeAccount(_ name: AccountName, _ currency: Currency) throws -> Int64 {
        try openGate()
        _ = try statements.nextAccount.step()
        let id = statements.nextAccount.integer(0)
        statements.nextAccount.reset()
        statements.makeAccount.bind(1, id)
        statements.makeAccount.bind(2, name.rawValue)
        statements.makeAccount.bind(3, currency.code)
        try statements.makeAccount.run()
        return id
    }

    func isBooked(_ movement: MovementKey) throws -> Bool { try charges.isBooked(movement) }

    func posting(of movement: MovementKey) throws -> Posting? {
        try entries.insertAll()
        return try charges.posting(of: movement)
    }

    // MARK: Charges

    func payment(_ movement: MovementKey) throws -> BookedPayment? {
        try entries.insertAll()
        return try charges.payment(movement)
    }

    func keep(_ payment: BookedPayment, was before: BookedPayment) throws {
        try openGate()
        try charges.keep(payment, was: before)
    }

    func waitingDecision(for movement: MovementKey) throws -> DatedDecision? {
        try charges.waitingDecision(for: movement)
    }

    func keep(
        waiting decision: DatedDecision?, was before: DatedDecision?, for movement: MovementKey
    ) throws {
        try openGate()
        try charges.keep(waiting: decision, isNew: before == nil, movement)
    }

    func refunds(of charge: MovementKey) throws -> [BookedRefund] {
        try entries.insertAll()
        return try charges.refunds(of: charge)
    }

    func add(refund: TransactionID, of charge: MovementKey) throws {
        try openGate()
        try charges.add(refund: refund, of: charge)
    }

    // MARK: Notes

    func hasNotes() throws -> Bool { try !notes.isEmpty() }
    func note(_ key: MovementKey) throws -> WaitingMovement? { try notes.row(key) }
    func notes(of charge: String) throws -> [WaitingMovement] { try notes.rows(of: charge) }
    func release(of charge: String) throws -> ChargeRelease? { try notes.release(of: charge) }
    func waitingCount() throws -> Int { try notes.waitingCount() }

    func keep(_ note: WaitingMovement, isNew: Bool) throws {
        try openGate()
        try notes.store(note, isNew: isNew)
    }

    func keep(_ release: ChargeRelease, of charge: String, isNew: Bool) throws {
        try openGate()
        try notes.store(release, of: charge, isNew: isNew)
    }

    // MARK: Reviews

    func lastReview() throws -> Int64 { try reviews.lastReview() }

    func finding(of payment: MovementKey) throws -> ReviewFinding? {
        try reviews.finding(of: payment)
    }

    func keep(_ change: ReviewChange, of payment: MovementKey) throws {
        try openGate()
        try reviews.keep(change, of: payment)
    }

    func renew(_ change: ReviewChange, of payment: MovementKey) throws {
        try openGate()
        try reviews.renew(change, of: payment)
    }

    func closeReview(of payment: MovementKey) throws {
        try openGate()
        try reviews.closeReview(of: payment)
    }

    func keep(_ decision: PlacedDecision) throws { try reviews.keep(decision) }

    // MARK: Positions

    func position(of topic: String, _ partition: Int32) throws -> Int64? {
        statements.readPosition.bind(1, topic)
        statements.readPosition.bind(2, Int64(partition))
        defer { statements.readPosition.reset() }
        return try statements.readPosition.step() ? statements.readPosition.integer(0) : nil
    }

    func set(_ position: ConsumerPosition, isNew: Bool) throws {
        let statement = isNew ? statements.insertPosition : statements.updatePosition
        statement.bind(1, position.topic)
        statement.bind(2, Int64(position.partition))
        statement.bind(3, position.nextOffset)
        statement.bind(4, orNull: position.checksum.map { Int64($0) })
        try statement.run()
    }

    func keep(_ ends: LedgerEnds) throws {
        for (name, last) in [("transactions", ends.transactions), ("reviews", ends.reviews)] {
            if name == "reviews", last == keptReviewEnd { continue }
            statements.updateEnd.bind(1, name)
            statements.updateEnd.bind(2, last)
            guard try statements.updateEnd.run() == 0 else { continue }
            statements.insertEnd.bind(1, name)
            statements.insertEnd.bind(2, last)
            try statements.insertEnd.run()
        }
        keptReviewEnd = ends.reviews
    }

    func keep(log: String) throws {
        statements.insertLog.bind(1, log)
        try statements.insertLog.run()
    }

    func keep(renewalsAfter transaction: Int64) throws {
        statements.updateRenewals.bind(1, transaction)
        try statements.updateRenewals.run()
    }
}
