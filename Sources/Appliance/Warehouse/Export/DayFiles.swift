import Foundation
import Vocabulary

/// The files of an export: one folder for each table and day, with the rows and their manifest.
struct DayFiles: Sendable {
    /// What was done about a day.
    enum Outcome: Hashable {
        /// The file holds these rows already.
        case unchanged
        /// There was none.
        case written
        /// There was one with other rows.
        case corrected
    }

    let root: String
    let compression: DayManifest.Compression
    /// By which days are over, and which the manifests tell.
    let now: Instant

    static func fileName(
        of table: WarehouseTable, _ compression: DayManifest.Compression
    ) -> String {
        "\(table.name).ndjson" + (compression == .gzip ? ".gz" : "")
    }

    func isOver(_ day: Int64) -> Bool { UTCText.start(ofDay: day + 1) <= now }

    private func folder(_ table: WarehouseTable, _ day: Int64) -> String {
        "\(root)/\(table.path)/dt=\(UTCText.day(day))"
    }

    /// The days that a table has folders of, in order.
    func days(of table: WarehouseTable) -> [Int64] {
        let names = (try? FileManager.default.contentsOfDirectory(
            atPath: "\(root)/\(table.path)")) ?? []
        return names.compactMap { name in
            name.hasPrefix("dt=") ? UTCText.day(named: name.dropFirst(3)) : nil
        }.sorted()
    }

    /// What a day's file holds; nil where there is none, or it is not as the manifest says.
    ///
    /// - Throws: `WarehouseError.manifest`, `.otherCompression`
    func manifest(_ table: WarehouseTable, _ day: Int64) throws(WarehouseError) -> DayManifest? {
        let path = folder(table, day) + "/manifest.json"
        guard let text = FileManager.default.contents(atPath: path) else { return nil }
        let document = JSONDocument(bytesMax: 1 << 20)
        let manifest = withExtendedLifetime(document) {
            (try? document.parse(Array(text))).flatMap { try? DayManifest(json: $0) }
        }
        guard let manifest else { throw .manifest(path: path) }
        guard manifest.compression == compression else {
            throw .otherCompression(path: root, found: manifest.compression.rawValue)
        }
        let found = (manifest.dataset, manifest.table, manifest.day)
        guard found == (table.dataset.rawValue, table.name, UTCText.day(day)) else {
            throw .otherDay(path: path, found: "\(manifest.table) on \(manifest.day)")
        }
        return manifest
    }

    /// What tells that a day's files are still those that were left: size and times of both, which
    /// no write leaves as they were. Empty where one is missing.
    func stamp(_ table: WarehouseTable, _ day: Int64) -> String {
        let folder = folder(table, day)
        var stamp: [String] = []
        for name in [Self.fileName(of: table, compression), "manifest.json"] {
            guard let found = FileStamp.of("\(folder)/\(name)") else { return "" }
            stamp.append(found)
        }
        return stamp.joined(separator: " ")
    }

    /// Whether the rows' file is the one that the manifest tells of.
    ///
    /// - Parameter isLeft: nobody has touched the two since.
    private func isThere(
        _ manifest: DayManifest, _ folder: String, isLeft: Bool
    ) throws(WarehouseError) -> Bool {
        let path = "\(folder)/\(manifest.file)"
        let found = try? FileManager.default.attributesOfItem(atPath: path)
        guard (found?[.size] as? NSNumber)?.int64Value == manifest.fileBytes else { return false }
        if isLeft { return true }
        return try DraftFile.digest(of: path) == manifest.fileDigest
    }

    /// Brings a day's file to the rows that it has now.
    ///
    /// - Parameters:
    ///   - isLeft: nobody has touched its files since they were found right; else they are read.
    ///   - rows: hands the rows over in their order; may be called twice.
    /// - Returns: what was done, and the manifest that stands.
    func settle(
        _ table: WarehouseTable, _ day: Int64, isLeft: Bool = false,
        _ rows: (RowSink) throws -> Void
    ) throws -> (outcome: Outcome, manifest: DayManifest) {
        let folder = folder(table, day)
        let former = try manifest(table, day)
        if let former, former.schemaVersion == WarehouseTable.schemaVersion,
            try isThere(former, folder, isLeft: isLeft)
        {
            let sink = RowSink(table, into: nil)
            try rows(sink)
            if try former.tells(of: sink.finish()) {
                return (.unchanged, try completed(former, folder, day))
            }
        }
        let manifest = try write(table, day, replacing: former, rows)
        return (former == nil ? .written : .corrected, manifest)
    }

    /// Says that the day is over by now, where the manifest does not yet.
    private func completed(
        _ former: DayManifest, _ folder: String, _ day: Int64
    ) throws -> DayManifest {
        guard !former.isComplete, isOver(day) else { return former }
        var manifest = former
        (manifest.isComplete, manifest.writtenAt) = (true, now)
        try put(manifest, folder)
        return manifest
    }

    private func write(
        _ table: WarehouseTable, _ day: Int64, replacing former: DayManifest?,
        _ rows: (RowSink) throws -> Void
    ) throws -> DayManifest {
        let folder = folder(table, day)
        try Self.make(folder)
        let draft = try DraftFile(
            "\(folder)/\(Self.fileName(of: table, compression))",
            isCompressed: compression == .gzip)
        do {
            let sink = RowSink(table, into: draft)
            try rows(sink)
            let content = try sink.finish()
            let manifest = DayManifest(
                table, day: UTCText.day(day), content: content, file: try draft.keep(),
                compression: compression, replacing: former, isComplete: isOver(day), at: now)
            try put(manifest, folder)
            return manifest
        } catch {
            draft.discard()
            throw error
        }
    }

    private func put(_ manifest: DayManifest, _ folder: String) throws {
        let draft = try DraftFile("\(folder)/manifest.json")
        do {
            try draft.write(manifest.encoded())
            _ = try draft.keep()
        } catch {
            draft.discard()
            throw error
        }
        try DraftFile.sync(folder: folder)
    }

    private static func isFolder(_ path: String) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
            && isFolder.boolValue
    }

    /// Makes a folder for its owner alone, with those above it, and their names durable.
    static func make(_ folder: String) throws(WarehouseError) {
        guard !isFolder(folder) else { return }
        let parent = URL(filePath: folder).absoluteURL.deletingLastPathComponent().path
        try make(parent)
        guard mkdir(folder, 0o700) == 0 else {
            let code = errno
            // Another export may have made it meanwhile; which of the two goes on, its lock says.
            if code == EEXIST, isFolder(folder) { return }
            throw .disk(path: folder, code: code)
        }
        try DraftFile.sync(folder: parent)
    }
}
