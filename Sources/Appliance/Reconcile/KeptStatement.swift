package import Appliance
import Vocabulary

/// Runs of reconciliation, what they found, and sweeps, for who shows them. Blocking.
package protocol ReconciliationReading: Sendable {
    /// A run and what it found so far; nil if there is none of this name.
    func report(_ name: RunName) throws(LedgerError) -> RunReport?
    /// The newest runs, without dry ones.
    func reports(before: Int64?, limit: Int) throws(LedgerError) -> [RunReport]
    /// A page of what a run found and booked; nil if there is none of this name.
    func findings(
        of name: RunName, after: FindingPlace, limit: Int
    ) throws(LedgerError) -> FindingPage?
    /// From 0 to 1 while the run is under way here; nil otherwise.
    func progress(of name: RunName) -> Double?
    func sweep(_ id: Int64) throws(LedgerError) -> SweepRecord?
    /// The newest sweeps, from before `before` on.
    func sweeps(before: Int64?, limit: Int) throws(LedgerError) -> [SweepRecord]
}

extension Reconciler: ReconciliationReading {}

/// What commands have left of reconciliation beside a ledger: the cloud plane's, in Postgres. A
/// command writes its tables back as a whole when it ends, so that a run that is under way is not
/// seen here, and one that was dry never is.
package struct KeptStatement: StatementRows {
    private let ledger: any LedgerSQL

    package init(beside ledger: any LedgerSQL) { self.ledger = ledger }

    package func found<Row>(
        _ sql: String, _ bind: (any LedgerQuery) -> Void,
        _ row: (any LedgerQuery) throws -> Row
    ) throws(LedgerError) -> [Row] {
        try ledger.reading { database in
            let query = try database.query(sql)
            defer { query.reset() }
            bind(query)
            var rows: [Row] = []
            while try query.step() { rows.append(try row(query)) }
            return rows
        }
    }

    /// A process begins its work only where all of them are there.
    package func kept() -> StatementSchema { .payoutLines }
}

extension KeptStatement: ReconciliationReading {
    package func report(_ name: RunName) throws(LedgerError) -> RunReport? {
        guard !name.isDry, let run = try run(name.number) else { return nil }
        return try report(run)
    }

    package func reports(before: Int64?, limit: Int) throws(LedgerError) -> [RunReport] {
        var reports: [RunReport] = []
        for run in try runs(before: before, limit: limit) { reports.append(try report(run)) }
        return reports
    }

    package func findings(
        of name: RunName, after: FindingPlace, limit: Int
    ) throws(LedgerError) -> FindingPage? {
        guard !name.isDry, let run = try run(name.number) else { return nil }
        return try findings(of: run, after: after, limit: limit)
    }

    package func progress(of name: RunName) -> Double? { nil }
}
