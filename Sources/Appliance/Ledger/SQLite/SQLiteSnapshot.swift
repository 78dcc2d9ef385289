package import GRDB
import Vocabulary

extension LedgerStatement: LedgerQuery {}

/// The ledger's tables on one snapshot of an SQLite file.
extension Database: LedgerSnapshot {
    package func query(_ sql: String) throws -> any LedgerQuery { try LedgerStatement(self, sql) }

    package func query(again sql: String, keptBytes: Int) throws -> any LedgerQuery {
        try LedgerStatement(again: self, sql, keptBytes: keptBytes)
    }

    package func firstRows(
        of sql: String, forEach keys: [[String]], _ number: Int64,
        _ read: (_ place: Int, any LedgerQuery) throws -> Void
    ) throws {
        guard let width = keys.first?.count else { return }
        let statement = try LedgerStatement(again: self, sql, keptBytes: 256)
        statement.bind(Int32(width + 1), number)
        for (place, texts) in keys.enumerated() {
            for (index, text) in texts.enumerated() { statement.bind(Int32(index + 1), text) }
            defer { statement.reset() }
            if try statement.step() { try read(place, statement) }
        }
    }

    /// SQLite makes its rows one by one.
    package func query(walking sql: String) throws -> any LedgerQuery {
        try LedgerStatement(self, sql)
    }

    package func entries(of ids: [Int64]) throws -> [Int64: [Entry]] {
        let lines = try LedgerStatement(
            self,
            """
            SELECT a.name, e.currency, e.amount FROM entries e JOIN accounts a ON a.id = e.account
            WHERE e.transaction_id = ? ORDER BY e.currency, e.seq
            """)
        var entries: [Int64: [Entry]] = [:]
        for id in ids {
            lines.bind(1, id)
            defer { lines.reset() }
            while try lines.step() {
                guard let currency = Currency(lines.text(1)) else {
                    throw LedgerError.corrupt(code: 0, detail: "currency \(lines.text(1))")
                }
                entries[id, default: []].append(
                    Entry(AccountName(lines.text(0)), currency, MinorUnits(lines.integer(2))))
            }
        }
        return entries
    }

    package var keepsCaptures: Bool {
        get throws { try SQLiteFile.storedVersion(self) >= LedgerSchema.captureVersion }
    }

    package var keepsReviews: Bool {
        get throws { try SQLiteFile.storedVersion(self) >= LedgerSchema.reviewVersion }
    }

    package var keepsRenewals: Bool {
        get throws { try SQLiteFile.storedVersion(self) >= LedgerSchema.renewalVersion }
    }

    package func checkReviews() throws {
        let version = try SQLiteFile.storedVersion(self)
        if version < LedgerSchema.reviewVersion {
            throw LedgerError.olderSchema(found: version, needed: LedgerSchema.version)
        }
    }

    package func toldReader() throws -> (_ charge: String) throws -> ChargeNotes {
        let (notes, charges) = (try NoteRows(self), try ChargeRows(self))
        return { charge in
            ChargeNotes(
                rows: try notes.rows(of: charge), release: try notes.release(of: charge),
                refunds: try charges.refunds(of: MovementKey("charge:\(charge)")))
        }
    }
}
