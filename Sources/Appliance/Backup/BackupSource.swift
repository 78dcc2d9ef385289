import AppendLog
import Appliance
import Foundation
import Vocabulary

/// A data folder that is backed up, also while a daemon writes to it.
package struct BackupSource: Sendable {
    /// The folder itself, absolute.
    let folder: String
    let log: String
    let ledger: String
    let accounts: String
    /// Which formats ledger and accounts were brought to; may be missing.
    let format: String
    /// Files that are whole under their names at every moment, and may be missing.
    let snapshots: [String]
    /// Folders of such files.
    let folders: [String]

    /// All paths are absolute and lie below the folder.
    package init(
        folder: String, log: String, ledger: String, accounts: String, format: String,
        snapshots: [String], folders: [String]
    ) {
        self.folder = folder
        self.log = log
        self.ledger = ledger
        self.accounts = accounts
        self.format = format
        self.snapshots = snapshots
        self.folders = folders
    }

    /// A path as a backup names it.
    func name(_ path: String) -> String { String(path.dropFirst(folder.count + 1)) }

    /// Opens the folder for this folder's backups, and makes it where it is missing or empty; but
    /// not where the last backup went: its disk is not mounted then, and what is below it would be
    /// filled.
    ///
    /// - Throws: `BackupError`; `LogError` where the log cannot be read.
    package func place(at path: String, key: BackupKey?) throws -> BackupPlace {
        func canonical(_ path: String) -> String {
            URL(filePath: path).standardizedFileURL.resolvingSymlinksInPath().path + "/"
        }
        let (data, target) = (canonical(folder), canonical(path))
        guard !data.hasPrefix(target), !target.hasPrefix(data) else {
            throw BackupError.withinItself(path: path)
        }
        if BackupNote(in: folder, into: path) != nil, !BackupPlace.exists(at: path) {
            throw BackupError.gone(path: path, note: BackupNote.path(in: folder))
        }
        return try BackupPlace(at: path, of: identity(), key: key)
    }

    /// The identity of the folder's log.
    ///
    /// - Throws: `.nothingToCopy`; `LogError`
    private func identity() throws -> String {
        let hasLedger = FileManager.default.fileExists(atPath: ledger)
        guard hasLedger, FileManager.default.fileExists(atPath: log),
            let identity = try Log.openReadOnly(at: log).identity
        else { throw BackupError.nothingToCopy(path: folder) }
        return identity.description
    }

    /// The regular file at a path, open; nil where there is none. It stays the one that was opened
    /// when another takes its place.
    static func file(at path: String) -> (any DiskFile)? {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        guard attributes?[.type] as? FileAttributeType == .typeRegular else { return nil }
        return try? PosixDisk().open(path, .read)
    }

    /// All that a small file holds; nil where there is none.
    static func bytes(at path: String) -> [UInt8]? {
        guard let file = file(at: path), let size = try? file.size() else { return nil }
        return try? file.read(at: 0, count: Int(size))
    }

    /// The same of a file that a backup may not lack: nil only where there is no such file.
    ///
    /// - Throws: `.disk` where it is there and cannot be read
    static func needed(at path: String) throws(BackupError) -> [UInt8]? {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        let type = attributes?[.type] as? FileAttributeType
        guard type == nil || type == .typeRegular else { return nil }
        do throws(DiskError) {
            let file = try PosixDisk().open(path, .read)
            return try file.read(at: 0, count: Int(try file.size()))
        } catch {
            if error.code == ENOENT { return nil }
            throw .disk(error)
        }
    }

    /// The names in a folder that may be missing.
    ///
    /// - Throws: `.disk` where it is there and cannot be read
    static func names(in folder: String) throws(BackupError) -> [String] {
        do throws(DiskError) {
            return try PosixDisk().list(folder).sorted()
        } catch {
            if error.code == ENOENT { return [] }
            throw .disk(error)
        }
    }

    static func byteCount(_ path: String) -> Int64 {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        return (attributes?[.size] as? NSNumber)?.int64Value ?? 0
    }
}

/// What a backup copies: every part as it is at one point, held so that it cannot change any more.
///
/// Taken in this order, of which ``ConsistentCut`` says why it is right:
///
/// 1. where the topics begin, their checkpoints, the snapshots of gate and features;
/// 2. the cursors, whole, and the topics' first ends;
/// 3. the moment, and the ledger by SQLite's online backup, into the staging folder;
/// 4. the topics' second ends.
struct BackupPoint {
    struct Topic {
        var topic: ReadOnlyTopic
        /// Below the data folder.
        var folder: String
        /// Where it is cut.
        var end: Offset
        /// As it was before everything else, so that it vouches for nothing behind the cut.
        var checkpoint: [UInt8]?
    }

    /// Files that were read or opened, by their names in the backup.
    private(set) var small: [(name: String, bytes: [UInt8])] = []
    private(set) var opened: [(name: String, file: any DiskFile)] = []
    private(set) var topics: [Topic] = []
    let moment: Timestamp
    let ledger: LedgerPoint

    static let stagedLedger = "ledger.sqlite"
    static let stagedAccounts = "accounts.sqlite"

    /// - Returns: nil where retention has removed something meanwhile; try again.
    /// - Throws: `LogError`, `LedgerError`, `BackupError`, `CancellationError`.
    init?(
        of source: BackupSource, staging: String, clock: any LogClock, goesOn: () -> Bool
    ) throws {
        let folders = Self.topicFolders(source)
        let starts = folders.mapValues { Self.firstSegment(in: $0) }
        let checkpoints = folders.compactMapValues { BackupSource.bytes(at: $0 + "/checkpoint") }
        for path in source.snapshots {
            guard let file = BackupSource.file(at: path) else { continue }
            opened.append((source.name(path), file))
        }
        let first = try Log.openReadOnly(at: source.log)
        if let cursors = first.cursorTopic {
            guard let files = try Self.files(of: cursors, source, starts, checkpoints) else {
                return nil
            }
            small += files
        }
        moment = clock.now()
        ledger = try Self.copyTables(source, into: staging, goesOn: goesOn)
        let second = try Log.openReadOnly(at: source.log)
        var cut = try ConsistentCut(from: first, to: second)
        cut.settle(transactions: ledger.head, reviews: ledger.lastReview)
        for topic in second.topics {
            guard let id = TopicID(rawValue: topic.name.rawValue), let end = cut.ends[id] else {
                continue
            }
            let name = topic.name.rawValue
            if let start = starts[name] ?? nil, start != topic.start.rawValue { return nil }
            topics.append(
                Topic(
                    topic: topic, folder: source.name(topic.folder), end: end,
                    checkpoint: checkpoints[name]))
        }
        try takeSmallFiles(source)
    }

    /// The topics' folders by topic, the cursors' among them.
    private static func topicFolders(_ source: BackupSource) -> [String: String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: source.log)) ?? []
        return Dictionary(
            names.filter { $0.hasSuffix("-0") }.map {
                (String($0.dropLast(2)), source.log + "/" + $0)
            }, uniquingKeysWith: { first, _ in first })
    }

    /// The offset at which the first segment begins.
    private static func firstSegment(in folder: String) -> Int64? {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { $0.hasSuffix(".log") }.compactMap { Int64($0.dropLast(4)) }.min()
    }

    /// - Returns: nil where some of it has gone.
    private static func files(
        of topic: ReadOnlyTopic, _ source: BackupSource, _ starts: [String: Int64?],
        _ checkpoints: [String: [UInt8]]
    ) throws -> [(name: String, bytes: [UInt8])]? {
        let name = topic.name.rawValue
        if let start = starts[name] ?? nil, start != topic.start.rawValue { return nil }
        var files: [(name: String, bytes: [UInt8])] = []
        for segment in try topic.segments(before: topic.end) {
            guard let file = BackupSource.file(at: segment.file) else { return nil }
            let bytes = try file.read(at: 0, count: Int(segment.byteCount))
            guard bytes.count == segment.byteCount else { return nil }
            files.append((source.name(segment.file), bytes))
        }
        if let checkpoint = checkpoints[name] {
            files.append((source.name(topic.folder) + "/checkpoint", checkpoint))
        }
        return files
    }

    /// - Returns: where the copy of the ledger stands.
    private static func copyTables(
        _ source: BackupSource, into staging: String, goesOn: () -> Bool
    ) throws -> LedgerPoint {
        let ledger = staging + "/" + stagedLedger
        try SQLiteFileCopy.write(source.ledger, to: ledger, goesOn: goesOn)
        if FileManager.default.fileExists(atPath: source.accounts) {
            // Who was signed in then is not signed in by a restore.
            try SQLiteFileCopy.write(
                source.accounts, to: staging + "/" + stagedAccounts, emptying: ["sessions"],
                goesOn: goesOn)
        }
        let reader = try SQLiteLedgerReader.open(path: ledger)
        defer { try? reader.close() }
        return try reader.point()
    }

    private mutating func takeSmallFiles(_ source: BackupSource) throws(BackupError) {
        // The format behind the tables: it may then be ahead of them, and is never behind. The
        // index of cold segments behind the topics: whatever had left their folders is in it.
        for path in [source.log + "/identity", source.log + "/cold", source.format] {
            guard let bytes = try BackupSource.needed(at: path) else { continue }
            small.append((source.name(path), bytes))
        }
        for folder in source.folders {
            for name in try BackupSource.names(in: folder) where name != "lock" {
                guard let bytes = try BackupSource.needed(at: folder + "/" + name) else {
                    continue
                }
                small.append((source.name(folder) + "/" + name, bytes))
            }
        }
    }
}
