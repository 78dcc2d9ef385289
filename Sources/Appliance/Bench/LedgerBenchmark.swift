import Appliance
internal import Foundation
internal import GRDBSQLite
import Vocabulary

/// `tillbox bench ledger`: movements booked a second with every check on, against SQLite through C
/// writing the same rows, in the same batches, synced alike, with no check but the movement index.
///
/// Both are measured from the first movement until the file is closed, so that what stands in the
/// write-ahead log is copied back too; making the file is no booking. The ledger moves balances,
/// notes how far it has come and opens its gate besides: pages that the peer does not write.
struct LedgerBenchmark {
    /// Movements in each round, and in each database transaction.
    var movements = 100_000
    var batch = 64
    var rounds = 5

    struct Round: Sendable {
        var ledgerPerSecond: Double
        var plainPerSecond: Double
        /// Processor time of the whole process a movement, which other programs disturb less than
        /// the time on the wall.
        var ledgerMicroseconds: Double
        var plainMicroseconds: Double
        var ratio: Double { ledgerPerSecond / plainPerSecond }
    }

    private struct Cost {
        var seconds: Double
        var processorSeconds: Double
    }

    /// Alternates ledger and peer, each in a fresh file inside `folder`, which must exist.
    func run(folder: String) throws(LedgerError) -> [Round] {
        let inputs = (0..<movements).map(Self.input)
        let batches = stride(from: 0, to: movements, by: batch).map {
            Array(inputs[$0..<min($0 + batch, movements)])
        }
        var results: [Round] = []
        for round in 0..<rounds {
            let ledger = try runLedger(batches, "\(folder)/ledger-\(round).sqlite")
            let plain = try runPlain(inputs, "\(folder)/plain-\(round).sqlite")
            results.append(
                Round(
                    ledgerPerSecond: Double(movements) / ledger.seconds,
                    plainPerSecond: Double(movements) / plain.seconds,
                    ledgerMicroseconds: ledger.processorSeconds * 1e6 / Double(movements),
                    plainMicroseconds: plain.processorSeconds * 1e6 / Double(movements)))
        }
        return results
    }

    private func cost(_ body: () throws(LedgerError) -> Void) throws(LedgerError) -> Cost {
        let wall = ContinuousClock()
        let (start, startProcessor) = (wall.now, Self.processorSeconds())
        try body()
        return Cost(
            seconds: (wall.now - start) / .seconds(1),
            processorSeconds: Self.processorSeconds() - startProcessor)
    }

    private static func processorSeconds() -> Double {
        // POSIX fixes CLOCKS_PER_SEC at one million.
        Double(clock()) / 1e6
    }

    /// One approved payment. Ids grow with time in their first letters, as Stripe's do.
    static func input(_ number: Int) -> LedgerInput {
        let digits = String(number + 1_000_000_000, radix: 36)
        let tail = String(UInt64(number) &* 0x9E37_79B9_7F4A_7C15, radix: 36)
        let charge = "ch_3\(digits)LkdIwHu7\(tail.prefix(6))"
        guard let currency = Currency("usd") else { preconditionFailure("usd is a currency") }
        return payment(
            of: charge, by: EventID("evt_3\(digits)LkdIwHu7"),
            MinorUnits(100 + Int64(number % 9973)), currency,
            at: Instant(seconds: 1_700_000_000 + Int64(number)),
            MerchantID("acct_\(number % 50)"))
    }

    /// An approved payment, as a scored event tells it.
    static func payment(
        of charge: String, by eventID: EventID, _ amount: MinorUnits, _ currency: Currency,
        at created: Instant, _ merchant: MerchantID
    ) -> LedgerInput {
        let event = PaymentEvent(
            eventID: eventID, kind: .payment, objectID: charge,
            movement: MovementKey("charge:\(charge)"), amount: amount, currency: currency,
            created: created, livemode: false, account: nil, merchant: merchant,
            customer: "cus_1", card: "fp_1", cardCountry: "DE", country: "DE", device: "d",
            outcome: "authorized", balanceTransaction: nil, related: nil, fee: .zero)
        return .scored(
            ScoredPayment(
                event: event, verdict: .approve, score: 0.01, reasons: [], model: "1",
                featuresAsOf: event.created))
    }

    private func runLedger(
        _ batches: [[LedgerInput]], _ path: String
    ) throws(LedgerError) -> Cost {
        let ledger = try SQLiteLedger.open(path: path) { 1_700_000_000_000 }
        return try cost { () throws(LedgerError) in
            var end = 0
            for batch in batches {
                end += batch.count
                let position = ConsumerPosition(topic: "payment.scored", nextOffset: Int64(end))
                let outcome = try ledger.post(batch, positions: [position])
                precondition(outcome.posted.count == batch.count, "a movement was not booked")
            }
            try ledger.close()
        }
    }
}

// MARK: - The peer

extension LedgerBenchmark {
    private static let plainSchema = """
        PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16384;
        CREATE TABLE transactions (id INTEGER PRIMARY KEY, movement TEXT NOT NULL UNIQUE,
            event_id TEXT NOT NULL, kind INTEGER NOT NULL, effective_at INTEGER NOT NULL,
            posted_at INTEGER NOT NULL, standing INTEGER NOT NULL, hash BLOB NOT NULL);
        CREATE TABLE entries (transaction_id INTEGER NOT NULL, currency TEXT NOT NULL,
            seq INTEGER NOT NULL, account INTEGER NOT NULL, amount INTEGER NOT NULL,
            PRIMARY KEY (transaction_id, currency, seq)) WITHOUT ROWID;
        CREATE TABLE positions (topic TEXT PRIMARY KEY, next_offset INTEGER NOT NULL) WITHOUT ROWID;
        INSERT INTO positions VALUES ('payment.scored', 0);
        """

    private func runPlain(_ inputs: [LedgerInput], _ path: String) throws(LedgerError) -> Cost {
        var connection: OpaquePointer?
        // SAFETY: every handle is made, used and freed inside this function; texts are copied by
        // SQLite before a bind returns.
        var code = sqlite3_open(path, &connection)
        code = max(code, sqlite3_exec(connection, Self.plainSchema, nil, nil, nil))
        func prepare(_ sql: String) -> OpaquePointer? {
            var statement: OpaquePointer?
            sqlite3_prepare_v3(connection, sql, -1, 1, &statement, nil)
            return statement
        }
        let begin = prepare("BEGIN IMMEDIATE")
        let commit = prepare("COMMIT")
        let row = prepare("INSERT INTO transactions VALUES (?, ?, ?, 1, ?, ?, 85, zeroblob(32))")
        let line = prepare("INSERT INTO entries VALUES (?, 'usd', ?, ?, ?)")
        let position = prepare("UPDATE positions SET next_offset = ?")
        func run(_ statement: OpaquePointer?) {
            if sqlite3_step(statement) != SQLITE_DONE {
                code = sqlite3_extended_errcode(connection)
            }
            sqlite3_reset(statement)
        }
        func write(_ scored: ScoredPayment, _ id: Int64) {
            sqlite3_bind_int64(row, 1, id)
            sqlite3_bind_text(row, 2, scored.event.movement.rawValue, -1, copied)
            sqlite3_bind_text(row, 3, scored.event.eventID.rawValue, -1, copied)
            sqlite3_bind_int64(row, 4, scored.event.created.seconds)
            sqlite3_bind_int64(row, 5, 1_700_000_000_000)
            run(row)
            for sequence: Int64 in 1...2 {
                let amount = scored.event.amount.rawValue
                sqlite3_bind_int64(line, 1, id)
                sqlite3_bind_int64(line, 2, sequence)
                sqlite3_bind_int64(line, 3, sequence == 1 ? 1 : 2 + id % 50)
                sqlite3_bind_int64(line, 4, sequence == 1 ? amount : -amount)
                run(line)
            }
        }
        let cost = try cost { () throws(LedgerError) in
            for (index, input) in inputs.enumerated() {
                guard case .scored(let scored) = input else { continue }
                if index % batch == 0 { run(begin) }
                write(scored, Int64(index + 1))
                guard index % batch == batch - 1 || index == inputs.count - 1 else { continue }
                sqlite3_bind_int64(position, 1, Int64(index + 1))
                run(position)
                run(commit)
            }
            for statement in [begin, commit, row, line, position] { sqlite3_finalize(statement) }
            sqlite3_close_v2(connection)
        }
        if code != SQLITE_OK { throw SQLiteFailure(code: code, message: "peer").ledgerError }
        return cost
    }
}

// SAFETY: −1 is the value that SQLite's documentation gives SQLITE_TRANSIENT.
private let copied = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
