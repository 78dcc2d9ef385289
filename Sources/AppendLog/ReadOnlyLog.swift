/// A log folder seen from outside: no lock, no writes.
public struct ReadOnlyLog: Sendable {
    /// In the order of their names, without the consumers' cursors.
    public let topics: [ReadOnlyTopic]
    /// The consumers' cursors as a topic, for who copies a log; nil where it has none yet.
    public let cursorTopic: ReadOnlyTopic?
    /// The groups' cursors, as the folder has them.
    public let cursors: [GroupName: [TopicName: Offset]]
    /// How far each topic had come when that was noted last; the log may have grown since.
    public let marks: [TopicName: TopicMark]
    /// nil for a log of a release that knew no identity, and for one without anything in it.
    public let identity: LogIdentity?
    /// What was seen of the sealed segments; nil where they were not looked at.
    public let looks: LogLooks?

    init(
        path: String, disk: any Disk, checksSegments: Bool, withCold: Bool
    ) throws(LogError) {
        let folders: [TopicName]
        do {
            folders = try disk.list(path).compactMap(SegmentName.topic(ofFolder:)).sorted()
        } catch {
            throw .disk(error)
        }
        let identity = try disk.identity(of: path, topics: folders)
        self.identity = identity
        var topics: [ReadOnlyTopic] = []
        var cursorTopic: ReadOnlyTopic?
        var noted: Noted = ([:], [:])
        for name in folders {
            let (topic, found) = try Self.again { () throws(LogError) in
                let topic = try ReadOnlyTopic(
                    name: name, folder: path + "/" + SegmentName.folder(name), disk: disk,
                    identity: identity, checksSegments: checksSegments,
                    coldLog: withCold ? path : nil)
                // Behind the topic: whatever had left its folder by then stands in the index.
                let index = withCold && topic.start > .zero
                    ? try ColdIndex.read(ofLog: path, identity: identity, on: disk) : nil
                if let index { try topic.view.prepend(index) }
                return (topic, name == .cursors ? try Self.noted(in: topic) : nil)
            }
            if let found {
                (noted, cursorTopic) = (found, topic)
            } else {
                topics.append(topic)
            }
        }
        self.topics = topics
        self.cursorTopic = cursorTopic
        looks = checksSegments
            ? LogLooks(
                topics: Dictionary(
                    uniqueKeysWithValues: (topics + [cursorTopic].compactMap { $0 })
                        .map { ($0.name, $0.looks) }))
            : nil
        (cursors, marks) = noted
    }

    /// A writer may add batches between two reads of one scan, which then sees a later batch behind
    /// bytes that it read too early; retention may take a segment away before it is read, and one
    /// may come back from a cold folder. Real damage is still there when it looks again.
    private static func again<Value>(
        _ look: () throws(LogError) -> Value
    ) throws(LogError) -> Value {
        var attempts = 1
        while true {
            do throws(LogError) {
                return try look()
            } catch {
                guard error.mayPass, attempts < Limits.readOnlyScansMax else { throw error }
                attempts += 1
            }
        }
    }

    public func topic(_ name: TopicName) -> ReadOnlyTopic? { topics.first { $0.name == name } }

    private typealias Noted = (
        cursors: [GroupName: [TopicName: Offset]], marks: [TopicName: TopicMark]
    )

    private static func noted(in topic: ReadOnlyTopic) throws(LogError) -> Noted {
        var cursors: [GroupName: [TopicName: Offset]] = [:]
        var marks: [TopicName: TopicMark] = [:]
        var next = topic.start
        while next < topic.end {
            for stored in try topic.read(from: next) {
                next = stored.offset.advanced(by: 1)
                if let (topic, mark) = CursorStore.decodeMark(stored.record) { marks[topic] = mark }
                guard let (key, offset) = CursorStore.decode(stored.record) else { continue }
                cursors[key.group, default: [:]][key.topic] = offset
                if cursors[key.group]?.isEmpty == true { cursors[key.group] = nil }
            }
        }
        return (cursors, marks)
    }
}

/// A topic seen from outside, as it was when the log was opened.
public struct ReadOnlyTopic: Sendable {
    public let name: TopicName
    /// Where the topic's files are.
    public let folder: String
    /// Its segments, and which of them lie in cold folders.
    let view: ColdView
    let disk: any Disk
    /// What its batches must bear; nil where nobody knows.
    let stamp: Int32?
    private let producers: [Int64: ProducerState]
    /// Where it must begin at the latest.
    public let begins: KnownBeginning
    private let opened = SharedOpenSegments()
    /// What was seen of its sealed segments.
    let looks: TopicLooks

    /// - Parameter coldLog: the log's folder, where cold segments are read too.
    init(
        name: TopicName, folder: String, disk: any Disk, identity: LogIdentity?,
        checksSegments: Bool, coldLog: String?
    ) throws(LogError) {
        self.name = name
        self.folder = folder
        self.disk = disk
        stamp = identity?.stamp(of: name)
        let found = try TopicRecovery(
            disk: disk, folder: folder, topic: name, identity: identity,
            configuration: LogConfiguration(), isReadOnly: true, checksSegments: checksSegments
        ).recover()
        (producers, begins, looks) = (found.producers, found.begins, found.looks)
        view = ColdView(
            of: name, in: folder, found.run, log: coldLog, identity: identity, disk: disk)
    }

    private var run: SegmentRun { view.parts.run }

    /// The first offset that is still kept, in a cold folder too where those were asked for.
    public var start: Offset { run.start }
    /// The offset after the last whole batch; a running writer may not have synced that one yet.
    public var end: Offset { run.end }
    /// Oldest first.
    public var segments: [SegmentSummary] { run.summaries() }

    /// The last source of which this topic has outputs by the producer; nil if there is none.
    public func lastSource(of producer: ProducerName) -> Offset? {
        producers[producer.id]?.lastSource
    }

    /// The checksum of the batch that holds the record before `offset`; nil where there is none.
    public func checksum(before offset: Offset) throws(LogError) -> UInt32? {
        try lastBatch(before: offset)?.header.crc
    }

    /// The batch that holds the record before `offset`; nil where there is none.
    public func lastBatch(before offset: Offset) throws(LogError) -> StoredBatch? {
        guard offset > start, offset <= end else { return nil }
        return try readBatches(from: offset.advanced(by: -1), byteCountMax: 1).first
    }

    /// Records from `offset` on, of whole batches up to about `byteCountMax` but at least one;
    /// empty at the end.
    ///
    /// - Throws: `.offsetOutOfRange`, `.corrupt`, `.unsupportedCompression`, `.disk`.
    public func read(
        from offset: Offset, byteCountMax: Int = 1 << 20
    ) throws(LogError) -> [StoredRecord] {
        try view.reading { parts throws(LogError) in
            let reading = try parts.run.read(from: offset, byteCountMax: byteCountMax, place: nil)
            if let segment = parts.run.segment(before: reading.next) { opened.use(segment) }
            return try reading.batches.verifiedRecords(from: offset)
        }
    }

    /// The same without decoding: batches from the one with `offset` on.
    ///
    /// - Throws: as ``read(from:byteCountMax:)``.
    public func readBatches(
        from offset: Offset, byteCountMax: Int = 1 << 20
    ) throws(LogError) -> [StoredBatch] {
        try view.reading { parts throws(LogError) in
            let reading = try parts.run.read(from: offset, byteCountMax: byteCountMax, place: nil)
            if let segment = parts.run.segment(before: reading.next) { opened.use(segment) }
            return try reading.batches.verified()
        }
    }

    /// The files that hold the records before `end`, for who copies a topic up to there; the last
    /// one has its bytes up to there alone. A segment that begins at `end` is among them, with no
    /// byte: a checkpoint may name it.
    ///
    /// - Parameter end: the offset at which a batch begins or the topic ends, from `start` on.
    /// - Throws: `.offsetOutOfRange` where no batch ends there, `.corrupt`, `.disk`.
    public func segments(before end: Offset) throws(LogError) -> [SegmentSummary] {
        var found = segments.filter { $0.baseOffset <= end }
        guard var last = found.popLast() else { return [] }
        if last.baseOffset == end {
            (last.end, last.byteCount) = (end, 0)
        } else if last.end > end {
            guard let batch = try lastBatch(before: end), batch.header.nextOffset == end else {
                throw .offsetOutOfRange(requested: end, start: start, highWatermark: self.end)
            }
            (last.end, last.byteCount) = (end, batch.position + Int64(batch.header.byteCount))
        }
        return found + [last]
    }

    /// The first offset whose record is stamped `timestamp` or later; nil if there is none.
    ///
    /// What lies in cold folders is older than the rest: it is asked only for a moment before that.
    public func offset(at timestamp: Timestamp) throws(LogError) -> Offset? {
        try view.reading { parts throws(LogError) in
            let (older, own) = parts.run.split(behind: parts.cold.segments.count)
            let found = try own.offset(at: timestamp)
            let isBefore = found == own.start || own.start == own.end
            guard isBefore, !older.segments.isEmpty else { return found }
            return try older.offset(at: timestamp) ?? found
        }
    }
}

extension LogError {
    /// Whether it may come of reading what somebody is writing meanwhile.
    fileprivate var mayPass: Bool {
        switch self {
        case .corrupt, .coldGap: true
        case .disk(let error): error.isMissing
        default: false
        }
    }
}
