package import GRDB
package import Vocabulary

/// Either of the two that have the ledger's file open.
package protocol SQLiteReading: LedgerReading {
    var queue: DatabaseQueue { get }
}

extension SQLiteReading {
    /// Runs `body` on one snapshot of the database.
    func reading<Value>(
        _ body: (Database) throws -> Value
    ) throws(LedgerError) -> Value {
        do {
            return try queue.inTransaction(.snapshot, body)
        } catch {
            throw LedgerError(error, path: queue.path)
        }
    }

    package func position(topic: String, partition: Int32) throws(LedgerError) -> Int64? {
        guard partition == 0 else { return nil }
        return try reading { database in
            let statement = try LedgerStatement(
                database,
                // Here a topic has the one partition; earlier schemas have no column for it.
                "SELECT next_offset FROM positions WHERE topic = ?")
            defer { statement.reset() }
            statement.bind(1, topic)
            return try statement.step() ? statement.integer(0) : nil
        }
    }

    /// Where the ledger stands now.
    package func point() throws(LedgerError) -> LedgerPoint {
        try reading { database in
            var point = LedgerPoint(
                positions: [:], places: [:], head: 0, hash: CanonicalBytes.genesis)
            // A start looks at a ledger before it brings it to this schema.
            let version = try SQLiteFile.storedVersion(database)
            if version < LedgerSchema.reviewVersion {
                try Self.readMixedPositions(database, into: &point)
            } else {
                try Self.readPositions(database, into: &point)
            }
            if version >= LedgerSchema.checksumVersion {
                try Self.rows(
                    database,
                    """
                    SELECT topic, checksum FROM positions
                    WHERE partition = 0 AND checksum IS NOT NULL
                    """
                ) { point.checksums[$0.text(0)] = UInt32(truncatingIfNeeded: $0.integer(1)) }
            }
            try Self.rows(
                database, "SELECT id, hash FROM transactions ORDER BY id DESC LIMIT 1"
            ) { (point.head, point.hash) = ($0.integer(0), $0.blob(1)) }
            return point
        }
    }

    private static func readPositions(
        _ database: Database, into point: inout LedgerPoint
    ) throws {
        try rows(database, "SELECT topic, next_offset FROM positions WHERE partition = 0") {
            point.positions[$0.text(0)] = $0.integer(1)
        }
        try rows(database, "SELECT place, scored_next FROM decisions WHERE partition = 0") {
            point.places[$0.integer(0)] = $0.integer(1)
        }
        try rows(database, "SELECT identity FROM logs") { point.logs.append($0.text(0)) }
        try rows(database, "SELECT last FROM ends WHERE name = 'transactions'") {
            point.next = $0.integer(0) + 1
        }
        try rows(database, "SELECT coalesce(max(id), 0) FROM reviews") {
            point.lastReview = $0.integer(0)
        }
    }

    /// Until schema 4 all of it stood among the positions.
    private static func readMixedPositions(
        _ database: Database, into point: inout LedgerPoint
    ) throws {
        let (decision, log) = ("payment.review/", "log/")
        try rows(database, "SELECT topic, next_offset FROM positions") { row in
            let (topic, next) = (row.text(0), row.integer(1))
            if topic == "ledger.posted" {
                point.next = next
            } else if topic.hasPrefix(log) {
                point.logs.append(String(topic.dropFirst(log.count)))
            } else if topic.hasPrefix(decision),
                let place = Int64(topic.dropFirst(decision.count))
            {
                point.places[place] = next
            } else {
                point.positions[topic] = next
            }
        }
    }

    private static func rows(
        _ database: Database, _ sql: String, _ read: (LedgerStatement) -> Void
    ) throws {
        let statement = try LedgerStatement(database, sql)
        defer { statement.reset() }
        while try statement.step() { read(statement) }
    }

    package func posted(
        after id: TransactionID, limit: Int
    ) throws(LedgerError) -> [PostedTransaction] {
        try reading { database in
            try Self.transactions(database, "id > ? ORDER BY id LIMIT ?") {
                $0.bind(1, id.rawValue)
                $0.bind(2, Int64(limit))
            }
        }
    }

    package func transaction(_ id: TransactionID) throws(LedgerError) -> PostedTransaction? {
        try reading { database in
            try Self.transactions(database, "id = ?") { $0.bind(1, id.rawValue) }.first
        }
    }

    package func transactions(of movement: MovementKey) throws(LedgerError) -> [PostedTransaction] {
        let key = movement.rawValue
        var keys = [key]
        for kind in PostingKind.allCases where kind.isInternal {
            let isSettlement =
                switch kind {
                case .refundSettled, .refundUnsettled, .refundReleased, .refundRestored: true
                default: false
                }
            keys.append(
                "\(kind.name):\(isSettlement ? BookedRefund.objectID(of: movement) : key)")
        }
        // Held and released may repeat, with an ordinal after the key.
        let refund = BookedRefund.objectID(of: movement)
        let ranges = [
            "held:\(key)", "released:\(key)", "capture_grown:\(key)", "refund_released:\(refund)",
            "refund_restored:\(refund)",
        ]
        let between = ranges.map { _ in "(movement > ? AND movement < ?)" }
            .joined(separator: " OR ")
        let marks = keys.map { _ in "?" }.joined(separator: ", ")
        return try reading { database in
            try Self.transactions(
                database,
                """
                movement IN (\(marks)) OR \(between) ORDER BY id
                """
            ) { statement in
                let ends = ranges.flatMap { ["\($0)#", "\($0)$"] }
                for (index, text) in (keys + ends).enumerated() {
                    statement.bind(Int32(index + 1), text)
                }
            }
        }
    }

    package func balances() throws(LedgerError) -> [AccountBalance] {
        try reading { database in
            try Self.balances(
                database, "SELECT name, currency, balance FROM accounts ORDER BY name, currency")
        }
    }

    package func balances(asOf: Instant) throws(LedgerError) -> [AccountBalance] {
        try reading { database in
            try Self.balances(
                database,
                """
                SELECT a.name, a.currency, sum(e.amount) FROM transactions t
                JOIN entries e ON e.transaction_id = t.id JOIN accounts a ON a.id = e.account
                WHERE t.effective_at <= ? GROUP BY a.id ORDER BY a.name, a.currency
                """, upTo: asOf)
        }
    }

    private static func balances(
        _ database: Database, _ sql: String, upTo: Instant? = nil
    ) throws -> [AccountBalance] {
        let statement = try LedgerStatement(database, sql)
        defer { statement.reset() }
        if let upTo { statement.bind(1, upTo.seconds) }
        var balances: [AccountBalance] = []
        while try statement.step() {
            balances.append(
                AccountBalance(
                    account: AccountName(statement.text(0)),
                    currency: try currency(statement.text(1)),
                    balance: MinorUnits(statement.integer(2))))
        }
        return balances
    }

    /// Reads transactions whose columns `bind` has chosen; SQLite's own readers, since GRDB's stop
    /// the process at a damaged value.
    private static func transactions(
        _ database: Database, _ condition: String, _ bind: (LedgerStatement) -> Void
    ) throws -> [PostedTransaction] {
        let columns = "id, movement, event_id, kind, effective_at, posted_at, hash"
        let rows = try LedgerStatement(
            database, "SELECT \(columns) FROM transactions WHERE \(condition)")
        let lines = try LedgerStatement(
            database,
            """
            SELECT a.name, e.currency, e.amount FROM entries e JOIN accounts a ON a.id = e.account
            WHERE e.transaction_id = ? ORDER BY e.currency, e.seq
            """)
        defer { rows.reset() }
        bind(rows)
        var transactions: [PostedTransaction] = []
        while try rows.step() {
            let id = rows.integer(0)
            guard let kind = PostingKind(rawValue: Int(rows.integer(3))) else {
                throw LedgerError.corrupt(code: 0, detail: "transactions \(id): kind")
            }
            let posting = Posting(
                movement: MovementKey(rows.text(1)), eventID: EventID(rows.text(2)), kind: kind,
                effectiveAt: Instant(seconds: rows.integer(4)), entries: try entries(lines, id))
            transactions.append(
                PostedTransaction(
                    id: TransactionID(id), posting: posting,
                    postedAtMilliseconds: rows.integer(5), hash: rows.blob(6)))
        }
        return transactions
    }

    private static func entries(_ lines: LedgerStatement, _ id: Int64) throws -> [Entry] {
        lines.bind(1, id)
        defer { lines.reset() }
        var entries: [Entry] = []
        while try lines.step() {
            entries.append(
                Entry(
                    AccountName(lines.text(0)), try currency(lines.text(1)),
                    MinorUnits(lines.integer(2))))
        }
        return entries
    }

    private static func currency(_ code: String) throws -> Currency {
        guard let currency = Currency(code) else {
            throw LedgerError.corrupt(code: 0, detail: "currency \(code)")
        }
        return currency
    }
}

extension SQLiteReading {
    package func waiting() throws(LedgerError) -> [WaitingMovement] {
        try reading { database in
            let statement = try LedgerStatement(
                database,
                """
                SELECT \(NoteRows.columns) FROM waiting WHERE \(NoteRows.isOpen)
                ORDER BY since, key
                """)
            defer { statement.reset() }
            var rows: [WaitingMovement] = []
            while try statement.step() { rows.append(try NoteRows.row(statement)) }
            return rows
        }
    }

    package func waitingCount() throws(LedgerError) -> Int {
        try reading { database in
            let statement = try LedgerStatement(
                database, "SELECT count(*) FROM waiting WHERE \(NoteRows.isOpen)")
            defer { statement.reset() }
            return try statement.step() ? Int(statement.integer(0)) : 0
        }
    }
}
