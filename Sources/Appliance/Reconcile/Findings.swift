package import Appliance
import Vocabulary

/// Some of what a run found, and where the rest begins.
package struct FindingPage: Hashable, Sendable {
    package var findings: [StoredBreak]
    /// nil when that is all.
    package var next: FindingPlace?
}

extension StatementRows {
    /// What a run found, then what it booked itself: that is `fee_unbooked` and resolved by the
    /// run, and stands in the statement's rows alone.
    package func findings(
        of run: RunRecord, after place: FindingPlace, limit: Int
    ) throws(LedgerError) -> FindingPage {
        switch place {
        case .start: return try findings(of: run, after: .break(0), limit: limit)
        case .break(let id):
            let breaks = try breaks(of: run.id, after: id, limit: limit)
            if breaks.count == limit, let last = breaks.last {
                return FindingPage(findings: breaks, next: .break(last.id))
            }
            let rest = try booked(by: run, after: OpenPlace(), limit: limit - breaks.count)
            return page(breaks, rest, of: run, isFull: breaks.count + rest.count == limit)
        case .row(let created, let id):
            let from = OpenPlace(created: created, id: id)
            let rest = try booked(by: run, after: from, limit: limit)
            return page([], rest, of: run, isFull: rest.count == limit)
        }
    }

    private func page(
        _ breaks: [StoredBreak], _ rows: [Settlement], of run: RunRecord, isFull: Bool
    ) -> FindingPage {
        let last = rows.last?.statement
        return FindingPage(
            findings: breaks + rows.map { StoredBreak(booked: $0, by: run.id) },
            next: isFull ? last.map { .row(created: $0.created.seconds, id: $0.id) } : nil)
    }
}

extension StoredBreak {
    /// What a run booked itself, as the break that it was.
    init(booked settlement: Settlement, by run: Int64) {
        let statement = settlement.statement
        let isWhole = settlement.isBookedWhole
        let side = ReconciliationBreak.Side(
            currency: statement.currency, amount: isWhole ? statement.net : -statement.fee)
        let key = (isWhole ? settlement.wholeKey : nil) ?? ReconciledRecord.feeKey(statement.id)
        self.init(
            id: 0,
            found: ReconciliationBreak(
                kind: .feeUnbooked, subject: key, movement: key, balanceTransaction: statement.id,
                type: statement.type, stripe: side, ledger: side, occurredAt: statement.created,
                account: settlement.account),
            firstRun: run, resolvedRun: run)
    }
}

extension Settlement {
    /// The movement that a run books all of the row as.
    var wholeKey: String? {
        switch statement.meaning {
        case .told(let key, _, _), .movement(let key, _, _): key
        case .failedPayment: ReconciledRecord.reversalKey(of: statement)
        case .own: ReconciledRecord.feeKey(statement.id)
        case .unknown: nil
        }
    }
}
