package import AppendLog
import Foundation
import Vocabulary

/// The feature state on disk: an engine's snapshot, and which log it is the state of.
///
/// | bytes | field |
/// | --- | --- |
/// | 8 | magic `TBFEAT01` |
/// | 32 | `SnapshotOrigin` |
/// | … | the engine's snapshot, with a checksum of its own |
package enum FeatureSnapshotFile {
    private static let magic = Array("TBFEAT01".utf8)
    private static let headByteCount = 40

    /// Writes beside the old one and renames, so that a crash leaves one of the two.
    ///
    /// - Parameters:
    ///   - state: what `FeatureEngine.snapshot()` gave.
    ///   - next: the offset of `topic` before which everything is in it.
    package static func write(
        _ state: [UInt8], of topic: Topic, before next: Offset, to path: String
    ) throws {
        let head = magic + (try SnapshotOrigin(of: topic, before: next)).bytes
        try Data(head + state).write(to: URL(filePath: path), options: .atomic)
    }

    /// Of which log the file says to be; nil if there is none of this format.
    package static func origin(at path: String) -> SnapshotOrigin? {
        guard let file = FileHandle(forReadingAtPath: path),
            let head = try? file.read(upToCount: headByteCount), head.starts(with: magic)
        else { return nil }
        return SnapshotOrigin(head.dropFirst(magic.count))
    }

    /// The engine as it was saved, and where the topic goes on behind it; nil if there is no such
    /// file, it is damaged, or it is the state of another log or of another history of this one.
    package static func read(
        _ path: String, of topic: Topic, limits: FeatureLimits
    ) -> (engine: FeatureEngine, next: Offset)? {
        guard let origin = origin(at: path), origin.fits(topic),
            let bytes = FileManager.default.contents(atPath: path),
            let engine = try? FeatureEngine(
                snapshot: Array(bytes.dropFirst(headByteCount)), limits: limits)
        else { return nil }
        return (engine, origin.next)
    }
}
