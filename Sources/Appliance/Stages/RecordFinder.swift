import AppendLog
import Bridges
import Vocabulary

/// Finds the records behind a transaction of the ledger. Nothing leads from one to the other but
/// the time and the names that they bear, so that it looks around the time of booking, in windows
/// that grow; memory holds a megabyte of records at a time. Of several partitions it looks into the
/// one that a record's key leads to.
struct RecordFinder {
    /// What was found in one partition.
    struct Search {
        enum Outcome {
            case found(StoredRecord)
            case not(TrailPoint.State)
        }

        /// nil where topics have one.
        var partition: Int32?
        var outcome: Outcome

        var record: StoredRecord? {
            if case .found(let stored) = outcome { stored } else { nil }
        }

        var state: TrailPoint.State {
            switch outcome {
            case .found(let stored): .at(stored.offset)
            case .not(let state): state
            }
        }
    }

    /// How well a record fits; of two that fit alike the later one counts.
    enum Fit: Int { case not, perhaps, exactly }

    /// Partitions of every topic, into which records go by their keys; nil for a log whose topics
    /// have one, and whose records name what they follow from by its offset alone.
    let partitionCount: Int32?
    /// nil where there is no such topic, or no log.
    let reader: (SourceLane) throws -> TopicReader?

    /// Whether a record is found by its key alone.
    var isKeyed: Bool { partitionCount != nil }

    /// Where the records of a key are; nil where topics have one partition.
    private func partition(of key: String) -> Int32? {
        partitionCount.map { KafkaPartitioner.partition(ofKey: ArraySlice(key.utf8), count: $0) }
    }

    /// Records that the first and the largest window of a search have.
    private static let windowMin: Int64 = 256
    private static let windowMax: Int64 = 4_096

    /// Looks for a record that was stamped at or before `moment`, the newest first; then, since a
    /// clock may have been set back, for one behind it.
    ///
    /// - Parameter key: of the records, where it decides on their partition.
    func find(
        in id: TopicID, of key: String, stampedBy moment: Timestamp, _ fit: (StoredRecord) -> Fit
    ) throws -> Search {
        let partition = partition(of: key)
        guard let reader = try reader(SourceLane(topic: id, partition: partition ?? 0)) else {
            return Search(partition: partition, outcome: .not(.noLog))
        }
        return Search(
            partition: partition, outcome: try find(in: reader, stampedBy: moment, fit))
    }

    private func find(
        in reader: TopicReader, stampedBy moment: Timestamp, _ fit: (StoredRecord) -> Fit
    ) throws -> Search.Outcome {
        let later = Timestamp(milliseconds: moment.milliseconds &+ 1)
        let middle = try reader.offset(at: later) ?? reader.end
        let isCut = reader.start > .zero
        if isCut, middle <= reader.start { return .not(.removed(begins: reader.start)) }
        var fair: StoredRecord?
        var (high, width) = (middle, Self.windowMin)
        while high > reader.start {
            let low = max(reader.start, high.advanced(by: -width))
            let best = try best(in: reader, low, high, fit)
            if let exact = best.exact { return .found(exact) }
            // Records of one event stand beside each other: nothing better comes.
            if let fair { return .found(fair) }
            fair = best.fair
            (high, width) = (low, min(width * 2, Self.windowMax))
        }
        let behind = try best(in: reader, middle, reader.end, fit)
        if let found = behind.exact ?? fair ?? behind.fair { return .found(found) }
        return .not(isCut ? .removed(begins: reader.start) : .missing)
    }

    /// The record that another names as its source, in a log whose topics have one partition.
    ///
    /// - Parameter isIt: whether a record there is the one; where it is not, it is looked for.
    func source(
        of record: Record, in id: TopicID, stampedBy moment: Timestamp,
        _ fit: (StoredRecord) -> Fit
    ) throws -> Search {
        func search(_ outcome: Search.Outcome) -> Search {
            Search(partition: nil, outcome: outcome)
        }
        guard let reader = try reader(SourceLane(topic: id, partition: 0)) else {
            return search(.not(.noLog))
        }
        // What came back from the dead letters names the order that sent it.
        guard record.text(RedriveHeader.from) == nil, let source = record.source else {
            return search(try find(in: reader, stampedBy: moment, fit))
        }
        if source < reader.start { return search(.not(.removed(begins: reader.start))) }
        if let found = try reader.record(at: source) {
            let stored = StoredRecord(offset: source, record: found)
            if fit(stored) == .exactly { return search(.found(stored)) }
        }
        return search(try find(in: reader, stampedBy: moment, fit))
    }

    /// The record of `ledger.posted` that tells of a transaction. Each has one, in their order
    /// within a partition.
    ///
    /// - Parameter movement: of the transaction, which is the record's key.
    func posted(_ id: TransactionID, _ movement: MovementKey) throws -> Search {
        let partition = partition(of: movement.rawValue)
        let lane = SourceLane(topic: .ledgerPosted, partition: partition ?? 0)
        guard let reader = try reader(lane) else {
            return Search(partition: partition, outcome: .not(.noLog))
        }
        return Search(partition: partition, outcome: try posted(id, in: reader))
    }

    private func posted(_ id: TransactionID, in reader: TopicReader) throws -> Search.Outcome {
        var (low, high) = (reader.start, reader.end)
        var isBehind = true
        while low < high {
            let middle = low.advanced(by: low.distance(to: high) / 2)
            // At Kafka there is not a record at every offset.
            guard let stored = try reader.read(from: middle, byteCountMax: 1).first,
                stored.offset < high
            else {
                high = middle
                continue
            }
            guard let row = stored.record.source?.rawValue else { return .not(.missing) }
            if row == id.rawValue { return .found(stored) }
            if row < id.rawValue {
                low = stored.offset.advanced(by: 1)
            } else {
                (high, isBehind) = (middle, false)
            }
        }
        if isBehind { return .not(.pending) }
        return .not(
            low == reader.start && low > .zero ? .removed(begins: reader.start) : .missing)
    }

    private func best(
        in reader: TopicReader, _ low: Offset, _ high: Offset, _ fit: (StoredRecord) -> Fit
    ) throws -> (exact: StoredRecord?, fair: StoredRecord?) {
        var (exact, fair): (StoredRecord?, StoredRecord?)
        guard low < high else { return (nil, nil) }
        try reader.scan(from: low) { stored in
            guard stored.offset < high else { return false }
            switch fit(stored) {
            case .exactly: exact = stored
            case .perhaps: fair = stored
            case .not: break
            }
            return stored.offset.advanced(by: 1) < high
        }
        return (exact, fair)
    }
}

extension Record {
    /// The offset, or the row of the ledger, that it was derived from; nil where it names none.
    fileprivate var source: Offset? {
        text(SourcedRecord.headerName).flatMap { Int64($0) }.flatMap { Offset(named: $0) }
    }
}
