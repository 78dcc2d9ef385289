/// Looks at each sealed segment where it begins and where it ends, so that none is missing, cut, or
/// another's; but not at one whose file is the one that was looked at before.
struct SealedCheck {
    let disk: any Disk
    /// What was seen before.
    let known: TopicLooks
    var stamps: StampCheck
    /// What is known of the segments that were asked for.
    private(set) var looks = TopicLooks()

    init(disk: any Disk, known: TopicLooks, stamps: StampCheck) {
        self.disk = disk
        self.known = known
        self.stamps = stamps
    }

    private struct Sealed {
        let segment: Segment
        /// Where the next one begins.
        let end: Offset
        /// Its file now; nil where the disk cannot tell whether it changes.
        let version: FileVersion?
        let isKnown: Bool
    }

    /// - Parameters:
    ///   - segments: all of a topic, or some that follow one another.
    ///   - first: is sealed no more.
    ///   - readsLast: whether the last one is read even where it is known. Without it only what
    ///     will be known then is read.
    /// - Returns: the checksum of the last batch in the last one that was read.
    /// - Throws: `.corrupt`, `.disk`.
    mutating func check(
        _ segments: some Collection<Segment>, before first: Offset, readsLast: Bool = true
    ) throws(LogError) -> UInt32? {
        let sealed = zip(segments, segments.dropFirst())
            .prefix { $0.0.baseOffset < first }
            .map { look(at: $0, before: $1.baseOffset) }
        let due = sealed.indices.filter {
            if readsLast, $0 == sealed.count - 1 { return true }
            return !sealed[$0].isKnown && (readsLast || sealed[$0].version != nil)
        }
        for one in sealed where one.isKnown { keep(one) }
        let firstKnown = sealed.firstIndex { $0.isKnown } ?? sealed.count
        var last: UInt32?
        var ahead = ReadAhead(due.map { (sealed[$0].segment, sealed[$0].end) })
        for place in due {
            ahead.step()
            // Only what bears the log's stamp is ever known.
            if place > firstKnown { stamps.didSeeOwn() }
            let one = sealed[place]
            last = try SegmentEnds(segment: one.segment).check(end: one.end, &stamps)
            one.segment.release()
            if stamps.isSure, version(of: one.segment) == one.version { keep(one) }
        }
        looks.isStored = known.isStored && looks.segments == known.segments
        return last
    }

    private func look(at segment: Segment, before end: Offset) -> Sealed {
        let version = version(of: segment)
        let isKnown = version.map { known[segment.baseOffset] == .init(end: end, version: $0) }
        return Sealed(
            segment: segment, end: end, version: version, isKnown: isKnown ?? false)
    }

    /// What cannot be told here, its reader finds out.
    private func version(of segment: Segment) -> FileVersion? {
        (try? disk.version(of: segment.logPath)) ?? nil
    }

    private mutating func keep(_ one: Sealed) {
        guard let version = one.version else { return }
        looks.add(.init(end: one.end, version: version), of: one.segment.baseOffset)
    }
}

/// Has the disk fetch what a check is about to read: what tells where a segment's end lies has come
/// by the time that the end is asked for.
private struct ReadAhead {
    let segments: [(segment: Segment, end: Offset)]
    private var (place, indexes, ends) = (0, 0, 0)

    init(_ segments: [(segment: Segment, end: Offset)]) { self.segments = segments }

    /// Before each of them.
    mutating func step() {
        while indexes < min(segments.count, place + 2 * Limits.endsAheadMax) {
            segments[indexes].segment.willReadIndexes()
            indexes += 1
        }
        while ends < min(segments.count, place + Limits.endsAheadMax) {
            segments[ends].segment.willReadEnd(before: segments[ends].end)
            ends += 1
        }
        place += 1
    }
}
