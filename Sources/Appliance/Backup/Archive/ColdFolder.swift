import AppendLog
import Bridges
import Foundation
import Vocabulary

/// A folder for segments that are seldom read: on any file system, best on another disk.
///
/// ```
/// <folder>/tillbox-cold              whose it is, see below
///          <topic>-0/00….log         whole segments, as the log had them
///                    00….index, .timeindex
/// ```
///
/// `tillbox-cold`, put in its place by a rename before anything else:
///
/// ```
/// tillbox-cold-folder 1
/// log <the log's identity>
/// ```
///
/// A file never changes once it has its name.
package struct ColdFolder: Sendable {
    /// Absolute, without links.
    package let path: String
    let disk: any Disk

    private static let owner = "tillbox-cold"
    private static let head = "tillbox-cold-folder 1"

    /// Opens the folder for the segments of a log; makes it where it is missing or empty, but not
    /// where something was moved to before: its disk is not mounted then.
    ///
    /// - Parameters:
    ///   - isKnown: whether segments were moved there before.
    ///   - data: the data folder, which it may not lie in.
    /// - Throws: `.withinData`, `.gone`, `.notCold`, `.otherLog`, `.notAFolder`, `.disk`, `.full`
    init(
        _ path: String, of log: LogIdentity, isKnown: Bool, data: String, disk: any Disk
    ) throws(ArchiveError) {
        let own = path + "/" + Self.owner
        (self.path, self.disk) = (path, disk)
        guard !(data + "/").hasPrefix(path + "/"), !(path + "/").hasPrefix(data + "/"),
            !path.contains(where: \.isNewline)
        else { throw .withinData(path: path) }
        do {
            if try disk.exists(own) {
                let file = try disk.open(own, .read)
                let text = String(decoding: try file.read(at: 0, count: 256), as: UTF8.self)
                let lines = text.split(separator: "\n")
                guard lines.count == 2, lines[0] == Self.head, lines[1].hasPrefix("log ") else {
                    throw ArchiveError.notCold(path: path)
                }
                let holds = String(lines[1].dropFirst(4))
                guard holds == log.description else {
                    throw ArchiveError.otherLog(
                        path: path, holds: holds, given: log.description)
                }
                return
            }
            guard !isKnown else { throw ArchiveError.gone(path: path) }
            if try !disk.exists(path) {
                try disk.createDirectory(path)
                try disk.syncDirectory(URL(filePath: path).deletingLastPathComponent().path)
            }
            let names = try disk.list(path)
            let allowed = ["lost+found", Self.owner + BackupPlace.partSuffix]
            guard names.allSatisfy(allowed.contains) else {
                throw ArchiveError.notCold(path: path)
            }
            try disk.put(Array("\(Self.head)\nlog \(log)\n".utf8), at: own, in: path)
        } catch let error as DiskError {
            throw error.code == ENOTDIR || error.code == ENOENT
                ? .notAFolder(path: path) : ArchiveError(error, writingInto: path)
        } catch {
            throw error as? ArchiveError ?? .notAFolder(path: path)
        }
    }

    /// That the index names whatever lies here of what the log's own folder has no more: one that
    /// is older, or was taken away, would be gone on with, and never lead back to it.
    ///
    /// - Throws: `.notNamed`, `.disk`
    func compare(with index: ColdIndex, _ log: ReadOnlyLog) throws(ArchiveError) {
        let named = Set(index.segments.map { "\($0.topic)-0/\($0.baseOffset)" })
        do throws(DiskError) {
            for topic in log.topics where topic.start > .zero {
                let own = "\(path)/\(topic.name)-0"
                guard try disk.exists(own) else { continue }
                for name in try disk.list(own).sorted() where name.hasSuffix(".log") {
                    guard let base = Int64(name.dropLast(4)), base < topic.start.rawValue,
                        !named.contains("\(topic.name)-0/\(base)")
                    else { continue }
                    throw DiskError(operation: .open, path: "\(own)/\(name)", code: EEXIST)
                }
            }
        } catch {
            throw error.code == EEXIST ? .notNamed(file: error.path) : .disk(error)
        }
    }

    /// A path as the index names it.
    package static func canonical(_ path: String) -> String {
        URL(filePath: path).standardizedFileURL.resolvingSymlinksInPath().path
    }
}

/// SHA-256 of a file, piece by piece.
enum FileDigest {
    static let pieceByteCount = 1 << 20

    /// 64 hex digits of all of its bytes.
    static func of(
        _ path: String, on disk: any Disk, progress: (Int64) -> Void = { _ in }
    ) throws(DiskError) -> String {
        try of(try disk.open(path, .read), progress: progress)
    }

    static func of(
        _ file: any DiskFile, progress: (Int64) -> Void = { _ in }
    ) throws(DiskError) -> String {
        let stream = SHA256Stream()
        var position: Int64 = 0
        while true {
            let piece = try file.read(at: position, count: pieceByteCount)
            guard !piece.isEmpty else { return String(hex: stream.finish()) }
            stream.add(piece)
            position += Int64(piece.count)
            progress(position)
        }
    }

    /// Copies a file beside its place, durably, reads the copy again from the disk, and only then
    /// gives it its name.
    ///
    /// - Parameter suffix: of its name until then; who finds such a file may remove it.
    /// - Returns: the digest of what was read of the original, and of the copy.
    static func copy(
        _ source: String, to target: String, in folder: String, suffix: String, on disk: any Disk
    ) throws(DiskError) -> (original: String, copy: String) {
        let (file, part) = (try disk.open(source, .read), target + suffix)
        let (stream, written) = (SHA256Stream(), try disk.open(part, .create))
        var position: Int64 = 0
        while true {
            let piece = try file.read(at: position, count: pieceByteCount)
            guard !piece.isEmpty else { break }
            stream.add(piece)
            try written.writeAll(piece, at: position)
            position += Int64(piece.count)
        }
        try written.sync()
        // What is compared is to come from the disk; where that cannot be had, from wherever it
        // comes.
        try? written.dropCache()
        let digests = (original: String(hex: stream.finish()), copy: try of(part, on: disk))
        guard digests.original == digests.copy else {
            try? disk.remove(part)
            return digests
        }
        try disk.rename(part, to: target)
        try disk.syncDirectory(folder)
        return digests
    }
}
