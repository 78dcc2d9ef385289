/// How far a topic had come once, and the checksum of the batch that it ended with.
///
/// The log notes marks beside the cursors. A topic that ends before its mark has lost something;
/// one whose batch there has another checksum has another history.
public struct TopicMark: Hashable, Sendable {
    /// The offset after the last record.
    public var end: Offset
    /// nil where no batch is left before `end`, or nobody knows.
    public var checksum: UInt32?
    /// The first offset that was kept; nil in marks of earlier releases.
    public var start: Offset?

    public init(end: Offset, checksum: UInt32?, start: Offset? = nil) {
        self.end = end
        self.checksum = checksum
        self.start = start
    }

    /// `<end> <8 hex digits, or −> <start>`, as it stands in a record of `__cursors`.
    var encoded: String {
        let end = "\(end) \(checksum.map { IdentityFile.hex($0) } ?? "-")"
        return start.map { "\(end) \($0)" } ?? end
    }

    init?(_ text: String) {
        let words = text.split(separator: " ")
        guard (2...3).contains(words.count), let end = Int64(words[0]), end >= 0 else { return nil }
        let start = words.count == 3 ? Int64(words[2]) : nil
        guard start ?? 0 >= 0 else { return nil }
        self.init(
            end: Offset(end), checksum: UInt32(words[1], radix: 16), start: start.map(Offset.init))
        guard encoded == text else { return nil }
    }
}
