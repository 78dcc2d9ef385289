import AppendLog
import Foundation
import GRDB
import Vocabulary

/// The file of the index, open for one writer and several readers.
struct IndexFile: Sendable {
    /// Readers at a time; further ones wait.
    private static let readerCountMax = 4

    let pool: DatabasePool

    /// Opens the index of a log. One of another version or another log, or a damaged one, is thrown
    /// away, and an empty one made.
    ///
    /// - Throws: what the disk says.
    init(at path: String, log: String) throws {
        try FileManager.default.createDirectory(
            atPath: URL(filePath: path).deletingLastPathComponent().path,
            withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        if let pool = try? Self.opened(path, log) {
            self.pool = pool
            return
        }
        Self.remove(path)
        let pool = try DatabasePool(path: path, configuration: Self.configuration)
        try pool.write { database in
            try database.execute(sql: IndexSchema.statements)
            try database.execute(
                sql: "INSERT INTO about (version, log) VALUES (?, ?)",
                arguments: [IndexSchema.version, log])
        }
        self.pool = pool
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

    /// The offset to read next of every topic.
    func positions() throws -> [TopicID: Offset] {
        try pool.read { database in
            let rows = try Row.fetchAll(database, sql: "SELECT topic, next FROM positions")
            var positions: [TopicID: Offset] = [:]
            for topic in TopicID.allCases {
                let row = rows.first { $0["topic"] == topic.number }
                positions[topic] = row.map { Offset($0["next"]) } ?? .zero
            }
            return positions
        }
    }
}
