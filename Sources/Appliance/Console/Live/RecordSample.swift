import AppendLog
import Appliance
import Vocabulary

/// Follows a topic's end and picks single records to tell of: so many a look, whatever its rate,
/// and at the price of those that are picked alone.
struct RecordSample {
    private(set) var next: Offset
    /// Records that were passed over since the last one that was picked.
    private var leftOut: Int64 = 0
    /// Records that were passed over since the start.
    private(set) var leftOutCount: Int64 = 0

    /// - Parameter next: the first that may be picked.
    init(from next: Offset) { self.next = next }

    /// Goes on to `end`.
    ///
    /// - Parameter tell: called for each record that is picked, with how many were passed over
    ///   before it; false for one that is not worth telling, which counts for nothing.
    /// - Throws: where the topic cannot be read now; then the place is what it was.
    mutating func goOn(
        to end: Offset, in topic: TopicReader,
        _ tell: (_ stored: StoredRecord, _ leftOut: Int64) -> Bool
    ) throws(StoreFailure) {
        // What retention has deleted meanwhile was not seen either.
        var place = max(next, topic.start)
        var (toldCount, seenCount) = (0, 0)
        var after = leftOut
        var isDone: Bool {
            toldCount == LiveLimits.recordsPerLook || seenCount == LiveLimits.recordsSeenPerLook
        }
        while place < end, !isDone {
            let records = try topic.read(from: place, byteCountMax: Self.readByteCount)
            guard let last = records.last else { break }
            for stored in records where stored.offset < end {
                guard !isDone else { break }
                place = stored.offset.advanced(by: 1)
                seenCount += 1
                guard tell(stored, after) else { continue }
                toldCount += 1
                after = 0
            }
            guard last.offset < end else { break }
        }
        let passed = max(0, place.distance(to: end))
        leftOut = after + passed
        leftOutCount += passed
        next = max(next, end)
    }

    /// Bytes read at once: a few records.
    private static let readByteCount = 16 << 10
}
