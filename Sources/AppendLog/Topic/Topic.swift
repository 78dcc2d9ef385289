internal import Synchronization

/// One topic: an append-only run of records, numbered from 0.
///
/// Appends queue up; one flusher, which runs only while there is work, makes a batch of what is
/// queued, writes and syncs it, and then tells all of its writers. While it syncs, the next group
/// gathers.
///
/// Locks: `writer` is held by whoever changes files, for as long as that takes; `shared` for
/// moments. Who holds `shared` takes no other lock and calls nobody.
public final class Topic: Sendable {
    public let name: TopicName
    /// The identity of the log that it is a topic of.
    public let log: LogIdentity
    /// What recovery found and did when the topic was opened.
    public let recovery: RecoveryReport

    let configuration: LogConfiguration
    let clock: any LogClock
    let queue: any LogQueue
    private let onPoison: @Sendable (DiskError) -> Void
    let writer: Mutex<TopicWriter>
    let shared: Mutex<Shared>

    struct Shared {
        var run: SegmentRun
        var producers: [Int64: ProducerState]
        var queue = AppendQueue()
        var queuedBytes = 0
        var isFlushing = false
        var pace: SyncPace
        /// `.poisoned` or `.closed`, once the topic takes no more appends.
        var stopped: LogError?
        var tail: TailCache
        var places = PlaceCache()
        var waiters = TailWaiters()
        var opened = OpenSegments()
        /// The checksum of the batch before `run.end`; nil if there is none.
        var lastChecksum: UInt32?
    }

    init(
        name: TopicName, folder: String, identity: LogIdentity, disk: any Disk, clock: any LogClock,
        scheduler: any LogScheduler, configuration: LogConfiguration, lookedAt: TopicLooks? = nil,
        onPoison: @escaping @Sendable (DiskError) -> Void
    ) throws(LogError) {
        self.name = name
        log = identity
        self.configuration = configuration
        self.clock = clock
        self.onPoison = onPoison
        let recovered = try TopicRecovery(
            disk: disk, folder: folder, topic: name, identity: identity,
            configuration: configuration, isReadOnly: false, lookedAt: lookedAt
        ).recover()
        recovery = recovered.report
        do {
            var writer = try TopicWriter(
                disk: disk, folder: folder, name: name, identity: identity, clock: clock,
                configuration: configuration, recovered: recovered)
            try writer.checkpoint(recovered.producers)
            writer.note(recovered.looks)
            // Behind the checkpoint they were read, and sealed before that: now they are known too.
            writer.look(at: recovered.run.segments)
            self.writer = Mutex(writer)
        } catch let error as TopicWriter.Failure {
            throw error.logError
        } catch let error as DiskError {
            throw .disk(error)
        } catch {
            throw .closed
        }
        shared = Mutex(
            Shared(
                run: recovered.run, producers: recovered.producers,
                pace: SyncPace(configuration),
                tail: TailCache(byteCountMax: configuration.tailCacheBytesMax),
                lastChecksum: recovered.lastChecksum))
        queue = scheduler.makeQueue("tillbox.log.\(name)")
    }

    // MARK: Appending

    /// Appends the records; they are durable when it returns, at consecutive offsets.
    ///
    /// The records of one call survive a crash all or none. Cancellation does not take them back.
    ///
    /// - Throws: `.queueFull`, `.diskFull` (both retryable), `.recordTooLarge`, `.appendTooLarge`,
    ///   `.poisoned`, `.closed`.
    public func append(_ records: [Record]) async throws(LogError) -> Range<Offset> {
        // SAFETY: `append(_:completion:)` calls its completion exactly once.
        let result: Result<Range<Offset>, LogError> = await withUnsafeContinuation { continuation in
            append(records) { continuation.resume(returning: $0) }
        }
        return try result.get()
    }

    /// The same without a task: `completion` is called once, on the caller's or the flusher's
    /// thread; be quick there.
    public func append(
        _ records: [Record],
        completion: @escaping @Sendable (Result<Range<Offset>, LogError>) -> Void
    ) {
        do {
            let byteCount = try PendingAppend.byteCount(of: records)
            submit(
                PendingAppend(records: records, byteCount: byteCount) { outcome in
                    completion(outcome.map(\.appended))
                })
        } catch {
            completion(.failure(error))
        }
    }

    /// Appends what a stage derived from a source topic, each source's outputs exactly once.
    ///
    /// Sources do not decrease, and one call holds all outputs of each of its sources. Records
    /// whose source the log already has from this producer are refused, which is counted and no
    /// error. The records of one call survive a crash all or none.
    ///
    /// - Throws: as above, and `.sourcesOutOfOrder`.
    public func append(
        _ outputs: [SourcedRecord], producer: ProducerName
    ) async throws(LogError) -> AppendOutcome {
        // SAFETY: `append(_:producer:completion:)` calls its completion exactly once.
        let result: Result<AppendOutcome, LogError> = await withUnsafeContinuation { continuation in
            append(outputs, producer: producer) { continuation.resume(returning: $0) }
        }
        return try result.get()
    }

    /// The same without a task.
    public func append(
        _ outputs: [SourcedRecord], producer: ProducerName,
        completion: @escaping @Sendable (Result<AppendOutcome, LogError>) -> Void
    ) {
        do {
            for (earlier, later) in zip(outputs, outputs.dropFirst())
            where later.source < earlier.source {
                throw LogError.sourcesOutOfOrder(source: later.source, after: earlier.source)
            }
            let records = outputs.map(\.stored)
            let byteCount = try PendingAppend.byteCount(of: records)
            submit(
                PendingAppend(
                    records: records, sources: outputs.map(\.source), producer: producer.id,
                    byteCount: byteCount, completion: completion))
        } catch {
            completion(.failure(error as? LogError ?? .closed))
        }
    }

    private func submit(_ append: PendingAppend) {
        if let refusal = enqueue(append) { append.completion(.failure(refusal)) }
    }

    /// Queues the append and wakes the flusher; never completes it on the caller's thread.
    ///
    /// - Returns: why it was not queued; its completion will then not be called.
    func enqueue(_ append: PendingAppend) -> LogError? {
        let (refusal, mustSchedule) = shared.withLock { shared -> (LogError?, Bool) in
            if let stopped = shared.stopped { return (stopped, false) }
            let queued = shared.queuedBytes + append.byteCount
            // An empty queue takes any append, however large.
            guard queued <= configuration.queuedBytesMax || shared.queuedBytes == 0 else {
                let bytesMax = configuration.queuedBytesMax
                return (
                    .queueFull(queuedBytes: shared.queuedBytes, queuedBytesMax: bytesMax), false
                )
            }
            shared.queuedBytes = queued
            shared.queue.append(append)
            defer { shared.isFlushing = true }
            return (nil, !shared.isFlushing)
        }
        if mustSchedule { queue.schedule { self.flush() } }
        return refusal
    }

    // MARK: Flushing

    /// Writes group after group until nothing is queued.
    private func flush() {
        while true {
            keepInterval()
            guard let group = nextGroup() else { return }
            guard !group.shares.isEmpty else { continue }
            tell(group, commit(group))
            checkpointIfDue()
        }
    }

    /// Waits until the next sync is due.
    private func keepInterval() {
        guard configuration.syncIntervalMicroseconds > 0 else { return }
        let rest = shared.withLock { shared in
            let isDerived = shared.queue.first.map { $0.producer != nil } ?? false
            return shared.pace.rest(isDerived: isDerived, now: .now)
        }
        if rest > .zero { queue.pause(rest) }
    }

    private func nextGroup() -> Group? {
        shared.withLock { shared in
            guard shared.stopped == nil, !shared.queue.isEmpty else {
                shared.isFlushing = false
                return nil
            }
            let group = Group(
                from: &shared.queue, bytesMax: configuration.batchBytesMax,
                recordsMax: configuration.batchRecordsMax, states: shared.producers)
            shared.pace.didTake(group.producer == nil ? group.shares.count : 0)
            return group
        }
    }

    private func commit(_ group: Group) -> Result<Published, TopicWriter.Failure> {
        let result = writer.withLock { writer in write(group, with: &writer) }
        shared.withLock { $0.queuedBytes -= group.byteCount }
        if case .failure(.fatal(let error)) = result { poison(error) }
        return result
    }

    private func tell(_ group: Group, _ result: Result<Published, TopicWriter.Failure>) {
        switch result {
        case .success(let published):
            published.waiters.resume(.success(()))
            group.complete(from: published.base)
        case .failure(let failure):
            group.fail(failure.logError)
        }
    }

    private struct Published: Sendable {
        var base: Offset
        var waiters: TailWaiters
    }

    private func write(
        _ group: Group, with writer: inout TopicWriter
    ) -> Result<Published, TopicWriter.Failure> {
        guard !group.records.isEmpty else {
            // All refused: their sources are durable already.
            return .success(Published(base: writer.offset, waiters: TailWaiters()))
        }
        let states = shared.withLock { $0.producers }
        let state = group.producer.map { states[$0] ?? ProducerState(id: $0) }
        var bytes: [UInt8] = []
        let header = RecordBatch.encode(
            group.records, baseOffset: writer.offset, producer: state?.next,
            partitionLeaderEpoch: writer.stamp, byteCountMax: group.byteCount, into: &bytes)
        do {
            if writer.mustRoll(before: bytes.count) { try roll(&writer, states) }
            let position = try writer.append(bytes, header)
            writer.segment.add(header, at: position)
        } catch {
            return .failure(error)
        }
        let advanced = state.flatMap { state in
            header.producer.map {
                state.advanced(stamp: $0, recordCount: header.recordCount, source: group.lastSource)
            }
        }
        return .success(publish(header, bytes, advanced, writer))
    }

    func roll(
        _ writer: inout TopicWriter, _ producers: [Int64: ProducerState]
    ) throws(TopicWriter.Failure) {
        let next = try writer.roll()
        shared.withLock { shared in
            shared.run.segments.append(next)
            shared.run.lastByteCount = 0
        }
        try writer.checkpoint(producers)
    }

    /// Lets readers see a batch that is durable now.
    private func publish(
        _ header: RecordBatchHeader, _ bytes: [UInt8], _ state: ProducerState?,
        _ writer: TopicWriter
    ) -> Published {
        shared.withLock { shared in
            precondition(
                header.baseOffset == shared.run.end, "published \(header.baseOffset) twice")
            shared.run.end = header.nextOffset
            shared.run.lastByteCount = writer.position
            shared.lastChecksum = header.crc
            if let state { shared.producers[state.next.producerID] = state }
            shared.tail.add(bytes, header)
            return Published(
                base: header.baseOffset, waiters: shared.waiters.removeReady(shared.run.end))
        }
    }

    private func checkpointIfDue() {
        let failure = writer.withLock { writer -> TopicWriter.Failure? in
            guard writer.isCheckpointDue else { return nil }
            let (producers, isStopped) = shared.withLock { ($0.producers, $0.stopped != nil) }
            guard !isStopped else { return nil }
            do throws(TopicWriter.Failure) {
                try writer.checkpoint(producers)
                return nil
            } catch {
                return error
            }
        }
        if case .fatal(let error) = failure { poison(error) }
    }

    func poison(_ error: DiskError) {
        stop(.poisoned(error))
        onPoison(error)
    }

    /// Takes no more appends: what is queued and who waits for records fails with `reason`.
    func stop(_ reason: LogError) {
        let (appends, waiters) = shared.withLock { shared in
            if shared.stopped == nil { shared.stopped = reason }
            shared.queuedBytes = 0
            return (shared.queue.removeAll(), shared.waiters.removeAll())
        }
        for append in appends { append.completion(.failure(reason)) }
        waiters.resume(.failure(reason))
    }

    /// Refuses new appends, writes those that are queued, and marks the shutdown as clean.
    func close(_ completion: @escaping @Sendable () -> Void) {
        queue.schedule {
            self.flush()
            let failure = self.writer.withLock { writer -> TopicWriter.Failure? in
                let (producers, segments, isStopped) = self.shared.withLock { shared in
                    let isStopped = shared.stopped != nil
                    if !isStopped { shared.stopped = .closed }
                    return (shared.producers, shared.run.segments, isStopped)
                }
                guard !isStopped else { return nil }
                do throws(TopicWriter.Failure) {
                    try writer.close(producers)
                    writer.look(at: segments)
                    return nil
                } catch {
                    return error
                }
            }
            if case .fatal(let error) = failure { self.onPoison(error) }
            self.stop(.closed)
            completion()
        }
    }
}

/// A segment file, as `tillbox log offsets` shows it.
public struct SegmentSummary: Hashable, Sendable {
    public var file: String
    public var baseOffset: Offset
    /// The offset after the segment's last record.
    public var end: Offset
    /// Batches, without preallocated space.
    public var byteCount: Int64

    public init(file: String, baseOffset: Offset, end: Offset, byteCount: Int64) {
        self.file = file
        self.baseOffset = baseOffset
        self.end = end
        self.byteCount = byteCount
    }
}
