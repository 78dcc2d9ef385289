/// A folder of topics, opened by one process.
public final class Log: Sendable {
    /// Opens the folder, making it if it is not there, and recovers what a crash left.
    ///
    /// Blocks while it reads the tails; call it off the cooperative pool or at start.
    ///
    /// - Throws: `.locked`, `.corrupt`, `.disk`, `.configuration`.
    public static func open(
        at path: String, disk: any Disk = PosixDisk(), clock: any LogClock = SystemLogClock(),
        scheduler: any LogScheduler = DispatchScheduler(),
        configuration: LogConfiguration = LogConfiguration()
    ) throws(LogError) -> Log { throw .closed }

    /// Opens the folder for reading, without a lock and without writing anything.
    ///
    /// Another process may be appending to it meanwhile: each topic ends where its last whole batch
    /// ended when it was opened (`ReadOnlyTopic.refresh()` looks again).
    public static func openReadOnly(
        at path: String, disk: any Disk = PosixDisk()
    ) throws(LogError) -> ReadOnlyLog { throw .closed }

    /// The topic of that name, made when absent; the same object each time.
    ///
    /// Making one blocks for a few syncs.
    public func topic(_ name: TopicName) throws(LogError) -> Topic { throw .closed }

    /// In the order of their names.
    public var topicNames: [TopicName] { [] }

    /// Where the groups of consumers are.
    public var cursors: CursorStore { preconditionFailure("not yet") }

    /// What recovery found when the log was opened, by topic.
    public let recovery: [TopicName: RecoveryReport] = [:]

    /// Why the log has stopped, if it has: always `.poisoned`.
    public var poison: LogError? { nil }

    /// Returns when the log is poisoned, with the reason, or nil when it is closed or the task cancelled.
    public func waitForPoison() async -> LogError? { nil }

    /// Appends what is queued, syncs, marks the shutdown as clean and releases the folder. Idempotent.
    public func close() async {}
}

/// What opening a topic found and did.
public struct RecoveryReport: Hashable, Sendable {
    /// Bytes of batches that were read because no checkpoint vouched for them. 0 after a clean close.
    public var scannedBytes: Int64 = 0
    /// Bytes of a torn, never acknowledged batch that were cut off.
    public var truncatedBytes: Int64 = 0
    public init() {}
}
