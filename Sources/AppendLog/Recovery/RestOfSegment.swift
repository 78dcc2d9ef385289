/// What lies behind the last batch of a segment.
struct RestOfSegment {
    /// Where the first valid batch is that can only have been written later; nil if there is none.
    private(set) var follower: Int64?
    /// The last byte that is not zero.
    private(set) var lastWritten: Int64?

    /// Reads everything in the range, looking for batches at every byte.
    init(
        _ file: any DiskFile, from start: Int64, to end: Int64, after offset: Offset
    ) throws(DiskError) {
        var position = start
        while position < end, follower == nil {
            let count = Int(min(Int64(Limits.scanChunkBytes), end - position))
            let chunk = try file.read(at: position, count: count)
            guard !chunk.isEmpty else { return }
            if let last = chunk.lastIndex(where: { $0 != 0 }) {
                lastWritten = position + Int64(last)
                for index in Self.candidates(chunk, after: offset) where follower == nil {
                    let at = position + Int64(index)
                    if at > start, try Self.isBatch(file, at: at, end: end) { follower = at }
                }
            }
            // A batch's header may straddle two chunks.
            let isLast = position + Int64(chunk.count) >= end
            position += Int64(isLast ? chunk.count : chunk.count - RecordBatch.headerByteCount + 1)
        }
    }

    /// Where a header might begin that names an offset beyond `offset`, and not absurdly far
    /// beyond.
    private static func candidates(_ chunk: [UInt8], after offset: Offset) -> [Int] {
        guard chunk.count >= RecordBatch.headerByteCount else { return [] }
        return (0...chunk.count - RecordBatch.headerByteCount).filter { index in
            guard chunk[index + 16] == 2, chunk[index] == 0,
                let header = try? RecordBatch.header(in: chunk[index...])
            else { return false }
            return header.baseOffset > offset && header.byteCount <= Limits.batchBytesMax
                && offset.distance(to: header.baseOffset) <= Int64(Limits.batchBytesMax)
        }
    }

    static func isBatch(
        _ file: any DiskFile, at position: Int64, end: Int64
    ) throws(DiskError) -> Bool {
        let head = try file.read(at: position, count: RecordBatch.headerByteCount)
        guard let header = try? RecordBatch.header(in: head[...]),
            position + Int64(header.byteCount) <= end
        else { return false }
        let bytes = try file.read(at: position, count: header.byteCount)
        return (try? RecordBatch.verify(bytes[...])) != nil
    }

    /// Whether a batch whose checksum is wrong was written to its last byte. Then its bytes have
    /// changed since: a disk writes sectors whole, and where one was not written zeros are left. A
    /// batch that ends in a zero cannot be told from one that was cut short.
    static func isWholeBatch(_ file: any DiskFile, at position: Int64) throws(DiskError) -> Bool {
        let head = try file.read(at: position, count: RecordBatch.headerByteCount)
        guard let header = try? RecordBatch.header(in: head[...]) else { return false }
        let bytes = try file.read(at: position, count: header.byteCount)
        guard bytes.count == header.byteCount, bytes.last != 0 else { return false }
        var start = 0
        while start < bytes.count {
            let inSector = Int((position + Int64(start)) % Int64(Limits.sectorBytes))
            let end = min(bytes.count, start + Limits.sectorBytes - inSector)
            guard bytes[start..<end].contains(where: { $0 != 0 }) else { return false }
            start = end
        }
        return true
    }
}
