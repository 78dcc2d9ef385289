/// Walks over the batches of a segment file, one after another, checking that offsets are dense.
///
/// A value: it remembers its place and a chunk of the file.
struct BatchWalk {
    enum Step {
        /// A batch at `position`, whole and (if asked for) with a valid checksum.
        case batch(RecordBatchHeader, bytes: ArraySlice<UInt8>, position: Int64)
        /// The limit was reached exactly.
        case end
        /// Nothing but zeros where a batch would begin: preallocated space, or a lost write.
        case unwritten
        case bad(Corruption.Kind)
    }

    private let file: any DiskFile
    /// No byte from here on is looked at.
    let limit: Int64
    private let chunkByteCount: Int
    /// Where the next batch begins, and the offset due there.
    private(set) var position: Int64
    private(set) var expected: Offset

    private var chunk: [UInt8] = []
    private var chunkPosition: Int64 = 0
    /// Whether the checksum of each batch is computed.
    var verifies: Bool

    init(
        _ file: any DiskFile, from position: Int64, expecting expected: Offset, limit: Int64,
        chunkByteCount: Int = Limits.scanChunkBytes, verifies: Bool = true
    ) {
        self.file = file
        self.limit = limit
        self.chunkByteCount = max(chunkByteCount, RecordBatch.headerByteCount)
        self.position = position
        self.expected = expected
        self.verifies = verifies
    }

    /// Whether the batch at `position` can be had without reading from the file.
    var hasNextInMemory: Bool {
        guard let bytes = inMemory(RecordBatch.headerByteCount),
            let header = try? RecordBatch.header(in: bytes)
        else { return false }
        return inMemory(header.byteCount) != nil
    }

    /// Moves past the next batch. After any other step, further calls give the same step again.
    mutating func next() throws(DiskError) -> Step {
        let left = limit - position
        if left == 0 { return .end }
        let head = try bytes(Int(min(Int64(RecordBatch.headerByteCount), left)))
        if head.allSatisfy({ $0 == 0 }) { return .unwritten }
        let header: RecordBatchHeader
        do {
            header = try RecordBatch.header(in: head)
        } catch {
            return .bad(.batch(error))
        }
        guard header.baseOffset == expected else { return .bad(.offset(found: header.baseOffset)) }
        guard header.byteCount <= Limits.batchBytesMax else {
            return .bad(.batch(.malformed(.batchLength, at: RecordBatch.prefixByteCount - 4)))
        }
        guard Int64(header.byteCount) <= left else {
            return .bad(.batch(.truncated(needed: header.byteCount, available: Int(left))))
        }
        let batch = try bytes(header.byteCount)
        if verifies {
            do {
                try RecordBatch.verify(batch)
            } catch {
                return .bad(.batch(error))
            }
        }
        let start = position
        position += Int64(header.byteCount)
        expected = header.nextOffset
        return .batch(header, bytes: batch, position: start)
    }

    private func inMemory(_ count: Int) -> ArraySlice<UInt8>? {
        let start = Int(position - chunkPosition)
        guard start >= 0, start + count <= chunk.count else { return nil }
        return chunk[start..<start + count]
    }

    /// The `count` bytes at the current position; fewer if the file ends, which makes a batch bad.
    private mutating func bytes(_ count: Int) throws(DiskError) -> ArraySlice<UInt8> {
        if let bytes = inMemory(count) { return bytes }
        let wanted = min(Int64(max(count, chunkByteCount)), limit - position)
        chunk = try file.read(at: position, count: Int(wanted))
        chunkPosition = position
        return chunk.prefix(count)
    }
}
