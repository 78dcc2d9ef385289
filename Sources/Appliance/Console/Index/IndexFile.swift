import AppendLog
import Foundation
import GRDB
import Vocabulary

/// The database of the index: a file, open for one writer and several readers, or a temporary one
/// on one connection, of which nothing is left.
struct IndexFile: Sendable {
    /// Readers at a time; further ones wait.
    private static let readerCountMax = 4

    let database: any DatabaseWriter

    /// Makes an empty index that nobody else can open, and that is gone with the process: SQLite
    /// keeps it in memory, and what is too much for that in a file without a name in the folder for
    /// temporary files (`SQLITE_TMPDIR`, `TMPDIR`, `/var/tmp`, `/tmp`).
    ///
    /// - Throws: what SQLite says.
    init() throws {
        let queue = try DatabaseQueue(path: "", configuration: Self.configuration)
        try queue.write { try Self.make($0, log: "") }
        database = queue
    }

    /// Opens the index of a log. One of another version or another log, or a damaged one, is thrown
    /// away, and an empty one made.
    ///
    /// - Throws: what the disk says.
    init(at path: String, log: String) throws {
        try FileManager.default.createDirectory(
            atPath: URL(filePath: path).deletingLastPathComponent().path,
            withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        if let pool = try? Self.opened(path, log) {
            database = pool
            return
        }
        Self.remove(path)
        let pool = try DatabasePool(path: path, configuration: Self.configuration)
        try pool.write { try Self.make($0, log: log) }
        database = pool
    }

    private static func make(_ database: Database, log: String) throws {
        try database.execute(sql: IndexSchema.statements)
        try database.execute(
            sql: "INSERT INTO about (version, log) VALUES (?, ?)",
            arguments: [IndexSchema.version, log])
    }

    /// - Returns: nil for what is no index of this log, in this version.
    private static func opened(_ path: String, _ log: String) throws -> DatabasePool? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        let pool = try DatabasePool(path: path, configuration: configuration)
        let isRight = try pool.read { database in
            let about = try Row.fetchOne(database, sql: "SELECT version, log FROM about")
            return about?["version"] == IndexSchema.version && about?["log"] == log
        }
        if isRight { return pool }
        try pool.close()
        return nil
    }

    static func remove(_ path: String) {
        for end in ["", "-wal", "-shm"] {
            try? FileManager.default.removeItem(atPath: path + end)
        }
    }

    private static var configuration: Configuration {
        var configuration = Configuration()
        configuration.maximumReaderCount = readerCountMax
        configuration.busyMode = .timeout(5)
        configuration.label = "console.index"
        configuration.prepareDatabase { database in
            // What a power cut takes is read from the log once more.
            try database.execute(
                sql: "PRAGMA synchronous = NORMAL; PRAGMA cache_size = -16384; "
                    + "PRAGMA temp_store = MEMORY")
        }
        return configuration
    }

    /// The offset to read next of every partition that was read.
    func positions() throws -> [SourceLane: Offset] {
        try database.read { database in
            let rows = try Row.fetchAll(
                database, sql: "SELECT topic, partition, next FROM positions")
            var positions: [SourceLane: Offset] = [:]
            for row in rows {
                guard let topic = TopicID(number: row["topic"]) else { continue }
                positions[SourceLane(topic: topic, partition: row["partition"])] =
                    Offset(row["next"])
            }
            return positions
        }
    }
}
