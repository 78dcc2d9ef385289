internal import GRDB
import Vocabulary

/// Reads and keeps what was told of refunds that are not booked.
final class NoteRows {
    private let anyNotes, countOpen: LedgerStatement
    private let findRows, findRow, putRow, changeRow: LedgerStatement
    private let findRelease, putRelease, changeRelease: LedgerStatement
    /// Whether there is any note at all; nil when it has to be looked up. Spares the refunds of
    /// everybody else their queries.
    private var someNotes: Bool?

    init(_ database: Database) throws {
        func make(_ sql: String) throws -> LedgerStatement { try LedgerStatement(database, sql) }
        anyNotes = try make(
            "SELECT EXISTS (SELECT 1 FROM waiting) OR EXISTS (SELECT 1 FROM releases)")
        countOpen = try make("SELECT count(*) FROM waiting WHERE \(WaitingRow.isOpen)")
        findRows = try make(
            "SELECT \(WaitingRow.columns) FROM waiting WHERE charge = ? ORDER BY key")
        findRow = try make("SELECT \(WaitingRow.columns) FROM waiting WHERE key = ?")
        // Never REPLACE, nor an upsert: the guards tell a new row from a changed one.
        putRow = try make("INSERT INTO waiting VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
        changeRow = try make(
            """
            UPDATE waiting SET charge = ?3, account = ?4, merchant = ?5, currency = ?6,
                amount = ?7, event_id = ?8, since = ?9, said = ?10, state = ?11
            WHERE key = ?1 AND kind = ?2
            """)
        findRelease = try make(
            "SELECT currency, amount, refund, moves FROM releases WHERE charge = ?")
        putRelease = try make("INSERT INTO releases VALUES (?1, ?2, ?3, ?4, ?5)")
        changeRelease = try make(
            """
            UPDATE releases SET amount = ?3, refund = ?4, moves = ?5
            WHERE charge = ?1 AND currency = ?2
            """)
    }

    func forget() { someNotes = nil }

    func isEmpty() throws -> Bool {
        if someNotes == nil {
            _ = try anyNotes.step()
            someNotes = anyNotes.integer(0) != 0
            anyNotes.reset()
        }
        return someNotes == false
    }

    func waitingCount() throws -> Int {
        defer { countOpen.reset() }
        return try countOpen.step() ? Int(countOpen.integer(0)) : 0
    }

    func rows(of charge: String) throws -> [WaitingMovement] {
        findRows.bind(1, charge)
        defer { findRows.reset() }
        var rows: [WaitingMovement] = []
        while try findRows.step() { rows.append(try WaitingRow.row(findRows)) }
        return rows
    }

    func row(_ key: MovementKey) throws -> WaitingMovement? {
        findRow.bind(1, key.rawValue)
        defer { findRow.reset() }
        return try findRow.step() ? try WaitingRow.row(findRow) : nil
    }

    func release(of charge: String) throws -> ChargeRelease? {
        findRelease.bind(1, charge)
        defer { findRelease.reset() }
        guard try findRelease.step() else { return nil }
        guard let currency = Currency(findRelease.text(0)) else {
            throw LedgerError.corrupt(code: 0, detail: "releases \(charge): currency")
        }
        let refund = findRelease.text(2)
        return ChargeRelease(
            currency: currency, amount: MinorUnits(findRelease.integer(1)),
            refund: refund.isEmpty ? nil : refund, moves: findRelease.integer(3))
    }

    /// The gate must be open.
    func store(_ row: WaitingMovement, isNew: Bool) throws {
        let put = isNew ? putRow : changeRow
        put.bind(1, row.key.rawValue)
        put.bind(2, row.kind.rawValue)
        put.bind(3, row.charge)
        put.bind(4, row.account ?? "")
        put.bind(5, row.merchant.rawValue)
        put.bind(6, row.currency.code)
        put.bind(7, row.amount.rawValue)
        put.bind(8, row.eventID.rawValue)
        put.bind(9, row.since.seconds)
        put.bind(10, row.said.weight)
        put.bind(11, row.state.rawValue)
        try put.run()
        someNotes = true
    }

    /// The gate must be open.
    func store(_ release: ChargeRelease, of charge: String, isNew: Bool) throws {
        let put = isNew ? putRelease : changeRelease
        put.bind(1, charge)
        put.bind(2, release.currency.code)
        put.bind(3, release.amount.rawValue)
        put.bind(4, release.refund ?? "")
        put.bind(5, release.moves)
        try put.run()
        someNotes = true
    }
}
