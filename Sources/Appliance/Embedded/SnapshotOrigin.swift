package import AppendLog

/// Which log a snapshot was taken from, and how far that had come: without it, a snapshot beside
/// another log, or beside an older state of its own, would pass for what that log says.
///
/// | bytes | field |
/// | --- | --- |
/// | 16 | the log's identity, big-endian |
/// | 8 | the offset before which every record is in the snapshot, big-endian |
/// | 8 | the checksum of the batch that holds the record before it, big-endian; −1 for none |
package struct SnapshotOrigin: Hashable, Sendable {
    package static let byteCount = 32

    package var log: LogIdentity
    package var next: Offset
    package var checksum: UInt32?

    /// The origin of a snapshot that holds what `topic` has before `next`.
    package init(of topic: Topic, before next: Offset) throws(LogError) {
        log = topic.log
        self.next = next
        checksum = try topic.checksum(before: next)
    }

    package init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        var numbers: [UInt64] = []
        for start in stride(from: 0, to: Self.byteCount, by: 8) {
            numbers.append(bytes.dropFirst(start).prefix(8).reduce(0) { $0 << 8 | UInt64($1) })
        }
        log = LogIdentity(high: numbers[0], low: numbers[1])
        next = Offset(Int64(bitPattern: numbers[2]))
        checksum = UInt32(exactly: numbers[3])
        guard next >= .zero else { return nil }
    }

    package var bytes: [UInt8] {
        let last = checksum.map { Int64($0) } ?? -1
        return [log.high, log.low, UInt64(next.rawValue), UInt64(bitPattern: last)].flatMap {
            number in
            (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * UInt64($0))) }
        }
    }

    /// Whether a log that says this of itself is the one that the snapshot was taken from.
    ///
    /// - Parameter known: the checksum of the log's own batch before `next`; nil where retention
    ///   has deleted it, or nothing comes before.
    package func fits(log: LogIdentity?, start: Offset, end: Offset, checksum known: UInt32?)
        -> Bool
    {
        guard log == self.log, next >= start, next <= end else { return false }
        return next == start || known == checksum
    }

    package func fits(_ topic: Topic) -> Bool {
        fits(
            log: topic.log, start: topic.start, end: topic.highWatermark,
            checksum: try? topic.checksum(before: next))
    }
}
