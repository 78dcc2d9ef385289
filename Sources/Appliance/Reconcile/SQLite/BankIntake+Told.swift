import Appliance
internal import GRDB
import Vocabulary

/// What was told before of the days of a file's statements.
extension BankIntake {
    struct Known {
        var id: Int64
        var days: ToldDays
        /// Rows of its entries, and whether each still counts.
        var rows: [(id: Int64, isLive: Bool)]
        /// What those have in common whose texts are another statement's, which told them first.
        var blurred: Set<String>
        /// How many entries it had.
        var count: Int64
        var file: String
        var imported: Instant

        var statement: BankStatement { days.statement }
        /// What an earlier release imported is known only as far as no former one had told it.
        var isWhole: Bool { Int64(rows.count) == count }

        /// Marks rows of its entries as such that count no more.
        mutating func supersede(_ superseded: Set<Int64>) {
            for place in rows.indices where superseded.contains(rows[place].id) {
                rows[place].isLive = false
            }
        }

        /// Whether a statement is this one again in the same words, as far as is known.
        func isIdentical(_ other: BankStatement) -> Bool {
            isWhole ? other.isIdentical(statement) : isAlike(other)
        }

        /// Whether a statement is this one again, as far as is known.
        func isAlike(_ other: BankStatement) -> Bool {
            guard !isWhole else { return other.isAlike(statement, blurred: blurred) }
            return statement.format == other.format && statement.days == other.days
                && statement.opening == other.opening && statement.closing == other.closing
                && count == Int64(other.entries.count)
        }
    }

    /// Statements of the same account and currency that tell of days in common, oldest first.
    mutating func told(around statement: BankStatement) throws -> [Known] {
        let rows = try LedgerStatement(
            again: database,
            """
            SELECT id, format, number, day_first, day_last, opening, closing, entries, file,
                imported_at
            FROM bank_statements
            WHERE account = ? AND currency = ? AND day_first <= ? AND day_last >= ? ORDER BY id
            """)
        defer { rows.reset() }
        rows.bind(1, statement.account)
        rows.bind(2, statement.currency.code)
        rows.bind(3, statement.days.upperBound.rawValue)
        rows.bind(4, statement.days.lowerBound.rawValue)
        var told: [Known] = []
        while try rows.step() {
            let id = rows.integer(0)
            if known[id] == nil { known[id] = try read(id, statement, rows) }
            if let former = known[id] { told.append(former) }
        }
        return told
    }

    private func read(
        _ id: Int64, _ other: BankStatement, _ row: LedgerStatement
    ) throws -> Known {
        let lines = try LedgerStatement(
            again: database,
            """
            SELECT e.id, e.day, e.amount, e.text, e.reference, e.superseded_by IS NULL,
                e.statement = l.statement
            FROM bank_lines l CROSS JOIN bank_entries e ON e.id = l.entry
            WHERE l.statement = ? ORDER BY l.place
            """)
        defer { lines.reset() }
        lines.bind(1, id)
        var entries: [BankEntry] = []
        var rows: [(id: Int64, isLive: Bool)] = []
        var blurred: Set<String> = []
        while try lines.step() {
            let entry = BankEntry(
                day: BankDay(lines.integer(1)), amount: MinorUnits(lines.integer(2)),
                text: lines.text(3), reference: lines.textOrNull(4))
            entries.append(entry)
            rows.append((lines.integer(0), lines.integer(5) == 1))
            if lines.integer(6) != 1 { blurred.insert(entry.alike) }
        }
        let statement = BankStatement(
            format: row.text(1), number: row.textOrNull(2), account: other.account,
            currency: other.currency, days: BankDay(row.integer(3))...BankDay(row.integer(4)),
            opening: row.integerOrNull(5).map { MinorUnits($0) },
            closing: row.integerOrNull(6).map { MinorUnits($0) }, entries: entries)
        return Known(
            id: id,
            days: ToldDays(statement, followsEarlier: try followsEarlier(statement)),
            rows: rows, blurred: blurred, count: row.integer(7), file: row.text(8),
            imported: Instant(seconds: row.integer(9)))
    }

    /// Whether a statement begins with the balance that the last day before its entries ends with,
    /// by any statement of the record, replaced or not: a day's balances are those of what the bank
    /// said when it told the day.
    func followsEarlier(_ statement: BankStatement) throws -> Bool {
        guard let opening = statement.opening, let first = statement.entries.map(\.day).min()
        else { return false }
        let former = try LedgerStatement(
            again: database,
            """
            SELECT 1 FROM bank_statements
            WHERE account = ?1 AND currency = ?2 AND closing = ?3 AND day_last = (
                SELECT max(day_last) FROM bank_statements
                WHERE account = ?1 AND currency = ?2 AND day_last < ?4)
            """)
        defer { former.reset() }
        former.bind(1, statement.account)
        former.bind(2, statement.currency.code)
        former.bind(3, opening.rawValue)
        former.bind(4, first.rawValue)
        return try former.step()
    }
}
