import Vocabulary

/// Checks that begin with the booked transactions: a row that they make necessary and that is gone
/// counts as a wrong one.
extension VerificationRun {
    /// What the writer keeps of charges beside the chain, recomputed from the transactions,
    /// people's decisions and what was told. What none of these say again stands in
    /// docs/formats/ledger.md.
    func checkStates() throws {
        try checkStandings()
        try checkMoves()
        try checkDecisions()
        try checkCaptures()
        try checkRefunds()
        try checkNotes()
    }

    /// Balances as the entries make them, by one pass over the entries.
    func checkBalances() throws {
        let row = try first(
            """
            SELECT a.id, a.name || ' ' || a.currency, coalesce(s.amount, 0), a.balance
            FROM accounts a
            LEFT JOIN (SELECT account, sum(amount) AS amount FROM entries GROUP BY account) s
                ON s.account = a.id
            WHERE a.balance <> coalesce(s.amount, 0) ORDER BY a.id LIMIT 1
            """
        ) { ("accounts \($0.integer(0)) (\($0.text(1)))", $0.integer(2), $0.integer(3)) }
        if let row { throw fault("balance", row.0, String(row.1), String(row.2)) }
    }

    /// A payment's standing, which the hash does not cover, has put its money where its entries
    /// have it.
    private func checkStandings() throws {
        let wrong = try first(
            """
            SELECT t.id, CASE WHEN a.name LIKE '%:held' THEN 'held' ELSE 'payable' END, t.standing
            FROM transactions t
            JOIN entries e ON e.transaction_id = t.id AND e.amount < 0
            JOIN accounts a ON a.id = e.account
            WHERE t.kind = \(PostingKind.payment.rawValue)
                AND (\(Self.isNoStanding("t.standing")) OR (a.name LIKE '%:held')
                    <> (t.standing % \(Standing.strictnessCount) <> \(Standing.mild)))
            ORDER BY t.id LIMIT 1
            """
        ) { ($0.integer(0), $0.text(1), $0.integer(2)) }
        if let wrong {
            throw fault(
                "standing", "transactions \(wrong.0)", "a standing of money that is \(wrong.1)",
                String(wrong.2))
        }
        let state = try first(
            """
            SELECT transaction_id, standing FROM payment_states
            WHERE \(Self.isNoStanding("standing")) ORDER BY transaction_id LIMIT 1
            """
        ) { ($0.integer(0), $0.integer(1)) }
        if let state {
            throw fault(
                "payment_state", "payment_states \(state.0)", "a standing", String(state.1))
        }
    }

    private static func isNoStanding(_ column: String) -> String {
        """
        (\(column) NOT BETWEEN 1 AND \(Standing.highest.rawValue)
            OR \(column) % \(Standing.strictnessCount) = 0)
        """
    }

    /// The payment that a derived movement belongs to, behind its prefix: with an ordinal after it
    /// from the second one on. An id may hold the same sign, so the whole key comes first.
    private static func payment(_ key: String) -> String {
        let bare = "rtrim(\(key), '0123456789')"
        let payment =
            "SELECT p.id FROM transactions p WHERE p.kind = \(PostingKind.payment.rawValue)"
        return """
            coalesce((\(payment) AND p.movement = \(key)),
                (\(payment) AND p.movement = substr(\(bare), 1, length(\(bare)) - 1)))
            """
    }

    private static func behind(_ kind: PostingKind, _ movement: String) -> String {
        "substr(\(movement), \(kind.name.utf8.count + 2))"
    }

    /// Who moved a payment's money has kept so.
    private func checkMoves() throws {
        let (held, released) = (PostingKind.held, PostingKind.released)
        let (approved, declined) = (PostingKind.reviewApproved, PostingKind.reviewDeclined)
        let cases = [held, released, approved, declined].map {
            "WHEN \($0.rawValue) THEN \(Self.behind($0, "m.movement"))"
        }.joined(separator: " ")
        let row = try first(
            """
            WITH moved AS (
                SELECT m.id, m.kind, CASE m.kind \(cases) END AS key FROM transactions m
                WHERE m.kind IN (\(held.rawValue), \(released.rawValue), \(approved.rawValue),
                    \(declined.rawValue))
            ), told AS (
                SELECT \(Self.payment("key")) AS payment, max(id) AS last,
                    sum(CASE WHEN kind IN (\(held.rawValue), \(released.rawValue)) THEN 1
                        ELSE 0 END) AS moves,
                    max(CASE kind WHEN \(declined.rawValue) THEN 2 WHEN \(approved.rawValue) THEN 1
                        ELSE 0 END) AS decision
                FROM moved GROUP BY 1
            )
            SELECT coalesce(told.payment, -told.last), told.moves, told.decision, s.transaction_id,
                s.moves, s.decision
            FROM told LEFT JOIN payment_states s ON s.transaction_id = told.payment
            WHERE s.transaction_id IS NULL OR s.decision < told.decision OR s.moves < told.moves
                -- Of what was taken back whole nothing moves, though it is counted.
                OR (s.moves <> told.moves AND s.transaction_id NOT IN
                    (SELECT transaction_id FROM captures WHERE reversed <> 0))
            ORDER BY 1 LIMIT 1
            """
        ) { row -> (String, String, String) in
            let due = "moves \(row.integer(1)), decision \(row.integer(2)) or more"
            guard row.integer(0) > 0 else {
                return ("transactions \(-row.integer(0))", "a payment that it moves", "none")
            }
            let found =
                row.isNull(3) ? "none" : "moves \(row.integer(4)), decision \(row.integer(5))"
            return ("payment_states \(row.integer(0))", due, found)
        }
        if let row { throw fault("payment_state", row.0, row.1, row.2) }
        // Whoever never moved it has no moves to count.
        let extra = try first(
            """
            SELECT s.transaction_id, s.moves FROM payment_states s
            JOIN transactions t ON t.id = s.transaction_id
            WHERE s.moves <> 0
                AND s.transaction_id NOT IN
                    (SELECT transaction_id FROM captures WHERE reversed <> 0)
                AND NOT EXISTS (SELECT 1 FROM transactions m
                    WHERE m.movement IN ('held:' || t.movement, 'released:' || t.movement))
            ORDER BY 1 LIMIT 1
            """
        ) { ($0.integer(0), $0.integer(1)) }
        if let extra {
            throw fault("payment_state", "payment_states \(extra.0)", "moves 0", "moves \(extra.1)")
        }
    }

    /// A person's decision that took effect stands with its payment, or waits for it. The other way
    /// round too in a ledger that has the place of each decision: one that has read them from the
    /// log, and of no release that did not keep all of it. Both sides are grouped: SQLite makes no
    /// index for a join with `kept`, and would look through all of it for each decision.
    private func checkDecisions() throws {
        guard hasReviews else { return }
        let row = try first(
            """
            WITH considered AS (
                SELECT movement, max(CASE state WHEN 'declined' THEN 2 ELSE 1 END) AS decision
                FROM decisions WHERE took_effect = 1 AND movement <> '' GROUP BY movement
            ), due AS (
                SELECT c.*, (SELECT min(d.decided_at) FROM decisions d
                    WHERE d.movement = c.movement AND d.took_effect = 1
                        AND (d.state = 'declined') = (c.decision = 2)) AS at
                FROM considered c
            ), kept AS (
                SELECT t.movement, s.decision, s.decided_at AS at FROM payment_states s
                JOIN transactions t ON t.id = s.transaction_id WHERE s.decision <> 0
                UNION ALL SELECT movement, decision, decided_at FROM waiting_decisions
            ), whole AS (
                SELECT EXISTS (SELECT 1 FROM positions WHERE topic = 'payment.review')
                    AND NOT EXISTS (SELECT 1 FROM decisions WHERE movement = '')
                    AND NOT EXISTS (SELECT 1 FROM reviews WHERE posted_at = 0) AS yes
            )
            SELECT movement, coalesce(max(due), 0), coalesce(max(due_at), 0), max(kept),
                max(kept_at)
            FROM (
                SELECT movement, decision AS due, at AS due_at, NULL AS kept, NULL AS kept_at
                FROM due
                UNION ALL SELECT movement, NULL, NULL, decision, at FROM kept
            ) AS sides
            GROUP BY movement
            HAVING (max(due) IS NOT NULL OR (SELECT yes FROM whole))
                AND (max(kept) IS DISTINCT FROM max(due)
                    OR max(kept_at) IS DISTINCT FROM max(due_at))
            ORDER BY 1 LIMIT 1
            """
        ) {
            (
                $0.text(0),
                Self.decision($0.integer(1), at: $0.integer(2)),
                $0.isNull(3) ? "none" : Self.decision($0.integer(3), at: $0.integer(4))
            )
        }
        if let row { throw fault("decision", "decisions of \(row.0)", row.1, row.2) }
    }

    /// - Parameter number: as the database has it; 0 for none.
    private static func decision(_ number: Int64, at seconds: Int64) -> String {
        guard number != 0 else { return "none" }
        let name = ReviewDecision(rawValue: Int(number)).map { "\($0)" } ?? "decision \(number)"
        return "\(name) at \(Instant(seconds: seconds).rfc3339)"
    }

    /// All that is captured of a payment, and what was taken back of it. A part that the statement
    /// told of stands under its balance transaction's key, which does not name the payment: while
    /// there is such a one the payments are compared in sum, and each may have more than its own.
    private func checkCaptures() throws {
        let (grown, taken) = (PostingKind.captureGrown, PostingKind.paymentReversed)
        let amount =
            "(SELECT sum(amount) FROM entries e WHERE e.transaction_id = m.id AND amount > 0)"
        let reversed = "'charge:' || substr(m.movement, 17)"
        let changes = """
            WITH changes AS (
                SELECT \(Self.payment(Self.behind(grown, "m.movement"))) AS payment,
                    \(amount) AS grown, 0 AS taken
                FROM transactions m WHERE m.kind = \(grown.rawValue)
                UNION ALL SELECT (SELECT p.id FROM transactions p
                        WHERE p.movement = \(reversed)
                            AND p.kind = \(PostingKind.payment.rawValue)),
                    0, \(amount)
                FROM transactions m WHERE m.kind = \(taken.rawValue)
            )
            """
        let row = try first(
            changes + """
            , changed AS (
                SELECT payment, sum(grown) AS grown, sum(taken) AS taken FROM (
                    SELECT payment, grown, taken FROM changes WHERE payment IS NOT NULL
                    UNION ALL SELECT transaction_id, 0, 0 FROM captures
                ) AS parts GROUP BY payment
            ), due AS (
                SELECT m.id, \(amount) + c.grown AS total, c.taken AS reversed
                FROM changed c JOIN transactions m ON m.id = c.payment
            )
            SELECT due.id, 'total ' || due.total || ', reversed ' || due.reversed,
                coalesce('total ' || s.total || ', reversed ' || s.reversed, 'none')
            FROM due LEFT JOIN captures s ON s.transaction_id = due.id
            WHERE s.total IS DISTINCT FROM due.total OR s.reversed < due.reversed
                OR (s.reversed <> due.reversed
                    AND NOT EXISTS (SELECT 1 FROM changes WHERE payment IS NULL))
            ORDER BY due.id LIMIT 1
            """
        ) { ("captures \($0.integer(0))", $0.text(1), $0.text(2)) }
        if let row { throw fault("capture", row.0, row.1, row.2) }
        let sums = try first(
            changes + """
            SELECT (SELECT coalesce(sum(taken), 0) FROM changes),
                (SELECT coalesce(sum(reversed), 0) FROM captures)
            """
        ) { ($0.integer(0), $0.integer(1)) }
        if let (due, found) = sums {
            try demand("capture", "captures", "\(due) reversed in all", "\(found) reversed in all")
        }
    }
}

// MARK: - Refunds and what was told of them

extension VerificationRun {
    /// Which charge a refund belongs to is told by whatever else was booked or noted of it: its
    /// failure, its settlement under a decline, its note.
    private func checkRefunds() throws {
        for (sql, expected) in [
            (Self.unnotedRefunds, "the charge that its note names"),
            (Self.partedRefunds, "one charge for a refund and its failure"),
            (Self.unsettledRefunds, "a settlement exactly under a declined payment"),
        ] {
            let row = try first(sql) {
                ("refunds \($0.isNull(1) ? "?" : $0.text(1))/\($0.integer(0))",
                    $0.isNull(1) ? "none" : "another")
            }
            if let row { throw fault("refund", row.0, expected, row.1) }
        }
    }

    /// The charges of refunds by transaction, which no index of the table leads to: as a table of
    /// its own the query has one made.
    private static let charged =
        "charged AS MATERIALIZED (SELECT transaction_id, charge FROM refunds)"

    private static let unnotedRefunds = """
        WITH \(charged)
        SELECT t.id, r.charge FROM waiting w
        JOIN transactions t ON t.movement = w.key
        LEFT JOIN charged r ON r.transaction_id = t.id
        WHERE w.kind = '\(WaitingMovement.Kind.refund.rawValue)'
            AND w.charge LIKE 'ch\\_%' ESCAPE '\\'
            AND r.charge IS NULL
        ORDER BY t.id LIMIT 1
        """

    private static let partedRefunds = """
        WITH \(charged)
        SELECT f.id, rf.charge FROM transactions f
        JOIN transactions t ON t.movement = 'refund:' || substr(f.movement, 15)
        JOIN charged rf ON rf.transaction_id = f.id
        JOIN charged rt ON rt.transaction_id = t.id
        WHERE f.kind = \(PostingKind.refundFailed.rawValue) AND rf.charge <> rt.charge
        ORDER BY f.id LIMIT 1
        """

    /// Transfers that go back have no row; their entries stand against no merchant.
    private static let unsettledRefunds = """
        WITH settled AS (
            SELECT t.id FROM transactions m
            JOIN transactions t ON t.movement = CASE m.kind
                WHEN \(PostingKind.refundSettled.rawValue)
                    THEN 'refund:' || \(behind(.refundSettled, "m.movement"))
                ELSE 'refund_failed:' || \(behind(.refundUnsettled, "m.movement")) END
            JOIN entries e ON e.transaction_id = t.id
            JOIN accounts a ON a.id = e.account AND a.name LIKE 'merchant:%'
            WHERE m.kind IN (\(PostingKind.refundSettled.rawValue),
                \(PostingKind.refundUnsettled.rawValue))
        ), declined AS (
            SELECT r.transaction_id AS id, r.charge FROM refunds r
            JOIN transactions p ON p.movement = r.charge
            JOIN payment_states s ON s.transaction_id = p.id
            WHERE s.decision = \(ReviewDecision.declined.rawValue)
        )
        SELECT settled.id, (SELECT min(charge) FROM refunds WHERE transaction_id = settled.id)
        FROM settled WHERE id NOT IN (SELECT id FROM declined)
        UNION ALL SELECT id, charge FROM declined WHERE id NOT IN (SELECT id FROM settled)
        ORDER BY 1 LIMIT 1
        """

    /// What was told of a charge's refunds, judged again by the rule that the writer has.
    private func checkNotes() throws {
        guard hasReviews else { return }
        let told = try database.toldReader()
        let names = try database.query(
            "SELECT charge FROM waiting UNION SELECT charge FROM releases ORDER BY 1")
        defer { names.reset() }
        while try names.step() {
            let charge = names.text(0)
            let stored = try told(charge)
            let due = stored.settled()
            for (row, wanted) in zip(stored.rows, due.rows) {
                try demand(
                    "waiting", "waiting \(row.key)", "state \(wanted.state.rawValue)",
                    "state \(row.state.rawValue)")
            }
            try demand(
                "release", "releases \(charge)", due.release?.refund ?? "no refund taken back",
                stored.release?.refund ?? "no refund taken back")
        }
        let row = try first(Self.wrongReleases) {
            ("releases \($0.text(0))", "\($0.integer(1)) moves", "\($0.integer(2)) moves")
        }
        if let row { throw fault("release", row.0, row.1, row.2) }
    }

    /// How often a refund was taken back, or restored, as a charge's release.
    private static let wrongReleases = """
        WITH moved AS (
            SELECT m.id, CASE m.kind
                WHEN \(PostingKind.refundReleased.rawValue)
                    THEN \(behind(.refundReleased, "m.movement"))
                ELSE \(behind(.refundRestored, "m.movement")) END AS key
            FROM transactions m WHERE m.kind IN (\(PostingKind.refundReleased.rawValue),
                \(PostingKind.refundRestored.rawValue))
        ), \(charged), due AS (
            SELECT coalesce(r.charge, 'charge:?') AS charge, count(*) AS moves FROM moved
            LEFT JOIN transactions t ON t.movement = 'refund:'
                || substr(rtrim(key, '0123456789'), 1, length(rtrim(key, '0123456789')) - 1)
            LEFT JOIN charged r ON r.transaction_id = t.id GROUP BY 1
        ), kept AS (SELECT 'charge:' || charge AS charge, moves FROM releases WHERE moves <> 0)
        SELECT substr(due.charge, 8), due.moves, coalesce(kept.moves, 0)
        FROM due LEFT JOIN kept USING (charge) WHERE kept.moves IS DISTINCT FROM due.moves
        UNION ALL SELECT substr(kept.charge, 8), 0, kept.moves FROM kept
        WHERE kept.charge NOT IN (SELECT charge FROM due)
        ORDER BY 1 LIMIT 1
        """
}
