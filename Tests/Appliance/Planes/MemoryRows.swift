import AppendLog
import Synchronization

@testable import Appliance
@testable import Vocabulary

/// The ledger's tables as plain values.
struct MemoryTables: Sendable {
    struct Transaction: Sendable {
        var posting: Posting
        var standing: Standing
        var postedAt: Int64
        var hash: [UInt8]
        /// In the order in which they were inserted.
        var entries: [Entry] = []
    }

    struct Account: Hashable, Sendable {
        var name: AccountName
        var currency: Currency
    }

    /// Grows with every commit.
    var version = 0
    /// The transaction `id` stands at `id - 1`.
    var transactions: [Transaction] = []
    var ids: [MovementKey: Int64] = [:]
    var accounts: [Account] = []
    var balances: [Int64] = []
    var payments: [MovementKey: BookedPayment] = [:]
    var waitingDecisions: [MovementKey: DatedDecision] = [:]
    var refunds: [MovementKey: [Int64]] = [:]
    var reviews: [ReviewChange] = []
    /// By payment: the row that opened or renewed it last.
    var openReviews: [MovementKey: Int64] = [:]
    var decisions: [PlacedDecision] = []
    var notes: [MovementKey: WaitingMovement] = [:]
    var releases: [String: ChargeRelease] = [:]
    var positions: [Position: Int64] = [:]
    var ends = LedgerEnds(transactions: 0, reviews: 0)

    struct Position: Hashable, Sendable {
        var topic: String
        var partition: Int32
    }

    func posted(_ id: Int64) -> PostedTransaction {
        let row = transactions[Int(id - 1)]
        var posting = row.posting
        posting.entries = row.entries
        return PostedTransaction(
            id: TransactionID(id), posting: posting, postedAtMilliseconds: row.postedAt,
            hash: row.hash)
    }

    /// What a database checks at its commit.
    func fault() -> String? {
        for (index, row) in transactions.enumerated() {
            var sums: [Currency: Int64] = [:]
            for entry in row.entries { sums[entry.currency, default: 0] += entry.amount.rawValue }
            if sums.values.contains(where: { $0 != 0 }) || row.entries.isEmpty {
                return "transaction \(index + 1) does not balance"
            }
        }
        let due = LedgerEnds(
            transactions: Int64(transactions.count), reviews: Int64(reviews.count))
        return ends == due ? nil : "the ends are \(ends), not \(due)"
    }
}

/// One database that several processes have open.
final class MemoryDatabase: Sendable {
    private let tables = Mutex(MemoryTables())

    func read() -> MemoryTables { tables.withLock { $0 } }

    /// - Throws: what a database throws at the commit of what may not be.
    func commit(_ new: MemoryTables) throws {
        if let fault = new.fault() { throw LedgerError.invariant(code: 0, detail: fault) }
        tables.withLock { tables in
            precondition(tables.version + 1 == new.version, "two transactions at once")
            tables = new
        }
    }
}

/// The rows of the ledger in dictionaries: a transaction is a copy.
final class MemoryRows: LedgerRows {
    private let database: MemoryDatabase
    private var tables = MemoryTables()
    private var seenVersion = -1

    init(_ database: MemoryDatabase) { self.database = database }

    // MARK: The transaction

    func begin() -> Bool {
        tables = database.read()
        defer { seenVersion = tables.version }
        return tables.version != seenVersion
    }

    func seal() {}

    func commit() throws {
        tables.version += 1
        try database.commit(tables)
        seenVersion = tables.version
    }

    func rollBack() { seenVersion = -1 }

    // MARK: The chain

    func head() -> ChainHead {
        ChainHead(
            id: Int64(tables.transactions.count),
            hash: tables.transactions.last?.hash ?? CanonicalBytes.genesis)
    }

    func insert(_ rows: [PendingTransaction], postedAt: Int64) -> Int {
        for (count, row) in rows.enumerated() {
            guard tables.ids[row.posting.movement] == nil else { return count }
            precondition(row.id == Int64(tables.transactions.count + 1), "a gap before \(row.id)")
            tables.ids[row.posting.movement] = row.id
            tables.transactions.append(
                MemoryTables.Transaction(
                    posting: row.posting, standing: row.standing, postedAt: postedAt,
                    hash: row.hash))
        }
        return rows.count
    }

    func insert(_ entry: PendingEntry) {
        let account = Int(entry.account - 1)
        tables.balances[account] += entry.amount
        tables.transactions[Int(entry.transaction - 1)].entries.append(
            Entry(tables.accounts[account].name, entry.currency, MinorUnits(entry.amount)))
    }

    func account(_ name: AccountName, _ currency: Currency) -> StoredAccount? {
        let account = MemoryTables.Account(name: name, currency: currency)
        return tables.accounts.firstIndex(of: account).map {
            StoredAccount(id: Int64($0 + 1), balance: tables.balances[$0])
        }
    }

    func makeAccount(_ name: AccountName, _ currency: Currency) -> Int64 {
        tables.accounts.append(MemoryTables.Account(name: name, currency: currency))
        tables.balances.append(0)
        return Int64(tables.accounts.count)
    }

    func isBooked(_ movement: MovementKey) -> Bool { tables.ids[movement] != nil }

    func posting(of movement: MovementKey) -> Posting? {
        tables.ids[movement].map { tables.posted($0).posting }
    }

    // MARK: Charges

    func payment(_ movement: MovementKey) -> BookedPayment? {
        if let kept = tables.payments[movement] { return kept }
        guard let id = tables.ids[movement] else { return nil }
        let posting = tables.posted(id).posting
        guard posting.kind == .payment,
            let debit = posting.entries.first(where: { $0.amount > .zero }),
            let merchant = posting.entries.compactMap(\.account.merchant).first
        else { return nil }
        let standing = tables.transactions[Int(id - 1)].standing
        return BookedPayment(
            movement: movement, eventID: posting.eventID, effectiveAt: posting.effectiveAt,
            merchant: merchant, processor: debit.account, currency: debit.currency,
            amount: debit.amount, standing: standing, place: standing.place, decision: nil,
            moves: 0)
    }

    func keep(_ payment: BookedPayment, was before: BookedPayment) {
        tables.payments[payment.movement] = payment
    }

    func waitingDecision(for movement: MovementKey) -> DatedDecision? {
        tables.waitingDecisions[movement]
    }

    func keep(
        waiting decision: DatedDecision?, was before: DatedDecision?, for movement: MovementKey
    ) { tables.waitingDecisions[movement] = decision }

    func refunds(of charge: MovementKey) -> [BookedRefund] {
        tables.refunds[charge, default: []].compactMap { id in
            let posting = tables.posted(id).posting
            guard let payable = posting.entries.first(where: { $0.account.merchant != nil }),
                let merchant = payable.account.merchant,
                let processor = posting.entries.first(where: \.account.isProcessor)
            else { return nil }
            let failed = posting.kind == .refundFailed
            return BookedRefund(
                objectID: BookedRefund.objectID(of: posting.movement), failed: failed,
                eventID: posting.eventID, effectiveAt: posting.effectiveAt, merchant: merchant,
                processor: processor.account, currency: payable.currency,
                amount: failed ? -payable.amount : payable.amount)
        }
    }

    func add(refund: TransactionID, of charge: MovementKey) {
        tables.refunds[charge, default: []].append(refund.rawValue)
    }

    // MARK: Reviews

    func lastReview() -> Int64 { Int64(tables.reviews.count) }

    func finding(of payment: MovementKey) -> ReviewFinding? {
        tables.reviews.last { $0.record.movement == payment && $0.record.state == .opened }
            .map { ReviewFinding(score: $0.record.score, reasons: $0.record.reasons) }
    }

    func keep(_ change: ReviewChange, of payment: MovementKey) {
        let isOpen = change.record.state == .opened
        precondition(
            (tables.openReviews[payment] == nil) == isOpen, "review \(change.id) is out of turn")
        append(change)
        tables.openReviews[payment] = isOpen ? change.id : nil
    }

    func renew(_ change: ReviewChange, of payment: MovementKey) {
        precondition(tables.openReviews[payment] != nil, "review \(change.id) renews nothing")
        append(change)
        tables.openReviews[payment] = change.id
    }

    private func append(_ change: ReviewChange) {
        precondition(change.id == lastReview() + 1, "a gap before review \(change.id)")
        tables.reviews.append(change)
    }

    func closeReview(of payment: MovementKey) { tables.openReviews[payment] = nil }

    func keep(_ decision: PlacedDecision) { tables.decisions.append(decision) }

    // MARK: Notes

    func hasNotes() -> Bool { !tables.notes.isEmpty || !tables.releases.isEmpty }
    func note(_ key: MovementKey) -> WaitingMovement? { tables.notes[key] }

    func notes(of charge: String) -> [WaitingMovement] {
        tables.notes.values.filter { $0.charge == charge }
            .sorted { $0.key.rawValue < $1.key.rawValue }
    }

    func keep(_ note: WaitingMovement, isNew: Bool) { tables.notes[note.key] = note }
    func release(of charge: String) -> ChargeRelease? { tables.releases[charge] }

    func keep(_ release: ChargeRelease, of charge: String, isNew: Bool) {
        tables.releases[charge] = release
    }

    func waitingCount() -> Int { tables.notes.values.count { $0.state == .waits } }

    // MARK: Positions

    func position(of topic: String, _ partition: Int32) -> Int64? {
        tables.positions[MemoryTables.Position(topic: topic, partition: partition)]
    }

    func set(_ position: ConsumerPosition, isNew: Bool) {
        let key = MemoryTables.Position(topic: position.topic, partition: position.partition)
        tables.positions[key] = position.nextOffset
    }

    func keep(_ ends: LedgerEnds) { tables.ends = ends }
    func keep(log: String) {}
    func keep(renewalsAfter transaction: Int64) {
        precondition(transaction == 0, "there is no older release of this")
    }
}

/// One process's ledger over the shared rows.
final class MemoryLedger: LedgerBooks, Sendable {
    private let database: MemoryDatabase
    private let booking: Mutex<Booking<MemoryRows>>

    init(_ database: MemoryDatabase) {
        self.database = database
        booking = Mutex(Booking(MemoryRows(database)) { 1_760_000_000_000 })
    }

    func post(
        _ inputs: [LedgerInput], positions: [ConsumerPosition], places: [Int: DecisionPlace]
    ) throws(LedgerError) -> PostOutcome {
        let result: Result<PostOutcome, LedgerError> = booking.withLock { booking in
            do {
                return .success(try booking.post(inputs, positions, places))
            } catch let error as LedgerError {
                return .failure(error)
            } catch {
                return .failure(.invariant(code: 0, detail: "\(error)"))
            }
        }
        return try result.get()
    }

    func position(topic: String, partition: Int32) -> Int64? {
        database.read().positions[
            MemoryTables.Position(topic: topic, partition: partition)]
    }

    func posted(after id: TransactionID, limit: Int) -> [PostedTransaction] {
        let tables = database.read()
        return (0..<tables.transactions.count).dropFirst(Int(id.rawValue)).prefix(limit)
            .map { tables.posted(Int64($0 + 1)) }
    }

    func reviewChanges(after id: Int64, limit: Int) -> [ReviewChange] {
        Array(database.read().reviews.dropFirst(Int(id)).prefix(limit))
    }

    func waitingCount() -> Int {
        database.read().notes.values.count { $0.state == .waits }
    }
}
