import AppendLog
import Appliance
import GRDB
import Vocabulary

/// A day of a table.
struct TableDay: Hashable {
    var name: String
    var day: Int64
}

/// A row as it is kept: its text in two pieces, between which the id of its line of the statement
/// stands where it has one, and what the manifest sums.
struct KeptRow {
    var front: String
    var line: String?
    var back: String
    var amount: Int64?
    var currency: String?
}

/// What the export remembers, on one snapshot.
struct StateReading {
    private let database: Database

    init(_ database: Database) { self.database = database }

    private func rows<Row>(
        _ sql: String, _ bind: (LedgerStatement) -> Void = { _ in },
        _ row: (LedgerStatement) throws -> Row
    ) throws -> [Row] {
        let statement = try LedgerStatement(again: database, sql)
        defer { statement.reset() }
        bind(statement)
        var rows: [Row] = []
        while try statement.step() { rows.append(try row(statement)) }
        return rows
    }

    func position(_ topic: TopicID, _ partition: Int32) throws -> Offset? {
        try rows(
            "SELECT next FROM positions WHERE topic = ? AND partition = ?",
            {
                $0.bind(1, topic.rawValue)
                $0.bind(2, Int64(partition))
            }
        ) { Offset($0.integer(0)) }.first
    }

    /// The places up to which topics were read, each with the digest of the record before it.
    func positions(
        of topic: TopicID
    ) throws -> [(partition: Int32, next: Offset, last: String)] {
        try rows(
            "SELECT partition, next, last FROM positions WHERE topic = ?",
            { $0.bind(1, topic.rawValue) }
        ) { (Int32(clamping: $0.integer(0)), Offset($0.integer(1)), $0.text(2)) }
    }

    func mark(_ name: String) throws -> Int64 { try lastMark(name).value }

    /// A mark, and what stood there; 0 and nil where there is none.
    func lastMark(_ name: String) throws -> (value: Int64, last: String?) {
        try rows("SELECT value, last FROM marks WHERE name = ?", { $0.bind(1, name) }) {
            ($0.integer(0), $0.textOrNull(1))
        }.first ?? (0, nil)
    }

    /// By day, what the files of a table looked like when they were found right.
    func stamps(of name: String) throws -> [Int64: String] {
        let stamps = try rows(
            "SELECT day, stamp FROM stamps WHERE name = ?", { $0.bind(1, name) }
        ) { ($0.integer(0), $0.text(1)) }
        return Dictionary(uniqueKeysWithValues: stamps)
    }

    /// Days of a table whose files may be behind, the oldest first.
    func dirty(of name: String) throws -> [Int64] {
        try rows("SELECT day FROM dirty WHERE name = ? ORDER BY day", { $0.bind(1, name) }) {
            $0.integer(0)
        }
    }

    /// The days that have rows of a table that is kept here.
    func days(of name: String) throws -> [Int64] {
        switch name {
        case WarehouseTable.payments.name:
            try rows("SELECT DISTINCT day FROM payments ORDER BY day") { $0.integer(0) }
        case WarehouseTable.ledgerEntries.name:
            try rows("SELECT DISTINCT day FROM spans ORDER BY day") { $0.integer(0) }
        case WarehouseTable.payoutBalanceTransaction.name:
            try rows(
                """
                SELECT DISTINCT day FROM payouts p
                WHERE EXISTS (SELECT 1 FROM parts WHERE payout = p.payout) ORDER BY day
                """
            ) { $0.integer(0) }
        default:
            try rows(
                "SELECT DISTINCT day FROM objects WHERE kind = ? ORDER BY day",
                { $0.bind(1, name) }
            ) { $0.integer(0) }
        }
    }

    func spans(of day: Int64) throws -> [ClosedRange<Int64>] {
        try rows("SELECT first, last FROM spans WHERE day = ? ORDER BY first", { $0.bind(1, day) })
        { $0.integer(0)...$0.integer(1) }
    }

    /// A day's payments behind a movement, in order, at most `limit`.
    func payments(
        of day: Int64, after movement: String, limit: Int
    ) throws -> [(movement: String, row: KeptPayment)] {
        try rows(
            """
            SELECT movement, created, received, amount, currency, standing, event, front, back
            FROM payments WHERE day = ? AND movement > ? ORDER BY movement LIMIT ?
            """,
            {
                $0.bind(1, day)
                $0.bind(2, orNull: movement)
                $0.bind(3, Int64(limit))
            }
        ) { row in (row.text(0), Self.payment(row)) }
    }

    static func payment(_ row: LedgerStatement) -> KeptPayment {
        KeptPayment(
            created: row.integer(1), received: row.integer(2), amount: row.integer(3),
            currency: row.text(4), standing: row.integer(5), event: row.text(6),
            front: row.text(7), back: row.text(8))
    }

    /// A day's objects of a kind behind an id, in order, at most `limit`.
    func objects(
        _ kind: String, of day: Int64, after id: String, limit: Int
    ) throws -> [(id: String, row: KeptRow)] {
        try rows(
            """
            SELECT id, front, line, back, amount, currency FROM objects
            WHERE kind = ? AND day = ? AND id > ? ORDER BY id LIMIT ?
            """,
            {
                $0.bind(1, kind)
                $0.bind(2, day)
                $0.bind(3, orNull: id)
                $0.bind(4, Int64(limit))
            }
        ) { row in
            (
                row.text(0),
                KeptRow(
                    front: row.text(1), line: row.textOrNull(2), back: row.text(3),
                    amount: row.integerOrNull(4), currency: row.textOrNull(5))
            )
        }
    }

    /// Automatic payouts of which Stripe has not been asked yet, at most `limit`.
    func payoutsToAsk(
        after payout: String, limit: Int
    ) throws -> [(payout: String, account: String)] {
        try rows(
            """
            SELECT payout, account FROM payouts WHERE is_known = 0 AND payout > ?
            ORDER BY payout LIMIT ?
            """,
            {
                $0.bind(1, orNull: payout)
                $0.bind(2, Int64(limit))
            }
        ) { ($0.text(0), $0.text(1)) }
    }

    /// How many automatic payouts' parts are not known.
    func unknownPayoutCount() throws -> Int64 {
        try rows("SELECT count(*) FROM payouts WHERE is_known = 0") { $0.integer(0) }.first ?? 0
    }

    /// A day's parts of payouts behind one, in order, at most `limit`.
    func parts(
        of day: Int64, after place: (payout: String, line: String), limit: Int
    ) throws -> [(payout: String, line: String, synced: String)] {
        try rows(
            """
            SELECT p.payout, l.line, p.synced FROM payouts p JOIN parts l ON l.payout = p.payout
            WHERE p.day = ?1 AND (p.payout, l.line) > (?2, ?3) ORDER BY p.payout, l.line LIMIT ?4
            """,
            {
                $0.bind(1, day)
                $0.bind(2, orNull: place.payout)
                $0.bind(3, orNull: place.line)
                $0.bind(4, Int64(limit))
            }
        ) { ($0.text(0), $0.text(1), $0.text(2)) }
    }
}
