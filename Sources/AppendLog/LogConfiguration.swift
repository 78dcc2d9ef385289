/// How a log behaves. Every number is bounded; `Log.open` refuses what is out of bounds.
public struct LogConfiguration: Hashable, Sendable {
    /// A segment is sealed before it grows past this. Within `Limits.segmentBytes`.
    public var segmentBytesMax = 64 << 20
    /// A segment is sealed once its oldest append is older, in milliseconds of monotonic time.
    public var segmentAgeMaxMilliseconds: Int64 = 24 * 3600 * 1000
    /// How much space a segment gets at a time. Within `Limits.preallocationBytes`.
    public var preallocationBytes = 16 << 20
    /// An index gets an entry for every so many bytes of batches.
    public var indexIntervalBytes = 4096

    /// Appends are gathered into one batch, which is one sync, up to this size. A single append may
    /// exceed it up to `Limits.batchBytesMax`.
    public var batchBytesMax = 1 << 20
    /// Records gathered into one batch. At most `Limits.batchRecordsMax`.
    public var batchRecordsMax = 16 << 10
    /// Microseconds from one sync of a topic to its next one at least: appends that come in between
    /// share it. An append that comes after a quiet time does not wait. At most
    /// `Limits.syncIntervalMicrosecondsMax`.
    public var syncIntervalMicroseconds = 0
    /// Plain appends within one such interval from which on they are gathered; fewer are synced at
    /// once. What producers append is always gathered.
    public var gatheringAppends = 0
    /// Appends that wait for their sync, per topic; what exceeds it is refused with `.queueFull`.
    public var queuedBytesMax = 32 << 20
    /// The last synced batches that a topic keeps in memory for those who follow its tail.
    public var tailCacheBytesMax = 2 << 20
    /// Recovery reads at most about this much of a topic: a checkpoint follows every so many bytes.
    public var checkpointBytes = 16 << 20

    /// Segments whose newest record is older are deleted; nil keeps them for ever. Milliseconds.
    public var retentionAgeMilliseconds: Int64?
    /// The oldest segments are deleted while a topic is larger; nil keeps them for ever.
    public var retentionBytes: Int64?
    /// Whether retention may delete what a registered group has not read yet.
    public var retentionIgnoresGroups = false

    /// Who a new log is; nil draws an identity. A log that has one keeps it.
    public var newIdentity: LogIdentity?

    public init() {}

    /// - Throws: `.configuration` naming the first value that is out of bounds.
    func validate() throws(LogError) {
        let checks: [(String, Bool)] = [
            ("segmentBytesMax", Limits.segmentBytes.contains(segmentBytesMax)),
            ("segmentAgeMaxMilliseconds", segmentAgeMaxMilliseconds > 0),
            ("preallocationBytes", Limits.preallocationBytes.contains(preallocationBytes)),
            ("indexIntervalBytes", Limits.indexIntervalBytes.contains(indexIntervalBytes)),
            ("batchBytesMax", (1...Limits.batchBytesMax).contains(batchBytesMax)),
            ("batchRecordsMax", (1...Limits.batchRecordsMax).contains(batchRecordsMax)),
            (
                "syncIntervalMicroseconds",
                (0...Limits.syncIntervalMicrosecondsMax).contains(syncIntervalMicroseconds)
            ),
            ("gatheringAppends", gatheringAppends >= 0),
            ("queuedBytesMax", queuedBytesMax > 0),
            ("tailCacheBytesMax", tailCacheBytesMax >= 0),
            ("checkpointBytes", checkpointBytes > 0),
            ("retentionAgeMilliseconds", retentionAgeMilliseconds ?? 1 > 0),
            ("retentionBytes", retentionBytes ?? 1 > 0),
        ]
        for (name, isInBounds) in checks where !isInBounds { throw .configuration(name) }
    }
}
