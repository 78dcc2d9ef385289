package import AppendLog
import Foundation
package import Logging
import Vocabulary

/// The gate's index on disk. It only saves reading the log: deleting it, or finding it damaged,
/// loses nothing.
///
/// | bytes | field |
/// | --- | --- |
/// | 8 | magic `TBGATE03` |
/// | 32 | `SnapshotOrigin`: of which log, and below which offset every record is in the snapshot |
/// | 16 each | the first 36 bits of an id's digest and its record's offset, little-endian |
/// | 4 | CRC-32C of everything before, little-endian |
///
/// It is written and read a piece at a time: the gate's memory is for its index, not for two copies
/// of it.
package enum AdmissionSnapshot {
    private static let magic = Array("TBGATE03".utf8)
    private static let headByteCount = magic.count + SnapshotOrigin.byteCount
    private static let pairByteCount = 16
    private static let checksumByteCount = 4
    /// What is written or read at a time: so many pairs.
    private static let pieceByteCount = 4_096 * pairByteCount

    /// The admission as the snapshot and the log's tail tell it.
    package static func restore(from path: String, topic: Topic, logger: Logger) throws
        -> LogAdmission
    {
        let restored = read(path, of: topic)
        let scanner = EventScanner()
        let admission = LogAdmission(
            topic: topic, index: restored.index, indexed: restored.indexed,
            identify: { (try? scanner.scan($0))?.identity })
        let from = restored.indexed
        var reported = ContinuousClock.now
        try admission.catchUp { reached in
            guard .now - reported > .seconds(1) else { return }
            reported = .now
            logger.info(
                "reading event ids from the log",
                metadata: [
                    "at": "\(reached.rawValue)", "of": "\(topic.highWatermark.rawValue)",
                ])
        }
        logger.info(
            "gate index ready",
            metadata: [
                "events": "\(admission.count)",
                "bytes": "\(admission.indexByteCount)",
                "from_snapshot": "\(from.rawValue)",
                "from_log": "\(topic.highWatermark.rawValue - from.rawValue)",
            ])
        return admission
    }

    /// Writes beside the old snapshot and renames, so that a kill or a power cut leaves one of the
    /// two. Where there is no room the draft goes again.
    ///
    /// - Returns: the offset below which every event is in it.
    @discardableResult
    package static func write(
        _ admission: LogAdmission, to path: String
    ) async throws -> Offset {
        let draft = try SnapshotDraft(of: path)
        do {
            let end = try await write(admission, into: draft)
            try draft.keep()
            return end
        } catch {
            draft.discard()
            throw error
        }
    }

    private static func write(
        _ admission: LogAdmission, into draft: SnapshotDraft
    ) async throws -> Offset {
        var writer = draft
        var piece: [UInt8] = []
        var end = Offset.zero
        try await admission.snapshot(
            begin: { through in
                end = through
                try writer.write(magic + (try admission.origin(before: through)).bytes)
            },
            eachShard: { pairs in
                for (digest, offset) in pairs {
                    append(digest, to: &piece)
                    append(UInt64(bitPattern: offset.rawValue), to: &piece)
                }
                guard piece.count >= pieceByteCount else { return }
                try writer.write(piece)
                piece.removeAll(keepingCapacity: true)
            })
        try writer.write(piece)
        try writer.write(withUnsafeBytes(of: writer.checksum.littleEndian) { Array($0) })
        return end
    }

    /// Of which log the snapshot is, once all of it has been read and holds.
    static func look(at path: String) -> SnapshotLook {
        SnapshotLook(at: path) { file in
            let end = try file.size() - Int64(checksumByteCount)
            let head = try file.read(at: 0, count: headByteCount)
            guard head.count == headByteCount, head.starts(with: magic),
                end >= headByteCount, (end - Int64(headByteCount)) % Int64(pairByteCount) == 0,
                let origin = SnapshotOrigin(head[magic.count...])
            else { return nil }
            var checksum = CRC32C.checksum(head[...])
            var position = Int64(headByteCount)
            while position < end {
                let count = Int(min(Int64(pieceByteCount), end - position))
                let bytes = try file.read(at: position, count: count)
                guard bytes.count == count else { return nil }
                checksum = CRC32C.checksum(bytes[...], continuing: checksum)
                position += Int64(count)
            }
            let stored = try file.read(at: end, count: checksumByteCount)
            return stored == withUnsafeBytes(of: checksum.littleEndian) { Array($0) }
                ? origin : nil
        }
    }

    /// An unreadable or damaged snapshot is an empty one, and so is one of another log, or of
    /// another history of this one: the log tells everything again.
    private static func read(
        _ path: String, of topic: Topic
    ) -> (index: AdmissionIndex, indexed: Offset) {
        let nothing = (AdmissionIndex(from: topic.start), Offset.zero)
        guard let file = SnapshotDraft.file(at: path), let byteCount = try? file.size(),
            let head = try? file.read(at: 0, count: headByteCount), head.count == headByteCount,
            head.starts(with: magic), let origin = SnapshotOrigin(head[magic.count...]),
            origin.fits(topic)
        else { return nothing }
        let end = byteCount - Int64(checksumByteCount)
        guard (end - Int64(headByteCount)) % Int64(pairByteCount) == 0,
            let (index, checksum) = try? pairs(in: file, from: head, end: end, of: topic),
            let stored = try? file.read(at: end, count: checksumByteCount),
            stored == withUnsafeBytes(of: checksum.littleEndian, { Array($0) })
        else { return nothing }
        return (index, origin.next)
    }

    /// The pairs between the head and `end`, and the checksum of all before `end`.
    private static func pairs(
        in file: any DiskFile, from head: [UInt8], end: Int64, of topic: Topic
    ) throws(DiskError) -> (AdmissionIndex, UInt32) {
        let highWatermark = topic.highWatermark
        var index = AdmissionIndex(from: topic.start)
        var checksum = CRC32C.checksum(head[...])
        var position = Int64(head.count)
        var pairs: [(digest: UInt64, offset: Offset)] = []
        while position < end {
            let count = Int(min(Int64(pieceByteCount), end - position))
            let bytes = try file.read(at: position, count: count)
            guard bytes.count == count else { break }
            checksum = CRC32C.checksum(bytes[...], continuing: checksum)
            position += Int64(count)
            pairs.removeAll(keepingCapacity: true)
            // What the log lost to a power cut after it was indexed was never acknowledged.
            eachPair(in: bytes) { if $1 < highWatermark { pairs.append(($0, $1)) } }
            index.insert(pairs)
        }
        return (index, checksum)
    }

    private static func append(_ number: UInt64, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }

    private static func eachPair(in bytes: [UInt8], _ body: (UInt64, Offset) -> Void) {
        bytes.withUnsafeBytes { bytes in
            for start in stride(from: 0, to: bytes.count, by: pairByteCount) {
                // SAFETY: pieces end where a pair does; the loads check the bounds too.
                let digest = bytes.loadUnaligned(fromByteOffset: start, as: UInt64.self)
                let offset = bytes.loadUnaligned(fromByteOffset: start + 8, as: UInt64.self)
                body(
                    UInt64(littleEndian: digest),
                    Offset(Int64(bitPattern: UInt64(littleEndian: offset))))
            }
        }
    }
}
