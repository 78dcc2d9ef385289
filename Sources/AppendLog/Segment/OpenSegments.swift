internal import Synchronization

/// The segments that were read last, whose files stay open; the others give theirs back.
struct OpenSegments: Sendable {
    private var segments: [Segment] = []

    /// Takes note that `segment` was read.
    ///
    /// - Returns: the one to give its file back.
    mutating func use(_ segment: Segment) -> Segment? {
        segments.removeAll { $0 === segment }
        segments.append(segment)
        guard segments.count > Limits.openSegmentsMax else { return nil }
        return segments.removeFirst()
    }
}

/// The same for who reads without being a topic's owner, from any thread.
final class SharedOpenSegments: Sendable {
    private let segments = Mutex(OpenSegments())

    func use(_ segment: Segment) { segments.withLock { $0.use(segment) }?.release() }
}
