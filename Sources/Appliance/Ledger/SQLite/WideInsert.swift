internal import GRDB

/// One INSERT in several widths: starting a statement and the triggers of its first row costs more
/// than the rows that follow do.
struct WideInsert {
    private let statements: [(rows: Int, statement: LedgerStatement)]

    /// - Parameters:
    ///   - head: everything before `VALUES`.
    ///   - rowsMax: the most rows that one statement takes.
    ///   - bytesPerRow: of text that a row binds, at most; see `LedgerStatement`.
    init(
        _ database: Database, _ head: String, columns: Int, rowsMax: Int, bytesPerRow: Int
    ) throws {
        let marks = Array(repeating: "?", count: columns).joined(separator: ", ")
        statements = try [rowsMax, 16, 4, 2, 1].map { rows in
            let values = Array(repeating: "(\(marks))", count: rows).joined(separator: ", ")
            let statement = try LedgerStatement(
                database, "\(head) VALUES \(values)", keptBytes: rows * bytesPerRow)
            return (rows, statement)
        }
    }

    /// The widest statement for at most `count` rows, which is at least 1.
    func widest(for count: Int) -> (rows: Int, statement: LedgerStatement) {
        for choice in statements where choice.rows <= count { return choice }
        preconditionFailure("an INSERT of \(count) rows")
    }
}
