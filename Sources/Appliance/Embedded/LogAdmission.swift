package import AppendLog
import Dispatch
import Synchronization
package import Vocabulary

/// The admission of the embedded plane: the log's own index of what it holds, and the claims of
/// this process, which is the only one.
///
///     delivery A of evt_1          delivery B of evt_1
///     claim: absent → pending
///     append … sync                claim: pending → waits for A
///     settle: pending → stored     (nothing is appended)
///     200                          200 duplicate
///
/// When A's append fails, B fails with it, and Stripe's next retry claims anew.
package final class LogAdmission: AdmissionStore {
    private let topic: Topic
    private let state: Mutex<State>
    /// Where stored records are read.
    private let lookups = DispatchQueue(label: "tillbox.gate.lookups", qos: .userInitiated)
    /// Reads the identity out of a stored body, to compare it exactly.
    private let identify: @Sendable (ArraySlice<UInt8>) -> EventIdentity?
    /// Below it the snapshot told every event: what has come since is read from the log at each
    /// start, until the next snapshot.
    package let snapshotEnd: Offset

    private struct State {
        var index: AdmissionIndex
        var pending: [EventID: Pending] = [:]
        /// Everything below is in the index; written until the catch-up is done.
        var indexed: Offset
    }

    private struct Pending {
        var identity: EventIdentity
        /// Told once the first delivery's record is on disk, or is not going to be.
        var waiters: [Waiter] = []
    }

    private typealias Waiter = @Sendable (Result<Void, LogError>) -> Void

    private enum Claim {
        case claimed
        /// The first delivery is under way, and the waiter in its line.
        case waits
        case stored([Offset])
    }

    /// - Parameters:
    ///   - topic: `webhook.received`.
    ///   - index: what a snapshot held; its records up to `indexed`.
    init(
        topic: Topic, index: AdmissionIndex, indexed: Offset,
        identify: @escaping @Sendable (ArraySlice<UInt8>) -> EventIdentity?
    ) {
        self.topic = topic
        self.identify = identify
        snapshotEnd = indexed
        state = Mutex(State(index: index, indexed: indexed))
    }

    /// Appends `record` unless an event of this id is stored; `completion` is called once, when
    /// that is on disk, on the caller's or on the log's thread: be quick there.
    ///
    /// It fails with what the append failed with; the id is then free again.
    package func admit(
        _ identity: EventIdentity, record: Record,
        completion: @escaping @Sendable (Result<AdmissionOutcome, StoreFailure>) -> Void
    ) {
        admit(identity, record, ruledOut: []) { completion($0.mapError { StoreFailure($0) }) }
    }

    private func admit(
        _ identity: EventIdentity, _ record: Record, ruledOut: [Offset],
        _ completion: @escaping @Sendable (Result<AdmissionOutcome, LogError>) -> Void
    ) {
        switch claim(identity, ruledOut: ruledOut, completion) {
        case .claimed:
            topic.append([record]) { result in
                let offset = result.map(\.lowerBound)
                self.settle(identity, offset)
                completion(
                    offset.map { .admitted(SourcePlace(topic: .webhookReceived, offset: $0)) })
            }
        case .waits:
            break
        case .stored(let candidates):
            // What was stored long ago lies on the disk, which an event loop must not wait for.
            lookups.async {
                switch Result(catching: { () throws(LogError) in
                    try self.stored(among: candidates, as: identity.id)
                }) {
                case .success(let first?):
                    completion(.success(first == identity ? .duplicate : .conflict))
                case .success(nil):
                    self.admit(identity, record, ruledOut: candidates, completion)
                case .failure(let error):
                    completion(.failure(error))
                }
            }
        }
    }

    /// How many records the index knows.
    package var count: Int { state.withLock { $0.index.count } }

    /// Adds what the log holds beyond the snapshot; call before the first `admit`.
    ///
    /// - Parameter progress: called with the offset reached, about once a megabyte.
    func catchUp(progress: (Offset) -> Void) throws(LogError) {
        let end = topic.highWatermark
        var next = max(state.withLock { $0.indexed }, topic.start)
        while next < end {
            let records = try topic.read(from: next, byteCountMax: GateLimits.catchUpByteCount)
            guard let last = records.last else { break }
            state.withLock { state in
                for stored in records {
                    guard let key = stored.record.key else { continue }
                    state.index.insert(AdmissionIndex.digest(of: key), at: stored.offset)
                }
                state.indexed = last.offset.advanced(by: 1)
            }
            next = last.offset.advanced(by: 1)
            progress(next)
        }
    }

    /// What a snapshot that holds every record before `next` was taken from.
    func origin(before next: Offset) throws(LogError) -> SnapshotOrigin {
        try SnapshotOrigin(of: topic, before: next)
    }

    /// Forgets what retention deleted, a shard at a time: deliveries wait for one of them at most.
    package func forget(below start: Offset) {
        for shard in 0..<AdmissionIndex.shardCount {
            state.withLock { $0.index.forget(below: start, inShard: shard) }
        }
    }

    /// Bytes of memory that the index takes.
    package var indexByteCount: Int { state.withLock { $0.index.byteCount } }

    /// Hands out the index a shard at a time, so that a snapshot holds the lock for microseconds a
    /// time.
    ///
    /// - Parameters:
    ///   - begin: told first the offset below which every record is in what is handed out. Some at
    ///     or above it may be too; reading them again from the log is harmless.
    ///   - eachShard: told the digests, as far as the index knows them, and where their records
    ///     are.
    func snapshot(
        begin: (Offset) throws -> Void,
        eachShard: ([(digest: UInt64, offset: Offset)]) throws -> Void
    ) async throws {
        // A record below the watermark is in the index, or its admission is pending right now and
        // settles in a moment.
        let through = topic.highWatermark
        for id in state.withLock({ Array($0.pending.keys) }) { await settled(id) }
        try begin(through)
        for shard in 0..<AdmissionIndex.shardCount {
            try eachShard(
                state.withLock { state in
                    var pairs: [(digest: UInt64, offset: Offset)] = []
                    state.index.forEachPair(ofShard: shard) { pairs.append(($0, $1)) }
                    return pairs
                })
        }
    }

    private func claim(
        _ identity: EventIdentity, ruledOut: [Offset],
        _ completion: @escaping @Sendable (Result<AdmissionOutcome, LogError>) -> Void
    ) -> Claim {
        let digest = AdmissionIndex.digest(of: identity.id.rawValue.utf8)
        return state.withLock { state in
            if let first = state.pending[identity.id]?.identity {
                state.pending[identity.id]?.waiters.append { result in
                    completion(result.map { first == identity ? .duplicate : .conflict })
                }
                return .waits
            }
            let candidates = state.index.candidates(for: digest).filter { $0 >= topic.start }
            guard candidates.allSatisfy(ruledOut.contains) else { return .stored(candidates) }
            state.pending[identity.id] = Pending(identity: identity)
            return .claimed
        }
    }

    private func settle(_ identity: EventIdentity, _ result: Result<Offset, LogError>) {
        let digest = AdmissionIndex.digest(of: identity.id.rawValue.utf8)
        let waiters = state.withLock { state in
            if case .success(let offset) = result {
                state.index.insert(digest, at: offset)
            }
            return state.pending.removeValue(forKey: identity.id)?.waiters ?? []
        }
        for waiter in waiters { waiter(result.map { _ in }) }
    }

    /// Waits until the admission of `id`, if one is under way, has settled.
    private func settled(_ id: EventID) async {
        await withCheckedContinuation { continuation in
            let waits = state.withLock { state in
                state.pending[id]?.waiters.append { _ in continuation.resume() } != nil
            }
            if !waits { continuation.resume() }
        }
    }

    /// The identity stored under `id` at one of `candidates`; nil when the digest merely collided,
    /// or the log has the record no more.
    private func stored(
        among candidates: [Offset], as id: EventID
    ) throws(LogError) -> EventIdentity? {
        for offset in candidates {
            guard let first = try record(at: offset),
                first.offset == offset, let key = first.record.key,
                key.elementsEqual(id.rawValue.utf8), let value = first.record.value
            else { continue }
            // A record that cannot be identified was stored by this gate all the same.
            return identify(value) ?? EventIdentity(id: id, type: "", created: "")
        }
        return nil
    }

    /// nil for one that has left the log before the index was told of it (``forget(below:)``).
    private func record(at offset: Offset) throws(LogError) -> StoredRecord? {
        do throws(LogError) {
            return try topic.read(from: offset, byteCountMax: 1).first
        } catch {
            guard offset < topic.start else { throw error }
            return nil
        }
    }
}
