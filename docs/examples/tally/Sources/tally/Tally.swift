import AppendLog

/// One step of a pipeline over a log: it reads orders and appends, for each, what all orders until
/// then come to. Killed at any moment and started again it ends with the same totals.
///
///     orders ─▶ total so far ─▶ totals
struct Tally {
    let orders: Topic
    let totals: Topic
    let cursors: CursorStore
    let group: GroupName
    let producer: ProducerName

    init(in log: Log) throws {
        orders = try log.topic(TopicName("orders"))
        totals = try log.topic(TopicName("totals"))
        cursors = log.cursors
        group = try GroupName("tally")
        producer = try ProducerName("tally")
    }

    /// Cents of an order, and of a total; nil for what is neither.
    static func cents(of record: Record) -> Int64? {
        record.value.flatMap { Int64(String(decoding: $0, as: UTF8.self)) }
    }

    static func record(cents: Int64, at timestamp: Timestamp) -> Record {
        Record(key: nil, value: ArraySlice("\(cents)".utf8), timestamp: timestamp)
    }

    /// Takes what is there, and returns how many totals it appended.
    ///
    /// The place to go on from is the totals' own: their last source is stored together with them.
    /// The cursor, which is committed after, tells retention what is still needed.
    func catchUp() async throws -> Int {
        var next = totals.lastSource(of: producer)?.advanced(by: 1) ?? orders.start
        var total = try lastTotal()
        var count = 0
        while true {
            let records = try orders.read(from: next)
            guard let last = records.last else { break }
            var outputs: [SourcedRecord] = []
            for stored in records {
                total += Self.cents(of: stored.record) ?? 0
                outputs.append(
                    SourcedRecord(
                        source: stored.offset,
                        record: Self.record(cents: total, at: stored.record.timestamp)))
            }
            let outcome = try await totals.append(outputs, producer: producer)
            count += outputs.count - outcome.refusedCount
            next = last.offset.advanced(by: 1)
            try await cursors.commit(next, group: group, topic: orders.name)
        }
        return count
    }

    /// What the last total says; 0 before the first.
    func lastTotal() throws -> Int64 {
        guard totals.highWatermark > totals.start else { return 0 }
        let last = try totals.read(from: totals.highWatermark.advanced(by: -1)).last
        return last.flatMap { Self.cents(of: $0.record) } ?? 0
    }
}
