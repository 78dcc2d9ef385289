internal import Bridges
import Vocabulary

/// The ledger's tables in one transaction of Postgres that only reads and sees one snapshot.
final class PostgresSnapshot: LedgerSnapshot {
    let connection: PostgresConnection
    private var cursorCount = 0

    init(_ connection: PostgresConnection) { self.connection = connection }

    func query(_ sql: String) -> any LedgerQuery {
        PostgresQuery(connection, PostgresWording.translated(sql))
    }

    func query(again sql: String, keptBytes: Int) -> any LedgerQuery {
        PostgresQuery(connection, PostgresWording.translated(sql), isKept: true)
    }

    func query(walking sql: String) throws -> any LedgerQuery {
        cursorCount += 1
        let name = "walk_\(cursorCount)"
        try connection.execute(
            "DECLARE \(name) NO SCROLL CURSOR FOR \(PostgresWording.translated(sql))")
        return PostgresQuery(connection, "FETCH 5000 FROM \(name)", isCursor: true)
    }

    func firstRows(
        of sql: String, forEach keys: [[String]], _ number: Int64,
        _ read: (_ place: Int, any LedgerQuery) throws -> Void
    ) throws {
        guard let width = keys.first?.count else { return }
        // The number first: `?1` is the beginning of no other mark then.
        var one = sql.replacing("?\(width + 1)", with: "\(number)::bigint")
        for column in 1...width { one.replace("?\(column)", with: "wanted.k\(column)") }
        let names = (1...width).map { "k\($0)" }.joined(separator: ", ")
        let arrays = (1...width).map { "$\($0)::text[]" }.joined(separator: ", ")
        let rows = PostgresQuery(
            connection,
            """
            SELECT one.*, wanted.place FROM unnest(\(arrays)) WITH ORDINALITY
                AS wanted (\(names), place)
            JOIN LATERAL (\(PostgresWording.translated(one)) LIMIT 1) AS one ON true
            """, (0..<width).map { column in .texts(keys.map { $0[column] }) })
        while try rows.step() { try read(Int(rows.lastInteger) - 1, rows) }
    }

    func entries(of ids: [Int64]) throws -> [Int64: [Entry]] {
        let rows = try connection.query(PostgresEntries.sql, [.integers(ids)], kept: true)
        return try PostgresEntries.read(rows)
    }

    var keepsCaptures: Bool { true }
    var keepsReviews: Bool { true }
    var keepsRenewals: Bool { true }
    func checkReviews() {}

    func toldReader() -> (_ charge: String) throws -> ChargeNotes {
        let rows = PostgresLookups(connection)
        return { charge in
            let movement = MovementKey("charge:\(charge)")
            let refunds = try rows.refunds(of: [movement.rawValue])
            let postings = try rows.transactions(refunds.map(\.movement))
            return ChargeNotes(
                rows: try rows.notes(keys: [], charges: [charge]).filter { $0.charge == charge },
                release: try rows.releases(of: [charge])[charge],
                refunds: refunds.compactMap {
                    postings[$0.movement].flatMap { BookedRefund($0.posting) }
                })
        }
    }
}

/// The entries of transactions, in the order that their hash has them.
enum PostgresEntries {
    static let sql = """
        SELECT e.transaction_id, a.name, e.currency, e.amount
        FROM unnest($1::bigint[]) AS wanted (id)
        JOIN entries e ON e.transaction_id = wanted.id JOIN accounts a ON a.id = e.account
        ORDER BY e.transaction_id, e.currency, e.seq
        """

    static func read(_ rows: PostgresAnswer) throws -> [Int64: [Entry]] {
        var entries: [Int64: [Entry]] = [:]
        for row in 0..<rows.count {
            let id = try rows.integer(row, 0)
            guard let currency = Currency(try rows.text(row, 2)) else {
                throw LedgerError.corrupt(code: 0, detail: "entries of transaction \(id): currency")
            }
            entries[id, default: []].append(
                Entry(
                    AccountName(try rows.text(row, 1)), currency,
                    MinorUnits(try rows.integer(row, 3))))
        }
        return entries
    }
}

/// A statement in the words that both databases know, made Postgres's.
enum PostgresWording {
    /// `?` becomes `$1`, `$2` … in their order, and `?3` becomes `$3`; not inside of quotes.
    static func translated(_ sql: String) -> String {
        var text = ""
        var (count, isQuoted) = (0, false)
        let characters = Array(sql.replacing("CROSS JOIN", with: "JOIN"))
        for (place, character) in characters.enumerated() {
            if character == "'" { isQuoted.toggle() }
            guard character == "?", !isQuoted else {
                text.append(character)
                continue
            }
            text.append("$")
            let isNumbered = place + 1 < characters.count && characters[place + 1].isNumber
            if !isNumbered {
                count += 1
                text += String(count)
            }
        }
        return text
    }
}

/// One statement on a snapshot. Its rows are read when it is stepped for the first time.
final class PostgresQuery: LedgerQuery {
    private let connection: PostgresConnection
    private let sql: String
    private let isKept, isCursor: Bool
    private var values: [PostgresValue]
    private var rows: PostgresAnswer?
    private var row = -1
    /// The row that is ready.
    private var columns: [PostgresValue] = []

    init(
        _ connection: PostgresConnection, _ sql: String, _ values: [PostgresValue] = [],
        isKept: Bool = false, isCursor: Bool = false
    ) {
        self.values = values
        self.connection = connection
        self.sql = sql
        self.isKept = isKept
        self.isCursor = isCursor
    }

    func bind(_ index: Int32, _ number: Int64) { bind(index, .integer(number)) }
    func bind(_ index: Int32, _ text: String) { bind(index, .text(text)) }

    private func bind(_ index: Int32, _ value: PostgresValue) {
        while values.count < Int(index) { values.append(.null) }
        values[Int(index) - 1] = value
    }

    func step() throws -> Bool {
        if rows == nil || (isCursor && row + 1 == rows?.count && row >= 0) {
            rows = try connection.query(sql, values, kept: isKept)
            row = -1
        }
        guard let rows, row + 1 < rows.count else {
            columns = []
            return false
        }
        row += 1
        columns.removeAll(keepingCapacity: true)
        for column in 0..<rows.columnCount { columns.append(try rows.value(row, column)) }
        return true
    }

    func reset() { (rows, row, columns) = (nil, -1, []) }

    private func value(_ column: Int32) -> PostgresValue {
        precondition(Int(column) < columns.count, "column \(column) of \(columns.count)")
        return columns[Int(column)]
    }

    // As SQLite's own: a value of another type is read as nothing, which `verify` then names.
    func integer(_ column: Int32) -> Int64 {
        if case .integer(let number) = value(column) { number } else { 0 }
    }

    /// Of the last column.
    var lastInteger: Int64 { integer(Int32(columns.count) - 1) }

    func double(_ column: Int32) -> Double {
        if case .double(let number) = value(column) { number } else { 0 }
    }

    func text(_ column: Int32) -> String {
        if case .text(let text) = value(column) { text } else { "" }
    }

    func blob(_ column: Int32) -> [UInt8] {
        if case .bytes(let bytes) = value(column) { bytes } else { [] }
    }

    func isNull(_ column: Int32) -> Bool { value(column) == .null }
}
