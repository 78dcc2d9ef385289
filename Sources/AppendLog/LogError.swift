/// Why the log cannot do what it was asked to.
public enum LogError: Error, Hashable, Sendable {
    // Refusals: the caller asked for something that cannot be.
    /// A topic's name breaks Kafka's rule, or is one the log keeps for itself.
    case invalidTopicName(String)
    /// A group's or producer's name is empty or too long.
    case invalidName(String)
    /// This value of the configuration is out of its bounds.
    case configuration(String)
    case recordTooLarge(bytes: Int, bytesMax: Int)
    /// The records of one call do not fit into one batch, so they could not be atomic.
    case appendTooLarge(bytes: Int, bytesMax: Int)
    /// The sources of one call go backwards.
    case sourcesOutOfOrder(source: Offset, after: Offset)
    case offsetOutOfRange(requested: Offset, start: Offset, highWatermark: Offset)
    /// The log, or this view of it, was opened for reading only.
    case readOnly

    // Passing: the same call may succeed later.
    case queueFull(queuedBytes: Int, queuedBytesMax: Int)
    /// Nothing of the append was kept; the log goes on as soon as there is space.
    case diskFull(path: String)
    case cancelled

    // Failures: this log, as it is open, will not come back.
    /// Another process has the folder. The id is 0 if it could not be read.
    case locked(path: String, by: Int32)
    case closed
    /// A write or sync failed. What was not acknowledged may or may not be on disk: stop, and open
    /// anew.
    case poisoned(DiskError)
    case disk(DiskError)
    /// A batch from elsewhere is compressed; nothing is wrong with it.
    case unsupportedCompression(CompressionCodec, file: String, offset: Offset)
    /// Bytes that were durable are no longer those that were written.
    case corrupt(Corruption)
    /// The file that says which log this is has gone, and the topics do not say it together.
    case identityUnknown(path: String)

    // Of what was moved to cold folders; records are appended all the same.
    /// A segment there cannot be opened or read.
    case coldUnreadable(DiskError, folder: String)
    /// A segment there is no longer what was moved.
    case coldDamaged(Corruption, folder: String)
    /// The file that says what was moved is not whole, or another log's.
    case coldIndexDamaged(path: String)
    /// Between the end of what was moved and the topic's own beginning records are missing.
    case coldGap(topic: String, from: Offset, to: Offset)

    /// Whether it is of a file in a cold folder, and what the log itself holds may be whole.
    package var isOfColdFile: Bool {
        switch self {
        case .coldUnreadable, .coldDamaged: true
        default: false
        }
    }

    /// Whether the same call may succeed later without anybody mending anything but disk space.
    public var isRetryable: Bool {
        switch self {
        case .queueFull, .diskFull: true
        default: false
        }
    }
}

/// The first bad place in a file.
public struct Corruption: Error, Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        /// The bytes there are not a whole, valid batch.
        case batch(RecordBatchError)
        /// The batch there begins at another offset than the one due.
        case offset(found: Offset)
        /// The file, or the folder's run of segments, ends before the records known to be durable.
        case missing
        /// A producer's source offsets do not increase there.
        case source(found: Offset, after: Offset)
        /// An index contradicts its log.
        case index
        /// The batch there was written for another topic, or for another log.
        case stamp(found: Int32, expected: Int32)
        /// The checkpoint does not lead to the end of a batch, so it belongs to another history.
        case checkpoint
        /// The folder's first segment begins later than retention has left it.
        case begins(at: Offset)
    }

    public var file: String
    /// In bytes from the start of the file.
    public var position: Int64
    /// The offset due at that position.
    public var offset: Offset
    public var kind: Kind

    public init(file: String, position: Int64, offset: Offset, kind: Kind) {
        self.file = file
        self.position = position
        self.offset = offset
        self.kind = kind
    }
}

extension LogError: CustomStringConvertible {
    /// One sentence for an operator, saying what to do.
    public var description: String {
        switch self {
        case .invalidTopicName(let name):
            "\"\(name)\" cannot name a topic: use 1 to 249 of a-z, A-Z, 0-9, \".\", \"_\", \"-\""
        case .invalidName(let name):
            "\"\(name)\" cannot name a group or producer: use 1 to \(Limits.nameBytesMax) bytes"
        case .configuration(let name): "\(name) is out of bounds: see Limits"
        case .recordTooLarge(let bytes, let bytesMax):
            "a record of \(bytes) bytes exceeds the limit of \(bytesMax): make it smaller"
        case .appendTooLarge(let bytes, let bytesMax):
            "\(bytes) bytes in one append exceed the limit of \(bytesMax): split them"
        case .sourcesOutOfOrder(let source, let after):
            "source \(source) came after source \(after): order outputs by their sources"
        case .offsetOutOfRange(let requested, let start, let highWatermark):
            "offset \(requested) is outside \(start)..<\(highWatermark): start from one of these"
        case .readOnly: "the log is open for reading only"
        case .queueFull(let queued, let bytesMax):
            "\(queued) of \(bytesMax) bytes already wait for the disk: try again later"
        case .diskFull(let path):
            "no space left for \(path): free some; a daemon that runs goes on by itself, and "
                + "what has ended is to be started again"
        case .cancelled: "the task was cancelled"
        case .locked(let path, 0):
            "\(path) is in use by another process: stop it, or choose another folder"
        case .locked(let path, let pid):
            "\(path) is in use by process \(pid): stop it, or choose another folder"
        case .closed: "the log is closed"
        case .poisoned(let error):
            "the log stopped because \(error); check the disk, then start again"
        case .disk(let error): "\(error)"
        case .unsupportedCompression(let codec, let file, let offset):
            "offset \(offset) of \(file) is compressed with \(codec): store it uncompressed"
        case .corrupt(let corruption):
            "\(corruption); nothing was changed: restore the whole folder from "
                + "one backup, then start again"
        case .identityUnknown(let path):
            "\(path) is missing or damaged, and the topics do not agree on what it said: restore "
                + "the folder from one backup, then start again"
        case .coldUnreadable(let error, let folder):
            "\(error); it was moved to the cold folder \(folder): mount that, or put the file back "
                + "there from a copy; payments are taken meanwhile"
        case .coldDamaged(let corruption, let folder):
            "\(corruption); it was moved to the cold folder \(folder): put the file back there "
                + "from a copy; payments are taken meanwhile"
        case .coldIndexDamaged(let path):
            "\(path), which names what was moved to cold folders, is damaged or another log's: put "
                + "it back from a backup; payments are taken meanwhile"
        case .coldGap(let topic, let from, let to):
            "\(topic) lacks offsets \(from) to \(to), between what was moved to a cold folder and "
                + "what the log has: were they removed by log.retention_days? Take log/cold out to "
                + "read what is left"
        }
    }
}

extension Corruption.Kind {
    fileprivate var sentence: String {
        switch self {
        case .batch(.truncated(let needed, let available)):
            "a batch of \(needed) bytes ends after \(available)"
        case .batch(.unsupportedMagic(let magic)): "a batch of version \(magic)"
        case .batch(.checksumMismatch): "the bytes are not those that were written"
        case .batch(.unsupportedCompression(let codec)): "a batch compressed with \(codec)"
        case .batch(.malformed(let field, let place)):
            "\(field.rawValue) at byte \(place) of the batch says what cannot be"
        case .offset(let found): "offset \(found) stands there"
        case .missing: "records that were stored are not there"
        case .source(let found, let after): "source \(found) stands behind source \(after)"
        case .index: "the index says otherwise"
        case .stamp, .checkpoint, .begins: "it belongs elsewhere"
        }
    }
}

extension Corruption: CustomStringConvertible {
    public var description: String {
        switch kind {
        case .stamp:
            "\(file) holds a batch of another topic or another log at byte \(position), where "
                + "offset \(offset) should be"
        case .checkpoint:
            "the checkpoint beside \(file) names byte \(position) and offset \(offset), where no "
                + "batch ends"
        case .begins(let first):
            "\(file) is missing: the topic begins at offset \(first), and nobody has removed what "
                + "lies between offset \(offset) and that"
        default:
            "\(file) is damaged at byte \(position), where offset \(offset) should be: "
                + kind.sentence
        }
    }
}
