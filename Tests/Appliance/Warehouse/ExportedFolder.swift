import AppendLog
import Daemon
import Foundation
import GRDB
import TestSupport

@testable import Appliance
@testable import Reconcile
@testable import Vocabulary
@testable import Warehouse

/// An export's files as an analyst finds them: each table a view over the lines, by name, in a
/// database of the test's own.
struct ExportedFolder {
    let root: String
    let database: DatabaseQueue

    init(_ root: String) throws {
        self.root = root
        database = try DatabaseQueue()
        try database.write { database in
            try database.execute(sql: "CREATE TABLE lines (name TEXT, day TEXT, line TEXT)")
            for table in WarehouseTable.all {
                for (day, text) in try Self.files(of: table, root) {
                    for line in text.split(separator: "\n") {
                        try database.execute(
                            sql: "INSERT INTO lines VALUES (?, ?, ?)",
                            arguments: [table.name, day, String(line)])
                    }
                }
                let columns = table.columns
                    .map { "json_extract(line, '$.\($0.name)') AS \"\($0.name)\"" }
                try database.execute(
                    sql: """
                        CREATE VIEW "\(table.name)" AS SELECT day AS folder,
                        \(columns.joined(separator: ", ")) FROM lines WHERE name = '\(table.name)'
                        """)
            }
        }
    }

    private static func files(
        of table: WarehouseTable, _ root: String
    ) throws -> [(day: String, text: String)] {
        let folder = "\(root)/\(table.path)"
        return try FileManager.default.contentsOfDirectory(atPath: folder).map { name in
            let file = "\(folder)/\(name)/\(table.name).ndjson"
            return (String(name.dropFirst(3)), try String(contentsOfFile: file, encoding: .utf8))
        }
    }

    /// The first column as text, and the second as a whole number.
    func sums(_ sql: String) throws -> [String: Int64] {
        try database.read { database in
            let rows = try Row.fetchAll(database, sql: sql)
            return Dictionary(uniqueKeysWithValues: rows.map { ($0[0], $0[1]) })
        }
    }

    func count(_ sql: String) throws -> Int {
        try database.read { try Int.fetchOne($0, sql: sql) ?? -1 }
    }

    func texts(_ sql: String) throws -> [String] {
        try database.read { try String.fetchAll($0, sql: sql) }
    }

    /// Every file with its bytes and when it was changed last.
    static func state(_ root: String) throws -> [String: String] {
        var found: [String: String] = [:]
        for path in try FileManager.default.subpathsOfDirectory(atPath: root)
        where !path.hasPrefix(".state") {
            let full = "\(root)/\(path)"
            let about = try FileManager.default.attributesOfItem(atPath: full)
            guard about[.type] as? FileAttributeType == .typeRegular else { continue }
            let bytes = try Data(contentsOf: URL(filePath: full))
            let changed = (about[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
            found[path] = "\(changed) \(bytes.base64EncodedString())"
        }
        return found
    }

    static func manifest(_ root: String, _ table: WarehouseTable, _ day: String) throws
        -> DayManifest
    {
        let path = "\(root)/\(table.path)/dt=\(day)/manifest.json"
        let document = JSONDocument()
        return try withExtendedLifetime(document) {
            try DayManifest(json: document.parse(Array(Data(contentsOf: URL(filePath: path)))))
        }
    }

    static func manifests(_ root: String) throws -> [(WarehouseTable, DayManifest)] {
        try WarehouseTable.all.flatMap { table in
            try FileManager.default.contentsOfDirectory(atPath: "\(root)/\(table.path)").map {
                (table, try manifest(root, table, String($0.dropFirst(3))))
            }
        }
    }
}

extension ReconcileFixture {
    /// Where tests export to.
    var exportRoot: String { folder.file("warehouse") }

    /// Exports what there is now.
    ///
    /// - Parameter name: of the log, where it is not to be this one's own.
    func export(
        asksStripe: Bool = true, isCompressed: Bool = false, into root: String? = nil,
        as name: String? = nil
    ) async throws -> WarehouseReport {
        let reader = try SQLiteLedgerReader.open(path: data.ledger)
        defer { try? reader.close() }
        let source = WarehouseSource(
            name: name ?? log.identity.description, livemode: false,
            lanes: { [plane] in [plane.reader($0)] }, ledger: reader,
            statement: StatementStore(of: reader),
            members: asksStripe ? PayoutMembers(client: client) : nil)
        return try await WarehouseExport(
            source, into: root ?? exportRoot, isCompressed: isCompressed,
            now: Instant(seconds: clock.now().milliseconds / 1000)
        ).run()
    }
}
