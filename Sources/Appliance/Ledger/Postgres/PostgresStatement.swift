package import Bridges
import Vocabulary

/// A table of reconciliation, as the other side describes it.
package struct StatementTable: Sendable {
    package var name: String
    /// What is stored of each row.
    package var columns: [String]
    /// The columns that no two rows have alike: the order of its pages.
    package var key: [String]

    package init(name: String, columns: [String], key: [String]) {
        self.name = name
        self.columns = columns
        self.key = key
    }
}

/// The tables of reconciliation beside the ledger in Postgres, page by page as JSON. Whoever means
/// to write them has them alone. Blocking.
package final class PostgresStatement {
    private let connection: PostgresConnection

    /// Of `pg_try_advisory_lock`. The bytes of "tillrec".
    static let lock: Int64 = 0x0074_696C_6C72_6563

    /// - Parameter isAlone: whether nobody else may write them until `close`.
    /// - Throws: `LedgerError`; one that says so where somebody else has them.
    package init(_ configuration: PostgresConfiguration, isAlone: Bool) throws(LedgerError) {
        do {
            connection = try PostgresConnection.connect(configuration)
            try PostgresSchema.check(connection, madeBy: .command)
            guard isAlone else { return }
            let taken = try connection.query(
                "SELECT pg_try_advisory_lock($1)", [.integer(Self.lock)])
            guard try taken.boolean(0, 0) else { throw Self.taken }
        } catch {
            throw LedgerError(postgres: error)
        }
    }

    /// For one statement: tables move as a whole, and grow with what Stripe settles.
    private static let patience = Duration.seconds(3_600)

    private static let taken = LedgerError.server(
        state: nil,
        detail: "another reconciliation or sweep is under way on this ledger; wait for its end",
        isRetryable: true)

    /// Hands every page of some tables to `body`, all as they were at one moment.
    ///
    /// - Parameter pageCount: rows of a page.
    package func read(
        _ tables: [StatementTable], pageCount: Int,
        _ body: (_ table: String, _ page: String) throws -> Void
    ) throws(LedgerError) {
        do {
            try connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            defer { connection.rollBack() }
            try connection.wait(atMost: Self.patience)
            for table in tables {
                let list = table.columns.joined(separator: ", ")
                let key = table.key.joined(separator: ", ")
                var number: Int64 = 0
                while true {
                    let rows = try connection.query(
                        """
                        SELECT json_agg(row_to_json(page))::text FROM (SELECT \(list)
                        FROM tillbox.\(table.name) ORDER BY \(key) LIMIT $1 OFFSET $2) AS page
                        """, [.integer(Int64(pageCount)), .integer(number * Int64(pageCount))])
                    guard let page = try rows.textOrNull(0, 0) else { break }
                    try body(table.name, page)
                    number += 1
                }
            }
        } catch {
            throw LedgerError(postgres: error)
        }
    }

    /// Writes tables anew, as a whole, in one transaction.
    ///
    /// - Parameter page: the page of a table with this number; nil behind the last.
    package func write(
        _ tables: [StatementTable],
        _ page: (_ table: String, _ number: Int) throws -> String?
    ) throws(LedgerError) {
        do {
            try connection.transaction { connection in
                try connection.wait(atMost: Self.patience)
                for table in tables {
                    try connection.execute("DELETE FROM tillbox.\(table.name)")
                    let list = table.columns.joined(separator: ", ")
                    var number = 0
                    while let page = try page(table.name, number) {
                        _ = try connection.query(
                            """
                            INSERT INTO tillbox.\(table.name) (\(list)) SELECT \(list)
                            FROM json_populate_recordset(NULL::tillbox.\(table.name),
                                $1::text::json)
                            """, [.text(page)])
                        number += 1
                    }
                }
            }
        } catch {
            throw LedgerError(postgres: error)
        }
    }

    package func close() { connection.close() }
}
