internal import Synchronization

/// One segment: a `.log` file and its two indexes, opened when they are needed.
///
/// The file is only ever written by the topic's writer, which has its own handle; this is the
/// readers' view. What a segment holds is decided by the topic, which passes `limit` and `end`.
final class Segment: Sendable {
    let baseOffset: Offset
    /// The path without a suffix.
    let stem: String
    private let disk: any Disk
    private let indexIntervalBytes: Int
    /// Of a segment in a cold folder, which is whole, its size; nil of any other.
    private let coldByteCount: Int64?

    private struct State {
        var file: (any DiskFile)?
        var index: SegmentIndex?
        /// Whether the writer adds to the index, which then must not be given up.
        var isGrowing = false
    }
    private let state = Mutex(State())

    init(
        folder: String, baseOffset: Offset, disk: any Disk, indexIntervalBytes: Int,
        coldByteCount: Int64? = nil
    ) {
        self.baseOffset = baseOffset
        self.coldByteCount = coldByteCount
        stem = folder + "/" + SegmentName.stem(baseOffset)
        self.disk = disk
        self.indexIntervalBytes = indexIntervalBytes
    }

    var logPath: String { stem + SegmentName.logSuffix }
    var indexPath: String { stem + SegmentName.indexSuffix }
    var timeIndexPath: String { stem + SegmentName.timeIndexSuffix }

    /// The file for reading.
    func file() throws(DiskError) -> any DiskFile {
        if let file = state.withLock({ $0.file }) { return file }
        let opened = try disk.open(logPath, .read)
        return state.withLock { state in
            let file = state.file ?? opened
            state.file = file
            return file
        }
    }

    var isCold: Bool { coldByteCount != nil }

    func byteCount() throws(DiskError) -> Int64 {
        if let coldByteCount { return coldByteCount }
        return try file().size()
    }

    /// Closes the file and forgets the indexes; they come back when they are needed. Nothing
    /// happens to a segment that is written to.
    func release() { state.withLock { if !$0.isGrowing { $0 = State() } } }

    // MARK: Indexes

    /// Takes note of a batch that was appended; the caller has set an index before.
    func add(_ header: RecordBatchHeader, at position: Int64) {
        state.withLock { state in
            state.index?.add(
                header, at: position, base: baseOffset, intervalBytes: indexIntervalBytes)
        }
    }

    func set(_ index: SegmentIndex) { state.withLock { $0.index = index } }

    func beginGrowing() { state.withLock { $0.isGrowing = true } }
    func endGrowing() { state.withLock { $0.isGrowing = false } }

    var indexCounts: (places: Int, moments: Int) {
        state.withLock { ($0.index?.places.count ?? 0, $0.index?.moments.count ?? 0) }
    }

    /// Writes both index files as they are now, so that their last entries speak for the whole
    /// segment.
    func writeIndexes(synced: Bool) throws(DiskError) {
        let index: SegmentIndex? = state.withLock { state in
            state.index?.seal()
            return state.index
        }
        guard let index else { return }
        for (path, bytes) in [
            (indexPath, index.encodedPlaces()), (timeIndexPath, index.encodedMoments()),
        ] {
            let file = try disk.open(path, .create)
            try file.writeAll(bytes, at: 0)
            if synced { try file.sync() }
        }
    }

    /// The index of the segment's first `limit` bytes, loaded, or rebuilt if the files are no good.
    func index(limit: Int64, end: Offset) throws(LogError) -> SegmentIndex {
        if let index = state.withLock({ $0.index }) { return index }
        let extent = SegmentIndex.Extent(
            byteCount: limit, recordCount: baseOffset.distance(to: end))
        let index: SegmentIndex
        if let loaded = loadedIndex(extent) {
            index = loaded
        } else {
            index = try rebuiltIndex(limit: limit, end: end)
        }
        return state.withLock { state in
            let kept = state.index ?? index
            state.index = kept
            return kept
        }
    }

    func loadedIndex(_ extent: SegmentIndex.Extent) -> SegmentIndex? {
        do {
            return SegmentIndex(
                places: try wholeFile(indexPath), moments: try wholeFile(timeIndexPath),
                extent: extent)
        } catch {
            // An index that cannot be read is rebuilt like one that is not there.
            return nil
        }
    }

    /// What both files say, sane or not complete; nil if one of them is missing or nonsense.
    func storedIndex() -> SegmentIndex? {
        guard let places = try? wholeFile(indexPath), let moments = try? wholeFile(timeIndexPath)
        else { return nil }
        return SegmentIndex(stored: places, moments)
    }

    private func wholeFile(_ path: String) throws(DiskError) -> [UInt8] {
        let file = try disk.open(path, .read)
        return try file.read(at: 0, count: Int(try file.size()))
    }

    /// Reads the headers of the batches in the first `limit` bytes.
    func rebuiltIndex(limit: Int64, end: Offset) throws(LogError) -> SegmentIndex {
        var index = SegmentIndex()
        var walk = try walk(from: 0, expecting: baseOffset, limit: limit, verifies: false)
        while true {
            switch try walk.step(in: self) {
            case .batch(let header, let position):
                index.add(header, at: position, base: baseOffset, intervalBytes: indexIntervalBytes)
            case .end, .unwritten:
                guard walk.expected == end else {
                    throw .corrupt(corruption(at: walk, .missing))
                }
                index.seal()
                return index
            case .bad(let kind):
                throw .corrupt(corruption(at: walk, kind))
            }
        }
    }

    // MARK: Reading

    /// Has the disk fetch the indexes and where the segment begins, while the caller does something
    /// else. What cannot be opened is found out by whoever reads it.
    func willReadIndexes() {
        for path in [indexPath, timeIndexPath] {
            guard let file = try? disk.open(path, .read), let size = try? file.size() else {
                continue
            }
            file.willRead(at: 0, count: Int(size))
        }
        (try? file())?.willRead(at: 0, count: RecordBatch.headerByteCount)
    }

    /// The same for the last batches, of a sealed segment that ends before `end`; the index tells
    /// where they lie.
    func willReadEnd(before end: Offset) {
        guard let file = try? file(), let size = try? file.size(),
            let index = try? index(limit: size, end: end), let place = index.places.last
        else { return }
        let position = Int64(place.position)
        guard position < size else { return }
        file.willRead(at: position, count: Int(size - position))
    }

    func walk(
        from position: Int64, expecting offset: Offset, limit: Int64,
        chunkByteCount: Int = Limits.scanChunkBytes, verifies: Bool = true
    ) throws(LogError) -> BatchWalk {
        do {
            return BatchWalk(
                try file(), from: position, expecting: offset, limit: limit,
                chunkByteCount: chunkByteCount, verifies: verifies)
        } catch {
            throw .disk(error)
        }
    }

    func corruption(at walk: BatchWalk, _ kind: Corruption.Kind) -> Corruption {
        Corruption(file: logPath, position: walk.position, offset: walk.expected, kind: kind)
    }

    /// What a batch that cannot be decoded means to the caller.
    func failure(_ error: RecordBatchError, at position: Int64, offset: Offset) -> LogError {
        if case .unsupportedCompression(let codec) = error {
            return .unsupportedCompression(codec, file: logPath, offset: offset)
        }
        return .corrupt(
            Corruption(file: logPath, position: position, offset: offset, kind: .batch(error)))
    }

    /// A place at or before `offset` from which to walk.
    func place(of offset: Offset, limit: Int64, end: Offset) throws(LogError) -> (Int64, Offset) {
        guard offset > baseOffset,
            let relative = UInt32(exactly: baseOffset.distance(to: offset))
        else { return (0, baseOffset) }
        for isRetry in [false, true] {
            let index = try index(limit: limit, end: end)
            guard let place = index.place(atOrBefore: relative), Int64(place.position) < limit
            else { break }
            let found = baseOffset.advanced(by: Int64(place.relativeOffset))
            if try holdsBatch(at: Int64(place.position), beginning: found) {
                return (Int64(place.position), found)
            }
            if !isRetry { set(try rebuiltIndex(limit: limit, end: end)) }
        }
        return (0, baseOffset)
    }

    private func holdsBatch(at position: Int64, beginning offset: Offset) throws(LogError) -> Bool {
        do {
            let bytes = try file().read(at: position, count: RecordBatch.headerByteCount)
            return (try? RecordBatch.header(in: bytes[...]))?.baseOffset == offset
        } catch {
            throw .disk(error)
        }
    }
}

extension BatchWalk {
    /// `next()` with the log's error.
    mutating func step(in segment: Segment) throws(LogError) -> Step {
        do { return try next() } catch { throw .disk(error) }
    }
}
