package import Appliance
import Vocabulary

/// What reports by day are made of: the index of payments, or the ledger alone. Blocking.
package struct ReportSource: Sendable {
    /// Those that can be made of it, in their order.
    let reports: [DayReport]
    /// Sums of the days from one moment to another, both included, by day, currency and word.
    let sums: @Sendable (_ words: [String], _ from: Instant, _ to: Instant) throws -> [DaySum]
    /// Records that are still to be counted.
    let lag: @Sendable () -> Int64

    init(_ index: PaymentIndex) {
        reports = DayReport.allCases
        sums = { try index.sums(of: $0, from: $1, to: $2) }
        lag = { index.lag }
    }

    /// Of the ledger alone: verdicts, reviews and the number of disputes that were opened move no
    /// money, so that it cannot tell of them.
    package init(_ ledger: any LedgerSQL) {
        reports = [.revenue, .fees, .payouts]
        sums = { words, from, to in
            try LedgerSums(ledger).sums(of: Set(words), from: from, to: to)
        }
        lag = { 0 }
    }

    /// Of the ledger, and beside it what moves no money from the index.
    package init(_ ledger: any LedgerSQL, beside index: PaymentIndex) {
        reports = DayReport.allCases
        sums = { words, from, to in
            let isBooked: (String) -> Bool = { $0 == "fees" || $0.hasPrefix("booked:") }
            let booked = try LedgerSums(ledger).sums(
                of: Set(words.filter(isBooked)), from: from, to: to)
            let told = try index.sums(of: words.filter { !isBooked($0) }, from: from, to: to)
            return (booked + told).sorted {
                ($0.day, $0.currency, $0.word) < ($1.day, $1.currency, $1.word)
            }
        }
        lag = { index.lag }
    }
}

/// Sums by day, as the index of payments has them, computed from the entries of the period.
struct LedgerSums {
    private let ledger: any LedgerSQL
    /// By how much a movement's own time may lie behind that of its booking: clocks differ.
    private static let slackSeconds: Int64 = 86_400

    init(_ ledger: any LedgerSQL) { self.ledger = ledger }

    /// - Parameter words: `fees`, and `booked:` with a kind of posting.
    func sums(
        of words: Set<String>, from: Instant, to: Instant
    ) throws(LedgerError) -> [DaySum] {
        let (first, last) = (Self.day(from), Self.day(to))
        let begin = Instant(seconds: first * 86_400 - Self.slackSeconds)
        let after = try ledger.lastTransaction(before: begin)
        let found = try ledger.reading { database in
            let rows = try database.query(Self.sql)
            rows.bind(1, after)
            rows.bind(2, first * 86_400)
            rows.bind(3, last * 86_400 + 86_399)
            defer { rows.reset() }
            var sums: [DaySum] = []
            while try rows.step() { sums += Self.sums(in: rows) }
            return sums
        }
        // Fees stand beside every kind.
        var whole: [DaySum: DaySum] = [:]
        for sum in found where words.contains(sum.word) {
            var key = sum
            (key.count, key.amount) = (0, 0)
            whole[key, default: key].count += sum.count
            whole[key, default: key].amount &+= sum.amount
        }
        return whole.values.sorted {
            ($0.day, $0.currency, $0.word) < ($1.day, $1.currency, $1.word)
        }
    }

    /// What moved of a kind, and the fees beside it.
    private static func sums(in row: any LedgerQuery) -> [DaySum] {
        guard let kind = PostingKind(rawValue: Int(row.integer(2))) else { return [] }
        func sum(_ word: String, _ count: Int32, _ amount: Int32) -> DaySum {
            DaySum(
                day: row.integer(0), currency: row.text(1), word: word, count: row.integer(count),
                amount: row.integer(amount))
        }
        let moved = sum("booked:\(kind.name)", 3, 4)
        return row.integer(5) == 0 ? [moved] : [moved, sum("fees", 5, 6)]
    }

    /// Days of the years 1 to 9999, whatever is asked for.
    private static func day(_ moment: Instant) -> Int64 {
        min(max(moment.utcDay, -719_162), 2_932_896)
    }

    /// Of each transaction and currency what moved, the greater of debits and credits beside the
    /// processor and its fees, and the fees, as `MovedSum` says. For SQLite and Postgres.
    private static let sql = """
        SELECT day, currency, kind, count(*),
            sum(CASE WHEN debits > credits THEN debits ELSE credits END), sum(has_fee), sum(fee)
        FROM (
            SELECT t.id AS id, t.kind AS kind, e.currency AS currency,
                (t.effective_at - ((t.effective_at % 86400) + 86400) % 86400) / 86400 AS day,
                sum(CASE WHEN a.name LIKE 'processor:%' OR a.name LIKE 'fees:%'
                    OR e.amount < 0 THEN 0 ELSE e.amount END) AS debits,
                sum(CASE WHEN a.name LIKE 'processor:%' OR a.name LIKE 'fees:%'
                    OR e.amount > 0 THEN 0 ELSE -e.amount END) AS credits,
                sum(CASE WHEN a.name LIKE 'fees:%' THEN e.amount ELSE 0 END) AS fee,
                max(CASE WHEN a.name LIKE 'fees:%' THEN 1 ELSE 0 END) AS has_fee
            FROM transactions t
            JOIN entries e ON e.transaction_id = t.id
            JOIN accounts a ON a.id = e.account
            WHERE t.id > ?1 AND t.effective_at >= ?2 AND t.effective_at <= ?3
            GROUP BY t.id, t.kind, t.effective_at, e.currency
        ) AS moves
        GROUP BY day, currency, kind ORDER BY day, currency, kind
        """
}
