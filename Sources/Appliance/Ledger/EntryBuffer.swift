internal import GRDB

/// Entries on their way into the table, many rows a statement: starting a statement and its
/// triggers costs more than a row does.
///
/// Whoever reads entries inside the batch flushes first.
final class EntryBuffer {
    struct Line {
        var transaction: Int64
        var currency: Currency
        var sequence: Int64
        var account: Int64
        var amount: Int64
    }
    /// Rows of the wide statement.
    private static let rows = 64

    private var lines: [Line] = []
    private let insertMany, insertOne: LedgerStatement

    init(_ database: Database) throws {
        func insert(rows: Int) throws -> LedgerStatement {
            let values = Array(repeating: "(?, ?, ?, ?, ?)", count: rows).joined(separator: ", ")
            // OR ROLLBACK spares SQLite a statement journal; a violation ends the batch anyway.
            return try LedgerStatement(
                database, "INSERT OR ROLLBACK INTO entries VALUES \(values)")
        }
        insertMany = try insert(rows: Self.rows)
        insertOne = try insert(rows: 1)
        lines.reserveCapacity(Self.rows)
    }

    func forget() { lines.removeAll(keepingCapacity: true) }

    func append(_ line: Line) throws {
        lines.append(line)
        guard lines.count == Self.rows else { return }
        for (row, line) in lines.enumerated() { Self.bind(line, insertMany, row: row) }
        try insertMany.run()
        lines.removeAll(keepingCapacity: true)
    }

    func flush() throws {
        for line in lines {
            Self.bind(line, insertOne, row: 0)
            try insertOne.run()
        }
        lines.removeAll(keepingCapacity: true)
    }

    private static func bind(_ line: Line, _ statement: LedgerStatement, row: Int) {
        let first = Int32(row * 5)
        statement.bind(first + 1, line.transaction)
        statement.bind(first + 2, line.currency.code)
        statement.bind(first + 3, line.sequence)
        statement.bind(first + 4, line.account)
        statement.bind(first + 5, line.amount)
    }
}
