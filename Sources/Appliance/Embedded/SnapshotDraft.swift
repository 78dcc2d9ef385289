import AppendLog
import Foundation

/// A snapshot that is being written beside the old one, one piece behind the other, and takes its
/// place at the end: a kill or a power cut leaves one of the two. It is durable before whoever
/// wrote it goes on, because retention removes from the log what a snapshot stands for.
struct SnapshotDraft {
    private let disk = PosixDisk()
    private let path: String
    private let file: any DiskFile
    private var position: Int64 = 0
    /// The CRC-32C of all that has been written.
    private(set) var checksum: UInt32 = 0

    /// - Parameter path: of the snapshot.
    init(of path: String) throws(DiskError) {
        self.path = path
        file = try disk.open(Self.draft(of: path), .create)
    }

    private static func draft(of path: String) -> String { path + ".new" }

    mutating func write(_ bytes: [UInt8]) throws(DiskError) {
        checksum = CRC32C.checksum(bytes[...], continuing: checksum)
        try file.writeAll(bytes, at: position)
        position += Int64(bytes.count)
    }

    /// Puts it in the place of the old one, durably.
    func keep() throws(DiskError) {
        try file.sync()
        try disk.rename(Self.draft(of: path), to: path)
        let folder = path.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        try disk.syncDirectory(folder.isEmpty ? "." : folder.joined(separator: "/"))
    }

    /// The regular file at a path; nil where there is none. A pipe would hold the start for ever.
    static func file(at path: String) -> (any DiskFile)? {
        let target = URL(filePath: path).resolvingSymlinksInPath().path
        let attributes = try? FileManager.default.attributesOfItem(atPath: target)
        guard attributes?[.type] as? FileAttributeType == .typeRegular else { return nil }
        return try? PosixDisk().open(path, .read)
    }

    /// Gives back its room, where it could not be written.
    func discard() { try? disk.remove(Self.draft(of: path)) }
}
