import Vocabulary

/// Checks of what is kept of charges and reviews, against what the booked transactions say again.
extension VerificationRun {
    /// What the writer keeps of charges, row by row, as far as the booked transactions say it
    /// again.
    func checkCharges() throws {
        if let row = try first(Self.wrongStates, { ($0.integer(0), $0.text(1), $0.text(2)) }) {
            throw fault("payment_state", "payment_states \(row.0)", row.1, row.2)
        }
        let met = try first(
            """
            SELECT w.movement FROM waiting_decisions w JOIN transactions t USING (movement) LIMIT 1
            """
        ) { $0.text(0) }
        if let met {
            throw fault("waiting_decision", "waiting_decisions \(met)", "none", "a decision")
        }
        let refund = try first(
            """
            SELECT r.charge, r.transaction_id FROM refunds r
            LEFT JOIN transactions t ON t.id = r.transaction_id
            WHERE t.kind IS NULL OR t.kind NOT IN
                (\(PostingKind.refund.rawValue), \(PostingKind.refundFailed.rawValue)) LIMIT 1
            """
        ) { "refunds \($0.text(0))/\($0.integer(1))" }
        if let refund { throw fault("refund", refund, "a refund's transaction", "another") }
        let capture = try first(
            """
            SELECT c.transaction_id FROM captures c
            LEFT JOIN transactions t ON t.id = c.transaction_id
            WHERE t.kind IS DISTINCT FROM \(PostingKind.payment.rawValue) ORDER BY 1 LIMIT 1
            """
        ) { $0.integer(0) }
        if let capture { throw fault("capture", "captures \(capture)", "a payment", "another") }
        if let row = try first(Self.wrongNotes, { ($0.text(0), $0.text(1)) }) {
            throw fault("waiting", "waiting \(row.0)", row.1, "another state")
        }
    }

    /// A refund counts as booked exactly when its transaction is there.
    private static let wrongNotes = """
        SELECT w.key, CASE WHEN t.id IS NULL THEN 'not booked' ELSE 'booked' END
        FROM waiting w LEFT JOIN transactions t ON t.movement = w.key
        WHERE w.kind = '\(WaitingMovement.Kind.refund.rawValue)'
            AND (w.state = \(WaitingMovement.State.booked.rawValue)) <> (t.id IS NOT NULL)
        ORDER BY w.key LIMIT 1
        """

    /// The place of a payment's money as its state has it, against the entries of the payment and
    /// of its moves. Of the place only the last move counts. What is expected and what was found
    /// tell of the one thing that differs.
    private static let wrongStates = """
        WITH stated AS (
            SELECT s.*, t.movement, t.kind, t.standing AS booked,
                (SELECT m.kind FROM transactions m
                    WHERE m.movement IN ('review_approved:' || t.movement,
                        'review_declined:' || t.movement, 'held:' || t.movement,
                        'released:' || t.movement)
                    OR (m.movement > 'held:' || t.movement || '#'
                        AND m.movement < 'held:' || t.movement || '$')
                    OR (m.movement > 'released:' || t.movement || '#'
                        AND m.movement < 'released:' || t.movement || '$')
                    -- Not m.id alone: Postgres would walk all transactions backwards for it.
                    ORDER BY m.id + 0 DESC LIMIT 1) AS moved
            FROM payment_states s LEFT JOIN transactions t ON t.id = s.transaction_id
        ), expected AS (
            SELECT *, CASE moved
                WHEN \(PostingKind.reviewApproved.rawValue) THEN \(FundsPlace.payable.rawValue)
                WHEN \(PostingKind.released.rawValue) THEN \(FundsPlace.payable.rawValue)
                WHEN \(PostingKind.reviewDeclined.rawValue) THEN \(FundsPlace.refundDue.rawValue)
                WHEN \(PostingKind.held.rawValue) THEN \(FundsPlace.held.rawValue)
                ELSE \(bookedPlace("booked")) END AS money FROM stated
        )
        SELECT transaction_id,
            CASE WHEN kind IS DISTINCT FROM \(PostingKind.payment.rawValue)
                    THEN 'the transaction of a payment'
                WHEN standing < booked THEN 'standing ' || booked || ' or more'
                WHEN place <> money THEN 'money that is ' || \(placeName("money"))
                WHEN place = \(FundsPlace.refundDue.rawValue) THEN 'a decision to decline'
                ELSE 'no decision to decline' END,
            CASE WHEN kind IS NULL THEN 'none'
                WHEN kind <> \(PostingKind.payment.rawValue) THEN 'another kind of transaction'
                WHEN standing < booked THEN 'standing ' || standing
                WHEN place <> money THEN 'money that is ' || \(placeName("place"))
                WHEN place = \(FundsPlace.refundDue.rawValue) THEN 'none'
                ELSE 'one' END
        FROM expected
        WHERE kind IS DISTINCT FROM \(PostingKind.payment.rawValue) OR standing < booked
            -- What was taken back whole moves no more, wherever it would stand.
            OR (transaction_id NOT IN (SELECT transaction_id FROM captures WHERE reversed <> 0)
                AND (place <> money OR (decision = \(ReviewDecision.declined.rawValue))
                    <> (place = \(FundsPlace.refundDue.rawValue))))
        ORDER BY transaction_id LIMIT 1
        """

    private static func placeName(_ column: String) -> String {
        """
        CASE \(column) WHEN \(FundsPlace.payable.rawValue) THEN 'payable'
            WHEN \(FundsPlace.held.rawValue) THEN 'held'
            WHEN \(FundsPlace.refundDue.rawValue) THEN 'due for refund' ELSE 'nowhere' END
        """
    }

    /// Where a payment's own scoring put its money.
    private static func bookedPlace(_ standing: String) -> String {
        """
        CASE \(standing) % \(Standing.strictnessCount) WHEN \(Standing.mild)
            THEN \(FundsPlace.payable.rawValue) ELSE \(FundsPlace.held.rawValue) END
        """
    }

    /// Invariant h of docs/RELIABILITY.md: a payment has an open review exactly when its money is
    /// held and no person has decided. What was taken back whole is held no more.
    private static let wrongReviews = """
        WITH money AS (
            SELECT t.id, coalesce(s.place, \(bookedPlace("t.standing"))) AS place,
                coalesce(s.decision, 0) AS decision, coalesce(c.total - c.reversed, 1) AS amount
            FROM transactions t
            LEFT JOIN payment_states s ON s.transaction_id = t.id
            LEFT JOIN captures c ON c.transaction_id = t.id
            WHERE t.kind = \(PostingKind.payment.rawValue)
        ), due AS (
            SELECT id FROM money
            WHERE place = \(FundsPlace.held.rawValue) AND decision = 0 AND amount > 0
        )
        SELECT id, 'an open review', 'none' FROM due
            WHERE id NOT IN (SELECT transaction_id FROM open_reviews)
        UNION ALL SELECT transaction_id, 'no open review', 'one' FROM open_reviews
            WHERE transaction_id NOT IN (SELECT id FROM due)
        ORDER BY 1 LIMIT 1
        """

    /// A review is open by the last of its rows, which opened or renewed it and is the one that is
    /// named; what a person decided closes it without a row.
    private static let wrongChanges = """
        WITH last AS (
            SELECT transaction_id, max(id) AS id FROM reviews GROUP BY transaction_id
        )
        SELECT o.transaction_id FROM open_reviews o
            LEFT JOIN last ON last.transaction_id = o.transaction_id
            LEFT JOIN reviews r ON r.id = last.id
        WHERE o.review IS DISTINCT FROM last.id OR r.state IS DISTINCT FROM 'opened'
        ORDER BY 1 LIMIT 1
        """

    /// A row that opens an open review says something else than the one before it, of a payment
    /// whose review is renewed at all; one that closes a review comes behind one that opened it.
    private func wrongTurns() throws -> String {
        let after =
            try database.keepsRenewals
            ? "(SELECT after_transaction FROM renewals)" : "\(Int64.max)"
        return """
            WITH turns AS (
                SELECT id, transaction_id, state, score, reasons, lag(state) OVER turn AS before,
                    lag(score) OVER turn AS old_score, lag(reasons) OVER turn AS old_reasons
                FROM reviews WINDOW turn AS (PARTITION BY transaction_id ORDER BY id)
            )
            SELECT id, CASE WHEN state <> 'opened' THEN 'a row that opened it before'
                    WHEN transaction_id <= \(after) THEN 'no row that renews it'
                    ELSE 'another score or other reasons' END, state
            FROM turns
            WHERE (state <> 'opened' AND before IS DISTINCT FROM 'opened')
                OR (state = 'opened' AND before = 'opened' AND (transaction_id <= \(after)
                    OR (score IS NOT DISTINCT FROM old_score AND reasons = old_reasons)))
            ORDER BY id LIMIT 1
            """
    }

    func checkReviews() throws {
        guard hasReviews else { return }
        if let row = try first(Self.wrongReviews, { ($0.integer(0), $0.text(1), $0.text(2)) }) {
            throw fault("review", "transactions \(row.0)", row.1, row.2)
        }
        if let row = try first(Self.wrongChanges, { $0.integer(0) }) {
            throw fault("review", "open_reviews \(row)", "the row that opened it last", "another")
        }
        let turn = try first(try wrongTurns()) { ($0.integer(0), $0.text(1), $0.text(2)) }
        if let turn { throw fault("review", "reviews \(turn.0)", turn.1, turn.2) }
        let count = try first("SELECT count(*) FROM reviews") { $0.integer(0) } ?? 0
        let last = try first("SELECT max(id) FROM reviews") { $0.integer(0) } ?? 0
        try demand("review", "reviews \(last)", "\(last) rows", "\(count) rows")
    }
}
