internal import Synchronization

/// Reading, following and looking up; nothing here waits for the writer.
extension Topic {
    /// The last source of which this topic durably has outputs by the producer; nil if there is
    /// none.
    public func lastSource(of producer: ProducerName) -> Offset? {
        shared.withLock { $0.producers[producer.id]?.lastSource }
    }

    /// The first offset that is still kept.
    public var start: Offset { shared.withLock { $0.run.start } }

    /// The offset after the last synced record; the next append's offset, unless more are queued.
    public var highWatermark: Offset { shared.withLock { $0.run.end } }

    /// Where the topic ends, and a sign of how it came there.
    public var mark: TopicMark {
        shared.withLock {
            TopicMark(end: $0.run.end, checksum: $0.lastChecksum, start: $0.run.start)
        }
    }

    /// The checksum of the batch that holds the record before `offset`: who keeps it beside
    /// `offset` can see later whether the log before it is still the one it has read.
    ///
    /// - Returns: nil where there is no such record, or not any more.
    public func checksum(before offset: Offset) throws(LogError) -> UInt32? {
        guard offset > start, offset <= highWatermark else { return nil }
        return try readBatches(from: offset.advanced(by: -1), byteCountMax: 1).first?.header.crc
    }

    /// Synced records from `offset` on, of whole batches up to about `byteCountMax` but at least
    /// one.
    ///
    /// Empty at the high watermark. Blocks while it reads, unless the records are among the last
    /// ones. A closed topic can be read for as long as it is referenced.
    ///
    /// - Throws: `.offsetOutOfRange`, `.corrupt`, `.unsupportedCompression`, `.disk`.
    public func read(
        from offset: Offset, byteCountMax: Int = 1 << 20
    ) throws(LogError) -> [StoredRecord] {
        let cached = cached(from: offset, byteCountMax: byteCountMax)
        if !cached.isEmpty { return try cached.records(from: offset) }
        return try stored(from: offset, byteCountMax: byteCountMax) {
            (batches) throws(LogError) in try batches.verifiedRecords(from: offset)
        }
    }

    /// The same without decoding: synced batches from the one that holds `offset` on.
    public func readBatches(
        from offset: Offset, byteCountMax: Int = 1 << 20
    ) throws(LogError) -> [StoredBatch] {
        let cached = cached(from: offset, byteCountMax: byteCountMax)
        if !cached.isEmpty { return cached }
        return try stored(from: offset, byteCountMax: byteCountMax) {
            (batches) throws(LogError) in try batches.verified()
        }
    }

    /// What memory has of it; nothing if the first batch is not there.
    private func cached(from offset: Offset, byteCountMax: Int) -> [StoredBatch] {
        shared.withLock {
            $0.tail.batches(from: offset, notBelow: $0.run.start, byteCountMax: byteCountMax)
        }
    }

    /// What the disk has of it, as `body` takes it.
    private func stored<Value>(
        from offset: Offset, byteCountMax: Int,
        _ body: (UnverifiedBatches) throws(LogError) -> Value
    ) throws(LogError) -> Value {
        let (run, place) = shared.withLock { ($0.run, $0.places[offset]) }
        do {
            let reading = try run.read(from: offset, byteCountMax: byteCountMax, place: place)
            let value = try body(reading.batches)
            remember(reading, in: run)
            return value
        } catch {
            // Retention may have deleted the file since.
            let (start, end) = shared.withLock { ($0.run.start, $0.run.end) }
            guard offset < start else { throw error }
            throw .offsetOutOfRange(requested: offset, start: start, highWatermark: end)
        }
    }

    private func remember(_ reading: SegmentRun.Reading, in run: SegmentRun) {
        let segment = run.segment(before: reading.next)
        let closing = shared.withLock { shared -> Segment? in
            if let place = reading.place { shared.places[reading.next] = place }
            return segment.flatMap { shared.opened.use($0) }
        }
        closing?.release()
    }

    /// The first offset whose record is stamped `timestamp` or later; nil if there is none.
    public func offset(at timestamp: Timestamp) throws(LogError) -> Offset? {
        try shared.withLock { $0.run }.offset(at: timestamp)
    }

    /// The files of the topic, oldest first.
    public var segments: [SegmentSummary] { shared.withLock { $0.run }.summaries() }

    var segmentCount: Int { shared.withLock { $0.run.segments.count } }

    /// Batches on disk, in bytes.
    public var byteCount: Int64 { segments.reduce(0) { $0 + $1.byteCount } }

    /// Returns when there is a record at `offset`, that is when the high watermark is past it.
    ///
    /// - Throws: `.cancelled`, `.closed`, `.poisoned`.
    public func waitForRecords(from offset: Offset) async throws(LogError) {
        let id = TailWaiters.newID()
        let result: Result<Void, LogError> = await withTaskCancellationHandler {
            // SAFETY: the waiter is resumed once, by whoever takes it out of `waiters`.
            await withUnsafeContinuation { continuation in
                let ready = shared.withLock { shared -> Result<Void, LogError>? in
                    if shared.run.end > offset { return .success(()) }
                    if let stopped = shared.stopped { return .failure(stopped) }
                    if Task.isCancelled { return .failure(.cancelled) }
                    shared.waiters.add(id, offset, continuation)
                    return nil
                }
                if let ready { continuation.resume(returning: ready) }
            }
        } onCancel: {
            let waiter = shared.withLock { $0.waiters.remove(id) }
            waiter.resume(.failure(.cancelled))
        }
        return try result.get()
    }
}
