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
///
/// What lies before the checkpoint is not read whole; but each sealed segment is looked at where it
/// begins and where it ends, so that none is missing, cut, or another's (`SegmentEnds`).
struct TopicRecovery {
    let disk: any Disk
    let folder: String
    let topic: TopicName
    /// nil for a log of which nobody knows yet who it is.
    let identity: LogIdentity?
    let configuration: LogConfiguration
    /// Nothing is written, synced or cut; a torn tail is simply not shown.
    let isReadOnly: Bool
    /// Whether sealed segments are looked at too.
    var checksSegments = true
    /// What somebody else has seen of them just now, so that they are not looked at again.
    var lookedAt: TopicLooks?

    struct Result {
        var run: SegmentRun
        var producers: [Int64: ProducerState]
        /// The checksum of the last batch; nil if the topic holds none.
        var lastChecksum: UInt32?
        /// Where the topic must begin at the latest.
        var begins = KnownBeginning.unknown
        /// What is known of the sealed segments.
        var looks = TopicLooks()
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
        if segments.isEmpty {
            let checkpoint = try ownCheckpoint()
            guard checkpoint == nil || checkpoint?.offset == .zero else {
                throw missing(checkpoint)
            }
            if isReadOnly { return empty([]) }
            try removeLeftovers(names, segments)
            segments = [segment(.zero)]
            try create(segments[0])
            return empty(segments)
        }
        let stamp = identity?.stamp(of: topic)
        let checkpoint = try startingPoint(segments)
        let start = segments[0].baseOffset
        var scan = TailScan(
            start: checkpoint ?? Checkpoint(segment: start, position: 0, offset: start),
            begins: KnownBeginning(checkpoint), stamp: stamp)
        let first = scan.start.segment
        var looks = lookedAt ?? TopicLooks()
        if lookedAt == nil, checksSegments {
            if let stamp { looks = disk.looks(in: folder, stamp: stamp) }
            var check = SealedCheck(
                disk: disk, known: looks, stamps: StampCheck(expected: stamp))
            scan.lastChecksum = try check.check(segments, before: first)
            looks = check.looks
        } else if !isReadOnly {
            // The last of them tells which batch the next one follows.
            let last = segments.prefix { $0.baseOffset <= first }.suffix(2)
            var check = SealedCheck(
                disk: disk, known: TopicLooks(), stamps: StampCheck(expected: stamp))
            scan.lastChecksum = try check.check(Array(last), before: first)
        }
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
        // Only now: a folder that is refused stays as it was.
        if !isReadOnly { try removeLeftovers(names, segments) }
        let run = SegmentRun(
            segments: segments, end: scan.offset, lastByteCount: scan.position)
        return Result(
            run: run, producers: scan.producers, lastChecksum: scan.lastChecksum,
            begins: scan.begins, looks: looks, report: scan.report,
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

    /// The checkpoint, unless it was written for another topic or another log: the topic's batches
    /// tell all of it again.
    private func ownCheckpoint() throws(DiskError) -> Checkpoint? {
        guard let checkpoint = try disk.checkpoint(in: folder) else { return nil }
        if let log = checkpoint.log {
            guard checkpoint.topic == topic, identity == nil || log == identity else { return nil }
        }
        return checkpoint
    }

    /// The checkpoint; nil where there is none, and the topic is read from its beginning.
    private func startingPoint(_ segments: [Segment]) throws -> Checkpoint? {
        let first = segments[0].baseOffset
        guard let checkpoint = try ownCheckpoint() else {
            return nil
        }
        if let begins = checkpoint.begins, first > begins {
            throw LogError.corrupt(
                Corruption(
                    file: segment(begins).logPath, position: 0, offset: begins,
                    kind: .begins(at: first)))
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
        if scan.position > 0 { try checkCheckpoint(segment, &scan) }
        var walk = BatchWalk(
            file, from: scan.position, expecting: scan.offset, limit: scan.fileByteCount)
        while true {
            switch try walk.next() {
            case .batch(let header, let position):
                if let refusal = scan.stamps.refusal(of: header) {
                    throw LogError.corrupt(
                        Corruption(
                            file: segment.logPath, position: position, offset: header.baseOffset,
                            kind: refusal))
                }
                do {
                    try scan.add(header, walk.bytes)
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

    /// What the checkpoint vouches for is not read again, but its end is: the last batch was
    /// acknowledged, so that a bad one is damage.
    private func checkCheckpoint(_ segment: Segment, _ scan: inout TailScan) throws(LogError) {
        let last = try SegmentEnds(segment: segment).lastBatch(
            limit: scan.position, end: scan.offset)
        var stamps = StampCheck(expected: scan.stamps.expected)
        if let kind = stamps.refusal(of: last) {
            throw .corrupt(
                Corruption(
                    file: segment.logPath, position: scan.position, offset: last.baseOffset,
                    kind: kind))
        }
        if let known = scan.start.lastChecksum, known != last.crc {
            throw damaged(segment, scan, .checkpoint)
        }
        scan.lastChecksum = last.crc
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
        if case .batch(.checksumMismatch) = kind,
            try RestOfSegment.isWholeBatch(file, at: scan.position)
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
    let begins: KnownBeginning
    var position: Int64
    var offset: Offset
    var producers: [Int64: ProducerState]
    var stamps: StampCheck
    var lastChecksum: UInt32?
    var report = RecoveryReport()
    var fileByteCount: Int64 = 0

    init(start: Checkpoint, begins: KnownBeginning, stamp: Int32?) {
        self.start = start
        self.begins = begins
        // Whoever wrote a checkpoint that names its log has stamped every batch behind it.
        stamps = StampCheck(expected: stamp, hasSeenOwn: start.log != nil)
        position = start.position
        offset = start.offset
        producers = start.producers
    }

    mutating func enter(_ segment: Segment) throws {
        if segment.baseOffset != start.segment { position = 0 }
    }

    mutating func add(_ header: RecordBatchHeader, _ bytes: ArraySlice<UInt8>) throws {
        report.scannedBytes += Int64(header.byteCount)
        lastChecksum = header.crc
        guard let stamp = header.producer, !header.attributes.isControl else { return }
        let source = try RecordBatch.records(in: bytes, from: header.lastOffset).last?.record.source
        producers[stamp.producerID] =
            (producers[stamp.producerID] ?? ProducerState(id: stamp.producerID))
            .advanced(stamp: stamp, recordCount: header.recordCount, source: source)
    }
}
