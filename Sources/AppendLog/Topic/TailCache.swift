internal import Synchronization

/// The last synced batches, so that who follows the tail need not ask the disk.
struct TailCache: Sendable {
    let byteCountMax: Int
    private var batches: [(header: RecordBatchHeader, bytes: [UInt8])] = []
    private var head = 0
    private var byteCount = 0

    init(byteCountMax: Int) { self.byteCountMax = byteCountMax }

    mutating func add(_ bytes: [UInt8], _ header: RecordBatchHeader) {
        guard byteCountMax > 0 else { return }
        batches.append((header, bytes))
        byteCount += bytes.capacity
        while byteCount > byteCountMax, head < batches.count {
            byteCount -= batches[head].bytes.capacity
            batches[head].bytes = []
            head += 1
        }
        if head >= 256, head * 2 >= batches.count {
            batches.removeFirst(head)
            head = 0
        }
    }

    /// The batches from the one that holds `offset` on; empty if that one is not here.
    func batches(
        from offset: Offset, notBelow start: Offset, byteCountMax: Int
    ) -> [StoredBatch] {
        // Below `start` is what retention has deleted, whether or not it is still here.
        guard head < batches.count, offset >= max(start, batches[head].header.baseOffset),
            offset < batches[batches.count - 1].header.nextOffset
        else { return [] }
        var found: [StoredBatch] = []
        var sum = 0
        var index = batches.partitioningIndex { $0.header.nextOffset > offset }
        while index < batches.count, found.isEmpty || sum < byteCountMax {
            let (header, bytes) = batches[index]
            found.append(
                StoredBatch(header: header, bytes: bytes[...], file: "memory", position: 0))
            sum += bytes.count
            index += 1
        }
        return found
    }
}

/// Where recent reads ended, by the offset that comes next.
struct PlaceCache: Sendable {
    private var places: [Offset: SegmentRun.Place] = [:]
    private var order: [Offset] = []

    mutating func removeAll() { self = PlaceCache() }

    subscript(offset: Offset) -> SegmentRun.Place? {
        get { places[offset] }
        set {
            if places.updateValue(
                newValue ?? SegmentRun.Place(segment: .zero, position: 0), forKey: offset)
                == nil
            {
                order.append(offset)
                if order.count > Limits.readHintsMax { places[order.removeFirst()] = nil }
            }
        }
    }
}

/// Those who wait for records that are not there yet.
struct TailWaiters: Sendable {
    typealias Continuation = UnsafeContinuation<Result<Void, LogError>, Never>
    private var waiters: [UInt64: (offset: Offset, continuation: Continuation)] = [:]

    private static let ids = Atomic<UInt64>(0)

    static func newID() -> UInt64 { ids.add(1, ordering: .relaxed).newValue }

    mutating func add(_ id: UInt64, _ offset: Offset, _ continuation: Continuation) {
        waiters[id] = (offset, continuation)
    }

    /// Takes out those whose records are there now that the high watermark is `end`.
    mutating func removeReady(_ end: Offset) -> TailWaiters {
        guard !waiters.isEmpty else { return TailWaiters() }
        var ready = TailWaiters()
        ready.waiters = waiters.filter { $0.value.offset < end }
        for id in ready.waiters.keys { waiters[id] = nil }
        return ready
    }

    mutating func remove(_ id: UInt64) -> TailWaiters {
        var removed = TailWaiters()
        if let waiter = waiters.removeValue(forKey: id) { removed.waiters[id] = waiter }
        return removed
    }

    mutating func removeAll() -> TailWaiters {
        defer { waiters = [:] }
        return self
    }

    func resume(_ result: Result<Void, LogError>) {
        for waiter in waiters.values { waiter.continuation.resume(returning: result) }
    }
}
