import Bridges
package import Foundation
import SystemPackage
import Vocabulary

/// A table's day as it lies in the warehouse's folder.
package struct LoadDayFolder: Sendable {
    package var table: WarehouseTable
    package var day: LoadDay
    /// The folder `dt=…`.
    package var url: URL
}

/// The folder `warehouse`.
package struct WarehouseFolder: Sendable {
    package let url: URL

    package init(_ url: URL) { self.url = url }

    /// The table's days between the two, oldest first; all where none is named.
    ///
    /// - Throws: ``WarehouseFault`` where the folder is not there. A table without a day has none.
    package func days(
        of table: WarehouseTable, from first: LoadDay? = nil, to last: LoadDay? = nil
    ) throws(WarehouseFault) -> [LoadDayFolder] {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder),
            isFolder.boolValue
        else { throw .noFolder(path: url.path) }
        let top = url.appending(path: table.path)
        let names = (try? FileManager.default.contentsOfDirectory(atPath: top.path)) ?? []
        let days = names.compactMap { name -> LoadDay? in
            guard name.hasPrefix("dt="), let day = LoadDay(String(name.dropFirst(3))) else {
                return nil
            }
            let isWanted = first.map { day >= $0 } ?? true && last.map { day <= $0 } ?? true
            return isWanted ? day : nil
        }
        return days.sorted().map {
            LoadDayFolder(table: table, day: $0, url: top.appending(path: "dt=\($0)"))
        }
    }
}

/// A day's rows and their manifest, opened: what is checked is what is sent, also where an export
/// puts another file in its place meanwhile.
package final class LoadFile: Sendable {
    package let folder: LoadDayFolder
    package let manifest: LoadManifest
    private let file: FileDescriptor

    private static let pieceByteCount = 1 << 20
    /// An export renames the rows first and then the manifest: who comes between the two looks
    /// again.
    private static let looksMax = 25
    private static let lookMilliseconds: UInt32 = 20

    /// Opens the day.
    ///
    /// - Throws: ``WarehouseFault``
    package init(
        _ folder: LoadDayFolder, schemaVersion: Int64
    ) throws(WarehouseFault) {
        self.folder = folder
        var refused: (manifest: LoadManifest, fault: WarehouseFault)?
        var look = 1
        while true {
            let manifest = try Self.manifest(of: folder, schemaVersion)
            // The rows are read again only once there is another manifest to hold them against.
            if manifest != refused?.manifest {
                let path = folder.url.appending(path: manifest.file).path
                let file = try Self.open(path)
                do throws(WarehouseFault) {
                    try Self.compare(file, with: manifest, path)
                    self.manifest = manifest
                    self.file = file
                    return
                } catch {
                    try? file.close()
                    refused = (manifest, error)
                }
            }
            if let refused, look >= Self.looksMax { throw refused.fault }
            usleep(Self.lookMilliseconds * 1_000)
            look += 1
        }
    }

    deinit { try? file.close() }

    /// The file's name with its folder, for messages.
    package var path: String { folder.url.appending(path: manifest.file).path }

    /// The manifest of a day.
    package static func manifest(
        of folder: LoadDayFolder, _ schemaVersion: Int64
    ) throws(WarehouseFault) -> LoadManifest {
        let url = folder.url.appending(path: LoadManifest.fileName)
        let bytes: [UInt8]
        do {
            bytes = [UInt8](try Data(contentsOf: url))
        } catch {
            throw .unreadable(path: url.path, reason: "\(error.localizedDescription)")
        }
        let manifest: LoadManifest
        do {
            manifest = try LoadManifest(bytes)
        } catch {
            throw .manifest(path: url.path, reason: error.description)
        }
        guard manifest.table == folder.table.name, manifest.day == folder.day else {
            throw .manifest(
                path: url.path, reason: "it is of \(manifest.table) on \(manifest.day)")
        }
        guard manifest.schemaVersion == schemaVersion else {
            throw .schema(path: url.path, version: manifest.schemaVersion, ours: schemaVersion)
        }
        return manifest
    }

    private static func open(_ path: String) throws(WarehouseFault) -> FileDescriptor {
        do {
            return try FileDescriptor.open(path, .readOnly, options: [.closeOnExec])
        } catch {
            throw .unreadable(path: path, reason: "\(error)")
        }
    }

    /// The file's own size and digest against the manifest's.
    private static func compare(
        _ file: FileDescriptor, with manifest: LoadManifest, _ path: String
    ) throws(WarehouseFault) {
        let digest = SHA256Stream()
        var count: Int64 = 0
        try read(file, path) { piece throws(WarehouseFault) in
            digest.add(piece)
            count += Int64(piece.count)
        }
        guard count == manifest.fileByteCount else {
            throw .otherFile(
                path: path, reason: "\(count) bytes instead of \(manifest.fileByteCount)")
        }
        guard String(hex: digest.finish()) == manifest.fileDigest else {
            throw .otherFile(path: path, reason: "its SHA-256 is another")
        }
    }

    /// Looks at every row, and compares what they are with the manifest.
    ///
    /// - Throws: ``WarehouseFault``
    package func check() throws(WarehouseFault) {
        var rows = RowCheck(folder.table, day: folder.day)
        var rest: [UInt8] = []
        let digest = SHA256Stream()
        try readContent { piece throws(WarehouseFault) in
            digest.add(piece)
            rest += piece
            try self.take(&rest, &rows)
        }
        guard String(hex: digest.finish()) == manifest.contentDigest else {
            throw .otherFile(path: path, reason: "its rows have another SHA-256")
        }
        guard rest.isEmpty else {
            throw .row(path: path, reason: "the last row has no end: the file was cut off")
        }
        let differences = rows.figures.differences(from: manifest.figures)
        guard differences.isEmpty else {
            throw .otherFile(path: path, reason: differences.joined(separator: ", "))
        }
    }

    /// The rows' bytes, whatever the file is packed in.
    private func readContent(
        _ body: ([UInt8]) throws(WarehouseFault) -> Void
    ) throws(WarehouseFault) {
        guard manifest.isCompressed else { return try Self.read(file, path, body) }
        let gzip = GzipReader()
        try Self.read(file, path) { piece throws(WarehouseFault) in
            try gzip.take(
                piece, fault: { WarehouseFault.otherFile(path: path, reason: $0.description) },
                body)
        }
        guard gzip.isComplete || manifest.fileByteCount == 0 else {
            throw .otherFile(path: path, reason: "it was cut off")
        }
    }

    /// Takes the whole rows out of `rest`.
    private func take(_ rest: inout [UInt8], _ rows: inout RowCheck) throws(WarehouseFault) {
        var start = 0
        while let end = rest[start...].firstIndex(of: UInt8(ascii: "\n")) {
            do {
                try rows.take(rest[start..<end])
            } catch {
                throw .row(path: path, reason: error.description)
            }
            start = end + 1
        }
        rest.removeFirst(start)
        guard rest.count <= RowCheck.rowByteCountMax else {
            throw .row(path: path, reason: "a row is longer than \(RowCheck.rowByteCountMax) bytes")
        }
    }

    private static func read(
        _ file: FileDescriptor, _ path: String,
        _ body: ([UInt8]) throws(WarehouseFault) -> Void
    ) throws(WarehouseFault) {
        var offset: Int64 = 0
        while true {
            let piece: [UInt8]
            do {
                piece = try bytes(of: file, at: offset, count: pieceByteCount)
            } catch {
                throw .unreadable(path: path, reason: "\(error)")
            }
            guard !piece.isEmpty else { return }
            try body(piece)
            offset += Int64(piece.count)
        }
    }

    private static func bytes(
        of file: FileDescriptor, at offset: Int64, count: Int
    ) throws -> [UInt8] {
        try [UInt8](unsafeUninitializedCapacity: count) { buffer, read in
            // SAFETY: the buffer lives through the call.
            read = try file.read(
                fromAbsoluteOffset: offset, into: UnsafeMutableRawBufferPointer(buffer))
        }
    }
}

extension LoadFile: UploadedBytes {
    var byteCount: Int64 { manifest.fileByteCount }

    func bytes(at offset: Int64, count: Int) throws -> [UInt8] {
        guard count > 0 else { return [] }
        return try Self.bytes(of: file, at: offset, count: count)
    }
}
