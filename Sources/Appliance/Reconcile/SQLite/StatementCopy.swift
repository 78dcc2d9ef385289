package import Appliance
import Vocabulary

/// The store as text, table by table: where it has no file of its own, it is kept elsewhere between
/// two runs.
///
/// Columns are asked of the database, so that they stand once, in its migrations.
extension StatementStore {
    /// In an order in which they can be filled.
    package static let tables = [
        "reconciliations", "settlements", "breaks", "run_breaks", "settled_payouts", "sweeps",
        "run_accounts", "run_balances", "sweep_accounts", "payout_lines",
    ]

    /// Rows that are moved at once.
    package static let pageCount = 20_000

    /// What is stored of each row; what is generated is not.
    package func columns(of table: String) throws(LedgerError) -> [String] {
        try rows("SELECT name FROM pragma_table_info(?1) ORDER BY cid", { $0.bind(1, table) }) {
            $0.text(0)
        }
    }

    /// How a table is moved.
    package func table(_ name: String) throws(LedgerError) -> StatementTable {
        StatementTable(name: name, columns: try columns(of: name), key: try key(of: name))
    }

    /// The columns of its primary key.
    private func key(of table: String) throws(LedgerError) -> [String] {
        try rows(
            "SELECT name FROM pragma_table_info(?1) WHERE pk > 0 ORDER BY pk",
            { $0.bind(1, table) }
        ) { $0.text(0) }
    }

    /// A page of a table as a JSON array of objects.
    ///
    /// - Returns: nil behind the last one.
    package func page(_ number: Int, of table: String) throws(LedgerError) -> String? {
        let members = try columns(of: table).map { "'\($0)', \($0)" }.joined(separator: ", ")
        let key = try key(of: table).joined(separator: ", ")
        let found = try rows(
            """
            SELECT json_group_array(json_object(\(members)))
            FROM (SELECT * FROM \(table) ORDER BY \(key) LIMIT ?1 OFFSET ?2)
            """,
            {
                $0.bind(1, Int64(Self.pageCount))
                $0.bind(2, Int64(number * Self.pageCount))
            }) { $0.text(0) }
        return found.first.flatMap { $0 == "[]" ? nil : $0 }
    }

    /// Puts a page into a table that lacks it.
    package func fill(_ table: String, from page: String) throws(LedgerError) {
        let names = try columns(of: table)
        let values = names.map { "json_extract(value, '$.\($0)')" }.joined(separator: ", ")
        try execute(
            "INSERT INTO \(table) (\(names.joined(separator: ", "))) "
                + "SELECT \(values) FROM json_each(?1)"
        ) { $0.bind(1, page) }
    }
}
