/// A point up to which a topic is known to be durable, and what the producers had done by then.
///
/// Recovery reads only what lies beyond it, and truncates nothing before it. The file is text:
///
/// ```
/// tillbox-checkpoint 3
/// log <identity> topic <name> last <8 hex digits: the checksum of the batch before it, or −>
/// begins <the first offset that retention has kept>
/// segment <base offset> position <bytes> offset <next offset> places <n> moments <n>
/// producer <id> epoch <n> sequence <next> source <last offset, or −1>      (one line a producer)
/// crc <8 hex digits: CRC-32C of the lines above>
/// ```
///
/// It takes its place by a rename, so it is old or new but never half. Without it the whole log is
/// read instead, which finds the same. Of earlier releases, version 2 has no third line, version 1
/// no second one either.
struct Checkpoint: Hashable, Sendable {
    var segment: Offset
    var position: Int64
    var offset: Offset
    /// Entries of the segment's indexes up to `position`.
    var placeCount = 0
    var momentCount = 0
    var producers: [Int64: ProducerState] = [:]
    /// Whose it is; nil in version 1.
    var log: LogIdentity?
    var topic: TopicName?
    /// The checksum of the segment's last batch before `position`; nil if there is none.
    var lastChecksum: UInt32?
    /// No segment before it need be there, and each from there on must; nil before version 3.
    var begins: Offset?

    func encoded() -> [UInt8] {
        var text = "tillbox-checkpoint 1\n"
        if let log, let topic {
            let last = lastChecksum.map { IdentityFile.hex($0) } ?? "-"
            let owner = "log \(log) topic \(topic) last \(last)\n"
            text = "tillbox-checkpoint 2\n" + owner
            if let begins { text = "tillbox-checkpoint 3\n" + owner + "begins \(begins)\n" }
        }
        text += """
            segment \(segment) position \(position) offset \(offset) places \(placeCount) \
            moments \(momentCount)

            """
        for (id, state) in producers.sorted(by: { $0.key < $1.key }) {
            text += """
                producer \(id) epoch \(state.next.epoch) sequence \(state.next.baseSequence) \
                source \(state.lastSource?.rawValue ?? -1)

                """
        }
        let crc = CRC32C.checksum(Array(text.utf8)[...])
        return Array((text + "crc \(IdentityFile.hex(crc))\n").utf8)
    }

    /// - Returns: nil unless the bytes are a whole checkpoint.
    init?(decoding bytes: [UInt8]) {
        var lines = String(decoding: bytes, as: UTF8.self).split(
            separator: "\n", omittingEmptySubsequences: false)
        guard lines.count >= 4, lines.popLast() == "", let last = lines.popLast() else {
            return nil
        }
        let text = lines.joined(separator: "\n") + "\n"
        guard last.hasPrefix("crc "), let crc = UInt32(last.dropFirst(4), radix: 16),
            crc == CRC32C.checksum(Array(text.utf8)[...])
        else { return nil }
        var owner: Owner?
        if lines[0] == "tillbox-checkpoint 2" || lines[0] == "tillbox-checkpoint 3" {
            owner = Owner(lines.remove(at: 1))
            guard owner != nil, lines.count >= 2 else { return nil }
            if lines[0].hasSuffix("3") {
                guard let begins = Self.numbers(lines.remove(at: 1), ["begins"]),
                    lines.count >= 2, begins[0] >= 0
                else { return nil }
                self.begins = Offset(begins[0])
            }
        } else if lines[0] != "tillbox-checkpoint 1" {
            return nil
        }
        guard
            let place = Self.numbers(
                lines[1], ["segment", "position", "offset", "places", "moments"])
        else { return nil }
        (log, topic, lastChecksum) = (owner?.log, owner?.topic, owner?.lastChecksum)
        segment = Offset(place[0])
        position = place[1]
        offset = Offset(place[2])
        placeCount = Int(place[3])
        momentCount = Int(place[4])
        for line in lines.dropFirst(2) {
            guard let state = Self.numbers(line, ["producer", "epoch", "sequence", "source"]),
                let epoch = Int16(exactly: state[1]), let sequence = Int32(exactly: state[2])
            else { return nil }
            producers[state[0]] = ProducerState(
                lastSource: state[3] < 0 ? nil : Offset(state[3]),
                next: ProducerStamp(producerID: state[0], epoch: epoch, baseSequence: sequence))
        }
        guard position >= 0, segment >= .zero, offset >= segment, placeCount >= 0, momentCount >= 0
        else { return nil }
    }

    /// The second line of version 2.
    private struct Owner {
        let log: LogIdentity
        let topic: TopicName
        let lastChecksum: UInt32?

        init?(_ line: Substring) {
            let words = line.split(separator: " ")
            guard words.count == 6, words[0] == "log", words[2] == "topic", words[4] == "last",
                let log = LogIdentity(words[1]), let topic = TopicName(stored: words[3])
            else { return nil }
            self.log = log
            self.topic = topic
            lastChecksum = UInt32(words[5], radix: 16)
            guard lastChecksum != nil || words[5] == "-" else { return nil }
        }
    }

    /// The numbers of a line of `name number` pairs with exactly these names.
    private static func numbers(_ line: Substring, _ names: [String]) -> [Int64]? {
        let words = line.split(separator: " ")
        guard words.count == names.count * 2 else { return nil }
        var numbers: [Int64] = []
        for (index, name) in names.enumerated() {
            guard words[index * 2] == name, let number = Int64(words[index * 2 + 1]) else {
                return nil
            }
            numbers.append(number)
        }
        return numbers
    }

    init(segment: Offset, position: Int64, offset: Offset) {
        self.segment = segment
        self.position = position
        self.offset = offset
    }
}

extension Disk {
    /// The folder's checkpoint; nil if there is none, or it is not whole.
    func checkpoint(in folder: String) throws(DiskError) -> Checkpoint? {
        let path = folder + "/" + SegmentName.checkpoint
        guard try exists(path) else { return nil }
        let file = try open(path, .read)
        let size = try file.size()
        guard size <= Limits.checkpointBytesMax else { return nil }
        return Checkpoint(decoding: try file.read(at: 0, count: Int(size)))
    }

    /// Puts the checkpoint in the place of the one before, durably.
    func write(_ checkpoint: Checkpoint, in folder: String) throws(DiskError) {
        let path = folder + "/" + SegmentName.checkpoint
        let temporary = path + SegmentName.temporarySuffix
        let file = try open(temporary, .create)
        try file.writeAll(checkpoint.encoded(), at: 0)
        try file.sync()
        try rename(temporary, to: path)
        try syncDirectory(folder)
    }
}
