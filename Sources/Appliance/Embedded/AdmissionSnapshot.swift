package import AppendLog
import Foundation
package import Logging
import Vocabulary

/// The gate's index on disk. It only saves reading the log: deleting it, or finding it damaged,
/// loses nothing.
///
/// | bytes | field |
/// | --- | --- |
/// | 8 | magic `TBGATE02` |
/// | 32 | `SnapshotOrigin`: of which log, and below which offset every record is in the snapshot |
/// | 8 | number of pairs, little-endian |
/// | 16 each | digest and offset of a record, little-endian |
/// | 4 | CRC-32C of everything before, little-endian |
package enum AdmissionSnapshot {
    private static let magic = Array("TBGATE02".utf8)
    private static let headByteCount = 48
    private static let pairByteCount = 16

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
                "from_snapshot": "\(from.rawValue)",
                "from_log": "\(topic.highWatermark.rawValue - from.rawValue)",
            ])
        return admission
    }

    /// Writes beside the old snapshot and renames, so that a crash leaves one of the two.
    package static func write(_ admission: LogAdmission, to path: String) async throws {
        var pairs: [UInt8] = []
        let through = await admission.snapshot { shard in
            for slot in shard.slots where slot.offsetPlusOne != 0 {
                append(slot.digest, to: &pairs)
                append(UInt64(bitPattern: slot.offsetPlusOne - 1), to: &pairs)
            }
        }
        var bytes = magic + (try admission.origin(before: through)).bytes
        append(UInt64(pairs.count / pairByteCount), to: &bytes)
        bytes += pairs
        let checksum = CRC32C.checksum(bytes[...])
        withUnsafeBytes(of: checksum.littleEndian) { bytes.append(contentsOf: $0) }
        try Data(bytes).write(to: URL(filePath: path), options: .atomic)
    }

    /// Of which log the snapshot says to be; nil if there is none of this format.
    static func origin(at path: String) -> SnapshotOrigin? {
        guard let file = FileHandle(forReadingAtPath: path),
            let head = try? file.read(upToCount: headByteCount), head.starts(with: magic)
        else { return nil }
        return SnapshotOrigin(head.dropFirst(magic.count).prefix(SnapshotOrigin.byteCount))
    }

    /// An unreadable or damaged snapshot is an empty one, and so is one of another log, or of
    /// another history of this one: the log tells everything again.
    private static func read(
        _ path: String, of topic: Topic
    ) -> (index: AdmissionIndex, indexed: Offset) {
        let highWatermark = topic.highWatermark
        let nothing = (AdmissionIndex(), Offset.zero)
        guard let data = FileManager.default.contents(atPath: path) else { return nothing }
        let bytes = [UInt8](data)
        guard bytes.count >= headByteCount + 4, bytes.starts(with: magic) else { return nothing }
        let body = bytes.count - 4
        let stored = (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[body + $1]) << (8 * UInt32($1)) }
        let count = number(bytes, at: headByteCount - 8)
        guard stored == CRC32C.checksum(bytes[..<body]),
            count == UInt64((body - headByteCount) / pairByteCount),
            let origin = SnapshotOrigin(bytes[magic.count...].prefix(SnapshotOrigin.byteCount)),
            origin.fits(topic)
        else { return nothing }
        var index = AdmissionIndex()
        for position in stride(from: headByteCount, to: body, by: pairByteCount) {
            let offset = Offset(Int64(bitPattern: number(bytes, at: position + 8)))
            // What the log lost to a power cut after it was indexed was never acknowledged.
            guard offset < highWatermark else { continue }
            index.insert(number(bytes, at: position), at: offset)
        }
        return (index, origin.next)
    }

    private static func append(_ number: UInt64, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }

    private static func number(_ bytes: [UInt8], at position: Int) -> UInt64 {
        bytes.withUnsafeBytes {
            // SAFETY: every caller has checked that eight bytes follow; the load checks the bounds
            // too.
            UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: position, as: UInt64.self))
        }
    }
}
