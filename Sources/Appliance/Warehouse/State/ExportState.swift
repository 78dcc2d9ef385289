import AppendLog
import Appliance
import Foundation
import GRDB
import Vocabulary

/// What an export remembers beside its files, `.state/export.sqlite`: how far each topic is read,
/// what came of it, and which days' files are not up to it.
///
/// | table | a row |
/// | --- | --- |
/// | `about` | one: the version, and what the export reads |
/// | `positions` | the offset to read next of a topic's partition, and a digest of the last one |
/// | `marks` | a number of its kind: the ledger's last transaction, with its hash; the last run |
/// | `dirty` | a table and a day whose file may be behind |
/// | `stamps` | a table and a day, and what tells that nobody has touched its files since |
/// | `spans` | transactions that follow each other and took effect on one day |
/// | `payments` | a charge, by the scoring that stands |
/// | `objects` | an object of Stripe's in its last telling, as the text of its row |
/// | `lines` | which line of the statement moved an object's money |
/// | `payouts`, `parts` | automatic payouts, and the lines that each paid out |
///
/// All of it follows from log, ledger and statement. There are no migrations: a file of another
/// version is made anew, and so is one of another history (a data folder that was restored from a
/// backup and went on otherwise). One of another log or mode is refused.
final class ExportState {
    /// Raised with every change to the tables or to what is written into them.
    static let version: Int64 = 2

    let path: String
    private let queue: DatabaseQueue

    /// - Parameters:
    ///   - folder: made where it is missing.
    ///   - source: names the log and the mode.
    ///   - isAnew: what is there is thrown away.
    /// - Throws: `WarehouseError.otherSource` for the state of another log or mode.
    init(in folder: String, source: String, isAnew: Bool = false) throws {
        try DayFiles.make(folder)
        path = "\(folder)/export.sqlite"
        if !isAnew, let found = try? Self.opened(path) {
            guard found.source == source else {
                try found.queue.close()
                throw WarehouseError.otherSource(
                    path: URL(filePath: folder).deletingLastPathComponent().path)
            }
            queue = found.queue
            return
        }
        Self.remove(path)
        do {
            let queue = try DatabaseQueue(path: path, configuration: Self.configuration)
            try queue.write { database in
                try database.execute(sql: Self.statements)
                try database.execute(
                    sql: "INSERT INTO about (version, source) VALUES (?, ?)",
                    arguments: [Self.version, source])
            }
            self.queue = queue
        } catch {
            throw WarehouseError.state(path: folder, reason: "\(error)")
        }
    }

    /// - Returns: nil for what is no state in this version.
    private static func opened(
        _ path: String
    ) throws -> (queue: DatabaseQueue, source: String)? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        let source = try queue.read { database in
            try String.fetchOne(
                database, sql: "SELECT source FROM about WHERE version = ?", arguments: [version])
        }
        if let source { return (queue, source) }
        try queue.close()
        return nil
    }

    private static func remove(_ path: String) {
        for end in ["", "-wal", "-shm", "-journal"] {
            try? FileManager.default.removeItem(atPath: path + end)
        }
    }

    private static var configuration: Configuration {
        var configuration = Configuration()
        configuration.label = "warehouse.state"
        configuration.prepareDatabase { database in
            // What a power cut takes is read once more: positions go with what was read.
            try database.execute(
                sql: "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; "
                    + "PRAGMA cache_size = -65536; PRAGMA temp_store = FILE")
        }
        return configuration
    }

    private static let statements = """
        CREATE TABLE about (version INTEGER NOT NULL, source TEXT NOT NULL);
        CREATE TABLE positions (
            topic TEXT NOT NULL, partition INTEGER NOT NULL, next INTEGER NOT NULL,
            last TEXT NOT NULL, PRIMARY KEY (topic, partition)) WITHOUT ROWID;
        CREATE TABLE marks (name TEXT PRIMARY KEY, value INTEGER NOT NULL, last TEXT)
            WITHOUT ROWID;
        CREATE TABLE dirty (name TEXT NOT NULL, day INTEGER NOT NULL, PRIMARY KEY (name, day))
            WITHOUT ROWID;
        CREATE TABLE stamps (
            name TEXT NOT NULL, day INTEGER NOT NULL, stamp TEXT NOT NULL,
            PRIMARY KEY (name, day)) WITHOUT ROWID;
        CREATE TABLE spans (
            day INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
            PRIMARY KEY (day, first)) WITHOUT ROWID;
        CREATE TABLE payments (
            movement TEXT PRIMARY KEY, day INTEGER NOT NULL, created INTEGER NOT NULL,
            received INTEGER NOT NULL, amount INTEGER NOT NULL, currency TEXT NOT NULL,
            standing INTEGER NOT NULL, event TEXT NOT NULL, front TEXT NOT NULL,
            back TEXT NOT NULL);
        CREATE INDEX payments_day ON payments (day, movement);
        CREATE TABLE objects (
            kind TEXT NOT NULL, id TEXT NOT NULL, day INTEGER NOT NULL, told INTEGER NOT NULL,
            progress INTEGER NOT NULL, event TEXT NOT NULL, amount INTEGER, currency TEXT,
            line TEXT, front TEXT NOT NULL, back TEXT NOT NULL, PRIMARY KEY (kind, id));
        CREATE INDEX objects_day ON objects (kind, day, id);
        CREATE TABLE lines (
            kind TEXT NOT NULL, source TEXT NOT NULL, id TEXT NOT NULL,
            PRIMARY KEY (kind, source)) WITHOUT ROWID;
        CREATE TABLE payouts (
            payout TEXT PRIMARY KEY, account TEXT NOT NULL, day INTEGER NOT NULL,
            synced TEXT NOT NULL, is_known INTEGER NOT NULL);
        CREATE INDEX payouts_day ON payouts (day, payout);
        CREATE TABLE parts (
            payout TEXT NOT NULL, line TEXT NOT NULL, PRIMARY KEY (payout, line)) WITHOUT ROWID;
        """

    func close() { try? queue.close() }

    /// Runs `body` in one transaction.
    func write<Value>(_ body: (StateDraft) throws -> Value) throws -> Value {
        try telling {
            try queue.inTransaction(.write) { database in
                let draft = try StateDraft(database)
                let value = try body(draft)
                try draft.writeDirty()
                return value
            }
        }
    }

    /// Runs `body` on one snapshot.
    func read<Value>(_ body: (StateReading) throws -> Value) throws -> Value {
        try telling { try queue.inTransaction(.snapshot) { try body(StateReading($0)) } }
    }

    private func telling<Value>(_ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch let failure as SQLiteFailure {
            throw WarehouseError.state(path: path, reason: failure.message)
        } catch let failure as DatabaseError {
            throw WarehouseError.state(path: path, reason: "\(failure)")
        }
    }
}
