internal import GRDB
import Vocabulary

/// Entries on their way into the table, many rows a statement.
///
/// Whoever reads entries inside the batch has them inserted first.
final class EntryBuffer {
    /// Most transactions have two entries.
    private static let linesMax = 2 * BookingLimits.pendingMax

    private var lines: [PendingEntry] = []
    private let insert: WideInsert

    init(_ database: Database) throws {
        // OR ROLLBACK: a violation ends the batch anyway.
        insert = try WideInsert(
            database, "INSERT OR ROLLBACK INTO entries", columns: 5, rowsMax: Self.linesMax,
            bytesPerRow: 3)
        lines.reserveCapacity(Self.linesMax)
    }

    func forget() { lines.removeAll(keepingCapacity: true) }

    func append(_ line: PendingEntry) throws {
        lines.append(line)
        if lines.count == Self.linesMax { try insertAll() }
    }

    func insertAll() throws {
        var start = 0
        while start < lines.count {
            let (rows, statement) = insert.widest(for: lines.count - start)
            for row in 0..<rows { Self.bind(lines[start + row], statement, row: row) }
            try statement.run()
            start += rows
        }
        lines.removeAll(keepingCapacity: true)
    }

    private static func bind(_ line: PendingEntry, _ statement: LedgerStatement, row: Int) {
        let first = Int32(row * 5)
        statement.bind(first + 1, line.transaction)
        statement.bind(first + 2, line.currency.code)
        statement.bind(first + 3, line.sequence)
        statement.bind(first + 4, line.account)
        statement.bind(first + 5, line.amount)
    }
}
