/// Looks at a segment where it begins and where it ends, which costs two reads: enough to see that
/// it is the one its name says, that nothing of it is cut off, and that its last batch is whole.
struct SegmentEnds {
    let segment: Segment

    /// Checks a sealed segment.
    ///
    /// - Parameters:
    ///   - end: the offset at which the next segment begins.
    ///   - stamps: what the segments before have shown.
    /// - Returns: the checksum of its last batch.
    /// - Throws: `.corrupt`, `.disk`.
    func check(end: Offset, _ stamps: inout StampCheck) throws(LogError) -> UInt32 {
        let first = try firstBatch()
        if let kind = stamps.refusal(of: first) { throw bad(kind, at: 0, first.baseOffset) }
        let size: Int64
        do { size = try segment.byteCount() } catch { throw .disk(error) }
        let last = try lastBatch(limit: size, end: end)
        if let kind = stamps.refusal(of: last) { throw bad(kind, at: 0, last.baseOffset) }
        return last.crc
    }

    private func firstBatch() throws(LogError) -> RecordBatchHeader {
        let bytes: [UInt8]
        do {
            bytes = try segment.file().read(at: 0, count: RecordBatch.headerByteCount)
        } catch {
            throw .disk(error)
        }
        guard !bytes.allSatisfy({ $0 == 0 }) else { throw bad(.missing, at: 0, segment.baseOffset) }
        let header: RecordBatchHeader
        do {
            header = try RecordBatch.header(in: bytes[...])
        } catch {
            throw bad(.batch(error), at: 0, segment.baseOffset)
        }
        guard header.baseOffset == segment.baseOffset else {
            throw bad(.offset(found: header.baseOffset), at: 0, segment.baseOffset)
        }
        return header
    }

    /// The batch that ends at `limit`, found through the index and verified.
    ///
    /// - Parameter end: the offset that must come after it.
    func lastBatch(limit: Int64, end: Offset) throws(LogError) -> RecordBatchHeader {
        let known = try segment.index(limit: limit, end: end)
        do throws(LogError) {
            return try lastBatch(known, limit, end)
        } catch {
            guard case .corrupt(let place) = error else { throw error }
            // The index may be what is wrong.
            switch rebuiltIndex(limit, end) {
            case .success(let rebuilt):
                guard rebuilt.places != known.places else { throw error }
                segment.set(rebuilt)
                return try lastBatch(rebuilt, limit, end)
            case .failure(.corrupt(let other)) where other.offset < place.offset:
                // Of two bad places the first one counts.
                throw .corrupt(other)
            case .failure: throw error
            }
        }
    }

    private func rebuiltIndex(_ limit: Int64, _ end: Offset) -> Result<SegmentIndex, LogError> {
        do throws(LogError) {
            return .success(try segment.rebuiltIndex(limit: limit, end: end))
        } catch {
            return .failure(error)
        }
    }

    private func lastBatch(
        _ index: SegmentIndex, _ limit: Int64, _ end: Offset
    ) throws(LogError) -> RecordBatchHeader {
        let place = index.places.last ?? SegmentIndex.Place(relativeOffset: 0, position: 0)
        var walk = try segment.walk(
            from: Int64(place.position),
            expecting: segment.baseOffset.advanced(by: Int64(place.relativeOffset)), limit: limit,
            chunkByteCount: Limits.readBytesMin)
        var last: RecordBatchHeader?
        while true {
            switch try walk.step(in: segment) {
            case .batch(let header, _): last = header
            case .end, .unwritten:
                guard let last, walk.expected == end else {
                    throw .corrupt(segment.corruption(at: walk, .missing))
                }
                return last
            case .bad(let kind): throw .corrupt(segment.corruption(at: walk, kind))
            }
        }
    }

    private func bad(_ kind: Corruption.Kind, at position: Int64, _ offset: Offset) -> LogError {
        .corrupt(
            Corruption(file: segment.logPath, position: position, offset: offset, kind: kind))
    }
}
