internal import GRDB
import Vocabulary

/// Reads and keeps what the rules need to know of a charge. Only payments that did not stay where
/// they were booked have a row of their own; of the others their transaction says everything.
final class ChargeRows {
    private let findTransaction, findEntries, findState: LedgerStatement
    private let putState, changeState, putWaiting, changeWaiting: LedgerStatement
    private let findWaiting, dropWaiting, anyWaiting: LedgerStatement
    private let findRefunds, addRefund: LedgerStatement
    private let findCapture, putCapture, changeCapture: LedgerStatement
    /// Whether some decision waits; nil when it has to be looked up. Spares every payment a query.
    private var someWait: Bool?

    init(_ database: Database) throws {
        func make(_ sql: String) throws -> LedgerStatement { try LedgerStatement(database, sql) }
        findTransaction = try make(
            """
            SELECT id, event_id, kind, effective_at, standing FROM transactions WHERE movement = ?
            """)
        findEntries = try make(
            """
            SELECT a.name, e.currency, e.amount FROM entries e JOIN accounts a ON a.id = e.account
            WHERE e.transaction_id = ? ORDER BY e.currency, e.seq
            """)
        findState = try make(
            """
            SELECT standing, place, decision, decided_at, moves FROM payment_states
            WHERE transaction_id = ?
            """)
        // Never REPLACE, nor an upsert: the guards tell a new row from a changed one.
        putState = try make("INSERT INTO payment_states VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
        changeState = try make(
            """
            UPDATE payment_states SET standing = ?2, place = ?3, decision = ?4, decided_at = ?5,
                moves = ?6 WHERE transaction_id = ?1
            """)
        findWaiting = try make(
            "SELECT decision, decided_at FROM waiting_decisions WHERE movement = ?")
        putWaiting = try make("INSERT INTO waiting_decisions VALUES (?1, ?2, ?3)")
        changeWaiting = try make(
            "UPDATE waiting_decisions SET decision = ?2, decided_at = ?3 WHERE movement = ?1")
        dropWaiting = try make("DELETE FROM waiting_decisions WHERE movement = ?")
        anyWaiting = try make("SELECT EXISTS (SELECT 1 FROM waiting_decisions)")
        findRefunds = try make(
            """
            SELECT t.id, t.movement, t.event_id, t.kind, t.effective_at
            FROM refunds r JOIN transactions t ON t.id = r.transaction_id
            WHERE r.charge = ? ORDER BY t.id
            """)
        addRefund = try make("INSERT INTO refunds VALUES (?, ?)")
        findCapture = try make("SELECT total, reversed FROM captures WHERE transaction_id = ?")
        putCapture = try make("INSERT INTO captures VALUES (?1, ?2, ?3)")
        changeCapture = try make(
            "UPDATE captures SET total = ?2, reversed = ?3 WHERE transaction_id = ?1")
    }

    func forget() { someWait = nil }

    func isBooked(_ movement: MovementKey) throws -> Bool {
        findTransaction.bind(1, movement.rawValue)
        defer { findTransaction.reset() }
        return try findTransaction.step()
    }

    /// What a movement was booked as; nil when it is not booked.
    func posting(of movement: MovementKey) throws -> Posting? {
        findTransaction.bind(1, movement.rawValue)
        defer { findTransaction.reset() }
        guard try findTransaction.step() else { return nil }
        let id = findTransaction.integer(0)
        guard let kind = PostingKind(rawValue: Int(findTransaction.integer(2))) else {
            throw LedgerError.corrupt(code: 0, detail: "transactions \(id): kind")
        }
        return Posting(
            movement: movement, eventID: EventID(findTransaction.text(1)), kind: kind,
            effectiveAt: Instant(seconds: findTransaction.integer(3)),
            entries: try entries(of: id))
    }

    private func entries(of id: Int64) throws -> [Entry] {
        findEntries.bind(1, id)
        defer { findEntries.reset() }
        var entries: [Entry] = []
        while try findEntries.step() {
            guard let currency = Currency(findEntries.text(1)) else {
                throw LedgerError.corrupt(code: 0, detail: "entries of transaction \(id): currency")
            }
            entries.append(
                Entry(
                    AccountName(findEntries.text(0)), currency,
                    MinorUnits(findEntries.integer(2))))
        }
        return entries
    }

    func payment(_ movement: MovementKey) throws -> BookedPayment? {
        findTransaction.bind(1, movement.rawValue)
        defer { findTransaction.reset() }
        guard try findTransaction.step(),
            findTransaction.integer(2) == Int64(PostingKind.payment.rawValue)
        else { return nil }
        let id = findTransaction.integer(0)
        let standing = Standing(stored: findTransaction.integer(4))
        guard let debit = try entries(of: id).first(where: { $0.amount > .zero }),
            let credit = try entries(of: id).first(where: { $0.amount < .zero }),
            let merchant = credit.account.merchant
        else { throw LedgerError.corrupt(code: 0, detail: "entries of transaction \(id)") }
        var payment = BookedPayment(
            movement: movement, eventID: EventID(findTransaction.text(1)),
            effectiveAt: Instant(seconds: findTransaction.integer(3)), merchant: merchant,
            processor: debit.account, currency: debit.currency, amount: debit.amount,
            standing: standing, place: standing.place, decision: nil, moves: 0)
        try readState(of: id, into: &payment)
        findCapture.bind(1, id)
        defer { findCapture.reset() }
        if try findCapture.step() {
            payment.amount = MinorUnits(findCapture.integer(0))
            payment.reversed = MinorUnits(findCapture.integer(1))
        }
        return payment
    }

    private func readState(of id: Int64, into payment: inout BookedPayment) throws {
        findState.bind(1, id)
        defer { findState.reset() }
        guard try findState.step() else { return }
        guard let place = FundsPlace(rawValue: Int(findState.integer(1))) else {
            throw LedgerError.corrupt(code: 0, detail: "payment_states \(id): place")
        }
        payment.standing = Standing(stored: findState.integer(0))
        payment.place = place
        payment.decision = ReviewDecision(rawValue: Int(findState.integer(2))).map {
            DatedDecision(decision: $0, at: Instant(seconds: findState.integer(3)))
        }
        payment.moves = findState.integer(4)
    }

    /// Keeps what changed.
    func keep(_ payment: BookedPayment, was before: BookedPayment) throws {
        findTransaction.bind(1, payment.movement.rawValue)
        _ = try findTransaction.step()
        let id = findTransaction.integer(0)
        findTransaction.reset()
        try storeCapture(of: payment, was: before, id)
        try storeState(of: payment, was: before, id)
    }

    private func storeCapture(
        of payment: BookedPayment, was before: BookedPayment, _ id: Int64
    ) throws {
        guard payment.amount != before.amount || payment.reversed != before.reversed else {
            return
        }
        findCapture.bind(1, id)
        let put = try findCapture.step() ? changeCapture : putCapture
        findCapture.reset()
        put.bind(1, id)
        put.bind(2, payment.amount.rawValue)
        put.bind(3, payment.reversed.rawValue)
        try put.run()
    }

    private func storeState(
        of payment: BookedPayment, was before: BookedPayment, _ id: Int64
    ) throws {
        if payment.standing == before.standing, payment.place == before.place,
            payment.decision == before.decision, payment.moves == before.moves
        {
            return
        }
        findState.bind(1, id)
        let put = try findState.step() ? changeState : putState
        findState.reset()
        put.bind(1, id)
        put.bind(2, payment.standing.rawValue)
        put.bind(3, Int64(payment.place.rawValue))
        put.bind(4, Int64(payment.decision?.decision.rawValue ?? 0))
        put.bind(5, payment.decision?.at.seconds ?? 0)
        put.bind(6, payment.moves)
        try put.run()
    }
}

// MARK: - Waiting decisions and refunds

extension ChargeRows {
    func waitingDecision(for movement: MovementKey) throws -> DatedDecision? {
        if someWait == nil {
            _ = try anyWaiting.step()
            someWait = anyWaiting.integer(0) != 0
            anyWaiting.reset()
        }
        guard someWait == true else { return nil }
        findWaiting.bind(1, movement.rawValue)
        defer { findWaiting.reset() }
        guard try findWaiting.step(),
            let decision = ReviewDecision(rawValue: Int(findWaiting.integer(0)))
        else { return nil }
        return DatedDecision(decision: decision, at: Instant(seconds: findWaiting.integer(1)))
    }

    func keep(waiting: DatedDecision?, isNew: Bool, _ movement: MovementKey) throws {
        someWait = nil
        guard let waiting else {
            dropWaiting.bind(1, movement.rawValue)
            try dropWaiting.run()
            return
        }
        let put = isNew ? putWaiting : changeWaiting
        put.bind(1, movement.rawValue)
        put.bind(2, Int64(waiting.decision.rawValue))
        put.bind(3, waiting.at.seconds)
        try put.run()
    }

    func add(refund id: TransactionID, of charge: MovementKey) throws {
        addRefund.bind(1, charge.rawValue)
        addRefund.bind(2, id.rawValue)
        try addRefund.run()
    }

    func refunds(of charge: MovementKey) throws -> [BookedRefund] {
        findRefunds.bind(1, charge.rawValue)
        defer { findRefunds.reset() }
        var refunds: [BookedRefund] = []
        while try findRefunds.step() {
            let id = findRefunds.integer(0)
            let lines = try entries(of: id)
            guard let payable = lines.first(where: { $0.account.merchant != nil }),
                let merchant = payable.account.merchant,
                let processor = lines.first(where: \.account.isProcessor)
            else {
                throw LedgerError.corrupt(code: 0, detail: "entries of transaction \(id)")
            }
            let failed = findRefunds.integer(3) == Int64(PostingKind.refundFailed.rawValue)
            let movement = MovementKey(findRefunds.text(1))
            refunds.append(
                BookedRefund(
                    objectID: BookedRefund.objectID(of: movement), failed: failed,
                    eventID: EventID(findRefunds.text(2)),
                    effectiveAt: Instant(seconds: findRefunds.integer(4)), merchant: merchant,
                    processor: processor.account, currency: payable.currency,
                    amount: failed ? -payable.amount : payable.amount))
        }
        return refunds
    }
}
