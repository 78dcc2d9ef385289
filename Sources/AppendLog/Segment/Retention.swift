/// What retention needs to know of a segment.
struct SegmentAge: Hashable, Sendable {
    /// The offset after its last record.
    var end: Offset
    var byteCount: Int64
    /// Its latest timestamp; nil if it holds no record, or was not asked for it.
    var latest: Timestamp?
}

/// Which segments are no longer kept. Pure: it takes ages and gives a count.
struct Retention: Sendable {
    var ageMaxMilliseconds: Int64?
    var byteCountMax: Int64?
    /// The smallest cursor of any group; nil if there is none, or it does not count.
    var needed: Offset?

    /// What is younger is kept for its age; nil where age does not count.
    func cutoff(now: Timestamp) -> Timestamp? {
        ageMaxMilliseconds.map { Timestamp(milliseconds: now.milliseconds - $0) }
    }

    /// How many segments, counted from the oldest, may go. Never the last one, which is written to.
    func expiredCount(of segments: [SegmentAge], now: Timestamp) -> Int {
        var byteCount = segments.reduce(0) { $0 + $1.byteCount }
        var count = 0
        for segment in segments.dropLast() {
            if let needed, segment.end > needed { break }
            let isTooOld =
                if let cutoff = cutoff(now: now), let latest = segment.latest {
                    latest < cutoff
                } else { false }
            let isTooMuch = byteCountMax.map { byteCount > $0 } ?? false
            guard isTooOld || isTooMuch else { break }
            byteCount -= segment.byteCount
            count += 1
        }
        return count
    }
}
