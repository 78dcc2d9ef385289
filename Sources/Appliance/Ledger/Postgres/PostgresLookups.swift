internal import Bridges
import Vocabulary

/// What a batch asks the tables, for many keys in one round trip each.
struct PostgresLookups {
    private let connection: PostgresConnection

    init(_ connection: PostgresConnection) { self.connection = connection }

    /// A booked transaction, and what is kept of it where it is a payment.
    struct Stored {
        var id: Int64
        var posting: Posting
        /// As it was booked.
        var standing: Standing
        var state: State?
        var capture: Capture?

        struct State: Hashable {
            var standing: Standing
            var place: FundsPlace
            var decision: DatedDecision?
            var moves: Int64
        }

        struct Capture: Hashable {
            var total, reversed: MinorUnits
        }
    }

    /// By movement; those that are not booked are missing.
    func transactions(_ movements: [MovementKey]) throws -> [MovementKey: Stored] {
        guard !movements.isEmpty else { return [:] }
        let rows = try connection.query(
            """
            SELECT t.id, t.movement, t.event_id, t.kind, t.effective_at, t.standing,
                s.standing, s.place, s.decision, s.decided_at, s.moves, c.total, c.reversed
            FROM unnest($1::text[]) AS wanted (movement)
            JOIN transactions t ON t.movement = wanted.movement
            LEFT JOIN payment_states s ON s.transaction_id = t.id
            LEFT JOIN captures c ON c.transaction_id = t.id
            """, [.texts(movements.map(\.rawValue))], kept: true)
        guard rows.count > 0 else { return [:] }
        var ids: [Int64] = []
        for row in 0..<rows.count { ids.append(try rows.integer(row, 0)) }
        let entries = try PostgresEntries.read(
            connection.query(PostgresEntries.sql, [.integers(ids)], kept: true))
        var found: [MovementKey: Stored] = [:]
        for row in 0..<rows.count {
            let stored = try stored(rows, row, entries[ids[row]] ?? [])
            found[stored.posting.movement] = stored
        }
        return found
    }

    private func stored(
        _ rows: PostgresAnswer, _ row: Int, _ entries: [Entry]
    ) throws -> Stored {
        let id = try rows.integer(row, 0)
        guard let kind = PostingKind(rawValue: Int(try rows.integer(row, 3))) else {
            throw LedgerError.corrupt(code: 0, detail: "transactions \(id): kind")
        }
        let posting = Posting(
            movement: MovementKey(try rows.text(row, 1)), eventID: EventID(try rows.text(row, 2)),
            kind: kind, effectiveAt: Instant(seconds: try rows.integer(row, 4)), entries: entries)
        var stored = Stored(
            id: id, posting: posting, standing: Standing(stored: try rows.integer(row, 5)))
        if !rows.isNull(row, 6) {
            guard let place = FundsPlace(rawValue: Int(try rows.integer(row, 7))) else {
                throw LedgerError.corrupt(code: 0, detail: "payment_states \(id): place")
            }
            let at = Instant(seconds: try rows.integer(row, 9))
            stored.state = Stored.State(
                standing: Standing(stored: try rows.integer(row, 6)), place: place,
                decision: ReviewDecision(rawValue: Int(try rows.integer(row, 8))).map {
                    DatedDecision(decision: $0, at: at)
                }, moves: try rows.integer(row, 10))
        }
        if !rows.isNull(row, 11) {
            stored.capture = Stored.Capture(
                total: MinorUnits(try rows.integer(row, 11)),
                reversed: MinorUnits(try rows.integer(row, 12)))
        }
        return stored
    }

    func waitingDecisions(_ movements: [MovementKey]) throws -> [MovementKey: DatedDecision] {
        let rows = try connection.query(
            """
            SELECT movement, decision, decided_at FROM waiting_decisions
            WHERE movement = ANY ($1)
            """,
            [.texts(movements.map(\.rawValue))], kept: true)
        var found: [MovementKey: DatedDecision] = [:]
        for row in 0..<rows.count {
            let at = Instant(seconds: try rows.integer(row, 2))
            found[MovementKey(try rows.text(row, 0))] =
                ReviewDecision(rawValue: Int(try rows.integer(row, 1))).map {
                    DatedDecision(decision: $0, at: at)
                }
        }
        return found
    }

    /// What the last row says that opened or renewed the review of each payment, where reviews are
    /// renewed.
    func findings(of payments: [MovementKey]) throws -> [MovementKey: ReviewFinding] {
        let query = PostgresQuery(
            connection,
            """
            SELECT t.movement, r.score, r.reasons
            FROM unnest($1::text[]) AS wanted (movement)
            JOIN transactions t ON t.movement = wanted.movement
            JOIN reviews r ON r.id = (SELECT id FROM reviews
                WHERE transaction_id = t.id AND state = 'opened' ORDER BY id DESC LIMIT 1)
            WHERE t.id > (SELECT after_transaction FROM renewals)
            """, [.texts(payments.map(\.rawValue))], isKept: true)
        var found: [MovementKey: ReviewFinding] = [:]
        while try query.step() {
            found[MovementKey(query.text(0))] = ReviewFinding(
                score: query.isNull(1) ? nil : query.double(1),
                reasons: try ReviewReasons.reasons(query.text(2)))
        }
        return found
    }

    /// Refunds of charges, in the order of the ledger.
    func refunds(of charges: [String]) throws -> [(charge: String, movement: MovementKey)] {
        let rows = try connection.query(
            """
            SELECT r.charge, t.movement
            FROM refunds r JOIN transactions t ON t.id = r.transaction_id
            WHERE r.charge = ANY ($1) ORDER BY t.id
            """, [.texts(charges)], kept: true)
        return try (0..<rows.count).map {
            (try rows.text($0, 0), MovementKey(try rows.text($0, 1)))
        }
    }

    func notes(keys: [String], charges: [String]) throws -> [WaitingMovement] {
        let query = PostgresQuery(
            connection,
            """
            SELECT \(WaitingRow.columns) FROM waiting WHERE key = ANY ($1) OR charge = ANY ($2)
            ORDER BY key
            """, [.texts(keys), .texts(charges)])
        var notes: [WaitingMovement] = []
        while try query.step() { notes.append(try WaitingRow.row(query)) }
        return notes
    }

    func releases(of charges: [String]) throws -> [String: ChargeRelease] {
        let rows = try connection.query(
            """
            SELECT charge, currency, amount, refund, moves FROM releases WHERE charge = ANY ($1)
            """, [.texts(charges)], kept: true)
        var found: [String: ChargeRelease] = [:]
        for row in 0..<rows.count {
            let charge = try rows.text(row, 0)
            guard let currency = Currency(try rows.text(row, 1)) else {
                throw LedgerError.corrupt(code: 0, detail: "releases \(charge): currency")
            }
            let refund = try rows.text(row, 3)
            found[charge] = ChargeRelease(
                currency: currency, amount: MinorUnits(try rows.integer(row, 2)),
                refund: refund.isEmpty ? nil : refund, moves: try rows.integer(row, 4))
        }
        return found
    }

    /// By name and currency; those that there are not are missing.
    func accounts(
        _ wanted: [PostgresBatch.AccountKey]
    ) throws -> [PostgresBatch.AccountKey: StoredAccount] {
        let rows = try connection.query(
            """
            SELECT a.name, a.currency, a.id, a.balance
            FROM unnest($1::text[], $2::text[]) AS wanted (name, currency)
            JOIN accounts a ON a.name = wanted.name AND a.currency = wanted.currency
            """,
            [.texts(wanted.map(\.name.rawValue)), .texts(wanted.map(\.currency.code))], kept: true)
        var found: [PostgresBatch.AccountKey: StoredAccount] = [:]
        for row in 0..<rows.count {
            guard let currency = Currency(try rows.text(row, 1)) else { continue }
            let key = PostgresBatch.AccountKey(
                name: AccountName(try rows.text(row, 0)), currency: currency)
            found[key] = StoredAccount(
                id: try rows.integer(row, 2), balance: try rows.integer(row, 3))
        }
        return found
    }
}

extension BookedPayment {
    /// What a payment's own transaction and what is kept of it say; nil for another transaction.
    init?(_ stored: PostgresLookups.Stored) throws {
        let posting = stored.posting
        guard posting.kind == .payment else { return nil }
        guard let debit = posting.entries.first(where: { $0.amount > .zero }),
            let merchant = posting.entries.first(where: { $0.amount < .zero })?.account.merchant
        else { throw LedgerError.corrupt(code: 0, detail: "entries of transaction \(stored.id)") }
        self.init(
            movement: posting.movement, eventID: posting.eventID, effectiveAt: posting.effectiveAt,
            merchant: merchant, processor: debit.account, currency: debit.currency,
            amount: debit.amount, standing: stored.standing, place: stored.standing.place,
            decision: nil, moves: 0)
        if let state = stored.state {
            (standing, place) = (state.standing, state.place)
            (decision, moves) = (state.decision, state.moves)
        }
        if let capture = stored.capture { (amount, reversed) = (capture.total, capture.reversed) }
    }
}

extension BookedRefund {
    /// nil for a transaction that is no merchant's refund.
    init?(_ posting: Posting) {
        guard let payable = posting.entries.first(where: { $0.account.merchant != nil }),
            let merchant = payable.account.merchant,
            let processor = posting.entries.first(where: \.account.isProcessor)
        else { return nil }
        let failed = posting.kind == .refundFailed
        self.init(
            objectID: Self.objectID(of: posting.movement), failed: failed,
            eventID: posting.eventID, effectiveAt: posting.effectiveAt, merchant: merchant,
            processor: processor.account, currency: payable.currency,
            amount: failed ? -payable.amount : payable.amount)
    }
}
