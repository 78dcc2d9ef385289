package import Vocabulary

/// A line of a review's history: what the ledger opened, renewed or closed, or a person decided.
package struct ReviewEntry: Hashable, Sendable {
    /// What names it for good.
    package enum Name: Hashable, Sendable {
        /// The number of a row of `reviews`.
        case change(Int64)
        /// Where the decision stands in `payment.review`.
        case decision(partition: Int64, offset: Int64)
    }

    package var name: Name
    package var movement: String
    /// `opened`, `approved`, `declined`, `expired`.
    package var state: String
    package var by: String
    package var tookEffect: Bool
    package var score: Double?
    /// JSON, as the ledger keeps it.
    package var reasons: String
    package var note: String?
    package var eventID: String?
    package var at: Instant
}

/// What whole days of the ledger are asked for.
extension LedgerSQL {
    /// When transactions took effect, in the order of the ledger: those behind `id`, at most
    /// `limit`.
    package func effectiveTimes(
        after id: TransactionID, limit: Int
    ) throws(LedgerError) -> [(id: TransactionID, effectiveAt: Instant)] {
        try reading { database in
            let rows = try database.query(
                "SELECT id, effective_at FROM transactions WHERE id > ? ORDER BY id LIMIT ?")
            defer { rows.reset() }
            rows.bind(1, id.rawValue)
            rows.bind(2, Int64(limit))
            var times: [(id: TransactionID, effectiveAt: Instant)] = []
            while try rows.step() {
                times.append(
                    (TransactionID(rows.integer(0)), Instant(seconds: rows.integer(1))))
            }
            return times
        }
    }

    /// The UTC days, counted from 1970, on which reviews were opened, closed or decided, in order.
    package func reviewDays() throws(LedgerError) -> [Int64] {
        try reading { database in
            guard try database.keepsReviews else { return [] }
            let rows = try database.query(
                """
                SELECT day FROM (
                    SELECT at / 86400 AS day FROM reviews
                    UNION SELECT decided_at / 86400 FROM decisions WHERE movement <> ''
                ) AS days ORDER BY day
                """)
            defer { rows.reset() }
            var days: [Int64] = []
            while try rows.step() { days.append(rows.integer(0)) }
            return days
        }
    }

    /// The history of all reviews within a period, `to` excluded, by time; of the same second, the
    /// ledger's own lines first. Reads every line of the history, and holds one.
    package func reviewEntries(
        from: Instant, to: Instant, _ take: (ReviewEntry) throws -> Void
    ) throws(LedgerError) {
        try reading { database in
            guard try database.keepsReviews else { return }
            let rows = try database.query(walking: Self.reviewEntries(from, to))
            defer { rows.reset() }
            while try rows.step() { try take(Self.reviewEntry(rows)) }
        }
    }

    /// Numbers stand in the text: a walk binds nothing.
    private static func reviewEntries(_ from: Instant, _ to: Instant) -> String {
        """
        SELECT CAST(0 AS BIGINT) AS origin, r.id AS first, CAST(0 AS BIGINT) AS second, t.movement,
            r.state, CAST('' AS TEXT) AS decided_by, CAST(1 AS BIGINT) AS took_effect,
            r.score, r.reasons, r.note, r.event_id, r.at AS moment
        FROM reviews r JOIN transactions t ON t.id = r.transaction_id
        WHERE r.at >= \(from.seconds) AND r.at < \(to.seconds)
        UNION ALL
        SELECT CAST(1 AS BIGINT), CAST(partition AS BIGINT), place, movement, state, decided_by,
            CAST(took_effect AS BIGINT), CAST(NULL AS DOUBLE PRECISION), CAST('[]' AS TEXT), note,
            CAST(NULL AS TEXT), decided_at
        FROM decisions
        WHERE movement <> '' AND decided_at >= \(from.seconds) AND decided_at < \(to.seconds)
        ORDER BY moment, origin, first, second
        """
    }

    private static func reviewEntry(_ row: any LedgerQuery) -> ReviewEntry {
        let isDecision = row.integer(0) != 0
        return ReviewEntry(
            name: isDecision
                ? .decision(partition: row.integer(1), offset: row.integer(2))
                : .change(row.integer(1)),
            movement: row.text(3), state: row.text(4),
            by: isDecision ? row.text(5) : PostingRules.scoringActor,
            tookEffect: row.integer(6) != 0, score: row.isNull(7) ? nil : row.double(7),
            reasons: row.text(8), note: row.textOrNull(9), eventID: row.textOrNull(10),
            at: Instant(seconds: row.integer(11)))
    }
}
