/// A whole segment of which a copy lies in a cold folder: on another disk, for what is seldom read.
///
/// The copy has the segment's own name below a folder of its topic's:
/// `<folder>/<topic>-0/00000000000000000000.log`, with the two indexes beside it.
public struct ColdSegment: Hashable, Sendable {
    public let topic: TopicName
    public let baseOffset: Offset
    /// The offset behind its last record.
    public let end: Offset
    public let byteCount: Int64
    /// What its copier has made of its bytes, such as their SHA-256 in hex; the log only keeps it.
    public let digest: String
    /// The cold folder, absolute.
    public let folder: String

    /// - Parameters:
    ///   - topic: whose segment it is.
    ///   - baseOffset: of its first record, below `end`.
    ///   - end: the offset behind its last record.
    ///   - byteCount: of its file, above zero.
    ///   - digest: what its copier made of its bytes, without a space.
    ///   - folder: the cold folder, absolute, without a line break.
    public init(
        topic: TopicName, baseOffset: Offset, end: Offset, byteCount: Int64, digest: String,
        folder: String
    ) {
        precondition(baseOffset < end && byteCount > 0, "a cold segment \(baseOffset) to \(end)")
        precondition(!digest.isEmpty && !digest.contains { $0 == " " || $0.isNewline }, digest)
        precondition(!folder.isEmpty && !folder.contains(where: \.isNewline), folder)
        self.topic = topic
        self.baseOffset = baseOffset
        self.end = end
        self.byteCount = byteCount
        self.digest = digest
        self.folder = folder
    }

    /// The folder of its topic's segments.
    public var topicFolder: String { folder + "/" + SegmentName.folder(topic) }

    /// Where its copy is.
    public var file: String { topicFolder + "/" + SegmentName.stem(baseOffset) + ".log" }
}

/// Which segments of a log have a copy in a cold folder: the file `cold` in the log's folder, text.
///
/// ```
/// tillbox-cold 1
/// log <identity>
/// segment <topic> <base offset> <end> <bytes> <digest> <cold folder, to the end of the line>
/// crc <8 hex digits: CRC-32C of the lines above>
/// ```
///
/// It takes its place by a rename, so it is old or new but never half, and it names a copy only
/// once that is durable. So wherever somebody dies who moves segments, each is whole in the log's
/// folder, or whole at the place that is named here, or both. The log itself opens and takes
/// records without it; who reads history goes on in it where the log's own segments begin.
public struct ColdIndex: Hashable, Sendable {
    public let log: LogIdentity
    /// By topic, the oldest first.
    public private(set) var segments: [ColdSegment]

    public init(log: LogIdentity) {
        self.log = log
        segments = []
    }

    /// Adds segments; of one that is known it notes the new place.
    public mutating func add(_ added: [ColdSegment]) {
        let places = Set(added.map(Place.init))
        segments = (segments.filter { !places.contains(Place($0)) } + added).sorted {
            ($0.topic, $0.baseOffset) < ($1.topic, $1.baseOffset)
        }
    }

    /// Forgets a segment: the log's folder has it again.
    public mutating func remove(_ segment: ColdSegment) {
        segments.removeAll { Place($0) == Place(segment) }
    }

    /// Forgets every segment: the log's folder has them again.
    public mutating func removeAll() { segments = [] }

    private struct Place: Hashable {
        let topic: TopicName
        let base: Offset

        init(_ segment: ColdSegment) { (topic, base) = (segment.topic, segment.baseOffset) }
    }

    /// The segments of a topic that lead up to `start` without a gap, the oldest first. Copies of
    /// what lies from there on are left out.
    ///
    /// - Throws: `.coldGap`
    public func segments(
        of topic: TopicName, before start: Offset
    ) throws(LogError) -> [ColdSegment] {
        var (found, due): ([ColdSegment], Offset) = ([], start)
        for segment in segments.reversed()
        where segment.topic == topic && segment.baseOffset < start {
            guard segment.end == due else {
                throw .coldGap(topic: topic.rawValue, from: segment.end, to: due)
            }
            found.append(segment)
            due = segment.baseOffset
        }
        return found.reversed()
    }

    /// The segments of a topic that lie from `start` on without a gap: those that the log's folder
    /// has too.
    public func segments(of topic: TopicName, from start: Offset) -> [ColdSegment] {
        var (found, due): ([ColdSegment], Offset) = ([], start)
        for segment in segments where segment.topic == topic && segment.baseOffset == due {
            found.append(segment)
            due = segment.end
        }
        return found
    }

    // MARK: The file

    static let name = "cold"

    func encoded() -> [UInt8] {
        var text = "tillbox-cold 1\nlog \(log)\n"
        for segment in segments {
            text += "segment \(segment.topic) \(segment.baseOffset) \(segment.end) "
                + "\(segment.byteCount) \(segment.digest) \(segment.folder)\n"
        }
        let crc = CRC32C.checksum(Array(text.utf8)[...])
        return Array((text + "crc \(IdentityFile.hex(crc))\n").utf8)
    }

    /// - Returns: nil unless the bytes are a whole index.
    init?(decoding bytes: [UInt8]) {
        var lines = String(decoding: bytes, as: UTF8.self).split(
            separator: "\n", omittingEmptySubsequences: false)
        guard lines.popLast() == "", let last = lines.popLast(), lines.count >= 2,
            lines[0] == "tillbox-cold 1", lines[1].hasPrefix("log "),
            let log = LogIdentity(lines[1].dropFirst(4)), last.hasPrefix("crc "),
            let crc = UInt32(last.dropFirst(4), radix: 16),
            crc == CRC32C.checksum(Array((lines.joined(separator: "\n") + "\n").utf8)[...])
        else { return nil }
        self.init(log: log)
        var read: [ColdSegment] = []
        for line in lines.dropFirst(2) {
            guard let segment = Self.segment(line) else { return nil }
            read.append(segment)
        }
        add(read)
    }

    private static func segment(_ line: Substring) -> ColdSegment? {
        let words = line.split(separator: " ", maxSplits: 6, omittingEmptySubsequences: false)
        guard words.count == 7, words[0] == "segment", let topic = TopicName(stored: words[1]),
            let base = Int64(words[2]), let end = Int64(words[3]), base >= 0, base < end,
            let byteCount = Int64(words[4]), byteCount > 0, !words[5].isEmpty, !words[6].isEmpty
        else { return nil }
        return ColdSegment(
            topic: topic, baseOffset: Offset(base), end: Offset(end), byteCount: byteCount,
            digest: String(words[5]), folder: String(words[6]))
    }

    /// The index of the log in a folder; nil where nothing of it was ever moved.
    ///
    /// - Throws: `.coldIndexDamaged` where it is not whole, or another log's; `.disk`.
    public static func read(
        ofLog folder: String, identity: LogIdentity?, on disk: any Disk = PosixDisk()
    ) throws(LogError) -> ColdIndex? {
        let path = folder + "/" + name
        do {
            guard try disk.exists(path) else { return nil }
            let file = try disk.open(path, .read)
            let size = try file.size()
            guard size <= Limits.coldIndexBytesMax,
                let index = ColdIndex(decoding: try file.read(at: 0, count: Int(size))),
                identity == nil || index.log == identity
            else { throw LogError.coldIndexDamaged(path: path) }
            return index
        } catch let error as DiskError {
            throw .disk(error)
        } catch {
            throw error as? LogError ?? .closed
        }
    }

    /// Puts the index in the place of the one before, durably.
    ///
    /// - Throws: `.diskFull`, `.disk`; the one before holds then.
    public func write(toLog folder: String, on disk: any Disk = PosixDisk()) throws(LogError) {
        let path = folder + "/" + Self.name
        let temporary = path + SegmentName.temporarySuffix
        do throws(DiskError) {
            let file = try disk.open(temporary, .create)
            try file.writeAll(encoded(), at: 0)
            try file.sync()
            try disk.rename(temporary, to: path)
            try disk.syncDirectory(folder)
        } catch {
            throw error.isDiskFull ? .diskFull(path: path) : .disk(error)
        }
    }
}
