package import Vocabulary

/// Reviews and decisions, as they are asked for.
extension LedgerSQL {
    package func reviewChanges(after id: Int64, limit: Int) throws(LedgerError) -> [ReviewChange] {
        try reading { database in
            // An original of an earlier schema is replayed as it is.
            guard try database.keepsReviews else { return [] }
            let rows = try database.query("""
                SELECT r.id, r.event_id, t.movement, r.state, r.reasons, r.score, r.at, r.note,
                    r.posted_at
                FROM reviews r JOIN transactions t ON t.id = r.transaction_id
                WHERE r.id > ? AND r.posted_at > 0 ORDER BY r.id LIMIT ?
                """)
            defer { rows.reset() }
            rows.bind(1, id)
            rows.bind(2, Int64(limit))
            var changes: [ReviewChange] = []
            while try rows.step() { changes.append(try ReviewSQL.change(rows)) }
            return changes
        }
    }

    package func openReviews(
        after payment: TransactionID, limit: Int
    ) throws(LedgerError) -> [Review] {
        try reading { database in
            try database.checkReviews()
            return try ReviewSQL.reviews(
                database,
                """
                JOIN open_reviews o ON o.transaction_id = t.id
                WHERE t.id > ? ORDER BY t.id LIMIT ?
                """
            ) {
                $0.bind(1, payment.rawValue)
                $0.bind(2, Int64(limit))
            }
        }
    }

    package func review(of payment: MovementKey) throws(LedgerError) -> Review? {
        try reading { database in
            try database.checkReviews()
            return try ReviewSQL.reviews(
                database, "WHERE t.movement = ? AND t.kind = \(PostingKind.payment.rawValue)"
            ) { $0.bind(1, payment.rawValue) }.first
        }
    }

    package func renewalsAfter() throws(LedgerError) -> Int64 {
        try reading { database in
            // An earlier release has booked all that it has.
            let rows = try database.query(
                try database.keepsRenewals
                    ? "SELECT after_transaction FROM renewals"
                    : "SELECT coalesce(max(id), 0) FROM transactions")
            defer { rows.reset() }
            return try rows.step() ? rows.integer(0) : 0
        }
    }

    package func decision(
        at offset: Int64, partition: Int32
    ) throws(LedgerError) -> PlacedDecision? {
        try reading { database in
            try database.checkReviews()
            let rows = try database.query("""
                SELECT scored_next, movement, state, decided_by, decided_at, note, took_effect
                FROM decisions WHERE partition = ? AND place = ?
                """)
            defer { rows.reset() }
            rows.bind(1, Int64(partition))
            rows.bind(2, offset)
            guard try rows.step() else { return nil }
            return PlacedDecision(
                place: DecisionPlace(
                    decision: offset, partition: partition, scoredNext: rows.integer(0)),
                record: ReviewRecord(
                    movement: MovementKey(rows.text(1)),
                    state: ReviewState(rawValue: rows.text(2)) ?? .opened, reasons: [],
                    score: nil, by: rows.text(3), at: Instant(seconds: rows.integer(4)),
                    note: rows.textOrNull(5)),
                tookEffect: rows.integer(6) != 0)
        }
    }
}

/// What a review is made of.
private enum ReviewSQL {
    /// A payment, where its money stands, what was said of its review last, and the decision that
    /// stands: the first of those that decided so.
    static let columns = """
        SELECT t.id, t.movement, t.effective_at, t.standing,
            s.place, s.decision, coalesce(c.total - c.reversed, e.amount), e.currency,
            (SELECT a.name FROM entries x JOIN accounts a ON a.id = x.account
                WHERE x.transaction_id = t.id AND x.amount < 0 LIMIT 1),
            r.event_id, r.score, r.reasons, t.id IN (SELECT transaction_id FROM open_reviews),
            (SELECT state FROM reviews WHERE transaction_id = t.id ORDER BY id DESC LIMIT 1),
            d.decided_by, s.decided_at, d.note
        FROM transactions t
        JOIN entries e ON e.transaction_id = t.id AND e.amount > 0
        LEFT JOIN payment_states s ON s.transaction_id = t.id
        LEFT JOIN captures c ON c.transaction_id = t.id
        LEFT JOIN reviews r ON r.id = (SELECT max(id) FROM reviews
            WHERE transaction_id = t.id AND state = 'opened')
        LEFT JOIN decisions d ON s.decision > 0 AND (d.partition, d.place) =
            (SELECT partition, place FROM decisions
                WHERE movement = t.movement AND took_effect = 1
                    AND state = CASE s.decision WHEN \(ReviewDecision.approved.rawValue)
                        THEN 'approved' ELSE 'declined' END
                ORDER BY partition, place LIMIT 1)
        """

    static func reviews(
        _ database: any LedgerSnapshot, _ condition: String, _ bind: (any LedgerQuery) -> Void
    ) throws -> [Review] {
        let rows = try database.query("\(columns) \(condition)")
        defer { rows.reset() }
        bind(rows)
        var reviews: [Review] = []
        while try rows.step() {
            if let review = try review(rows) { reviews.append(review) }
        }
        return reviews
    }

    /// - Returns: nil for a payment that was never under review.
    private static func review(_ row: any LedgerQuery) throws -> Review? {
        let decision = ReviewDecision(rawValue: Int(row.integer(5)))
        let last = row.textOrNull(13).flatMap(ReviewState.init)
        guard decision != nil || last != nil else { return nil }
        guard let currency = Currency(row.text(7)),
            let merchant = AccountName(row.text(8)).merchant
        else { throw LedgerError.corrupt(code: 0, detail: "entries of \(row.text(1))") }
        return Review(
            payment: TransactionID(row.integer(0)), movement: MovementKey(row.text(1)),
            merchant: merchant, currency: currency, amount: MinorUnits(row.integer(6)),
            state: state(isOpen: row.integer(12) != 0, decision, last),
            effectiveAt: Instant(seconds: row.integer(2)),
            eventID: row.textOrNull(9).map { EventID($0) },
            score: row.isNull(10) ? nil : row.double(10),
            reasons: try row.textOrNull(11).map { try ReviewReasons.reasons($0) } ?? [],
            decision: decision == nil
                ? nil
                : Review.Decision(
                    by: row.textOrNull(14) ?? "", at: Instant(seconds: row.integer(15)),
                    note: row.textOrNull(16)))
    }

    private static func state(
        isOpen: Bool, _ decision: ReviewDecision?, _ last: ReviewState?
    ) -> Review.State {
        if isOpen { return .open }
        switch decision {
        case .approved: return .approved
        case .declined: return .declined
        case nil: return last == .expired ? .expired : .released
        }
    }

    static func change(_ row: any LedgerQuery) throws -> ReviewChange {
        guard let state = ReviewState(rawValue: row.text(3)) else {
            throw LedgerError.corrupt(code: 0, detail: "reviews \(row.integer(0)): state")
        }
        return ReviewChange(
            id: row.integer(0), eventID: EventID(row.text(1)),
            record: ReviewRecord(
                movement: MovementKey(row.text(2)), state: state,
                reasons: try ReviewReasons.reasons(row.text(4)),
                score: row.isNull(5) ? nil : row.double(5), by: PostingRules.scoringActor,
                at: Instant(seconds: row.integer(6)), note: row.textOrNull(7)),
            postedAtMilliseconds: row.integer(8))
    }
}
