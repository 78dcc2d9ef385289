import AppendLog
import Foundation

/// What stands where a snapshot is kept, before anything is made of it.
package enum SnapshotLook: Sendable {
    case missing
    /// Something is there that cannot be read whole.
    case damaged
    case whole(SnapshotOrigin)

    /// Has the disk fetch the file while the caller does something else: of a box of five years it
    /// is hundreds of megabytes.
    package static func willLook(at path: String) {
        guard let file = SnapshotDraft.file(at: path), let byteCount = try? file.size() else {
            return
        }
        file.willRead(at: 0, count: Int(byteCount))
    }

    /// - Parameter origin: reads all of the file, and gives nil where a checksum does not hold.
    init(at path: String, origin: (any DiskFile) throws -> SnapshotOrigin?) {
        guard let file = SnapshotDraft.file(at: path) else {
            // A link that leads nowhere is nothing, too.
            self = FileManager.default.fileExists(atPath: path) ? .damaged : .missing
            return
        }
        self = (try? origin(file)).flatMap { $0 }.map { .whole($0) } ?? .damaged
    }
}
