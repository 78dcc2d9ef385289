import Appliance
internal import GRDB
import Vocabulary

/// What taking statements has changed.
struct AddedEntries: Hashable, Sendable {
    var statements = 0
    var entries = 0
    /// Those that no earlier file had.
    var new = 0
    /// Those that count no more, since a statement was replaced.
    var superseded = 0
}

/// What came of statements that were handed over.
enum BankTaking: Hashable, Sendable {
    case taken(AddedEntries)
    /// Nothing was stored.
    case refused(BankRefusal)
}

extension StatementStore {
    /// Stores what is new of a file's statements, all or nothing.
    ///
    /// - Parameter replaced: the numbers of the statements in the record which they correct.
    func take(
        _ statements: [BankStatement], replacing replaced: Set<Int64> = [], file: String,
        at now: Instant
    ) throws(LedgerError) -> BankTaking {
        try write { database in
            var intake = BankIntake(database: database, file: file, now: now)
            if let refusal = try intake.refusal(of: statements, replaced) {
                return .refused(refusal)
            }
            return .taken(try intake.take(statements, replaced))
        }
    }
}

/// Takes the statements of one file in one transaction: each statement is kept with the entries
/// that it tells, an entry that several tell is one row, and a statement that another replaces
/// stays as it was told, with its entries that nothing else tells marked and counted no more.
struct BankIntake {
    let database: Database
    let file: String
    let now: Instant
    /// Statements that were looked at, by their number in the record.
    var known: [Int64: Known] = [:]

    init(database: Database, file: String, now: Instant) {
        self.database = database
        self.file = file
        self.now = now
    }

    // MARK: Whether they may be taken

    /// - Returns: why they are not taken as they are; nil where they may be.
    mutating func refusal(
        of statements: [BankStatement], _ replaced: Set<Int64>
    ) throws -> BankRefusal? {
        var sentences: [String] = []
        var new: [BankStatement] = []
        var left = replaced
        for statement in statements {
            let told = try told(around: statement)
            for former in told { left.remove(former.id) }
            let counting = try told.filter { try !isReplaced($0.id) }
            if try isKnown(statement, told, replaced) { continue }
            if let other = new.first(where: { statement.contradicts($0) }) {
                return .contradicts(Self.sentence(statement, other))
            }
            new.append(statement)
            for former in counting where !replaced.contains(former.id) {
                guard let correction = statement.difference(
                    from: former.statement, isWhole: former.isWhole, blurred: former.blurred)
                else { continue }
                sentences.append(Self.sentence(statement, former, correction))
            }
        }
        if let other = left.min() { return .replacesOther(other) }
        return sentences.isEmpty ? nil : .differs(sentences)
    }

    private static func sentence(_ statement: BankStatement, _ other: BankStatement) -> String {
        let days = "\(other.days.lowerBound) to \(other.days.upperBound)"
        let name = other.number.map { " \($0)" } ?? ""
        return "the file has the statement\(name) of \(statement.account), \(days), twice, and the "
            + "two tell otherwise"
    }

    private static func sentence(
        _ statement: BankStatement, _ former: Known, _ correction: BankCorrection
    ) -> String {
        let days = "\(former.statement.days.lowerBound) to \(former.statement.days.upperBound)"
        let name = former.statement.number.map { " \($0)" } ?? ""
        let file = former.file.isEmpty ? "" : " from \(former.file)"
        return "the statement\(name) of \(statement.account), \(days), was imported on "
            + "\(BankDay(of: former.imported))\(file) and is number \(former.id) here; now it "
            + "tells otherwise: \(correction.shown(in: statement.currency))"
    }

    /// Whether a statement was told before and so brings nothing. One that was replaced comes back
    /// only where it is told to replace what replaced it.
    private func isKnown(
        _ statement: BankStatement, _ told: [Known], _ replaced: Set<Int64>
    ) throws -> Bool {
        if try counting(statement, told, replaced) != nil { return true }
        let replaces = try told.contains {
            try replaced.contains($0.id) && !isReplaced($0.id) && !$0.isIdentical(statement)
        }
        return !replaces && told.contains { $0.isAlike(statement) }
    }

    /// The statement in the record that a known one is, where it counts and stays.
    private func counting(
        _ statement: BankStatement, _ told: [Known], _ replaced: Set<Int64>
    ) throws -> Int64? {
        try told.first {
            try $0.isAlike(statement) && !replaced.contains($0.id) && !isReplaced($0.id)
        }?.id
    }

    private func isReplaced(_ id: Int64) throws -> Bool {
        let row = try LedgerStatement(
            again: database, "SELECT replaced_by IS NOT NULL FROM bank_statements WHERE id = ?")
        defer { row.reset() }
        row.bind(1, id)
        return try row.step() && row.integer(0) == 1
    }

    // MARK: Taking them

    mutating func take(
        _ statements: [BankStatement], _ replaced: Set<Int64>
    ) throws -> AddedEntries {
        var added = AddedEntries(statements: statements.count)
        // Those that are new, and those that were told before and may be another's correction.
        var standing: [(statement: BankStatement, id: Int64)] = []
        for statement in statements {
            added.entries += statement.entries.count
            let told = try told(around: statement)
            if try isKnown(statement, told, replaced) {
                if let id = try counting(statement, told, replaced) {
                    standing.append((statement, id))
                }
                continue
            }
            let id = try insert(statement)
            let lines = try addLines(of: statement, id, told, replaced)
            added.new += lines.new
            added.superseded += lines.superseded
            standing.append((statement, id))
        }
        let former = known.values.filter { replaced.contains($0.id) }
        for former in former.sorted(by: { $0.id < $1.id }) {
            guard let id = Self.successor(of: former.statement, among: standing),
                try !isReplaced(former.id)
            else { continue }
            added.superseded += try replace(former.id, by: id)
        }
        return added
    }

    /// The one of a file's statements that is a former one again, else the first that tells of days
    /// in common.
    private static func successor(
        of former: BankStatement, among standing: [(statement: BankStatement, id: Int64)]
    ) -> Int64? {
        let near = standing.filter { one in
            one.statement.account == former.account && one.statement.currency == former.currency
                && one.statement.days.overlaps(former.days)
        }
        return (near.first { $0.statement.sameness(with: former) != nil } ?? near.first)?.id
    }

    private func insert(_ statement: BankStatement) throws -> Int64 {
        let insert = try LedgerStatement(
            again: database,
            """
            INSERT INTO bank_statements (account, currency, day_first, day_last, format, opening,
                closing, entries, file, imported_at, number)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """)
        insert.bind(1, statement.account)
        insert.bind(2, statement.currency.code)
        insert.bind(3, statement.days.lowerBound.rawValue)
        insert.bind(4, statement.days.upperBound.rawValue)
        insert.bind(5, statement.format)
        insert.bind(6, orNull: statement.opening?.rawValue)
        insert.bind(7, orNull: statement.closing?.rawValue)
        insert.bind(8, Int64(statement.entries.count))
        insert.bind(9, file)
        insert.bind(10, now.seconds)
        insert.bind(11, orNull: statement.number)
        try insert.run()
        return database.lastInsertedRowID
    }

    /// Notes what a statement tells, with a new row for each entry that none of the others has.
    /// Where a correction tells an entry under the same reference with another text, it is one
    /// entry: its new row counts, and the former no more, whoever else tells it.
    ///
    /// - Returns: how many are new, and how many count no more.
    private mutating func addLines(
        of statement: BankStatement, _ id: Int64, _ told: [Known], _ replaced: Set<Int64>
    ) throws -> (new: Int, superseded: Int) {
        let line = try LedgerStatement(
            again: database, "INSERT INTO bank_lines (statement, place, entry) VALUES (?, ?, ?)")
        let days = try ToldDays(statement, followsEarlier: followsEarlier(statement))
        var rows: [String: [Row]] = [:]
        for day in days.places.keys { Self.collect(day, days, told, replaced, into: &rows) }
        let corrected = Set(
            told.filter { replaced.contains($0.id) }.flatMap { $0.rows.map(\.id) })
        let worded = Self.sameWords(statement.entries, &rows)
        var new = 0
        var superseded: Set<Int64> = []
        for (place, entry) in statement.entries.enumerated() {
            let former = worded[place] ?? rows[entry.alike]?.popLast()?.id
            let row: Int64
            if let former, worded[place] != nil || !corrected.contains(former) {
                row = former
            } else {
                row = try insert(entry, of: statement, id)
                new += 1
                if let former { superseded.insert(former) }
            }
            line.bind(1, id)
            line.bind(2, Int64(place))
            line.bind(3, row)
            try line.run()
        }
        return (new, try supersede(superseded, by: id))
    }

    /// A row that an entry may be.
    private struct Row {
        var id: Int64
        var text: String
    }

    /// The rows, by the entries' places, that tell an entry in the same words; taken out of `rows`.
    private static func sameWords(
        _ entries: [BankEntry], _ rows: inout [String: [Row]]
    ) -> [Int: Int64] {
        var found: [Int: Int64] = [:]
        for (place, entry) in entries.enumerated() {
            guard let at = rows[entry.alike]?.lastIndex(where: { $0.text == entry.text })
            else { continue }
            found[place] = rows[entry.alike]?.remove(at: at).id
        }
        return found
    }

    /// Rows that entries of a day may be, the newest first: those that a statement of the same
    /// entries tells, and none of other entries.
    private static func collect(
        _ day: BankDay, _ days: ToldDays, _ told: [Known], _ replaced: Set<Int64>,
        into rows: inout [String: [Row]]
    ) {
        var others: Set<Int64> = []
        var found: [Int64: BankEntry] = [:]
        for former in told {
            guard let places = former.days.places[day] else { continue }
            let isOther = !replaced.contains(former.id)
                && days.isOther(than: former.days, on: day)
            for place in places where former.rows[place].isLive {
                let row = former.rows[place].id
                if isOther { others.insert(row) }
                found[row] = former.statement.entries[place]
            }
        }
        for (row, entry) in found.sorted(by: { $0.key > $1.key }) where !others.contains(row) {
            rows[entry.alike, default: []].append(Row(id: row, text: entry.text))
        }
    }

    private func insert(
        _ entry: BankEntry, of statement: BankStatement, _ id: Int64
    ) throws -> Int64 {
        let count = try LedgerStatement(
            again: database,
            """
            SELECT count(*) FROM bank_entries
            WHERE account = ? AND currency = ? AND key >= ? AND key < ?
            """)
        defer { count.reset() }
        count.bind(1, statement.account)
        count.bind(2, statement.currency.code)
        count.bind(3, "\(entry.alike)|")
        // The sign after the line.
        count.bind(4, "\(entry.alike)}")
        let place = try count.step() ? count.integer(0) : 0
        let insert = try LedgerStatement(
            again: database,
            """
            INSERT INTO bank_entries
                (account, currency, key, day, amount, text, reference, statement)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            """)
        insert.bind(1, statement.account)
        insert.bind(2, statement.currency.code)
        insert.bind(3, "\(entry.alike)|\(place)")
        insert.bind(4, entry.day.rawValue)
        insert.bind(5, entry.amount.rawValue)
        insert.bind(6, entry.text)
        insert.bind(7, orNull: entry.reference)
        insert.bind(8, id)
        try insert.run()
        return database.lastInsertedRowID
    }

    /// Marks entries that are told with another text.
    ///
    /// - Returns: how many count no more.
    private mutating func supersede(_ rows: Set<Int64>, by id: Int64) throws -> Int {
        guard !rows.isEmpty else { return 0 }
        for former in known.keys { known[former]?.supersede(rows) }
        let mark = try LedgerStatement(
            again: database,
            """
            UPDATE bank_entries SET superseded_by = ?1, settled_before = transaction_id,
                transaction_id = NULL, kept = NULL
            WHERE superseded_by IS NULL AND id = ?2
            """)
        var count = 0
        for row in rows.sorted() {
            mark.bind(1, id)
            mark.bind(2, row)
            count += try mark.run()
        }
        return count
    }

    /// Marks a statement as replaced, and those of its entries that none which counts tells.
    ///
    /// - Returns: how many entries these are.
    private func replace(_ former: Int64, by id: Int64) throws -> Int {
        let replaced = try LedgerStatement(
            again: database, "UPDATE bank_statements SET replaced_by = ? WHERE id = ?")
        replaced.bind(1, id)
        replaced.bind(2, former)
        try replaced.run()
        let superseded = try LedgerStatement(
            again: database,
            """
            UPDATE bank_entries SET superseded_by = ?1, settled_before = transaction_id,
                transaction_id = NULL, kept = NULL
            WHERE superseded_by IS NULL
                AND id IN (SELECT entry FROM bank_lines WHERE statement = ?2)
                AND NOT EXISTS (
                    SELECT 1 FROM bank_lines l CROSS JOIN bank_statements s ON s.id = l.statement
                    WHERE l.entry = bank_entries.id AND s.replaced_by IS NULL)
            """)
        superseded.bind(1, id)
        superseded.bind(2, former)
        return try superseded.run()
    }
}
