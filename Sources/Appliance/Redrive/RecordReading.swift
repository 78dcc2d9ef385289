import AppendLog

/// A topic that can be read: the daemon's own, or one seen from outside without the lock.
protocol RecordReading: Sendable {
    /// The first offset that is still kept.
    var start: Offset { get }
    /// The offset after the last record.
    var end: Offset { get }
    func read(from offset: Offset, byteCountMax: Int) throws(LogError) -> [StoredRecord]
    func offset(at timestamp: Timestamp) throws(LogError) -> Offset?
}

extension ReadOnlyTopic: RecordReading {}

extension Topic: RecordReading {
    var end: Offset { highWatermark }
}

extension RecordReading {
    /// Hands every record from `offset` on to `body`, until that returns false.
    func scan(
        from offset: Offset, byteCountMax: Int = RedriveLimits.readByteCount,
        _ body: (StoredRecord) -> Bool
    ) throws(LogError) {
        var next = max(offset, start)
        while next < end {
            let records = try read(from: next, byteCountMax: byteCountMax)
            guard let last = records.last else { return }
            for stored in records where !body(stored) { return }
            next = last.offset.advanced(by: 1)
        }
    }

    /// The record at `offset`; nil when it is not kept.
    func record(at offset: Offset) throws(LogError) -> Record? {
        guard offset >= start, offset < end else { return nil }
        let first = try read(from: offset, byteCountMax: 1).first
        return first?.offset == offset ? first?.record : nil
    }
}

/// Bounds of what is read and sent at once.
enum RedriveLimits {
    /// Bytes of dead letters that are looked at together.
    static let readByteCount = 1 << 20
    /// Bytes of `dead.letter`'s target that are searched for one redriven record.
    static let searchByteCount = 16 << 20
    /// Bytes of dead letters from which on a request takes no more; their orders fit one append.
    static let requestByteCount = 2 << 20
    /// Dead letters that one request takes at most; the answer says where to go on.
    static let requestCountMax = 1000
    /// Dead letters that one page lists at most.
    static let pageCountMax = 1000
    /// Body of a request, in bytes.
    static let bodyByteCountMax = 64 << 10
}
