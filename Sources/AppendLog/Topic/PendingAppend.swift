/// An append that waits for its group.
struct PendingAppend: Sendable {
    var records: [Record]
    /// One source for each record; empty for plain appends.
    var sources: [Offset] = []
    /// nil for plain appends.
    var producer: Int64?
    /// An upper bound of what the records take in a batch.
    var byteCount: Int
    let completion: @Sendable (Result<AppendOutcome, LogError>) -> Void

    /// - Throws: `.recordTooLarge`, `.appendTooLarge`.
    static func byteCount(of records: [Record]) throws(LogError) -> Int {
        var sum = RecordBatch.headerByteCount
        for record in records {
            let bytes = RecordBatch.encodedByteCountMax(of: record)
            guard bytes <= Limits.recordBytesMax else {
                throw .recordTooLarge(bytes: bytes, bytesMax: Limits.recordBytesMax)
            }
            sum += bytes
        }
        guard sum <= Limits.batchBytesMax else {
            throw .appendTooLarge(bytes: sum, bytesMax: Limits.batchBytesMax)
        }
        return sum
    }
}

/// The appends that become one batch, and therefore survive a crash all or none.
///
/// A group is one batch because then every batch is written only after the one before it was
/// synced, and recovery can tell a torn write from damage.
struct Group: Sendable {
    /// What each append gets: its records' place in the batch, and how many were refused.
    struct Share: Sendable {
        var records: Range<Int>
        var refusedCount: Int
        var byteCount: Int
        var completion: @Sendable (Result<AppendOutcome, LogError>) -> Void
    }

    private(set) var producer: Int64?
    private(set) var records: [Record] = []
    private(set) var shares: [Share] = []
    /// The last source in the batch; nil for plain appends.
    private(set) var lastSource: Offset?
    /// What the appends had reserved of the queue.
    private(set) var byteCount = 0

    /// Takes as many appends from the front of `queue` as belong and fit together; at least one.
    ///
    /// - Parameter states: the producers' durable states, whose sources are refused.
    init(
        from queue: inout AppendQueue, bytesMax: Int, recordsMax: Int,
        states: [Int64: ProducerState]
    ) {
        guard let first = queue.first else { return }
        producer = first.producer
        var last = first.producer.flatMap { states[$0]?.lastSource }
        while let next = queue.first, next.producer == producer {
            guard
                shares.isEmpty
                    || (byteCount + next.byteCount <= bytesMax
                        && records.count + next.records.count <= recordsMax)
            else { break }
            queue.removeFirst()
            add(next, after: &last)
        }
    }

    private mutating func add(_ append: PendingAppend, after last: inout Offset?) {
        let start = records.count
        if append.producer == nil {
            if records.isEmpty { records = append.records } else { records += append.records }
        } else {
            // All outputs of a source come in one call, so only earlier calls' sources are refused.
            let known = last
            for (record, source) in zip(append.records, append.sources) {
                if let known, source <= known { continue }
                records.append(record)
                last = source
                lastSource = source
            }
        }
        let added = start..<records.count
        byteCount += append.byteCount
        shares.append(
            Share(
                records: added, refusedCount: append.records.count - added.count,
                byteCount: append.byteCount, completion: append.completion))
    }

    func complete(from base: Offset) {
        for share in shares {
            let range =
                base.advanced(
                    by: Int64(share.records.lowerBound))..<base.advanced(
                    by: Int64(share.records.upperBound))
            share.completion(
                .success(AppendOutcome(appended: range, refusedCount: share.refusedCount)))
        }
    }

    func fail(_ error: LogError) {
        for share in shares { share.completion(.failure(error)) }
    }
}

/// First in, first out; taking from the front does not move the rest.
struct AppendQueue: Sendable {
    private var appends: [PendingAppend?] = []
    private var head = 0

    var first: PendingAppend? { head < appends.count ? appends[head] : nil }
    var isEmpty: Bool { head == appends.count }
    var count: Int { appends.count - head }

    mutating func append(_ append: PendingAppend) { appends.append(append) }

    mutating func removeFirst() {
        precondition(head < appends.count, "nothing is queued")
        appends[head] = nil
        head += 1
        if head == appends.count {
            appends.removeAll(keepingCapacity: true)
            head = 0
        } else if head >= 1024, head * 2 >= appends.count {
            appends.removeFirst(head)
            head = 0
        }
    }

    mutating func removeAll() -> [PendingAppend] {
        defer { self = AppendQueue() }
        return appends[head...].compactMap { $0 }
    }
}
