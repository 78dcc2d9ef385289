import AppendLog
import Appliance
import GRDB
import Vocabulary

/// A payment as it is kept.
struct KeptPayment: Hashable {
    /// Seconds: the earliest event that told of it.
    var created: Int64
    /// Milliseconds: when its first record was kept.
    var received: Int64
    /// The largest telling.
    var amount: Int64
    var currency: String
    /// `Standing.rawValue` of the scoring that stands.
    var standing: Int64
    var event: String
    /// The row's text up to the amount, and behind the times.
    var front, back: String

    var day: Int64 { UTCText.day(of: Instant(seconds: created)) }
}

/// An object of Stripe's in one telling.
struct ToldObject {
    var table: WarehouseTable
    var id: String
    var created: Instant
    /// Seconds of the event; below zero, and the later the lower, where something else's event
    /// named it.
    var told: Int64
    /// How far the object has come: decides between two tellings of one second.
    var progress: Int64
    var event: String
    var row: KeptRow

    var day: Int64 { UTCText.day(of: created) }

    /// Whether this telling is behind another one.
    func isLater(than other: (told: Int64, progress: Int64, event: String)) -> Bool {
        (told, progress, event) > other
    }
}

/// One transaction of the state. Days are noted as dirty when it ends.
final class StateDraft {
    private let database: Database
    private var dirty: Set<TableDay> = []

    init(_ database: Database) throws { self.database = database }

    private func statement(_ sql: String) throws -> LedgerStatement {
        try LedgerStatement(again: database, sql, keptBytes: 4096)
    }

    func note(_ table: WarehouseTable, _ day: Int64) {
        dirty.insert(TableDay(name: table.name, day: day))
    }

    func writeDirty() throws {
        let insert = try statement("INSERT OR IGNORE INTO dirty (name, day) VALUES (?, ?)")
        for place in dirty {
            insert.bind(1, place.name)
            insert.bind(2, place.day)
            try insert.run()
        }
        dirty = []
    }

    /// A day's file is up to what is kept, and no later moment changes what its manifest says.
    func settle(_ table: WarehouseTable, _ day: Int64) throws {
        let delete = try statement("DELETE FROM dirty WHERE name = ? AND day = ?")
        delete.bind(1, table.name)
        delete.bind(2, day)
        try delete.run()
    }

    /// Notes how a day's files look that were found right, or were written.
    func keep(stamp: String, of table: WarehouseTable, _ day: Int64) throws {
        let write = try statement(
            """
            INSERT INTO stamps (name, day, stamp) VALUES (?, ?, ?)
            ON CONFLICT DO UPDATE SET stamp = excluded.stamp
            """)
        write.bind(1, table.name)
        write.bind(2, day)
        write.bind(3, stamp)
        try write.run()
    }

    /// - Parameter last: the digest of the record before `next`.
    func move(
        _ topic: TopicID, _ partition: Int32, to next: Offset, behind last: String
    ) throws {
        let write = try statement(
            """
            INSERT INTO positions (topic, partition, next, last) VALUES (?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET next = excluded.next, last = excluded.last
            """)
        write.bind(1, topic.rawValue)
        write.bind(2, Int64(partition))
        write.bind(3, next.rawValue)
        write.bind(4, last)
        try write.run()
    }

    /// - Parameter last: what stands there, so that another history can be told.
    func mark(_ name: String, _ value: Int64, last: String? = nil) throws {
        let write = try statement(
            """
            INSERT INTO marks (name, value, last) VALUES (?, ?, ?)
            ON CONFLICT DO UPDATE SET value = excluded.value, last = excluded.last
            """)
        write.bind(1, name)
        write.bind(2, value)
        write.bind(3, orNull: last)
        try write.run()
    }

    // MARK: The ledger

    /// Notes on which day transactions took effect; what follows a span of its day lengthens it.
    func add(_ times: [(id: TransactionID, effectiveAt: Instant)]) throws {
        let lengthen = try statement(
            """
            UPDATE spans SET last = ?3 WHERE day = ?1 AND first =
                (SELECT max(first) FROM spans WHERE day = ?1) AND last = ?2 - 1
            """)
        let insert = try statement("INSERT INTO spans (day, first, last) VALUES (?, ?, ?)")
        for span in Self.spans(times) {
            note(.ledgerEntries, span.day)
            lengthen.bind(1, span.day)
            lengthen.bind(2, span.first)
            lengthen.bind(3, span.last)
            if try lengthen.run() > 0 { continue }
            insert.bind(1, span.day)
            insert.bind(2, span.first)
            insert.bind(3, span.last)
            try insert.run()
        }
    }

    /// Runs of neighbours that took effect on one day.
    static func spans(
        _ times: [(id: TransactionID, effectiveAt: Instant)]
    ) -> [(day: Int64, first: Int64, last: Int64)] {
        var spans: [(day: Int64, first: Int64, last: Int64)] = []
        for (id, effectiveAt) in times {
            let day = UTCText.day(of: effectiveAt)
            if let place = spans.indices.last, spans[place].day == day,
                spans[place].last + 1 == id.rawValue
            {
                spans[place].last = id.rawValue
            } else {
                spans.append((day, id.rawValue, id.rawValue))
            }
        }
        return spans
    }

    // MARK: Payments

    /// Takes one scoring of a payment.
    func take(_ movement: String, _ told: KeptPayment) throws {
        let find = try statement(
            """
            SELECT movement, created, received, amount, currency, standing, event, front, back
            FROM payments WHERE movement = ?
            """)
        find.bind(1, movement)
        let former = try find.step() ? StateReading.payment(find) : nil
        find.reset()
        let payment = former?.merged(with: told) ?? told
        guard payment != former else { return }
        if let former { note(.payments, former.day) }
        note(.payments, payment.day)
        try put(movement, payment)
    }

    private func put(_ movement: String, _ payment: KeptPayment) throws {
        let write = try statement(
            """
            INSERT OR REPLACE INTO payments (movement, day, created, received, amount, currency,
                standing, event, front, back) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """)
        write.bind(1, movement)
        write.bind(2, payment.day)
        write.bind(3, payment.created)
        write.bind(4, payment.received)
        write.bind(5, payment.amount)
        write.bind(6, payment.currency)
        write.bind(7, payment.standing)
        write.bind(8, payment.event)
        write.bind(9, payment.front)
        write.bind(10, payment.back)
        try write.run()
    }

    // MARK: Objects of Stripe's

    /// Takes one telling of an object; an older one changes nothing.
    func take(_ object: ToldObject) throws {
        let kind = object.table.name
        let find = try statement(
            "SELECT day, told, progress, event, line FROM objects WHERE kind = ? AND id = ?")
        find.bind(1, kind)
        find.bind(2, object.id)
        var line = object.row.line
        var isNewer = true
        if try find.step() {
            let told = (told: find.integer(1), progress: find.integer(2), event: find.text(3))
            let known = find.textOrNull(4)
            isNewer = object.isLater(than: told)
            // What moved an object's money is not taken back.
            if isNewer {
                line = line ?? known
                note(object.table, find.integer(0))
            }
        }
        find.reset()
        guard isNewer else { return }
        if line == nil, object.table.hasLine { line = try self.line(kind, object.id) }
        note(object.table, object.day)
        try put(object, line)
    }

    private func put(_ object: ToldObject, _ line: String?) throws {
        let write = try statement(
            """
            INSERT OR REPLACE INTO objects (kind, id, day, told, progress, event, amount, currency,
                line, front, back) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """)
        write.bind(1, object.table.name)
        write.bind(2, object.id)
        write.bind(3, object.day)
        write.bind(4, object.told)
        write.bind(5, object.progress)
        write.bind(6, object.event)
        write.bind(7, orNull: object.row.amount)
        write.bind(8, orNull: object.row.currency)
        write.bind(9, orNull: line)
        write.bind(10, object.row.front)
        write.bind(11, object.row.back)
        try write.run()
    }

    private func line(_ kind: String, _ source: String) throws -> String? {
        let find = try statement("SELECT id FROM lines WHERE kind = ? AND source = ?")
        find.bind(1, kind)
        find.bind(2, source)
        defer { find.reset() }
        return try find.step() ? find.text(0) : nil
    }

    /// Notes which line of the statement moved an object's money; the first that was noted stays.
    func add(_ line: SourcedObject) throws {
        let insert = try statement(
            "INSERT OR IGNORE INTO lines (kind, source, id) VALUES (?, ?, ?)")
        insert.bind(1, line.table.name)
        insert.bind(2, line.source)
        insert.bind(3, line.id)
        guard try insert.run() > 0 else { return }
        let update = try statement(
            "UPDATE objects SET line = ?3 WHERE kind = ?1 AND id = ?2 AND line IS NULL")
        update.bind(1, line.table.name)
        update.bind(2, line.source)
        update.bind(3, line.id)
        guard try update.run() > 0 else { return }
        let find = try statement("SELECT day FROM objects WHERE kind = ? AND id = ?")
        find.bind(1, line.table.name)
        find.bind(2, line.source)
        defer { find.reset() }
        if try find.step() { note(line.table, find.integer(0)) }
    }

    // MARK: Payouts

    /// Notes an automatic payout, whose parts are to be asked for.
    func add(_ payout: StripeObjects.AutomaticPayout) throws {
        let insert = try statement(
            """
            INSERT OR IGNORE INTO payouts (payout, account, day, synced, is_known)
            VALUES (?, ?, ?, ?, 0)
            """)
        insert.bind(1, payout.id)
        insert.bind(2, orNull: payout.account)
        insert.bind(3, UTCText.day(of: payout.created))
        insert.bind(4, UTCText.second(payout.created))
        try insert.run()
    }

    /// Notes what a payout is made of, as Stripe lists it.
    func settlePayout(_ payout: String, _ lines: [String]) throws {
        let insert = try statement("INSERT OR IGNORE INTO parts (payout, line) VALUES (?, ?)")
        for line in lines {
            insert.bind(1, payout)
            insert.bind(2, line)
            try insert.run()
        }
        let update = try statement("UPDATE payouts SET is_known = 1 WHERE payout = ?")
        update.bind(1, payout)
        try update.run()
        let find = try statement("SELECT day FROM payouts WHERE payout = ?")
        find.bind(1, payout)
        defer { find.reset() }
        if try find.step() { note(.payoutBalanceTransaction, find.integer(0)) }
    }
}

extension KeptPayment {
    /// With another scoring of the same payment: the better informed one stands, then the stricter;
    /// of two that weigh the same the one whose event's id is larger, so that no order matters.
    func merged(with other: Self) -> Self {
        let isOther = (other.standing, other.event) > (standing, event)
        var merged = isOther ? other : self
        merged.created = min(created, other.created)
        merged.received = min(received, other.received)
        merged.amount = max(amount, other.amount)
        return merged
    }
}

/// Which line of the statement moved the money of which object.
struct SourcedObject {
    var table: WarehouseTable
    var source: String
    var id: String
}

extension WarehouseTable {
    /// The column that names an object's line of the statement.
    static let lineColumn = "balance_transaction_id"

    /// Whether its rows name the line of the statement that moved their money, as an event or the
    /// statement tells it.
    var hasLine: Bool {
        columns.contains { $0.name == Self.lineColumn && $0.source != nil }
    }
}
