/// Finds out what a topic's folder holds after whatever happened to it, and where it ends.
///
/// ```
/// list ─▶ checkpoint ─▶ sync, forget the page cache ─▶ scan the tail
///                                                        ├─▶ ends, or zeros to the end: done
///                                                        ├─▶ torn: cut it off
///                                                        └─▶ valid batches follow: refuse
/// ```
///
/// Every batch is written only after the one before it was synced, so a bad batch with a valid one
/// after it was durable once: it is damage and no torn write, and nothing is cut.
struct TopicRecovery {
    let disk: any Disk
    let folder: String
    let configuration: LogConfiguration
    /// Nothing is written, synced or cut; a torn tail is simply not shown.
    let isReadOnly: Bool

    struct Result {
        var run: SegmentRun
        var producers: [Int64: ProducerState]
        var report: RecoveryReport
        /// The size of the last segment's file: what lies beyond the batches is zeros.
        var allocatedByteCount: Int64
    }

    func recover() throws(LogError) -> Result {
        do {
            return try attempt()
        } catch let error as DiskError {
            throw .disk(error)
        } catch let error as LogError {
            throw error
        } catch {
            throw .closed
        }
    }

    private func attempt() throws -> Result {
        let names = try disk.list(folder)
        var segments = names.compactMap(SegmentName.baseOffset(ofLog:)).sorted().map(segment)
        if !isReadOnly { try removeLeftovers(names, segments) }
        if segments.isEmpty {
            let checkpoint = try disk.checkpoint(in: folder)
            guard checkpoint == nil || checkpoint?.offset == .zero else {
                throw missing(checkpoint)
            }
            if isReadOnly { return empty([]) }
            segments = [segment(.zero)]
            try create(segments[0])
            return empty(segments)
        }
        var scan = try TailScan(start: startingPoint(segments))
        for index in segments.indices where segments[index].baseOffset >= scan.start.segment {
            try scan.enter(segments[index])
            let isLast = index == segments.count - 1
            try read(segments[index], isLast: isLast, &scan)
            if isLast { break }
            guard scan.offset == segments[index + 1].baseOffset else {
                throw damaged(segments[index], scan, .missing)
            }
            segments[index].release()
        }
        let run = SegmentRun(
            segments: segments, end: scan.offset, lastByteCount: scan.position)
        return Result(
            run: run, producers: scan.producers, report: scan.report,
            allocatedByteCount: scan.fileByteCount)
    }

    private func segment(_ base: Offset) -> Segment {
        Segment(
            folder: folder, baseOffset: base, disk: disk,
            indexIntervalBytes: configuration.indexIntervalBytes)
    }

    private func create(_ segment: Segment) throws {
        try disk.open(segment.logPath, .create).sync()
        try disk.syncDirectory(folder)
        segment.set(SegmentIndex())
    }

    private func empty(_ segments: [Segment]) -> Result {
        Result(
            run: SegmentRun(segments: segments), producers: [:], report: RecoveryReport(),
            allocatedByteCount: 0)
    }

    /// Deletes what a crash left half done: files on their way out, and files without their log.
    private func removeLeftovers(_ names: [String], _ segments: [Segment]) throws {
        let bases = Set(segments.map(\.baseOffset))
        for name in names {
            let stem = name.prefix { $0 != "." }
            let isOrphan =
                (name.hasSuffix(SegmentName.indexSuffix)
                    || name.hasSuffix(SegmentName.timeIndexSuffix))
                && SegmentName.baseOffset(ofStem: stem).map { !bases.contains($0) } ?? false
            guard
                isOrphan || name.hasSuffix(SegmentName.deletedSuffix)
                    || name.hasSuffix(SegmentName.temporarySuffix)
            else { continue }
            try disk.remove(folder + "/" + name)
        }
    }

    /// The checkpoint, or the log's beginning where there is none.
    private func startingPoint(_ segments: [Segment]) throws -> Checkpoint {
        let first = segments[0].baseOffset
        guard let checkpoint = try disk.checkpoint(in: folder) else {
            return Checkpoint(segment: first, position: 0, offset: first)
        }
        guard segments.contains(where: { $0.baseOffset == checkpoint.segment }) else {
            throw missing(checkpoint)
        }
        return checkpoint
    }

    private func missing(_ checkpoint: Checkpoint?) -> LogError {
        let base = checkpoint?.segment ?? .zero
        return .corrupt(
            Corruption(
                file: segment(base).logPath, position: 0, offset: base, kind: .missing))
    }

    // MARK: One segment

    private func read(_ segment: Segment, isLast: Bool, _ scan: inout TailScan) throws {
        let file = try disk.open(segment.logPath, isReadOnly ? .read : .readWrite)
        if isLast, !isReadOnly {
            // What a killed process wrote is only in memory. It becomes durable before anybody sees
            // it, and what is then read comes from the disk: after a failed sync, memory may tell
            // tales.
            try file.sync()
            try file.dropCache()
        }
        scan.fileByteCount = try file.size()
        guard scan.position <= scan.fileByteCount else { throw damaged(segment, scan, .missing) }
        try loadIndex(segment, scan)
        var walk = BatchWalk(
            file, from: scan.position, expecting: scan.offset, limit: scan.fileByteCount)
        while true {
            switch try walk.next() {
            case .batch(let header, let bytes, let position):
                do {
                    try scan.add(header, bytes)
                } catch let error as RecordBatchError {
                    throw segment.failure(error, at: position, offset: header.baseOffset)
                }
                segment.add(header, at: position)
                scan.position = walk.position
                scan.offset = walk.expected
            case .end:
                return
            case .unwritten:
                return try endOfBatches(segment, file, nil, isLast: isLast, &scan)
            case .bad(let kind):
                return try endOfBatches(segment, file, kind, isLast: isLast, &scan)
            }
        }
    }

    /// The indexes up to where the scan begins; the scan adds the rest.
    private func loadIndex(_ segment: Segment, _ scan: TailScan) throws(LogError) {
        guard scan.position > 0 else { return segment.set(SegmentIndex()) }
        let extent = SegmentIndex.Extent(
            byteCount: scan.position, recordCount: segment.baseOffset.distance(to: scan.offset),
            placeCount: scan.start.placeCount, momentCount: scan.start.momentCount)
        if let index = segment.loadedIndex(extent) { return segment.set(index) }
        segment.set(try segment.rebuiltIndex(limit: scan.position, end: scan.offset))
    }

    /// Decides what bytes that are no batch mean: free space, a torn write, or damage.
    private func endOfBatches(
        _ segment: Segment, _ file: any DiskFile, _ kind: Corruption.Kind?, isLast: Bool,
        _ scan: inout TailScan
    ) throws {
        let rest = try RestOfSegment(
            file, from: scan.position, to: scan.fileByteCount, after: scan.offset)
        let isWritten = rest.lastWritten != nil
        if let follower = rest.follower {
            try quarantine(segment, scan, follower)
            throw damaged(segment, scan, kind ?? .missing)
        }
        // A sealed segment was synced to its end and trimmed before the next one was made.
        guard isLast else {
            if !isWritten { return }
            throw damaged(segment, scan, kind ?? .missing)
        }
        guard isWritten else { return }
        // A torn write leaves no batch whose checksum holds; one in the wrong place was
        // misdirected.
        if case .offset = kind,
            try RestOfSegment.isBatch(file, at: scan.position, end: scan.fileByteCount)
        {
            throw damaged(segment, scan, kind ?? .missing)
        }
        scan.report.truncatedBytes = (rest.lastWritten ?? scan.position) + 1 - scan.position
        guard !isReadOnly else { return }
        try file.truncate(scan.position)
        try file.sync()
        scan.fileByteCount = scan.position
    }

    private func damaged(_ segment: Segment, _ scan: TailScan, _ kind: Corruption.Kind) -> LogError
    {
        .corrupt(
            Corruption(
                file: segment.logPath, position: scan.position, offset: scan.offset, kind: kind))
    }

    /// Leaves a note beside the segment, which itself is not touched.
    private func quarantine(_ segment: Segment, _ scan: TailScan, _ follower: Int64) throws {
        guard !isReadOnly else { return }
        let note = """
            No valid batch at byte \(scan.position), offset \(scan.offset), \
            but one at byte \(follower).

            """
        let path = segment.stem + SegmentName.quarantineSuffix
        let file = try disk.open(path, .create)
        try file.writeAll(Array(note.utf8), at: 0)
    }
}

/// What a scan of the tail has found so far.
private struct TailScan {
    let start: Checkpoint
    var position: Int64
    var offset: Offset
    var producers: [Int64: ProducerState]
    var report = RecoveryReport()
    var fileByteCount: Int64 = 0

    init(start: Checkpoint) {
        self.start = start
        position = start.position
        offset = start.offset
        producers = start.producers
    }

    mutating func enter(_ segment: Segment) throws {
        if segment.baseOffset != start.segment { position = 0 }
    }

    mutating func add(_ header: RecordBatchHeader, _ bytes: ArraySlice<UInt8>) throws {
        report.scannedBytes += Int64(header.byteCount)
        guard let stamp = header.producer, !header.attributes.isControl else { return }
        let source = try RecordBatch.records(in: bytes, from: header.lastOffset).last?.record.source
        producers[stamp.producerID] =
            (producers[stamp.producerID] ?? ProducerState(id: stamp.producerID))
            .advanced(stamp: stamp, recordCount: header.recordCount, source: source)
    }
}

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
}
