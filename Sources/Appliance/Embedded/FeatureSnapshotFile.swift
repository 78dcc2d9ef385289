package import AppendLog
import Vocabulary

/// The feature state on disk: an engine's snapshot, and which log it is the state of.
///
/// | bytes | field |
/// | --- | --- |
/// | 8 | magic `TBFEAT02` |
/// | 32 | `SnapshotOrigin` |
/// | … | the engine's snapshot, whose last 4 bytes are its own checksum |
/// | 4 | the seal: CRC-32C of the 40 bytes at the head and of those 4, little-endian |
///
/// The engine's checksum says nothing of the head, so without the seal the state of one moment
/// would pass for that of another, and what lies between them would be counted twice or never.
/// `TBFEAT01` is the same without it, and is still read: retention may have removed what that
/// state was made from.
package enum FeatureSnapshotFile {
    private static let magic = Array("TBFEAT02".utf8)
    private static let magicWithoutSeal = Array("TBFEAT01".utf8)
    private static let headByteCount = 40
    private static let checksumByteCount = 4

    /// Writes beside the old one and renames, so that a crash leaves one of the two.
    ///
    /// - Parameters:
    ///   - state: gives the engine's snapshot, a piece at a time.
    ///   - next: the offset of `topic` before which everything is in it.
    package static func write(
        _ state: StateEncoding, of topic: Topic, before next: Offset, to path: String
    ) throws {
        let head = magic + (try SnapshotOrigin(of: topic, before: next)).bytes
        var draft = try SnapshotDraft(of: path)
        do {
            try draft.write(head)
            var end: [UInt8] = []
            try state { piece in
                try draft.write(piece)
                end = Array((end + piece.suffix(checksumByteCount)).suffix(checksumByteCount))
            }
            try draft.write(seal(head, end))
            try draft.keep()
        } catch {
            draft.discard()
            throw error
        }
    }

    /// Of which log the file is, once all of it has been read and holds.
    package static func look(at path: String) -> SnapshotLook {
        SnapshotLook(at: path) { file in
            guard let parts = try parts(of: file), FeatureEngine.isWhole(parts.state) else {
                return nil
            }
            return parts.origin
        }
    }

    /// The engine as it was saved, and where the topic goes on behind it; nil if there is no such
    /// file, it is damaged, or it is the state of another log or of another history of this one.
    package static func read(
        _ path: String, of topic: Topic, limits: FeatureLimits
    ) -> (engine: FeatureEngine, next: Offset)? {
        guard let file = SnapshotDraft.file(at: path),
            let parts = (try? parts(of: file)).flatMap({ $0 }), parts.origin.fits(topic),
            let engine = try? FeatureEngine(snapshot: parts.state, limits: limits)
        else { return nil }
        return (engine, parts.origin.next)
    }

    /// Of which log the file says to be, and what lies behind the head; nil if it is none of this
    /// format, or the two do not belong together. The engine's own checksum is not looked at.
    private static func parts(
        of file: any DiskFile
    ) throws(DiskError) -> (origin: SnapshotOrigin, state: SnapshotSource)? {
        let head = try file.read(at: 0, count: headByteCount)
        guard let origin = SnapshotOrigin(head.dropFirst(magic.count)) else { return nil }
        let byteCount = Int(try file.size()) - headByteCount
        if head.starts(with: magicWithoutSeal) {
            return (origin, state(in: file, byteCount))
        }
        let end = byteCount - checksumByteCount
        guard head.starts(with: magic), end >= checksumByteCount else { return nil }
        let last = try file.read(
            at: Int64(headByteCount + end - checksumByteCount), count: 2 * checksumByteCount)
        guard Array(last.suffix(checksumByteCount)) == seal(head, last.prefix(checksumByteCount))
        else { return nil }
        return (origin, state(in: file, end))
    }

    private static func state(in file: any DiskFile, _ byteCount: Int) -> SnapshotSource {
        SnapshotSource(byteCount: byteCount) { place, count in
            try file.read(at: Int64(headByteCount + place), count: min(count, byteCount - place))
        }
    }

    /// - Parameter end: the engine's checksum, which stands for all of its bytes.
    private static func seal(_ head: [UInt8], _ end: some Sequence<UInt8>) -> [UInt8] {
        withUnsafeBytes(of: CRC32C.checksum((head + end)[...]).littleEndian) { Array($0) }
    }
}
