import GRDB

@testable import Appliance

/// The tables of both databases, as SQLite's migrations make them.
enum LedgerTables {
    struct Table: Hashable {
        var name: String
        var columns: [LedgerColumn]
        var uniqueKeys: Set<[String]>
    }

    /// What one of the two has for itself.
    static let sqliteOnly: Set<String> = [
        "gate", "zero", "schema_version", "bank_statements", "bank_entries", "bank_lines",
    ]

    /// What reconciliation keeps is no part of the books: no rule holds it in Postgres.
    static let reconciliation: Set<String> = [
        "reconciliations", "settlements", "breaks", "run_breaks", "run_currencies",
        "settled_payouts", "sweeps", "run_accounts", "run_balances", "sweep_accounts",
        "payout_lines",
    ]

    static func shared() throws -> [Table] {
        let queue = try DatabaseQueue()
        return try queue.write { database in
            for migration in LedgerSchema.migrations { try database.execute(sql: migration) }
            let names = try String.fetchAll(
                database, sql: "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
            return try names.filter { !sqliteOnly.contains($0) && !$0.hasPrefix("sqlite_") }
                .map { try table($0, database) }
        }
    }

    /// What made each of them, in SQLite's words.
    static func texts() throws -> [String: String] {
        let queue = try DatabaseQueue()
        return try queue.write { database in
            for migration in LedgerSchema.migrations { try database.execute(sql: migration) }
            let rows = try Row.fetchAll(
                database, sql: "SELECT name, sql FROM sqlite_schema WHERE type = 'table'")
            return rows.reduce(into: [:]) { texts, row in
                let name: String = row["name"]
                guard !sqliteOnly.contains(name), !name.hasPrefix("sqlite_") else { return }
                texts[name] = row["sql"]
            }
        }
    }

    private static func table(_ name: String, _ database: Database) throws -> Table {
        let columns = try Row.fetchAll(database, sql: "PRAGMA table_info(\(name))")
        var keys: Set<[String]> = []
        let primary = columns.filter { ($0["pk"] as Int) > 0 }
            .sorted { ($0["pk"] as Int) < ($1["pk"] as Int) }
        keys.insert(primary.map { $0["name"] })
        for index in try Row.fetchAll(database, sql: "PRAGMA index_list(\(name))")
        where index["unique"] as Int == 1 {
            let index: String = index["name"]
            keys.insert(
                try String.fetchAll(
                    database, sql: "SELECT name FROM pragma_index_info('\(index)')"))
        }
        return Table(
            name: name,
            columns: columns.map {
                LedgerColumn(
                    name: $0["name"], type: $0["type"],
                    isRequired: $0["notnull"] as Int == 1 || ($0["pk"] as Int) > 0)
            }, uniqueKeys: keys)
    }
}
