package import Vocabulary

/// Transactions, balances, and what waits.
extension LedgerSQL {
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
                """, upTo: asOf.seconds)
        }
    }

    /// Every account's balance as it was behind a transaction; accounts without an entry by then
    /// are left out. Reads every entry up to there. It never changes again.
    package func balances(
        through last: TransactionID
    ) throws(LedgerError) -> [AccountBalance] {
        try reading { database in
            try Self.balances(
                database,
                """
                SELECT a.name, a.currency, sum(e.amount) FROM entries e
                JOIN accounts a ON a.id = e.account
                WHERE e.transaction_id <= ? GROUP BY a.id ORDER BY a.name, a.currency
                """, upTo: last.rawValue)
        }
    }

    private static func balances(
        _ database: any LedgerSnapshot, _ sql: String, upTo: Int64? = nil
    ) throws -> [AccountBalance] {
        let statement = try database.query(sql)
        defer { statement.reset() }
        if let upTo { statement.bind(1, upTo) }
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

    private static func transactions(
        _ database: any LedgerSnapshot, _ condition: String, _ bind: (any LedgerQuery) -> Void
    ) throws -> [PostedTransaction] {
        let columns = "id, movement, event_id, kind, effective_at, posted_at, hash"
        let rows = try database.query("SELECT \(columns) FROM transactions WHERE \(condition)")
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
                effectiveAt: Instant(seconds: rows.integer(4)), entries: [])
            transactions.append(
                PostedTransaction(
                    id: TransactionID(id), posting: posting,
                    postedAtMilliseconds: rows.integer(5), hash: rows.blob(6)))
        }
        let entries = try database.entries(of: transactions.map(\.id.rawValue))
        for index in transactions.indices {
            transactions[index].posting.entries =
                entries[transactions[index].id.rawValue] ?? []
        }
        return transactions
    }

    private static func currency(_ code: String) throws -> Currency {
        guard let currency = Currency(code) else {
            throw LedgerError.corrupt(code: 0, detail: "currency \(code)")
        }
        return currency
    }
}

extension LedgerSQL {
    package func waiting() throws(LedgerError) -> [WaitingMovement] {
        try reading { database in
            let statement = try database.query("""
                SELECT \(WaitingRow.columns) FROM waiting WHERE \(WaitingRow.isOpen)
                ORDER BY since, key
                """)
            defer { statement.reset() }
            var rows: [WaitingMovement] = []
            while try statement.step() { rows.append(try WaitingRow.row(statement)) }
            return rows
        }
    }

    package func waitingCount() throws(LedgerError) -> Int {
        try reading { database in
            let statement = try database.query(
                "SELECT count(*) FROM waiting WHERE \(WaitingRow.isOpen)")
            defer { statement.reset() }
            return try statement.step() ? Int(statement.integer(0)) : 0
        }
    }
}
