package import Bridges
import Vocabulary

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

    private static let taken = LedgerError.server(
        state: nil,
        detail: "another reconciliation or sweep is under way on this ledger; wait for its end",
        isRetryable: true)

    /// Hands every page of some tables to `body`, all as they were at one moment.
    ///
    /// - Parameters:
    ///   - tables: their names, and the columns that are wanted of each.
    ///   - pageCount: rows of a page.
    package func read(
        _ tables: [(name: String, columns: [String])], pageCount: Int,
        _ body: (_ table: String, _ page: String) throws -> Void
    ) throws(LedgerError) {
        do {
            try connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            defer { connection.rollBack() }
            for (name, columns) in tables {
                let list = columns.joined(separator: ", ")
                var number: Int64 = 0
                while true {
                    let rows = try connection.query(
                        """
                        SELECT json_agg(row_to_json(page))::text FROM (SELECT \(list)
                        FROM tillbox.\(name) ORDER BY 1, 2 LIMIT $1 OFFSET $2) AS page
                        """, [.integer(Int64(pageCount)), .integer(number * Int64(pageCount))])
                    guard let page = try rows.textOrNull(0, 0) else { break }
                    try body(name, page)
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
        _ tables: [(name: String, columns: [String])],
        _ page: (_ table: String, _ number: Int) throws -> String?
    ) throws(LedgerError) {
        do {
            try connection.transaction { connection in
                for (name, columns) in tables {
                    try connection.execute("DELETE FROM tillbox.\(name)")
                    let list = columns.joined(separator: ", ")
                    var number = 0
                    while let page = try page(name, number) {
                        _ = try connection.query(
                            """
                            INSERT INTO tillbox.\(name) (\(list)) SELECT \(list)
                            FROM json_populate_recordset(NULL::tillbox.\(name), $1::text::json)
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
