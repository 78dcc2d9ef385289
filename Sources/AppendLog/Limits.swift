/// The bounds of the log, all in one place. `LogConfiguration` may tighten some, never loosen them.
public enum Limits {
    /// Kafka's bound on a topic's name, in bytes.
    public static let topicNameBytesMax = 249
    /// Names of groups and producers, in UTF-8 bytes.
    public static let nameBytesMax = 255

    /// One record, as the log counts it: key, value, headers and framing.
    public static let recordBytesMax = 4 << 20
    /// One batch on disk, and so the records of one append. A longer length field is damage.
    public static let batchBytesMax = 8 << 20

    /// A segment file. Index positions are 32 bits wide.
    public static let segmentBytes = (4 << 10)...(1 << 30)
    /// How much space a segment gets at a time.
    public static let preallocationBytes = (4 << 10)...(1 << 30)
    /// Bytes between two entries of an index.
    public static let indexIntervalBytes = 1...(1 << 20)
    /// Records that the flusher gathers into one batch.
    public static let batchRecordsMax = 1 << 20

    /// Sealed segments that a topic keeps open for reading.
    static let openSegmentsMax = 8
    /// Places where a read ended, remembered so that the next one need not search for them.
    static let readHintsMax = 64
    /// The least that a read asks the disk for.
    static let readBytesMin = 16 << 10
    /// Sealed segments whose ends the disk fetches ahead of their check, so that it has many reads
    /// at once to do and not one; of as many more it fetches the indexes.
    static let endsAheadMax = 32
    /// The newest of a topic's sealed segments, which are looked at while it is open.
    static let looksAtOnceMax = 64
    /// The file that says which segments were looked at; far more than a hundred years have.
    static let looksBytesMax = 64 << 20
    /// From a file's last change until its version tells it from a later one: the coarsest times of
    /// the file systems in use are whole seconds, and a machine's clocks do not tick together.
    static let versionAgeMinSeconds = 2
    /// A checkpoint file; far more producers than one topic ever has.
    static let checkpointBytesMax = 16 << 20
    /// The file that says which segments are cold; far more than a hundred years have.
    static let coldIndexBytesMax = 64 << 20
    /// What recovery and verification read at a time.
    static let scanChunkBytes = 1 << 20
    /// What one call reads of a chunk.
    static let readStepBytes = 256 << 10
    /// How often a log that somebody may be writing is scanned before damage is believed.
    static let readOnlyScansMax = 8
    /// The longest that an append may be kept waiting for others to share its sync.
    static let syncIntervalMicrosecondsMax = 1_000_000
    /// A small group is padded to this with zeros, so that the next ones overwrite initialised
    /// blocks: such a sync touches no extent and takes two thirds of the time.
    static let zeroAheadBytes = 128 << 10
    /// Groups at least this large are not padded; their cost is bandwidth.
    static let zeroAheadGroupBytesMax = 16 << 10
    /// What a disk writes whole or not at all.
    static let sectorBytes = 512
    /// Segments of the cursors' own topic.
    static let cursorSegmentBytes = 1 << 20
}
