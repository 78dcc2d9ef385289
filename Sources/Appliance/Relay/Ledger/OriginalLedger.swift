import Appliance
import Synchronization
import Vocabulary

/// The local ledger beside its copy, read page by page as the copy grows.
final class OriginalLedger: LedgerOriginal {
    /// Rows that are read at once.
    static let pageCount = 2_048

    private let ledger: any LedgerReading
    private let transactions = Mutex<[PostedTransaction]>([])
    private let changes = Mutex<[ReviewChange]>([])

    init(_ ledger: any LedgerReading) { self.ledger = ledger }

    func transaction(_ id: Int64) throws(LedgerError) -> PostedTransaction? {
        try Self.row(id, of: transactions, number: { $0.id.rawValue }) {
            () throws(LedgerError) in
            try ledger.posted(after: TransactionID(id - 1), limit: Self.pageCount)
        }
    }

    func change(_ id: Int64) throws(LedgerError) -> ReviewChange? {
        try Self.row(id, of: changes, number: { $0.id }) { () throws(LedgerError) in
            try ledger.reviewChanges(after: id - 1, limit: Self.pageCount)
        }
    }

    /// Numbers have no gaps, so that a row is found by its distance from the page's first.
    private static func row<Row: Sendable>(
        _ id: Int64, of page: borrowing Mutex<[Row]>, number: (Row) -> Int64,
        _ read: () throws(LedgerError) -> [Row]
    ) throws(LedgerError) -> Row? {
        let known = page.withLock { Self.found(id, in: $0, number: number) }
        if let known { return known }
        let fresh = try read()
        page.withLock { $0 = fresh }
        return found(id, in: fresh, number: number)
    }

    private static func found<Row>(
        _ id: Int64, in page: [Row], number: (Row) -> Int64
    ) -> Row? {
        guard let first = page.first else { return nil }
        let place = id - number(first)
        guard place >= 0, place < page.count else { return nil }
        let row = page[Int(place)]
        return number(row) == id ? row : nil
    }

    // MARK: LedgerOriginal

    func stamp(ofTransaction id: Int64) throws(LedgerError) -> Int64? {
        try transaction(id)?.postedAtMilliseconds
    }

    func stamp(ofReviewChange id: Int64) throws(LedgerError) -> Int64? {
        try change(id)?.postedAtMilliseconds
    }

    func confirm(_ mine: PostedTransaction) throws(LedgerError) {
        let theirs = try transaction(mine.id.rawValue)
        guard theirs?.hash != mine.hash else { return }
        let has = theirs.map { "\($0.posting.movement) with hash \(String(hex: $0.hash))" }
        throw .differsFromOriginal(
            what: "transaction \(mine.id) would be \(mine.posting.movement) with hash "
                + "\(String(hex: mine.hash)), and the ledger has \(has ?? "none")")
    }

    func confirm(_ mine: ReviewChange) throws(LedgerError) {
        let theirs = try change(mine.id)
        guard theirs?.record != mine.record || theirs?.eventID != mine.eventID else { return }
        let has = theirs.map { "\($0.record.movement) \($0.record.state.rawValue)" }
        throw .differsFromOriginal(
            what: "change \(mine.id) of a review would be \(mine.record.movement) "
                + "\(mine.record.state.rawValue), and the ledger has \(has ?? "none")")
    }
}
