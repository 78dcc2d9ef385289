import AppendLog
import GRDB
import Vocabulary

/// What a run of one partition's records changes in the index, gathered and then written at once
/// with the partition's position. Lives within one transaction.
struct IndexDraft {
    private let database: Database
    private let isOneOfSeveral: Bool
    private var rows: [String: PaymentRow] = [:]
    /// The rows of those as they were before.
    private var originals: [String: PaymentRow] = [:]
    private var days: [DayWord: (count: Int64, amount: Int64)] = [:]

    /// What is counted by day.
    private struct DayWord: Hashable {
        var day: Int64
        var currency: String
        var word: String
    }

    /// - Parameter isOneOfSeveral: whether other instances make the same index, each for itself.
    init(_ database: Database, isOneOfSeveral: Bool) {
        self.database = database
        self.isOneOfSeveral = isOneOfSeveral
    }

    // MARK: Taking records

    mutating func take(_ stored: StoredRecord, of lane: SourceLane, _ look: RecordLook) throws {
        count(look.change)
        guard let charge = try look.charge ?? look.link.flatMap({ try linked($0) }),
            (1...255).contains(charge.utf8.count)
        else { return }
        var row = try rows[charge] ?? load(charge)
        if originals[charge] == nil { originals[charge] = row }
        try note(stored, of: lane, look.word, on: row)
        for name in look.names { try note(name, on: row) }
        try change(&row, look.change, at: stored.record.timestamp.milliseconds)
        rows[charge] = row
    }

    private mutating func change(
        _ row: inout PaymentRow, _ change: RecordLook.Change, at milliseconds: Int64
    ) throws {
        switch change {
        case .none: break
        case .webhook(let card):
            row.lastFour = row.lastFour ?? card.lastFour
            row.brand = row.brand ?? card.brand
        case .validated(let event):
            try take(event, at: milliseconds, &row)
        case .scored(let scored):
            let before = row.verdict
            guard row.take(scored), let told = row.told else { return }
            // Counted alone: the amount may still grow, and what was added is taken away again.
            if let before { add("verdict:\(before.rawValue)", told, -1, 0) }
            add("verdict:\(scored.verdict.rawValue)", told, 1, 0)
        case .reviewed(let record):
            let before = row.review
            // A second decision stands, and is counted as the first one was.
            guard row.take(record.state), before != .approved || record.state == .opened,
                let told = row.told
            else { return }
            add("review:\(record.state.rawValue)", told, 1, told.amount, at: record.at)
            if record.state == .approved, record.by == ReservedNames.scoring {
                add(IndexWord.released, told, 1, told.amount, at: record.at)
            }
        case .posted(let posted): row.take(posted)
        case .letter: row.letterCount += 1
        }
    }

    /// Takes one telling of a payment, or of what hangs on it; several events tell of one movement,
    /// and it counts once.
    private mutating func take(
        _ event: PaymentEvent, at milliseconds: Int64, _ row: inout PaymentRow
    ) throws {
        let isFirst: Bool
        if event.kind == .payment || event.kind == .paymentFailed {
            isFirst = row.told == nil
            row.take(event, seenAt: try firstWebhook(of: row) ?? milliseconds)
        } else {
            isFirst = try link(event.movement.rawValue, to: row)
            try link(event.objectID, to: row)
        }
        guard isFirst, [.paymentFailed, .disputeOpened, .disputeClosed].contains(event.kind) else {
            return
        }
        add(event.kind.rawValue, event.currency, event.created, 1, event.amount.rawValue)
    }

    // MARK: Sums by day

    /// Counts a transaction of the ledger by the day on which it took effect: what moved, as
    /// `MovedSum` says, and the fees.
    private mutating func count(_ change: RecordLook.Change) {
        guard case .posted(let posted) = change else { return }
        for sum in posted.movedSums {
            add("booked:\(posted.kind)", sum.currency, posted.effectiveAt, 1, sum.moved)
            if let fee = sum.fee { add("fees", sum.currency, posted.effectiveAt, 1, fee) }
        }
    }

    private mutating func add(
        _ word: String, _ told: PaymentRow.Told, _ count: Int64, _ amount: Int64,
        at moment: Instant? = nil
    ) {
        add(word, told.currency, moment ?? told.created, count, amount)
    }

    private mutating func add(
        _ word: String, _ currency: Currency, _ moment: Instant, _ count: Int64, _ amount: Int64
    ) {
        let day = DayWord(day: moment.utcDay, currency: currency.code, word: word)
        let sum = days[day] ?? (0, 0)
        days[day] = (sum.count &+ count, sum.amount &+ amount)
    }

    // MARK: Rows

    private func load(_ charge: String) throws -> PaymentRow {
        let find = try database.cachedStatement(
            sql: "SELECT * FROM payments WHERE charge = ?")
        if let row = try Row.fetchOne(find, arguments: [charge]) { return PaymentRow(row) }
        // The number is taken at once, since what is noted of the payment bears it.
        let make = try database.cachedStatement(
            sql: """
                INSERT INTO payments
                    (id, charge, failed, standing, funds_since, place, refunded, disputed, letters)
                VALUES (?, ?, 0, 0, 0, 'unbooked', 0, 0, 0)
                """)
        try make.execute(arguments: [isOneOfSeveral ? freeNumber(for: charge) : nil, charge])
        let id = database.lastInsertedRowID
        try note(charge, on: PaymentRow(id: id, charge: charge))
        return PaymentRow(id: id, charge: charge)
    }

    /// A number that follows from the charge, so that it is the same in every instance's index,
    /// whatever the order in which they read: a page's place is good at each of them, also among
    /// payments of one second. Of two charges with one digest the second has the next number.
    private func freeNumber(for charge: String) throws -> Int64 {
        let find = try database.cachedStatement(sql: "SELECT 1 FROM payments WHERE id = ?")
        // Room is left above.
        var number = Int64(FNV1a.digest(of: charge.utf8) >> 2) + 1
        while try Int64.fetchOne(find, arguments: [number]) != nil { number += 1 }
        return number
    }

    private func linked(_ name: String) throws -> String? {
        let find = try database.cachedStatement(sql: "SELECT charge FROM links WHERE name = ?")
        return try String.fetchOne(find, arguments: [name])
    }

    /// - Returns: whether it was not linked before.
    @discardableResult
    private func link(_ name: String, to row: PaymentRow) throws -> Bool {
        try database.cachedStatement(
            sql: "INSERT INTO links (name, charge) VALUES (?, ?) ON CONFLICT DO NOTHING"
        ).execute(arguments: [name, row.charge])
        return database.changesCount > 0
    }

    private func note(_ name: String, on row: PaymentRow) throws {
        try database.cachedStatement(
            sql: "INSERT INTO names (name, payment) VALUES (?, ?) ON CONFLICT DO NOTHING"
        ).execute(arguments: [name, row.id])
    }

    private func note(
        _ stored: StoredRecord, of lane: SourceLane, _ word: String, on row: PaymentRow
    ) throws {
        try database.cachedStatement(
            sql: """
                INSERT INTO trail (payment, topic, partition, offset, at, word)
                VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
                """
        ).execute(arguments: [
            row.id, lane.topic.number, lane.partition, stored.offset.rawValue,
            stored.record.timestamp.milliseconds, String(word.prefix(100)),
        ])
    }

    /// When the payment's first webhook was kept, in milliseconds since 1970.
    private func firstWebhook(of row: PaymentRow) throws -> Int64? {
        guard row.told == nil else { return nil }
        let find = try database.cachedStatement(
            sql: "SELECT min(at) FROM trail WHERE payment = ? AND topic = ?")
        return try Int64.fetchOne(
            find, arguments: [row.id, TopicID.webhookReceived.number])
    }

    // MARK: Writing

    /// What was gathered, counted beside what there was.
    func count(into tally: inout PaymentTally) {
        for (charge, row) in rows {
            guard let before = originals[charge] else { continue }
            tally.replace(before, by: row)
        }
    }

    /// Writes what was gathered, and that it has been read up to `next`.
    func write(_ lane: SourceLane, next: Offset) throws {
        let update = try database.cachedStatement(
            sql: """
                UPDATE payments SET failed = ?2, customer = ?3, amount = ?4, thousandths = ?5,
                    currency = ?6, created = ?7, first_seen = ?8, merchant = ?9, account = ?10,
                    last_four = ?11, brand = ?12, verdict = ?13, score = ?14, standing = ?15,
                    funds = ?16, funds_since = ?17, place = ?18, review = ?19, refunded = ?20,
                    disputed = ?21, letters = ?22
                WHERE id = ?1
                """)
        for row in rows.values { try update.execute(arguments: row.arguments) }
        let sum = try database.cachedStatement(
            sql: """
                INSERT INTO days (day, currency, word, count, amount) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT DO UPDATE SET
                    count = count + excluded.count, amount = amount + excluded.amount
                """)
        for (day, added) in days {
            try sum.execute(arguments: [
                day.day, day.currency, day.word, added.count, added.amount,
            ])
        }
        try database.cachedStatement(
            sql: """
                INSERT INTO positions (topic, partition, next) VALUES (?, ?, ?)
                ON CONFLICT DO UPDATE SET next = excluded.next
                """
        ).execute(arguments: [lane.topic.number, lane.partition, next.rawValue])
    }
}

extension TopicID {
    /// The topic's number in the index.
    var number: Int64 {
        switch self {
        case .webhookReceived: 0
        case .paymentValidated: 1
        case .paymentFeatures: 2
        case .paymentScored: 3
        case .paymentReview: 4
        case .ledgerPosted: 5
        case .deadLetter: 6
        }
    }
}

extension Instant {
    /// The first second of a day, counted from 1970-01-01.
    init(utcDay: Int64) { self.init(seconds: utcDay * 86_400) }

    /// `2026-03-12`
    var dayText: String { String(rfc3339.prefix(10)) }

    /// Days since 1970-01-01, UTC.
    var utcDay: Int64 {
        let (day, rest) = seconds.quotientAndRemainder(dividingBy: 86_400)
        return rest < 0 ? day - 1 : day
    }
}

extension PaymentRow {
    fileprivate var arguments: StatementArguments {
        let told = told
        return [
            id, told?.isFailed ?? false, told?.customer, told?.amount,
            told.map { $0.amount.thousandths(in: $0.currency) }, told?.currency.code,
            told?.created.seconds, told?.firstSeen, told?.merchant, told?.account, lastFour, brand,
            verdict?.rawValue, score, standing, funds?.rawValue, fundsSince, place.rawValue,
            review?.rawValue, refunded, disputed, letterCount,
        ]
    }

    /// A row of the table as it was written.
    init(_ row: Row) {
        self.init(id: row["id"], charge: row["charge"])
        if let seconds: Int64 = row["created"], let currency = Currency(row["currency"] ?? "") {
            told = Told(
                isFailed: row["failed"], customer: row["customer"], amount: row["amount"],
                currency: currency, created: Instant(seconds: seconds),
                firstSeen: row["first_seen"], merchant: row["merchant"], account: row["account"])
        }
        (lastFour, brand) = (row["last_four"], row["brand"])
        verdict = (row["verdict"] as String?).flatMap { Verdict(rawValue: $0) }
        (score, standing) = (row["score"], row["standing"])
        funds = (row["funds"] as String?).flatMap { MoneyPlace(rawValue: $0) }
        fundsSince = row["funds_since"]
        review = (row["review"] as String?).flatMap { ReviewState(rawValue: $0) }
        (refunded, disputed, letterCount) = (row["refunded"], row["disputed"], row["letters"])
    }
}

extension Int64 {
    /// Minor units as thousandths of the major unit, in which amounts of all currencies compare as
    /// they are written; it wraps around beyond what a movement may have.
    func thousandths(in currency: Currency) -> Int64 {
        var value = self
        for _ in currency.displayExponent..<3 { value = value &* 10 }
        return value
    }
}

/// Words that reports look up besides those of a state, a verdict or a kind.
enum IndexWord {
    /// Approved by scoring, which a better vector has told better: nobody decided it.
    static let released = "review:released"
}
