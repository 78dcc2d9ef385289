package import Appliance
package import Vocabulary

/// A line of Stripe's statement as it is exported: with what the ledger makes of it, in words.
package struct ExportedLine: Hashable, Sendable {
    package var statement: BalanceTransaction
    package var account: StripeAccount
    package var transaction: Int64?
    package var finding: String
    package var feeState: String
    package var bookedBy: Int64?
}

/// A disagreement as it is exported: with the times of the runs that it names.
package struct ExportedBreak: Hashable, Sendable {
    package var id: Int64
    package var found: ReconciliationBreak
    package var firstRun: Int64
    package var firstSeenAt: Instant?
    package var resolvedRun: Int64?
    package var resolvedAt: Instant?
}

/// Which line of the statement moved which object's money.
package struct SourcedLine: Hashable, Sendable {
    package var id: String
    package var type: String
    package var source: String
}

extension SettlementFinding {
    /// The word of docs/WAREHOUSE.md.
    var exportedWord: String {
        switch self {
        case .none: "matched"
        case .missing: "missing"
        case .otherAmount: "other_amount"
        case .otherCurrency: "other_currency"
        case .duplicate: "duplicate"
        case .unknownType: "unknown_type"
        case .unbooked: "unbooked"
        case .unconverted: "unconverted"
        }
    }
}

extension FeeState {
    var exportedWord: String {
        switch self {
        case .none: "none"
        case .booked: "booked"
        case .unbooked: "unbooked"
        case .otherAmount: "other_amount"
        }
    }
}

/// The statement and the breaks by day, a page at a time. Each page is a snapshot of its own: what
/// a run changes in between is told the next time.
extension StatementStore {
    /// The UTC days, counted from 1970, that have lines, in order. Reads every line.
    ///
    /// - Parameter withFee: only of lines whose fee is not zero.
    package func lineDays(withFee: Bool = false) throws(LedgerError) -> [Int64] {
        let those = withFee ? "WHERE fee <> 0" : ""
        return try rows(
            "SELECT DISTINCT created / 86400 FROM settlements \(those) ORDER BY 1", { _ in }
        ) { $0.integer(0) }
    }

    /// The lines of a period, `to` excluded, by time and then by id.
    ///
    /// - Parameters:
    ///   - place: the line to go on behind; nil for the first.
    ///   - limit: how many at most; fewer mean that there are no more.
    package func lines(
        from: Instant, to: Instant, after place: (created: Instant, id: String)?, limit: Int
    ) throws(LedgerError) -> [ExportedLine] {
        try rows(
            """
            SELECT \(Self.settlementColumns) FROM settlements
            WHERE (created, id) > (?1, ?2) AND created < ?3 ORDER BY created, id LIMIT ?4
            """,
            {
                // No id is before the empty one, and a line of that second is behind it.
                $0.bind(1, place?.created.seconds ?? from.seconds)
                $0.bind(2, orNull: place?.id ?? "")
                $0.bind(3, to.seconds)
                $0.bind(4, Int64(limit))
            }
        ) { row in
            let settlement = try Self.settlement(row)
            return ExportedLine(
                statement: settlement.statement, account: settlement.account,
                transaction: settlement.transaction, finding: settlement.finding.exportedWord,
                feeState: settlement.feeState.exportedWord, bookedBy: settlement.bookedBy)
        }
    }

    /// Lines that a run behind `run` has read last, in their order, which name what they moved.
    ///
    /// - Parameter last: the line to go on behind; nil for the first.
    package func sourcedLines(
        readAfter run: Int64, after last: (created: Instant, id: String)?, limit: Int
    ) throws(LedgerError) -> [(line: SourcedLine, created: Instant)] {
        try rows(
            """
            SELECT id, type, source, created FROM settlements
            WHERE (created, id) > (?1, ?2) AND run > ?3 AND source <> ''
            ORDER BY created, id LIMIT ?4
            """,
            {
                $0.bind(1, last?.created.seconds ?? -1)
                $0.bind(2, orNull: last?.id ?? "")
                $0.bind(3, run)
                $0.bind(4, Int64(limit))
            }
        ) { row in
            (
                SourcedLine(id: row.text(0), type: row.text(1), source: row.text(2)),
                Instant(seconds: row.integer(3))
            )
        }
    }

    /// The last run behind which nothing that was read is read again without a new number; 0 for
    /// none.
    package func lastWholeRun() throws(LedgerError) -> Int64 {
        try rows(
            """
            SELECT coalesce(
                (SELECT min(id) - 1 FROM reconciliations WHERE state NOT IN ('finished', 'failed')),
                (SELECT max(id) FROM reconciliations), 0)
            """, { _ in }, { $0.integer(0) }
        ).first ?? 0
    }

    /// The UTC days, counted from 1970, that have breaks, in order.
    package func breakDays() throws(LedgerError) -> [Int64] {
        try rows("SELECT DISTINCT occurred_at / 86400 FROM breaks ORDER BY 1", { _ in }) {
            $0.integer(0)
        }
    }

    /// The breaks that occurred within a period, `to` excluded, by their number. Reads every break.
    package func breaks(
        from: Instant, to: Instant, after id: Int64, limit: Int
    ) throws(LedgerError) -> [ExportedBreak] {
        try rows(
            """
            SELECT b.id, b.kind, b.subject, b.movement, b.balance_transaction, b.type,
                b.stripe_currency, b.stripe_amount, b.ledger_currency, b.ledger_amount,
                b.occurred_at, b.first_run, b.resolved_run, b.account, f.started_at, r.finished_at
            FROM breaks b LEFT JOIN reconciliations f ON f.id = b.first_run
            LEFT JOIN reconciliations r ON r.id = b.resolved_run
            WHERE b.id > ?1 AND b.occurred_at >= ?2 AND b.occurred_at < ?3 ORDER BY b.id LIMIT ?4
            """,
            {
                $0.bind(1, id)
                $0.bind(2, from.seconds)
                $0.bind(3, to.seconds)
                $0.bind(4, Int64(limit))
            }
        ) { row in
            let stored = try Self.stored(row)
            return ExportedBreak(
                id: row.integer(0), found: stored.found, firstRun: stored.firstRun,
                firstSeenAt: row.integerOrNull(14).map(Instant.init(seconds:)),
                resolvedRun: stored.resolvedRun,
                resolvedAt: row.integerOrNull(15).map(Instant.init(seconds:)))
        }
    }
}
