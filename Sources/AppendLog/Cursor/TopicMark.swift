/// How far a topic had come once, and the checksum of the batch that it ended with.
///
/// The log notes marks beside the cursors. A topic that ends before its mark has lost something;
/// one whose batch there has another checksum has another history.
public struct TopicMark: Hashable, Sendable {
    /// The offset after the last record.
    public var end: Offset
    /// nil where no batch is left before `end`, or nobody knows.
    public var checksum: UInt32?

    public init(end: Offset, checksum: UInt32?) {
        self.end = end
        self.checksum = checksum
    }

    /// `<end> <8 hex digits, or −>`, as it stands in a record of `__cursors`.
    var encoded: String { "\(end) \(checksum.map { IdentityFile.hex($0) } ?? "-")" }

    init?(_ text: String) {
        let words = text.split(separator: " ")
        guard words.count == 2, let end = Int64(words[0]), end >= 0 else { return nil }
        self.init(end: Offset(end), checksum: UInt32(words[1], radix: 16))
        guard encoded == text else { return nil }
    }
}
