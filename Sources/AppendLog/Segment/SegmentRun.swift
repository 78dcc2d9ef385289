/// What a topic holds at one moment: its segments and where they end. A value; readers work on a
/// copy while the writer goes on.
struct SegmentRun: Sendable {
    /// Oldest first; never empty in an open topic.
    var segments: [Segment] = []
    /// The offset after the last record that may be seen.
    var end: Offset = .zero
    /// Bytes of the last segment that hold records that may be seen.
    var lastByteCount: Int64 = 0

    var start: Offset { segments.first?.baseOffset ?? end }

    /// Where a read ended: the place at which the next one begins.
    struct Place: Hashable, Sendable {
        var segment: Offset
        var position: Int64
    }

    struct Reading: Sendable {
        var batches: UnverifiedBatches
        var next: Offset
        /// Where `next` begins, unless that is in another segment; nil if nothing was read.
        var place: Place?
    }

    private func end(of index: Int) -> Offset {
        index + 1 < segments.count ? segments[index + 1].baseOffset : end
    }

    private func byteCount(of index: Int) throws(LogError) -> Int64 {
        guard index + 1 < segments.count else { return lastByteCount }
        do { return try segments[index].byteCount() } catch { throw .disk(error) }
    }

    /// The segment that holds `offset`, which must lie between `start` and `end`.
    private func index(of offset: Offset) -> Int {
        segments.partitioningIndex { $0.baseOffset > offset } - 1
    }

    /// The first segments, which are whole, and the others.
    func split(behind count: Int) -> (first: SegmentRun, rest: SegmentRun) {
        var (first, rest) = (SegmentRun(), self)
        first.segments = Array(segments.prefix(count))
        rest.segments = Array(segments.dropFirst(count))
        first.end = rest.start
        first.lastByteCount = (try? first.segments.last?.byteCount()) ?? 0
        return (first, rest)
    }

    /// The segment that was read when a reading ended at `next`; nil in front of all.
    func segment(before next: Offset) -> Segment? {
        let after = segments.partitioningIndex { $0.baseOffset >= next }
        return after > 0 ? segments[after - 1] : nil
    }

    /// Batches from the one with `offset` on; `place` says where it begins, if that is known.
    func read(
        from offset: Offset, byteCountMax: Int, place: Place?
    ) throws(LogError) -> Reading {
        guard offset >= start, offset <= end else {
            throw .offsetOutOfRange(requested: offset, start: start, highWatermark: end)
        }
        guard offset < end else {
            return Reading(batches: UnverifiedBatches(), next: offset, place: nil)
        }
        let index = index(of: offset)
        let segment = segments[index]
        let limit = try byteCount(of: index)
        var from: (position: Int64, offset: Offset) = (0, segment.baseOffset)
        if let place, place.segment == segment.baseOffset {
            from = (place.position, offset)
        } else {
            from = try segment.place(of: offset, limit: limit, end: end(of: index))
        }
        var walk = try segment.walk(
            from: from.position, expecting: from.offset, limit: limit,
            chunkByteCount: max(byteCountMax, Limits.readBytesMin), verifies: false)
        return try batches(from: offset, byteCountMax: byteCountMax, in: segment, along: &walk)
    }

    private func batches(
        from offset: Offset, byteCountMax: Int, in segment: Segment, along walk: inout BatchWalk
    ) throws(LogError) -> Reading {
        var found: [(header: RecordBatchHeader, position: Int64)] = []
        var byteCount = 0
        while found.isEmpty || (byteCount < byteCountMax && walk.fitsNext()) {
            switch try walk.step(in: segment) {
            case .batch(let header, let position):
                guard header.nextOffset > offset else { continue }
                byteCount += header.byteCount
                found.append((header, position))
            case .end, .unwritten:
                throw .corrupt(segment.corruption(at: walk, .missing))
            case .bad(let kind):
                throw .corrupt(segment.corruption(at: walk, kind))
            }
        }
        let batches = found.map {
            StoredBatch(
                header: $0.header, bytes: walk.bytes(of: $0.header, at: $0.position),
                file: segment.logPath, position: $0.position)
        }
        let place = Place(segment: segment.baseOffset, position: walk.position)
        return Reading(
            batches: UnverifiedBatches(batches), next: walk.expected, place: place)
    }

    /// The first offset whose record is stamped `timestamp` or later.
    func offset(at timestamp: Timestamp) throws(LogError) -> Offset? {
        for (index, segment) in segments.enumerated() {
            guard segment.baseOffset < end(of: index) else { continue }
            let limit = try byteCount(of: index)
            let known = try segment.index(limit: limit, end: end(of: index))
            guard let latest = known.maxTimestamp, latest >= timestamp else { continue }
            let before = known.relativeOffset(before: timestamp)
            let from = segment.baseOffset.advanced(by: before.map { Int64($0) + 1 } ?? 0)
            let found = try offset(
                at: timestamp, from: from, in: segment, limit: limit, end: end(of: index))
            if let found { return found }
        }
        return nil
    }

    private func offset(
        at timestamp: Timestamp, from: Offset, in segment: Segment, limit: Int64, end: Offset
    ) throws(LogError) -> Offset? {
        let (position, expected) = try segment.place(of: from, limit: limit, end: end)
        var walk = try segment.walk(
            from: position, expecting: expected, limit: limit, verifies: false)
        while true {
            switch try walk.step(in: segment) {
            case .batch(let header, let position):
                guard header.maxTimestamp >= timestamp else { continue }
                do {
                    try walk.verifyLast()
                    let records = try RecordBatch.records(in: walk.bytes, from: from)
                    if let found = records.first(where: { $0.record.timestamp >= timestamp }) {
                        return found.offset
                    }
                } catch {
                    throw segment.failure(error, at: position, offset: header.baseOffset)
                }
            case .end, .unwritten:
                // A file that ends early does not say that there is nothing of that time.
                guard walk.expected == end else {
                    throw .corrupt(segment.corruption(at: walk, .missing))
                }
                return nil
            case .bad(let kind): throw .corrupt(segment.corruption(at: walk, kind))
            }
        }
    }

    func summaries() -> [SegmentSummary] {
        segments.indices.map { index in
            // A log may have more segments than a process files.
            defer { segments[index].release() }
            return SegmentSummary(
                file: segments[index].logPath, baseOffset: segments[index].baseOffset,
                end: end(of: index), byteCount: (try? byteCount(of: index)) ?? 0)
        }
    }

    /// The latest timestamp in the segment at `index`; nil if it holds no record.
    func maxTimestamp(of index: Int) throws(LogError) -> Timestamp? {
        let limit = try byteCount(of: index)
        guard limit > 0 else { return nil }
        return try segments[index].index(limit: limit, end: end(of: index)).maxTimestamp
    }

    /// What retention looks at, oldest first.
    ///
    /// - Parameter cutoff: segments behind the first that is not older are not asked for their
    ///   time, which costs reading their indexes; nil asks none.
    func ages(olderThan cutoff: Timestamp?) throws(LogError) -> [SegmentAge] {
        var ages: [SegmentAge] = []
        var isAsked = cutoff != nil
        for index in segments.indices {
            defer { segments[index].release() }
            let latest = isAsked ? try maxTimestamp(of: index) : nil
            if let cutoff, let latest, latest >= cutoff { isAsked = false }
            ages.append(
                SegmentAge(
                    end: end(of: index), byteCount: try byteCount(of: index), latest: latest))
        }
        return ages
    }
}
