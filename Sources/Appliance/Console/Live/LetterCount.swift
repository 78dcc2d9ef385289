import AppendLog
import Appliance
import Vocabulary

/// How many dead letters the log holds: `dead.letter` also has the orders by which they go back,
/// and those are none. It is read once, a piece a look; what is not read yet counts as letters.
struct LetterCount {
    /// Bytes that one look reads, at most: one record at least.
    private static let byteCountMax = 1 << 20

    private var next = Offset.zero
    /// Where orders lie, the oldest first.
    private var orders: [Offset] = []

    /// - Throws: `StoreFailure`; the next look goes on where this one began.
    mutating func look(at topic: TopicReader) throws -> Int64 {
        let (start, end) = (topic.start, topic.end)
        // Retention has taken what lies before.
        orders.removeFirst(orders.prefix { $0 < start }.count)
        next = max(next, start)
        if next < end {
            let records = try topic.read(from: next, byteCountMax: Self.byteCountMax)
                .filter { $0.offset < end }
            for stored in records where stored.record.header(RedriveHeader.to) != nil {
                orders.append(stored.offset)
            }
            next = records.last.map { $0.offset.advanced(by: 1) } ?? end
        }
        return start.distance(to: end) - Int64(orders.count)
    }
}
