/// Walks over the batches of a segment file, one after another, checking that offsets are dense.
///
/// A value: it remembers its place and a chunk of the file.
struct BatchWalk {
    enum Step {
        /// A batch at `position`, whole and (if asked for) with a valid checksum.
        case batch(RecordBatchHeader, position: Int64)
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
    /// Where in the chunk the batch lies that was passed last.
    private var last = 0..<0

    private var chunk: [UInt8] = []
    private var chunkPosition: Int64 = 0
    /// What the chunk may grow to.
    private var room = 0
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

    /// Whether the next batch can be had without giving up what is in memory. One that cannot be
    /// read is not: whoever wants it will be told why.
    mutating func fitsNext() -> Bool {
        guard limit - position >= Int64(RecordBatch.headerByteCount),
            let head = try? placeInChunk(of: RecordBatch.headerByteCount),
            let header = try? chunk.withRawBytes(head, RecordBatch.header(in:))
        else { return false }
        return head.lowerBound + header.byteCount <= room
    }

    /// Moves past the next batch. After any other step, further calls give the same step again.
    mutating func next() throws(DiskError) -> Step {
        let left = limit - position
        if left <= 0 { return .end }
        let head = try place(of: Int(min(Int64(RecordBatch.headerByteCount), left)))
        if chunk.withRawBytes(head, RecordBatch.isUnwritten) { return .unwritten }
        let header: RecordBatchHeader
        do {
            header = try chunk.withRawBytes(head, RecordBatch.header(in:))
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
        let batch = try place(of: header.byteCount)
        guard batch.count == header.byteCount else {
            return .bad(.batch(.truncated(needed: header.byteCount, available: batch.count)))
        }
        if verifies {
            do {
                _ = try chunk.withRawBytes(batch, RecordBatch.verify)
            } catch {
                return .bad(.batch(error))
            }
        }
        last = batch
        let start = position
        position += Int64(header.byteCount)
        expected = header.nextOffset
        return .batch(header, position: start)
    }

    /// The bytes of the batch that was passed last.
    ///
    /// Let go of them before the next step: while somebody shares the chunk, it is copied when it
    /// grows.
    var bytes: ArraySlice<UInt8> { chunk[last] }

    /// The bytes of a batch that was passed since the chunk was begun.
    func bytes(of header: RecordBatchHeader, at position: Int64) -> ArraySlice<UInt8> {
        let start = Int(position - chunkPosition)
        return chunk[start..<start + header.byteCount]
    }

    /// Checks the batch that was passed last, where `verifies` has not.
    func verifyLast() throws(RecordBatchError) {
        _ = try chunk.withRawBytes(last, RecordBatch.verify)
    }

    /// The same without giving up what is in memory; nil where it would have to be.
    private mutating func placeInChunk(of count: Int) throws(DiskError) -> Range<Int>? {
        guard Int(position - chunkPosition) + count <= room else { return nil }
        return try place(of: count)
    }

    /// Where in the chunk the `count` bytes at the current position lie; fewer if the file ends,
    /// which makes a batch bad.
    ///
    /// A chunk is read a step at a time, so that the checksums find it in the processor's cache.
    private mutating func place(of count: Int) throws(DiskError) -> Range<Int> {
        var start = Int(position - chunkPosition)
        if start < 0 || start > chunk.count || start + count > room {
            chunkPosition = position & ~63
            start = Int(position - chunkPosition)
            let wanted = max(start + count, chunkByteCount + chunkByteCount / 4)
            room = Int(min(Int64(wanted), limit - chunkPosition))
            chunk.removeAll(keepingCapacity: true)
            chunk.reserveCapacity(room)
        }
        let missing = start + count - chunk.count
        if missing > 0 {
            // What reaches beyond the chunk's due size is read as far as it goes, and no further.
            let step = max(min(Limits.readStepBytes, chunkByteCount - chunk.count), missing)
            try file.read(
                at: chunkPosition + Int64(chunk.count), count: min(step, room - chunk.count),
                into: &chunk)
        }
        // A file that was cut may end before the place itself, which lies inside its chunk.
        let end = min(start + count, chunk.count)
        return min(start, end)..<end
    }
}

extension [UInt8] {
    /// `body` on some of the bytes.
    @inline(__always)
    fileprivate func withRawBytes<Result, Failure: Error>(
        _ range: Range<Int>, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        precondition(range.upperBound <= count, "bytes \(range) of \(count)")
        // SAFETY: the range was checked, and the pointer is good for as long as `body` runs.
        return try withUnsafeBufferPointer { (buffer) throws(Failure) in
            try body(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[range]))
        }
    }
}
