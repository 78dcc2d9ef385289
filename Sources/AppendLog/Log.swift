internal import Synchronization

/// A folder of topics, opened by one process.
///
/// ```
/// <path>/lock                                       who has it
/// <path>/identity                                   which log it is
/// <path>/<topic>-0/lock                             the same of the topic, which may be a link
///                  00000000000000000000.log         batches, as Kafka stores them
///                  00000000000000000000.index       offset → position
///                  00000000000000000000.timeindex   timestamp → offset
///                  checkpoint                       what recovery need not read
///                  looks                            which segments need not be looked at
/// <path>/__cursors-0/                               where the groups are
/// ```
public final class Log: Sendable {
    private let path: String
    private let disk: any Disk
    private let clock: any LogClock
    private let scheduler: any LogScheduler
    private let configuration: LogConfiguration
    /// Drawn when the folder was made, and kept with whatever is taken from the log.
    public let identity: LogIdentity
    private let lock: any DiskLock
    private let topicLocks = TopicLocks()
    private let topics: Topics
    private let store: CursorStore
    private let poisoning: Poisoning

    /// Opens the folder, making it if it is not there, and recovers what a crash left.
    ///
    /// Blocks while it reads the tails; call it off the cooperative pool or at start.
    ///
    /// - Parameters:
    ///   - path: the log's folder.
    ///   - disk: where the folder is.
    ///   - clock: for the records' timestamps and for retention.
    ///   - scheduler: what writers and syncs run on.
    ///   - configuration: within the bounds that ``Limits`` names.
    ///   - lookedAt: what `openReadOnly` has just seen of the sealed segments for who has let
    ///     nobody else change the folder since; else each is looked at where it begins and ends,
    ///     unless it is known to be as it was then.
    /// - Throws: `.locked`, `.corrupt`, `.identityUnknown`, `.disk`, `.diskFull`, `.configuration`.
    public static func open(
        at path: String, disk: any Disk = PosixDisk(), clock: any LogClock = SystemLogClock(),
        scheduler: any LogScheduler = DispatchScheduler(),
        configuration: LogConfiguration = LogConfiguration(), lookedAt: LogLooks? = nil
    ) throws(LogError) -> Log {
        try configuration.validate()
        do {
            try disk.createDirectory(path)
        } catch {
            throw .disk(error)
        }
        let lock = try disk.locked(path)
        do {
            return try Log(
                path: path, disk: disk, clock: clock, scheduler: scheduler,
                configuration: configuration, lock: lock, lookedAt: lookedAt)
        } catch {
            lock.release()
            throw error
        }
    }

    /// Opens the folder for reading, without a lock and without writing anything.
    ///
    /// Another process may be appending to it meanwhile: each topic ends where its last whole batch
    /// ended when it was opened; open it again to see more.
    ///
    /// - Parameters:
    ///   - path: the folder of a log.
    ///   - disk: where it lies.
    ///   - checksSegments: whether each sealed segment is looked at where it begins and ends, as
    ///     `open` does: that none is missing, cut, or another's.
    ///   - withCold: whether topics go on in the cold folders where their own segments begin.
    /// - Throws: `.corrupt`, `.identityUnknown`, `.disk`; with `withCold` `.coldIndexDamaged` and
    ///   `.coldGap` too.
    public static func openReadOnly(
        at path: String, disk: any Disk = PosixDisk(), checksSegments: Bool = false,
        withCold: Bool = false
    ) throws(LogError) -> ReadOnlyLog {
        try ReadOnlyLog(
            path: path, disk: disk, checksSegments: checksSegments, withCold: withCold)
    }

    private init(
        path: String, disk: any Disk, clock: any LogClock, scheduler: any LogScheduler,
        configuration: LogConfiguration, lock: any DiskLock, lookedAt: LogLooks?
    ) throws(LogError) {
        self.path = path
        self.disk = disk
        self.clock = clock
        self.scheduler = scheduler
        self.configuration = configuration
        self.lock = lock
        let topics = Topics()
        self.topics = topics
        poisoning = Poisoning(topics)
        let folders: [TopicName]
        do {
            folders = try disk.list(path).compactMap(SegmentName.topic(ofFolder:)).sorted()
        } catch {
            throw .disk(error)
        }
        let identity = try Self.identity(of: path, folders, disk, configuration)
        self.identity = identity
        let (poisoning, topicLocks) = (poisoning, topicLocks)
        func open(_ name: TopicName, _ configuration: LogConfiguration) throws(LogError) -> Topic {
            let folder = path + "/" + SegmentName.folder(name)
            try topicLocks.take(folder, on: disk)
            return try Topic(
                name: name, folder: folder, identity: identity,
                disk: disk, clock: clock, scheduler: scheduler, configuration: configuration,
                lookedAt: lookedAt?.topics[name], onPoison: { poisoning.poison($0) })
        }
        for name in folders where name != .cursors {
            topics.add(try open(name, configuration))
        }
        do {
            try disk.createDirectory(path + "/" + SegmentName.folder(.cursors))
            try disk.syncDirectory(path)
        } catch {
            throw .disk(error)
        }
        let cursors = try open(.cursors, Self.cursorConfiguration(configuration))
        topics.add(cursors)
        store = try CursorStore(
            topic: cursors, clock: clock, highWatermark: { topics[$0]?.highWatermark },
            ends: { topics.marks })
    }

    /// Which log the folder is; a new one, or one of a release that knew no identity, gets one.
    private static func identity(
        of path: String, _ topics: [TopicName], _ disk: any Disk, _ configuration: LogConfiguration
    ) throws(LogError) -> LogIdentity {
        let known = try disk.identity(of: path, topics: topics)
        let identity = known ?? configuration.newIdentity ?? .random()
        do {
            if try disk.storedIdentity(in: path) == nil { try disk.write(identity, in: path) }
        } catch {
            throw error.isDiskFull ? .diskFull(path: path) : .disk(error)
        }
        return identity
    }

    private static func cursorConfiguration(_ configuration: LogConfiguration) -> LogConfiguration {
        var cursors = configuration
        cursors.segmentBytesMax = min(configuration.segmentBytesMax, Limits.cursorSegmentBytes)
        cursors.preallocationBytes = min(
            configuration.preallocationBytes, Limits.cursorSegmentBytes / 4)
        cursors.tailCacheBytesMax = 0
        // Nobody waits for a cursor.
        cursors.gatheringAppends = 0
        cursors.retentionAgeMilliseconds = nil
        cursors.retentionBytes = nil
        return cursors
    }

    /// The topic of that name, made when absent; the same object each time.
    ///
    /// Making one blocks for a few syncs.
    ///
    /// - Throws: `.disk`, `.diskFull`, `.closed`, `.poisoned`.
    public func topic(_ name: TopicName) throws(LogError) -> Topic {
        if let reason = poisoning.stopped { throw reason }
        let folder = path + "/" + SegmentName.folder(name)
        let poisoning = poisoning
        return try topics.find(name) { () throws(LogError) in
            do throws(DiskError) {
                try disk.createDirectory(folder)
                try disk.syncDirectory(path)
            } catch {
                throw error.isDiskFull ? .diskFull(path: folder) : .disk(error)
            }
            try topicLocks.take(folder, on: disk)
            return try Topic(
                name: name, folder: folder, identity: identity, disk: disk, clock: clock,
                scheduler: scheduler, configuration: configuration,
                onPoison: { poisoning.poison($0) })
        }
    }

    /// In the order of their names.
    public var topicNames: [TopicName] { topics.all.map(\.name).filter { $0 != .cursors }.sorted() }

    /// Where the groups of consumers are.
    public var cursors: CursorStore { store }

    /// What recovery found when the log was opened, by topic.
    public var recovery: [TopicName: RecoveryReport] {
        Dictionary(topics.all.map { ($0.name, $0.recovery) }) { first, _ in first }
    }

    /// Why the log has stopped by itself, if it has: always `.poisoned`.
    public var poison: LogError? { poisoning.reason }

    /// Returns when the log is poisoned, with the reason; or nil when it is closed or the task
    /// cancelled.
    public func waitForPoison() async -> LogError? { await poisoning.wait() }

    /// Deletes, in every topic, the segments that retention no longer keeps.
    ///
    /// - Returns: how many, by topic.
    /// - Throws: as `Topic.applyRetention`; the topics after the one that failed are left as they
    ///   are.
    public func applyRetention() async throws(LogError) -> [TopicName: Int] {
        var counts: [TopicName: Int] = [:]
        for topic in topics.all where topic.name != .cursors {
            counts[topic.name] = try await topic.applyRetention(
                needed: store.smallest(in: topic.name))
        }
        return counts
    }

    /// Deletes, in every topic, the segments that have a whole copy in a cold folder.
    ///
    /// - Returns: how many, by topic.
    /// - Throws: as `Topic.release`, and `.coldIndexDamaged`; nothing else depends on it.
    public func releaseCold() async throws(LogError) -> [TopicName: Int] {
        guard let index = try ColdIndex.read(ofLog: path, identity: identity, on: disk) else {
            return [:]
        }
        var counts: [TopicName: Int] = [:]
        for topic in topics.all where topic.name != .cursors {
            counts[topic.name] = try await topic.release(
                index, needed: store.smallest(in: topic.name), on: disk)
        }
        return counts
    }

    /// Bytes left on the log's file system.
    public func freeBytes() throws(LogError) -> Int64 {
        do { return try disk.freeBytes(path) } catch { throw .disk(error) }
    }

    /// Appends what is queued, syncs, notes where every topic ends, marks the shutdown as clean and
    /// releases the folder. Idempotent.
    public func close() async {
        // SAFETY: `close(_:)` calls its completion exactly once.
        await withUnsafeContinuation { continuation in
            close { continuation.resume() }
        }
    }

    /// The same without a task.
    public func close(_ completion: @escaping @Sendable () -> Void) {
        guard poisoning.beginClosing() else { return completion() }
        let topics = topics
        let all = topics.all
        let closeCursors = { @Sendable in
            self.store.mark { _ in
                topics[.cursors]?.close {
                    self.poisoning.finishClosing()
                    self.topicLocks.release()
                    self.lock.release()
                    completion()
                }
            }
        }
        let others = all.filter { $0.name != .cursors }
        if others.isEmpty { return closeCursors() }
        let left = Countdown(others.count, closeCursors)
        for topic in others { topic.close { left.signal() } }
    }
}

/// What opening a topic found and did.
public struct RecoveryReport: Hashable, Sendable {
    /// Bytes of batches that were read because no checkpoint vouched for them. 0 after a clean
    /// close.
    public var scannedBytes: Int64 = 0
    /// Bytes of a torn, never acknowledged batch that were cut off.
    public var truncatedBytes: Int64 = 0

    public init() {}
}

/// The open topics, by name.
private final class Topics: Sendable {
    private let topics = Mutex<[TopicName: Topic]>([:])

    subscript(name: TopicName) -> Topic? { topics.withLock { $0[name] } }
    var marks: [TopicName: TopicMark] {
        topics.withLock { $0.filter { $0.key != .cursors } }.mapValues(\.mark)
    }
    var all: [Topic] { topics.withLock { $0.values.sorted { $0.name < $1.name } } }

    func add(_ topic: Topic) { topics.withLock { $0[topic.name] = topic } }

    /// The topic of that name; made by `make`, by one caller at a time, if there is none.
    func find(
        _ name: TopicName, _ make: () throws(LogError) -> Topic
    ) throws(LogError) -> Topic {
        let result = topics.withLock { topics -> Result<Topic, LogError> in
            if let topic = topics[name] { return .success(topic) }
            do throws(LogError) {
                let topic = try make()
                topics[name] = topic
                return .success(topic)
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }
}

/// The topics' own folders, held for as long as the log is: one may be a link that another log has
/// too. They go with the log even where it was not closed.
private final class TopicLocks: Sendable {
    private let locks = Mutex<[any DiskLock]>([])

    deinit { release() }

    func take(_ folder: String, on disk: any Disk) throws(LogError) {
        let lock = try disk.locked(folder)
        locks.withLock { $0.append(lock) }
    }

    func release() {
        let held = locks.withLock { locks in
            defer { locks = [] }
            return locks
        }
        for lock in held { lock.release() }
    }
}

/// Whether the log still runs, and who waits to hear that it does not.
private final class Poisoning: Sendable {
    private struct State {
        var reason: LogError?
        var isClosed = false
        var waiters: [UInt64: UnsafeContinuation<LogError?, Never>] = [:]
    }
    private let state = Mutex(State())
    private let topics: Topics

    init(_ topics: Topics) { self.topics = topics }

    var reason: LogError? { state.withLock { $0.reason } }

    /// Why topics can no longer be had; nil while they can.
    var stopped: LogError? { state.withLock { $0.reason ?? ($0.isClosed ? .closed : nil) } }

    /// One topic's failure stops them all: they share the disk.
    func poison(_ error: DiskError) {
        let waiters = state.withLock { state in
            if state.reason == nil { state.reason = .poisoned(error) }
            defer { state.waiters = [:] }
            return state.waiters
        }
        for topic in topics.all { topic.stop(.poisoned(error)) }
        for waiter in waiters.values { waiter.resume(returning: .poisoned(error)) }
    }

    func beginClosing() -> Bool {
        state.withLock { state in
            defer { state.isClosed = true }
            return !state.isClosed
        }
    }

    func finishClosing() {
        let (waiters, reason) = state.withLock { state in
            defer { state.waiters = [:] }
            return (state.waiters, state.reason)
        }
        for waiter in waiters.values { waiter.resume(returning: reason) }
    }

    func wait() async -> LogError? {
        let id = TailWaiters.newID()
        return await withTaskCancellationHandler {
            // SAFETY: the continuation is resumed once, by whoever takes it out of `waiters`.
            await withUnsafeContinuation { continuation in
                let isOver = state.withLock { state in
                    if state.reason != nil || state.isClosed || Task.isCancelled { return true }
                    state.waiters[id] = continuation
                    return false
                }
                if isOver { continuation.resume(returning: reason) }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: id) }?.resume(returning: nil)
        }
    }
}
