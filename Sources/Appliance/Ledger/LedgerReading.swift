internal import GRDB
import Vocabulary

/// What the ledger can be asked. Every answer comes from one snapshot.
extension SQLiteLedger {
    /// The offset to read next from `topic`; nil when nothing was read of it yet.
    func position(topic: String) throws(LedgerError) -> Int64? {
        try reading { database in
            let statement = try LedgerStatement(
                database, "SELECT next_offset FROM positions WHERE topic = ?")
            defer { statement.reset() }
            statement.bind(1, topic)
            return try statement.step() ? statement.integer(0) : nil
        }
    }

    /// Where the ledger stands now.
    func point() throws(LedgerError) -> LedgerPoint {
        try reading { database in
            var point = LedgerPoint(
                positions: [:], places: [:], head: 0, hash: CanonicalBytes.genesis)
            let positions = try LedgerStatement(
                database, "SELECT topic, next_offset FROM positions")
            defer { positions.reset() }
            while try positions.step() {
                let position = ConsumerPosition(
                    topic: positions.text(0), nextOffset: positions.integer(1))
                if position.topic == LedgerNote.next {
                    point.next = position.nextOffset
                } else if position.topic.hasPrefix(LedgerNote.logPrefix) {
                    point.logs.append(String(position.topic.dropFirst(LedgerNote.logPrefix.count)))
                } else if let place = DecisionPlace(position) {
                    point.places[place.decision] = place.scoredNext
                } else {
                    point.positions[position.topic] = position.nextOffset
                }
            }
            let head = try LedgerStatement(
                database, "SELECT id, hash FROM transactions ORDER BY id DESC LIMIT 1")
            defer { head.reset() }
            if try head.step() { (point.head, point.hash) = (head.integer(0), head.blob(1)) }
            return point
        }
    }

    /// The transactions after `id`, in order, at most `limit`: what `ledger.posted` still lacks.
    func posted(
        after id: TransactionID, limit: Int
    ) throws(LedgerError) -> [PostedTransaction] {
        try reading { database in
            try Self.transactions(database, "id > ? ORDER BY id LIMIT ?") {
                $0.bind(1, id.rawValue)
                $0.bind(2, Int64(limit))
            }
        }
    }

    func transaction(_ id: TransactionID) throws(LedgerError) -> PostedTransaction? {
        try reading { database in
            try Self.transactions(database, "id = ?") { $0.bind(1, id.rawValue) }.first
        }
    }

    /// The transaction of this key and the moves that the ledger made because of it, in order.
    func transactions(of movement: MovementKey) throws(LedgerError) -> [PostedTransaction] {
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

    /// What `tillbox ledger show` prints: a transaction by its number, else all of a movement.
    func show(_ words: String) throws(LedgerError) -> [PostedTransaction] {
        if let id = Int64(words) {
            return try transaction(TransactionID(id)).map { [$0] } ?? []
        }
        return try transactions(of: MovementKey(words))
    }

    /// Every account's balance now, by name and currency. Costs one row an account.
    func balances() throws(LedgerError) -> [AccountBalance] {
        try reading { database in
            try Self.balances(
                database, "SELECT name, currency, balance FROM accounts ORDER BY name, currency")
        }
    }

    /// Every account's balance of what took effect at or before `asOf`; accounts without an entry
    /// by then are left out. Reads every entry.
    func balances(asOf: Instant) throws(LedgerError) -> [AccountBalance] {
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
