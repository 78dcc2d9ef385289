internal import GRDB
import Vocabulary

/// Transactions on their way into the table, many rows a statement.
struct TransactionInsert {
    /// A movement and an event id that the rules let through, with what a derived key adds, and
    /// the hash. A longer one would only cost a copy.
    private static let bytesPerRow = 640

    private let insert: WideInsert

    init(_ database: Database) throws {
        // OR FAIL keeps the rows before the one that fails.
        insert = try WideInsert(
            database, "INSERT OR FAIL INTO transactions", columns: 8,
            rowsMax: BookingLimits.pendingMax, bytesPerRow: Self.bytesPerRow)
    }

    /// - Returns: how many rows, from the first on, are stored; the movement of the next, if there
    ///   is one, was booked before.
    func store(_ rows: [PendingTransaction], postedAt: Int64) throws -> Int {
        var start = 0
        while start < rows.count {
            let (count, statement) = insert.widest(for: rows.count - start)
            for row in 0..<count { bind(rows[start + row], statement, row, postedAt) }
            let stored = try statement.runUntilDuplicate()
            start += stored
            if stored < count { break }
        }
        return start
    }

    private func bind(
        _ row: PendingTransaction, _ statement: LedgerStatement, _ number: Int, _ postedAt: Int64
    ) {
        let first = Int32(number * 8)
        statement.bind(first + 1, row.id)
        statement.bind(first + 2, row.posting.movement.rawValue)
        statement.bind(first + 3, row.posting.eventID.rawValue)
        statement.bind(first + 4, Int64(row.posting.kind.rawValue))
        statement.bind(first + 5, row.posting.effectiveAt.seconds)
        statement.bind(first + 6, postedAt)
        statement.bind(first + 7, row.standing.rawValue)
        statement.bind(first + 8, row.hash)
    }
}
