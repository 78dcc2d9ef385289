/// A log folder seen from outside: no lock, no writes.
public struct ReadOnlyLog: Sendable {
    /// In the order of their names.
    public let topics: [ReadOnlyTopic]
    /// The groups' cursors, as the folder has them.
    public let cursors: [GroupName: [TopicName: Offset]]

    init(path: String, disk: any Disk) throws(LogError) {
        let folders: [TopicName]
        do {
            folders = try disk.list(path).compactMap(SegmentName.topic(ofFolder:)).sorted()
        } catch {
            throw .disk(error)
        }
        var topics: [ReadOnlyTopic] = []
        var cursors: [GroupName: [TopicName: Offset]] = [:]
        for name in folders {
            let topic = try ReadOnlyTopic(
                name: name, folder: path + "/" + SegmentName.folder(name), disk: disk)
            if name == .cursors {
                cursors = try Self.cursors(in: topic)
            } else {
                topics.append(topic)
            }
        }
        self.topics = topics
        self.cursors = cursors
    }

    public func topic(_ name: TopicName) -> ReadOnlyTopic? { topics.first { $0.name == name } }

    private static func cursors(
        in topic: ReadOnlyTopic
    ) throws(LogError) -> [GroupName: [TopicName: Offset]] {
        var cursors: [GroupName: [TopicName: Offset]] = [:]
        var next = topic.start
        while next < topic.end {
            for stored in try topic.read(from: next) {
                next = stored.offset.advanced(by: 1)
                guard let (key, offset) = CursorStore.decode(stored.record) else { continue }
                cursors[key.group, default: [:]][key.topic] = offset
                if cursors[key.group]?.isEmpty == true { cursors[key.group] = nil }
            }
        }
        return cursors
    }
}

/// A topic seen from outside, as it was when the log was opened.
public struct ReadOnlyTopic: Sendable {
    public let name: TopicName
    /// Where the topic's files are.
    public let folder: String
    let run: SegmentRun
    private let producers: [Int64: ProducerState]

    init(name: TopicName, folder: String, disk: any Disk) throws(LogError) {
        self.name = name
        self.folder = folder
        let found = try Self.scan(folder, disk)
        run = found.run
        producers = found.producers
    }

    /// A writer may add batches between two reads of one scan, which then sees a later batch behind
    /// bytes that it read too early. Real damage is still there when it looks again.
    private static func scan(_ folder: String, _ disk: any Disk) throws(LogError) -> TopicRecovery.Result {
        var attempts = 1
        while true {
            do throws(LogError) {
                return try TopicRecovery(
                    disk: disk, folder: folder, configuration: LogConfiguration(), isReadOnly: true
                ).recover()
            } catch {
                guard case .corrupt = error, attempts < Limits.readOnlyScansMax else { throw error }
                attempts += 1
            }
        }
    }

    /// The first offset that is still kept.
    public var start: Offset { run.start }
    /// The offset after the last whole batch; a running writer may not have synced that one yet.
    public var end: Offset { run.end }
    /// The last source of which the topic has outputs by the producer; nil if there is none.
    public func lastSource(of producer: ProducerName) -> Offset? {
        producers[producer.id]?.lastSource
    }
    /// Oldest first.
    public var segments: [SegmentSummary] { run.summaries() }

    /// Records from `offset` on, of whole batches up to about `byteCountMax` but at least one;
    /// empty at the end.
    ///
    /// - Throws: `.offsetOutOfRange`, `.corrupt`, `.unsupportedCompression`, `.disk`.
    public func read(
        from offset: Offset, byteCountMax: Int = 1 << 20
    ) throws(LogError) -> [StoredRecord] {
        try run.read(from: offset, byteCountMax: byteCountMax, place: nil).batches.records(
            from: offset)
    }

    /// The first offset whose record is stamped `timestamp` or later; nil if there is none.
    public func offset(at timestamp: Timestamp) throws(LogError) -> Offset? {
        try run.offset(at: timestamp)
    }
}
