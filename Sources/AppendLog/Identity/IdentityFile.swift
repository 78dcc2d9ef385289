/// The file `identity` in the log's folder:
///
/// ```
/// tillbox-log 1
/// id <32 hex digits>
/// crc <8 hex digits: CRC-32C of the lines above>
/// ```
///
/// It takes its place by a rename before any batch bears its stamp. If it is lost, the checkpoints
/// of the topics say the same.
enum IdentityFile {
    static let name = "identity"

    static func encoded(_ identity: LogIdentity) -> [UInt8] {
        let text = "tillbox-log 1\nid \(identity)\n"
        return Array((text + "crc \(hex(CRC32C.checksum(Array(text.utf8)[...])))\n").utf8)
    }

    /// - Returns: nil unless the bytes are such a file, to the last byte.
    static func decode(_ bytes: [UInt8]) -> LogIdentity? {
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        guard lines.count == 3, lines[1].hasPrefix("id "),
            let identity = LogIdentity(lines[1].dropFirst(3)), encoded(identity) == bytes
        else { return nil }
        return identity
    }

    /// Eight lower-case digits.
    static func hex(_ number: UInt32) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }
}

extension Disk {
    /// Which log the folder is; nil for one that has no identity yet.
    ///
    /// - Throws: `.identityUnknown` if it must have one and nothing says which, `.disk`.
    func identity(of log: String, topics: [TopicName]) throws(LogError) -> LogIdentity? {
        do {
            if let identity = try storedIdentity(in: log) { return identity }
            var named: Set<LogIdentity> = []
            var isStamped = false
            for topic in topics {
                let folder = log + "/" + SegmentName.folder(topic)
                if let identity = try checkpoint(in: folder)?.log {
                    named.insert(identity)
                } else {
                    isStamped = try isStamped || self.isStamped(folder)
                }
            }
            guard named.count < 2, !named.isEmpty || !isStamped else {
                throw LogError.identityUnknown(path: log + "/" + IdentityFile.name)
            }
            return named.first
        } catch let error as DiskError {
            throw .disk(error)
        } catch {
            throw error as? LogError ?? .closed
        }
    }

    /// What the identity file says; nil if it is missing or not whole.
    func storedIdentity(in log: String) throws(DiskError) -> LogIdentity? {
        let path = log + "/" + IdentityFile.name
        guard try exists(path) else { return nil }
        return IdentityFile.decode(try open(path, .read).read(at: 0, count: 256))
    }

    /// Whether the last batch-bearing segment of a topic begins with a batch of an identified log.
    private func isStamped(_ folder: String) throws(DiskError) -> Bool {
        let bases = try list(folder).compactMap(SegmentName.baseOffset(ofLog:)).sorted()
        for base in bases.reversed() {
            let path = folder + "/" + SegmentName.stem(base) + SegmentName.logSuffix
            let head = try open(path, .read).read(at: 0, count: RecordBatch.headerByteCount)
            if let header = try? RecordBatch.header(in: head[...]) {
                return header.partitionLeaderEpoch != 0
            }
        }
        return false
    }

    /// Makes the identity durable.
    func write(_ identity: LogIdentity, in log: String) throws(DiskError) {
        let path = log + "/" + IdentityFile.name
        let temporary = path + SegmentName.temporarySuffix
        let file = try open(temporary, .create)
        try file.writeAll(IdentityFile.encoded(identity), at: 0)
        try file.sync()
        try rename(temporary, to: path)
        try syncDirectory(log)
    }
}
