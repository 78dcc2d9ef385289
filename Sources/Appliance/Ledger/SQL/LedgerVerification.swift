import Vocabulary

/// What `verify` found.
package struct LedgerVerification: Hashable, Sendable {
    package struct Progress: Hashable, Sendable {
        /// Transactions checked so far, and in all.
        package var checked: Int64
        package var total: Int64
    }

    /// The first thing that is not as it must be.
    package struct Fault: Error, Hashable, Sendable, CustomStringConvertible {
        /// What is checked, a stable word: `file`, `foreign_key`, `schema`, `order`, `row`, `seq`,
        /// `sum`, `hash`, `movement`, `account`, `balance`, `gate`, `tail`, `standing`,
        /// `payment_state`, `waiting_decision`, `decision`, `refund`, `capture`, `waiting`,
        /// `release`, `review`.
        package var check: String
        /// Where: `transactions 17`, `accounts 3 (fees:stripe usd)`.
        package var row: String
        package var expected: String
        package var found: String

        package var description: String { "\(row): \(check): expected \(expected), found \(found)" }
    }

    package var transactions: Int64
    package var entries: Int64
    /// The hash of the last good transaction: write it down elsewhere, and a rewritten ledger
    /// cannot pass for this one.
    package var head: [UInt8]
    /// nil when everything is as it must be.
    package var fault: Fault?

    /// Transactions whose links a start recomputes.
    static let quickCount: Int64 = 1_000
    /// Bytes up to which a start has SQLite check the whole file.
    static let wholeFileBytesMax: Int64 = 64 << 20
}

extension LedgerSQL {
    /// Recomputes everything that follows from something else, on one snapshot of the file, and
    /// stops at the first fault. Memory grows with the number of accounts only. The writer goes on
    /// meanwhile; its WAL cannot shrink until this is done.
    package func verify(
        progress: (LedgerVerification.Progress) -> Void
    ) throws(LedgerError) -> LedgerVerification {
        try verification { run in
            try run.walk(progress)
            try run.checkAccounts()
            try run.checkRest()
        }
    }

    func verification(
        _ body: (inout VerificationRun) throws -> Void
    ) throws(LedgerError) -> LedgerVerification {
        try reading { database in
            var run = try VerificationRun(database: database)
            do {
                try body(&run)
            } catch let fault as LedgerVerification.Fault {
                run.result.fault = fault
            } catch {
                guard let damage = damage(in: error) else { throw error }
                run.result.fault = LedgerVerification.Fault(
                    check: "file", row: "after transactions \(run.result.transactions)",
                    expected: "readable pages", found: damage)
            }
            return run.result
        }
    }
}

/// One pass over the ledger in the order of its ids.
struct VerificationRun {
    let database: any LedgerSnapshot
    var result = LedgerVerification(
        transactions: 0, entries: 0, head: CanonicalBytes.genesis, fault: nil)
    private var canonical = CanonicalBytes()
    private var names: [Int64: (name: String, currency: String)] = [:]
    private var sums: [Int64: Int64] = [:]

    /// A ledger of an earlier schema can be verified too, as far as it goes.
    let hasReviews: Bool
    private let hasCaptures: Bool

    init(database: any LedgerSnapshot) throws {
        self.database = database
        hasReviews = try database.keepsReviews
        hasCaptures = try database.keepsCaptures
    }

    /// - Parameter last: how many transactions, counted from the last one; nil for all.
    mutating func walk(
        last count: Int64? = nil, _ progress: (LedgerVerification.Progress) -> Void
    ) throws {
        let accounts = try database.query("SELECT id, name, currency FROM accounts")
        while try accounts.step() {
            names[accounts.integer(0)] = (accounts.text(1), accounts.text(2))
        }
        accounts.reset()
        let total = try first("SELECT max(id) FROM transactions") { $0.integer(0) } ?? 0
        let after = count.map { max(0, total - $0) } ?? 0
        if after > 0 {
            result.transactions = after
            result.head =
                try first("SELECT hash FROM transactions WHERE id = \(after)") { $0.blob(0) } ?? []
        }
        let transactions = try database.query(
            walking: "SELECT id, movement, event_id, kind, effective_at, hash FROM transactions "
                + "WHERE id > \(after) ORDER BY id")
        let entries = try database.query(
            walking: "SELECT transaction_id, currency, account, amount, seq FROM entries "
                + "WHERE transaction_id > \(after) ORDER BY transaction_id, currency, seq")
        defer { transactions.reset() }
        defer { entries.reset() }
        var next = try entries.step() ? StoredEntry(entries) : nil
        while try transactions.step() {
            let id = transactions.integer(0)
            try demand("order", "transactions \(id)", String(result.transactions + 1), String(id))
            var lines: [StoredEntry] = []
            if let orphan = next, orphan.transaction < id { throw fault(orphan: orphan) }
            while let entry = next, entry.transaction == id {
                lines.append(entry)
                next = try entries.step() ? StoredEntry(entries) : nil
            }
            try check(transactions, id, lines)
            if id % 8192 == 0 { progress(.init(checked: id, total: total)) }
        }
        if let next { throw fault(orphan: next) }
        progress(.init(checked: result.transactions, total: total))
    }

    private mutating func check(
        _ row: any LedgerQuery, _ id: Int64, _ lines: [StoredEntry]
    ) throws {
        let name = "transactions \(id)"
        guard let kind = PostingKind(rawValue: Int(row.integer(3))) else {
            throw fault("row", name, "a known kind", String(row.integer(3)))
        }
        let posted = try entries(lines, name)
        if posted.isEmpty { throw fault("row", name, "two entries or more", "none") }
        // The canonical bytes have two for a text's length; the rules allow far less.
        let longest = [row.text(1), row.text(2)].map(\.utf8.count).max() ?? 0
        if longest > 65_535 { throw fault("row", name, "a key", "\(longest) bytes") }
        let posting = Posting(
            movement: MovementKey(row.text(1)), eventID: EventID(row.text(2)), kind: kind,
            effectiveAt: Instant(seconds: row.integer(4)), entries: posted)
        let hash = canonical.hash(after: result.head, id: TransactionID(id), posting)
        try demand("hash", name, String(hex: hash), String(hex: row.blob(5)))
        result.transactions = id
        result.entries += Int64(lines.count)
        result.head = hash
    }

    private mutating func entries(_ lines: [StoredEntry], _ name: String) throws -> [Entry] {
        var sum: Int64 = 0
        var posted: [Entry] = []
        let numbered = lines.sorted { $0.sequence < $1.sequence }
        for (number, line) in zip(Int64(1)..., numbered) where line.sequence != number {
            throw fault("seq", line.name, String(number), String(line.sequence))
        }
        for (index, line) in lines.enumerated() {
            posted.append(try entry(line))
            let (total, overflow) = sum.addingReportingOverflow(line.amount)
            if overflow { throw fault("sum", name, "0 \(line.currency)", "an overflow") }
            sum = total
            if index + 1 == lines.count || lines[index + 1].currency != line.currency {
                try demand("sum", name, "0 \(line.currency)", "\(sum) \(line.currency)")
            }
        }
        return posted
    }

    private mutating func entry(_ line: StoredEntry) throws -> Entry {
        guard let account = names[line.account] else {
            throw fault("account", line.name, "an account", "account \(line.account)")
        }
        try demand("account", line.name, account.currency, line.currency)
        guard let currency = Currency(line.currency) else {
            throw fault("row", line.name, "a currency", line.currency)
        }
        let (balance, overflow) = sums[line.account, default: 0].addingReportingOverflow(
            line.amount)
        if overflow { throw fault("balance", line.name, "a balance in Int64", "an overflow") }
        sums[line.account] = balance
        return Entry(AccountName(account.name), currency, MinorUnits(line.amount))
    }

    func checkAccounts() throws {
        let rows = try database.query(
            "SELECT id, name, currency, balance FROM accounts ORDER BY id")
        defer { rows.reset() }
        while try rows.step() {
            let id = rows.integer(0)
            try demand(
                "balance", "accounts \(id) (\(rows.text(1)) \(rows.text(2)))",
                String(sums[id, default: 0]), String(rows.integer(3)))
        }
    }

    /// What the walk does not see: the database's own structure, its index of movements, and the
    /// rules themselves, which someone may have dropped. What has a name comes before the file.
    func checkRest() throws {
        // The links can be checked only where the tables have what they refer to.
        if let fault = try database.schemaFault(triggersToo: false) { throw fault }
        if let fault = try database.linkFault() { throw fault }
        try checkKept()
        try checkTail()
        if let fault = try database.schemaFault(triggersToo: true) { throw fault }
        if let fault = try database.fileFault() { throw fault }
    }

    /// What is kept beside the chain, against the chain.
    func checkKept() throws {
        guard hasCaptures else { return }
        try checkCharges()
        try checkStates()
        try checkReviews()
    }

    /// The last numbers are noted apart from the rows that bear them.
    func checkTail() throws {
        guard hasReviews else {
            return try checkTail(
                of: "transactions",
                "SELECT next_offset - 1 FROM positions WHERE topic = 'ledger.posted'")
        }
        for table in ["transactions", "reviews"] {
            try checkTail(of: table, "SELECT last FROM ends WHERE name = '\(table)'")
        }
    }

    private func checkTail(of table: String, _ sql: String) throws {
        guard let noted = try first(sql, { $0.integer(0) }) else { return }
        let last = try first("SELECT max(id) FROM \(table)") { $0.integer(0) } ?? 0
        try demand(
            "tail", "\(table) \(last)", "\(noted) as the last one", "\(last) as the last one")
    }

    func first<Value>(
        _ sql: String, _ read: (any LedgerQuery) -> Value
    ) throws -> Value? {
        let statement = try database.query(sql)
        defer { statement.reset() }
        return try statement.step() ? read(statement) : nil
    }
}

extension VerificationRun {
    private struct StoredEntry {
        let transaction: Int64
        let currency: String
        let account: Int64
        let amount: Int64
        let sequence: Int64

        init(_ row: any LedgerQuery) {
            transaction = row.integer(0)
            currency = row.text(1)
            account = row.integer(2)
            amount = row.integer(3)
            sequence = row.integer(4)
        }

        var name: String { "entries \(transaction)/\(currency)/\(sequence)" }
    }

    func fault(
        _ check: String, _ row: String, _ expected: String, _ found: String
    ) -> LedgerVerification.Fault {
        LedgerVerification.Fault(check: check, row: row, expected: expected, found: found)
    }

    private func fault(orphan: StoredEntry) -> LedgerVerification.Fault {
        fault("order", orphan.name, "a transaction \(orphan.transaction)", "none")
    }

    func demand(
        _ check: String, _ row: String, _ expected: String, _ found: String
    ) throws {
        if expected != found { throw fault(check, row, expected, found) }
    }
}
