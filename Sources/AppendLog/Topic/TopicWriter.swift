/// Writes a topic's batches: the only one who changes its files. Guarded by the topic's flusher.
///
/// ```
///        0        position          zeroed        allocated      segmentBytesMax
///        ├────────────┼────────────────┼──────────────┼──────────────┤
///          synced       zeros, written   zeros, only     not there
///          batches      and synced       allocated       yet
/// ```
///
/// Invariants: nothing before `position` is ever written again; what lies beyond was never
/// acknowledged.
struct TopicWriter {
    let disk: any Disk
    let folder: String
    let clock: any LogClock
    let configuration: LogConfiguration
    let name: TopicName
    let identity: LogIdentity

    /// The last segment, which is written to, and its file; nil after it was sealed and the next
    /// one could not be made.
    private(set) var segment: Segment
    private var file: (any DiskFile)?
    private(set) var position: Int64
    private(set) var offset: Offset
    private var allocated: Int64
    private var zeroed: Int64
    /// When the segment got its first batch, or was opened.
    private var since: Int64
    private var checkpointed: Int64
    /// The first offset that is kept, as every checkpoint notes it.
    private var begins: Offset
    /// The checksum of the last batch; nil if there is none.
    private(set) var lastChecksum: UInt32?
    /// What every batch bears.
    let stamp: Int32
    /// What is known of the sealed segments.
    private var looks = TopicLooks()

    /// Why a group could not be written.
    enum Failure: Error {
        /// Nothing was changed that anybody can see.
        case diskFull(String)
        /// Nobody knows what is on the disk.
        case fatal(DiskError)

        /// What a failed call other than a sync means.
        init(_ error: DiskError) {
            self = error.isDiskFull ? .diskFull(error.path) : .fatal(error)
        }

        var logError: LogError {
            switch self {
            case .diskFull(let path): .diskFull(path: path)
            case .fatal(let error): .poisoned(error)
            }
        }
    }

    init(
        disk: any Disk, folder: String, name: TopicName, identity: LogIdentity,
        clock: any LogClock, configuration: LogConfiguration, recovered: TopicRecovery.Result
    ) throws(DiskError) {
        guard let last = recovered.run.segments.last else {
            preconditionFailure("a recovered topic has at least one segment")
        }
        self.disk = disk
        self.folder = folder
        self.name = name
        self.identity = identity
        stamp = identity.stamp(of: name)
        lastChecksum = recovered.lastChecksum
        self.clock = clock
        self.configuration = configuration
        segment = last
        last.beginGrowing()
        file = try disk.open(last.logPath, .readWrite)
        position = recovered.run.lastByteCount
        begins = recovered.run.start
        offset = recovered.run.end
        allocated = recovered.allocatedByteCount
        zeroed = position
        since = clock.monotonicMilliseconds()
        checkpointed = position
    }

    // MARK: Batches

    /// Writes one batch and syncs it. It must begin at `offset`.
    ///
    /// - Returns: where it begins.
    mutating func append(
        _ bytes: [UInt8], _ header: RecordBatchHeader
    ) throws(Failure) -> Int64 {
        precondition(header.baseOffset == offset, "batch \(header.baseOffset) is not \(offset)")
        let file = try openFile()
        try allocate(through: position + Int64(bytes.count), in: file)
        try write(bytes, in: file)
        try padWithZeros(after: Int64(bytes.count), in: file)
        do { try file.sync() } catch { throw .fatal(error) }
        if position == 0 { since = clock.monotonicMilliseconds() }
        let start = position
        position += Int64(bytes.count)
        offset = header.nextOffset
        lastChecksum = header.crc
        return start
    }

    private func openFile() throws(Failure) -> any DiskFile {
        guard let file else { preconditionFailure("the last segment is sealed") }
        return file
    }

    private mutating func allocate(through end: Int64, in file: any DiskFile) throws(Failure) {
        guard end > allocated else { return }
        let step = Int64(configuration.preallocationBytes)
        let wanted = max(end, min(allocated + step, Int64(configuration.segmentBytesMax)))
        do {
            try file.preallocate(wanted)
            allocated = wanted
        } catch {
            guard error.isDiskFull, wanted > end else { throw Failure(error) }
            // What is left may still do for this batch alone.
            do { try file.preallocate(end) } catch { throw Failure(error) }
            allocated = end
        }
    }

    private mutating func write(_ bytes: [UInt8], in file: any DiskFile) throws(Failure) {
        do {
            try file.writeAll(bytes, at: position)
        } catch {
            guard error.isDiskFull else { throw Failure(error) }
            // Half a batch must not lie under the next one: recovery knows a torn write by its
            // zeros.
            do { try file.truncate(position) } catch { throw .fatal(error) }
            (allocated, zeroed) = (position, position)
            throw Failure(error)
        }
    }

    /// Writes zeros behind a small batch, in the same sync, so that the next ones overwrite blocks
    /// that are initialised already.
    private mutating func padWithZeros(
        after byteCount: Int64, in file: any DiskFile
    ) throws(Failure) {
        let end = position + byteCount
        guard byteCount <= Limits.zeroAheadGroupBytesMax, end > zeroed else { return }
        let count = min(Int64(Limits.zeroAheadBytes), allocated - end)
        if count > 0 {
            do { try file.writeAll(Self.zeros(Int(count)), at: end) } catch { throw Failure(error) }
        }
        zeroed = end + max(count, 0)
    }

    private static let allZeros = [UInt8](repeating: 0, count: Limits.zeroAheadBytes)

    private static func zeros(_ count: Int) -> [UInt8] {
        count == allZeros.count ? allZeros : Array(allZeros.prefix(count))
    }

    // MARK: Segments

    /// Whether the segment must be sealed before a batch of that size.
    func mustRoll(before byteCount: Int) -> Bool {
        if file == nil { return true }
        guard position > 0 else { return false }
        return position + Int64(byteCount) > Int64(configuration.segmentBytesMax) || isTooOld
    }

    var isTooOld: Bool {
        position > 0
            && clock.monotonicMilliseconds() - since > configuration.segmentAgeMaxMilliseconds
    }

    /// Seals the segment and makes the next one. After `.diskFull` it may be called again.
    mutating func roll() throws(Failure) -> Segment {
        try seal()
        let next = Segment(
            folder: folder, baseOffset: offset, disk: disk,
            indexIntervalBytes: configuration.indexIntervalBytes)
        let opened: any DiskFile
        do {
            opened = try disk.open(next.logPath, .create)
            try opened.preallocate(
                Int64(min(configuration.preallocationBytes, configuration.segmentBytesMax)))
        } catch {
            throw Failure(error)
        }
        do {
            try opened.sync()
            try disk.syncDirectory(folder)
        } catch {
            throw .fatal(error)
        }
        next.set(SegmentIndex())
        next.beginGrowing()
        allocated = Int64(min(configuration.preallocationBytes, configuration.segmentBytesMax))
        segment = next
        file = opened
        position = 0
        zeroed = 0
        checkpointed = 0
        since = clock.monotonicMilliseconds()
        return next
    }

    /// Trims the segment to its batches, so that it ends where the next one begins.
    private mutating func seal() throws(Failure) {
        guard let file else { return }
        do { try file.truncate(position) } catch { throw Failure(error) }
        do { try file.sync() } catch { throw .fatal(error) }
        try writeIndexes(synced: true)
        segment.endGrowing()
        self.file = nil
    }

    private func writeIndexes(synced: Bool) throws(Failure) {
        do {
            try segment.writeIndexes(synced: synced)
        } catch {
            if error.operation == .sync { throw .fatal(error) }
            // Without an index the segment is read from its start; it is rebuilt when it is needed.
            guard error.isDiskFull else { throw .fatal(error) }
        }
    }

    // MARK: Checkpoints

    var isCheckpointDue: Bool {
        position - checkpointed >= Int64(configuration.checkpointBytes)
    }

    /// Notes that everything up to here is durable, with the producers' states at this point.
    ///
    /// - Returns: whether there was room for it.
    @discardableResult
    mutating func checkpoint(_ producers: [Int64: ProducerState]) throws(Failure) -> Bool {
        try writeIndexes(synced: false)
        var checkpoint = Checkpoint(segment: segment.baseOffset, position: position, offset: offset)
        (checkpoint.placeCount, checkpoint.momentCount) = segment.indexCounts
        checkpoint.producers = producers
        (checkpoint.log, checkpoint.topic) = (identity, name)
        checkpoint.lastChecksum = position > 0 ? lastChecksum : nil
        checkpoint.begins = begins
        checkpointed = position
        do {
            try disk.write(checkpoint, in: folder)
            return true
        } catch {
            if error.operation == .sync || error.operation == .syncDirectory { throw .fatal(error) }
            // The old one still holds; the next recovery reads a little more.
            guard error.isDiskFull else { throw .fatal(error) }
            return false
        }
    }

    /// Notes durably that the topic begins behind `doomed`, its oldest segments: only then may they
    /// go, because a recovery looks for every segment from where the checkpoint says that it
    /// begins.
    ///
    /// - Returns: false while there is no room for the note.
    mutating func mayDelete(
        _ doomed: ArraySlice<Segment>, keepingFrom start: Offset,
        _ producers: [Int64: ProducerState]
    ) throws(Failure) -> Bool {
        let kept = begins
        begins = start
        if try checkpoint(producers) { return true }
        // On a full disk their indexes make room: they can be built again, should the segments
        // stay.
        do throws(DiskError) {
            for segment in doomed { try removeIndexes(of: segment) }
        } catch {
            throw .fatal(error)
        }
        if try checkpoint(producers) { return true }
        begins = kept
        return false
    }

    private func removeIndexes(of segment: Segment) throws(DiskError) {
        for path in [segment.indexPath, segment.timeIndexPath] where try disk.exists(path) {
            try disk.remove(path)
        }
    }

    /// Trims the last segment and leaves a checkpoint at its end: the next recovery reads nothing.
    mutating func close(_ producers: [Int64: ProducerState]) throws(Failure) {
        if let file {
            do { try file.truncate(position) } catch { throw .fatal(error) }
            do { try file.sync() } catch { throw .fatal(error) }
            allocated = position
        }
        try checkpoint(producers)
        file = nil
    }

    /// Looks at those of the last segments that were sealed since, so that the next start need not.
    /// What is wrong with one, that start will tell.
    mutating func look(at segments: [Segment]) {
        var check = SealedCheck(
            disk: disk, known: looks, stamps: StampCheck(expected: stamp))
        do {
            _ = try check.check(
                segments.suffix(Limits.looksAtOnceMax + 1), before: segment.baseOffset,
                readsLast: false)
        } catch {
            return
        }
        var looks = looks
        looks.merge(check.looks, keepingFrom: segments.first?.baseOffset ?? .zero)
        note(looks)
    }

    /// Notes what is known of them. Without the file the next start reads a little of each.
    mutating func note(_ looks: TopicLooks) {
        self.looks = looks
        guard !looks.isStored, !looks.segments.isEmpty else { return }
        do {
            try disk.write(looks, in: folder, stamp: stamp)
            self.looks.isStored = true
        } catch {}
    }

    /// Deletes the files of a segment that is no longer part of the topic.
    ///
    /// One at a time and oldest first: a crash may lose any renaming that is not synced, and must
    /// not leave a hole.
    func delete(_ segment: Segment) throws(Failure) {
        do {
            let doomed = segment.logPath + SegmentName.deletedSuffix
            try disk.rename(segment.logPath, to: doomed)
            try disk.syncDirectory(folder)
            try disk.remove(doomed)
            try removeIndexes(of: segment)
        } catch {
            throw .fatal(error)
        }
    }
}
