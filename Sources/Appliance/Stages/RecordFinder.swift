import AppendLog
import Vocabulary

/// Finds the records behind a transaction of the ledger. Nothing leads from one to the other but
/// the time and the names that they bear, so that it looks around the time of booking, in windows
/// that grow; memory holds a megabyte of records at a time.
struct RecordFinder {
    enum Search {
        case found(StoredRecord)
        case not(TrailPoint.State)

        var record: StoredRecord? {
            if case .found(let stored) = self { stored } else { nil }
        }

        var state: TrailPoint.State {
            switch self {
            case .found(let stored): .at(stored.offset)
            case .not(let state): state
            }
        }
    }

    /// How well a record fits; of two that fit alike the later one counts.
    enum Fit: Int { case not, perhaps, exactly }

    let topic: (TopicID) throws -> TopicReader?

    /// Records that the first and the largest window of a search have.
    private static let windowMin: Int64 = 256
    private static let windowMax: Int64 = 4_096

    /// Looks for a record that was stamped at or before `moment`, the newest first; then, since a
    /// clock may have been set back, for one behind it.
    func find(
        in id: TopicID, stampedBy moment: Timestamp, _ fit: (StoredRecord) -> Fit
    ) throws -> Search {
        guard let reader = try topic(id) else { return .not(.noLog) }
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

    /// The record that another names as its source.
    ///
    /// - Parameter isIt: whether a record there is the one; where it is not, it is looked for.
    func source(
        of record: Record, in id: TopicID, stampedBy moment: Timestamp,
        _ fit: (StoredRecord) -> Fit
    ) throws -> Search {
        // What came back from the dead letters names the order that sent it.
        guard record.text(RedriveHeader.from) == nil, let source = record.source else {
            return try find(in: id, stampedBy: moment, fit)
        }
        guard let reader = try topic(id) else { return .not(.noLog) }
        if source < reader.start { return .not(.removed(begins: reader.start)) }
        if let found = try reader.record(at: source) {
            let stored = StoredRecord(offset: source, record: found)
            if fit(stored) == .exactly { return .found(stored) }
        }
        return try find(in: id, stampedBy: moment, fit)
    }

    /// The record of `ledger.posted` that tells of a transaction. Each has one, in their order.
    func posted(_ id: TransactionID) throws -> Search {
        guard let reader = try topic(.ledgerPosted) else { return .not(.noLog) }
        var (low, high) = (reader.start, reader.end)
        var isBehind = true
        while low < high {
            let middle = low.advanced(by: low.distance(to: high) / 2)
            guard let record = try reader.record(at: middle), let row = record.source?.rawValue
            else { return .not(.missing) }
            if row == id.rawValue {
                return .found(StoredRecord(offset: middle, record: record))
            }
            if row < id.rawValue {
                low = middle.advanced(by: 1)
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
