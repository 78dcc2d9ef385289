package import Vocabulary

/// A change of a review that stands: what a person decided and the ledger took, or what it told of
/// a review by itself.
package struct DecidedReview: Hashable, Sendable {
    package var place: DecidedPlace
    /// Of the payment. `by` is the actor of scoring where the ledger told it itself.
    package var record: ReviewRecord
    /// The payment's.
    package var currency: String
}

/// A place in the history of all reviews, which goes by time.
package struct DecidedPlace: Hashable, Sendable {
    /// Seconds since 1970.
    package var moment: Int64
    /// 0 for what the ledger told, by its number; 1 for a decision, by partition and offset.
    fileprivate var origin, first, second: Int64

    fileprivate init(_ moment: Int64, _ origin: Int64, _ first: Int64, _ second: Int64) {
        (self.moment, self.origin, self.first, self.second) = (moment, origin, first, second)
    }

    /// - Returns: nil unless `text` is what ``token`` gave.
    package init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        let numbers = parts.compactMap { Int64($0) }
        guard parts.count == 4, numbers.count == 4 else { return nil }
        self.init(numbers[0], numbers[1], numbers[2], numbers[3])
    }

    package var token: String { "\(moment):\(origin):\(first):\(second)" }
}

extension LedgerSQL {
    /// How reviews ended within a period, by time; of the same second, the ledger's own lines
    /// first. Reads no more rows than it returns from each of its two tables.
    ///
    /// - Parameters:
    ///   - to: included.
    ///   - place: where an earlier page ended; nil for the first one.
    package func decided(
        _ state: ReviewState, from: Instant, to: Instant, after place: DecidedPlace?, limit: Int
    ) throws(LedgerError) -> [DecidedReview] {
        try reading { database in
            guard try database.keepsReviews else { return [] }
            let rows = try database.query(DecidedSQL.page)
            defer { rows.reset() }
            let begin = place ?? DecidedPlace(from.seconds, -1, -1, -1)
            rows.bind(1, state.rawValue)
            rows.bind(2, max(begin.moment, from.seconds))
            rows.bind(3, to.seconds)
            rows.bind(4, Int64(limit))
            rows.bind(5, begin.moment)
            rows.bind(6, begin.origin)
            rows.bind(7, begin.first)
            rows.bind(8, begin.second)
            var found: [DecidedReview] = []
            while try rows.step() { found.append(DecidedSQL.row(rows, state)) }
            return found
        }
    }
}

/// The words of these queries, for both databases.
private enum DecidedSQL {
    /// ?1 state; ?2, ?3 the period; ?4 rows; ?5 to ?8 the place behind which they begin.
    static let page = """
        SELECT moment, origin, first, second, movement, decided_by, note, coalesce((
            SELECT e.currency FROM transactions x JOIN entries e ON e.transaction_id = x.id
            WHERE x.movement = ended.movement AND e.amount > 0 LIMIT 1), '')
        FROM (
            SELECT * FROM (
                SELECT r.at AS moment, CAST(0 AS BIGINT) AS origin, r.id AS first,
                    CAST(0 AS BIGINT) AS second, t.movement AS movement,
                    CAST(NULL AS TEXT) AS decided_by, r.note AS note
                FROM reviews r JOIN transactions t ON t.id = r.transaction_id
                WHERE r.state = ?1 AND r.at >= ?2 AND r.at <= ?3
                    AND (r.at > ?5 OR ?6 < 0 OR (?6 = 0 AND r.id > ?7))
                ORDER BY r.at, r.id LIMIT ?4) AS told
            UNION ALL
            SELECT * FROM (
                SELECT d.decided_at, CAST(1 AS BIGINT), CAST(d.partition AS BIGINT), d.place,
                    d.movement, d.decided_by, d.note
                FROM decisions d
                WHERE d.state = ?1 AND d.took_effect = 1 AND d.movement <> ''
                    AND d.decided_at >= ?2 AND d.decided_at <= ?3
                    AND (d.decided_at > ?5 OR ?6 < 1
                        OR (d.partition > ?7 OR (d.partition = ?7 AND d.place > ?8)))
                ORDER BY d.decided_at, d.partition, d.place LIMIT ?4) AS decided
        ) AS ended ORDER BY moment, origin, first, second LIMIT ?4
        """

    static func row(_ row: any LedgerQuery, _ state: ReviewState) -> DecidedReview {
        DecidedReview(
            place: DecidedPlace(row.integer(0), row.integer(1), row.integer(2), row.integer(3)),
            record: ReviewRecord(
                movement: MovementKey(row.text(4)), state: state, reasons: [], score: nil,
                by: row.textOrNull(5) ?? PostingRules.scoringActor,
                at: Instant(seconds: row.integer(0)), note: row.textOrNull(6)),
            currency: row.text(7))
    }
}
