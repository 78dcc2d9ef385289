package import Vocabulary

/// The words of queries for the processor's accounts.
private enum ProcessorSQL {
    /// The account of the ledger that stands for a balance at Stripe; a connected account's has its
    /// id behind it.
    static let processor = "processor:stripe"
    static let isProcessor = """
        (a.name = '\(processor)'
            OR substr(a.name, 1, \(processor.utf8.count + 1)) = '\(processor):')
        """

    /// A transaction has a few entries, so that looking up the name of each costs less than a list
    /// of every Stripe account's.
    static let columns = """
        SELECT t.id, t.movement, t.effective_at, e.currency, e.amount, a.name FROM transactions t
        CROSS JOIN entries e ON e.transaction_id = t.id
        CROSS JOIN accounts a ON a.id = e.account AND \(isProcessor)
        """

    /// ?1: a movement; ?2: the last transaction that counts.
    static let movement =
        columns + " WHERE t.movement = ?1 AND t.id <= ?2 ORDER BY e.currency, e.seq"

    /// ?1, ?2: what lies between; ?3: the last transaction that counts.
    static let followers = """
        SELECT coalesce(sum(e.amount), 0) FROM transactions t
        CROSS JOIN entries e ON e.transaction_id = t.id
        CROSS JOIN accounts a ON a.id = e.account AND \(isProcessor)
        WHERE t.movement >= ?1 AND t.movement < ?2 AND t.id <= ?3
        """
}

/// What reconciliation asks the ledger: movements of the processor's accounts.
extension LedgerSQL {
    package func movements(
        _ keys: [String], through last: Int64
    ) throws(LedgerError) -> [String: LedgerMovement] {
        try reading { database in try Self.movements(keys, through: last, database) }
    }

    static func movements(
        _ keys: [String], through last: Int64, _ database: any LedgerSnapshot
    ) throws -> [String: LedgerMovement] {
        var found: [String: LedgerMovement] = [:]
        try database.firstRows(
            of: ProcessorSQL.movement, forEach: keys.map { [$0] }, last
        ) { place, row in
            found[keys[place]] = try movement(row)
        }
        if try hasFollowers(database) {
            try add(followersTo: &found, through: last, database)
        }
        return found
    }

    private static func add(
        followersTo movements: inout [String: LedgerMovement], through last: Int64,
        _ database: any LedgerSnapshot
    ) throws {
        let pairs = movements.keys.flatMap { key in
            FollowingMovement.firstKeys(of: key).map { (key: key, first: $0) }
        }
        // An ordinal follows `#`, the sign before `$`.
        let ranges = pairs.map { [$0.first, $0.first + "$"] }
        try database.firstRows(of: ProcessorSQL.followers, forEach: ranges, last) { place, row in
            guard var movement = movements[pairs[place].key] else { return }
            movement.amount = movement.amount &+ MinorUnits(row.integer(0))
            movements[pairs[place].key] = movement
        }
    }

    /// Whether the ledger has made any such movement: most have not, and looking for each costs.
    private static func hasFollowers(_ database: any LedgerSnapshot) throws -> Bool {
        let statement = try database.query(
                again: "SELECT 1 FROM transactions WHERE movement >= ? AND movement < ? LIMIT 1")
        for prefix in FollowingMovement.prefixes {
            statement.bind(1, prefix)
            // The sign after the colon.
            statement.bind(2, prefix.dropLast() + ";")
            defer { statement.reset() }
            if try statement.step() { return true }
        }
        return false
    }

    package func movements(
        after: Int64, from: Instant, to: Instant, limit: Int, through last: Int64
    ) throws(LedgerError) -> [LedgerMovement] {
        try reading { database in
            let statement = try database.query(ProcessorSQL.columns + """
                     WHERE t.id > ? AND t.effective_at >= ? AND t.effective_at < ?
                        AND t.id <= ?
                    ORDER BY t.id LIMIT ?
                    """)
            defer { statement.reset() }
            statement.bind(1, after)
            statement.bind(2, from.seconds)
            statement.bind(3, to.seconds)
            statement.bind(4, last)
            statement.bind(5, Int64(limit))
            var movements: [LedgerMovement] = []
            while try statement.step() { movements.append(try Self.movement(statement)) }
            return movements
        }
    }

    package func lastTransaction(before moment: Instant) throws(LedgerError) -> Int64 {
        try reading { database in
            let statement = try database.query("SELECT posted_at FROM transactions WHERE id = ?")
            defer { statement.reset() }
            func isBefore(_ id: Int64) throws -> Bool {
                statement.bind(1, id)
                defer { statement.reset() }
                return try statement.step() && statement.integer(0) / 1000 < moment.seconds
            }
            var (low, high) = (Int64(0), try Self.head(database) + 1)
            while high - low > 1 {
                let middle = low + (high - low) / 2
                if try isBefore(middle) { low = middle } else { high = middle }
            }
            return low
        }
    }

    package func head() throws(LedgerError) -> Int64 { try reading { try Self.head($0) } }

    private static func head(_ database: any LedgerSnapshot) throws -> Int64 {
        let statement = try database.query(again: "SELECT coalesce(max(id), 0) FROM transactions")
        defer { statement.reset() }
        return try statement.step() ? statement.integer(0) : 0
    }

    package func processorBalances() throws(LedgerError) -> [StripeAccount: [Currency: Int64]] {
        try reading { database in
            let statement = try database.query("""
                SELECT a.name, a.currency, a.balance FROM accounts a
                WHERE \(ProcessorSQL.isProcessor)
                """)
            defer { statement.reset() }
            var balances: [StripeAccount: [Currency: Int64]] = [:]
            while try statement.step() {
                let account = Self.account(statement.text(0))
                balances[account, default: [:]][try Self.currency(statement.text(1))] =
                    statement.integer(2)
            }
            return balances
        }
    }

    package func processorBalance(
        of account: StripeAccount, through last: Int64
    ) throws(LedgerError) -> [Currency: Int64] {
        try reading { database in
            let statement = try database.query("""
                SELECT a.currency, a.balance - coalesce((
                    SELECT sum(e.amount) FROM entries e WHERE e.transaction_id > ?2
                        AND e.account = a.id AND e.currency = a.currency), 0)
                FROM accounts a WHERE a.name = ?1
                """)
            defer { statement.reset() }
            statement.bind(1, AccountName.processor(of: account.id).rawValue)
            statement.bind(2, last)
            var balances: [Currency: Int64] = [:]
            while try statement.step() {
                balances[try Self.currency(statement.text(0))] = statement.integer(1)
            }
            return balances
        }
    }

    private static func account(_ name: String) -> StripeAccount {
        StripeAccount(String(name.dropFirst(ProcessorSQL.processor.count + 1)))
    }

    private static func currency(_ code: String) throws -> Currency {
        guard let currency = Currency(code) else {
            throw LedgerError.corrupt(code: 0, detail: "currency \(code)")
        }
        return currency
    }

    private static func movement(_ statement: any LedgerQuery) throws -> LedgerMovement {
        LedgerMovement(
            transaction: statement.integer(0), key: statement.text(1),
            effectiveAt: Instant(seconds: statement.integer(2)),
            currency: try currency(statement.text(3)), amount: MinorUnits(statement.integer(4)),
            account: account(statement.text(5)))
    }
}

/// Movements that the ledger makes of one that it holds, and that change the processor's account
/// (docs/formats/ledger.md). The statement knows only what they come to together.
package enum FollowingMovement {
    static let prefixes = ["capture_grown:", "refund_released:", "refund_restored:"]

    /// What the keys of those that may follow a movement begin with.
    static func firstKeys(of key: String) -> [String] {
        if key.hasPrefix("charge:") { return ["capture_grown:\(key)"] }
        guard key.hasPrefix("refund:") else { return [] }
        let refund = key.dropFirst("refund:".count)
        return ["refund_released:\(refund)", "refund_restored:\(refund)"]
    }

    /// The key of the movement that this one follows; nil for a movement of its own.
    package static func followed(by key: String) -> String? {
        let whole = key.prefix { $0 != "#" }
        if whole.hasPrefix("capture_grown:") {
            return String(whole.dropFirst("capture_grown:".count))
        }
        for prefix in ["refund_released:", "refund_restored:"] where whole.hasPrefix(prefix) {
            return "refund:" + whole.dropFirst(prefix.count)
        }
        return nil
    }
}
