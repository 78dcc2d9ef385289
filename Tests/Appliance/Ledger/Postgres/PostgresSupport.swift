import Bridges
import Foundation
import Synchronization
import TestSupport

@testable import Appliance
@testable import Vocabulary

/// Which database a test of the ledger's rules runs on.
enum LedgerStore: String, CaseIterable, Sendable {
    case sqlite, postgres

    /// An empty ledger of its own.
    func ledger() throws -> any Ledger {
        switch self {
        case .sqlite: try SQLiteLedger.inMemory()
        case .postgres: try PostgresDatabase().open()
        }
    }
}

/// A database that tests copy instead of making its tables each time, and the role that uses the
/// copies and owns nothing.
struct PostgresTemplate: Sendable {
    let name: String
    /// Why it could not be made, on the server of this test process.
    private let made: Result<Void, any Error>

    /// - Parameter fill: makes the tables, as their owner, and grants the role what it needs.
    init(
        _ name: String, role: String, _ fill: (PostgresConfiguration) throws -> Void
    ) {
        self.name = name
        made = Result {
            let server = try PostgresServer.common()
            try server.sql("postgres", "CREATE DATABASE \(name)")
            try server.sql(
                "postgres", "CREATE ROLE \(role) LOGIN PASSWORD '\(PostgresServer.password)'")
            try fill(PostgresConfiguration(uri: server.uri(name)))
        }
    }

    /// A database of a test's own.
    func copy() throws -> (server: PostgresServer, name: String) {
        try made.get()
        let server = try PostgresServer.common()
        let copy = server.databaseName()
        try server.sql("postgres", "CREATE DATABASE \(copy) TEMPLATE \(name)")
        return (server, copy)
    }
}

/// A copy of a template.
protocol TemplatedDatabase {
    /// The role that uses it, and owns nothing.
    static var role: String { get }
    /// Where its tables are.
    static var schema: String { get }

    var server: PostgresServer { get }
    var name: String { get }
}

extension TemplatedDatabase {
    /// As the role that owns nothing, over the network.
    func configuration(port: Int? = nil) -> PostgresConfiguration {
        PostgresConfiguration(uri: server.networkURI(name, user: Self.role, port: port))
    }

    func psql(_ sql: String, user: String = PostgresServer.owner) throws -> (
        output: String, errors: String
    ) { try server.psql(name, "SET search_path = \(Self.schema); " + sql, user: user) }

    /// What has to succeed, as the owner.
    @discardableResult
    func sql(_ script: String) throws -> String {
        try server.sql(name, "SET search_path = \(Self.schema); " + script)
    }
}

/// A database with an empty ledger in it, on the server of this test process.
struct PostgresDatabase: TemplatedDatabase {
    /// The role that books, and owns nothing.
    static let role = "tillbox_books"

    static let schema = "tillbox"
    private static let template = PostgresTemplate("ledger_template", role: role) {
        try PostgresSchema.migrate($0)
        try PostgresSchema.grant(to: role, $0)
    }

    let server: PostgresServer
    let name: String

    init() throws { (server, name) = try Self.template.copy() }

    func open(port: Int? = nil) throws -> PostgresLedger {
        try PostgresLedger.open(configuration(port: port)) { 1_700_000_000_000 }
    }

}

extension LedgerSQL {
    /// Every row of a table as text, in the order of its columns.
    func content(of table: String, _ columns: [LedgerColumn]) throws -> [String] {
        let names = columns.map(\.name).joined(separator: ", ")
        let order = (1...min(3, columns.count)).map(String.init).joined(separator: ", ")
        return try reading { database in
            let rows = try database.query("SELECT \(names) FROM \(table) ORDER BY \(order)")
            defer { rows.reset() }
            var found: [String] = []
            while try rows.step() {
                let texts = columns.enumerated().map { place, column in
                    let place = Int32(place)
                    if rows.isNull(place) { return "-" }
                    switch column.type {
                    case "INTEGER": return String(rows.integer(place))
                    case "REAL": return String(rows.double(place))
                    case "BLOB": return String(hex: rows.blob(place))
                    default: return rows.text(place)
                    }
                }
                found.append(texts.joined(separator: "|"))
            }
            return found
        }
    }
}

/// A column as SQLite's schema has it.
struct LedgerColumn: Hashable {
    var name: String
    var type: String
    var isRequired: Bool
}
