/// Which log this is: 128 random bits, drawn once, when its folder is made.
///
/// A copy of the folder is the same log; a folder that was made anew is another one, whatever its
/// topics are called. Whoever keeps something that was taken from a log (a ledger, a snapshot)
/// keeps the log's identity with it, and so notices when it is put beside another.
public struct LogIdentity: Hashable, Sendable, CustomStringConvertible {
    public let high: UInt64
    public let low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    public static func random() -> LogIdentity {
        LogIdentity(high: .random(in: .min ... .max), low: .random(in: .min ... .max))
    }

    /// 32 lower-case hexadecimal digits.
    public var description: String { Self.digits(high) + Self.digits(low) }

    /// - Returns: nil unless the text is such digits.
    public init?(_ text: some StringProtocol) {
        guard text.utf8.count == 32, let high = UInt64(text.prefix(16), radix: 16),
            let low = UInt64(text.dropFirst(16), radix: 16)
        else { return nil }
        self.init(high: high, low: low)
        guard description == text else { return nil }
    }

    private static func digits(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// What the topic's batches bear as their leader epoch, so that a segment says whose it is:
    /// CRC-32C of the identity and the topic's name, 31 bits, never 0.
    func stamp(of topic: TopicName) -> Int32 {
        let crc = CRC32C.checksum(Array("\(self) \(topic)".utf8)[...])
        return max(1, Int32(crc & 0x7FFF_FFFF))
    }
}

/// Whose batch may stand where. Batches of releases that knew no identity bear 0; they come before
/// all others.
struct StampCheck: Hashable, Sendable {
    /// nil accepts any: nobody knows yet which log this is.
    let expected: Int32?
    private(set) var hasSeenOwn: Bool

    init(expected: Int32?, hasSeenOwn: Bool = false) {
        self.expected = expected
        self.hasSeenOwn = hasSeenOwn
    }

    /// Whether whoever comes next must bear the log's stamp.
    var isSure: Bool { expected != nil && hasSeenOwn }

    /// A batch that was seen before this check began bore it.
    mutating func didSeeOwn() { hasSeenOwn = true }

    /// - Returns: why the batch cannot stand here; nil if it can.
    mutating func refusal(of header: RecordBatchHeader) -> Corruption.Kind? {
        guard let expected else { return nil }
        let found = header.partitionLeaderEpoch
        if found == expected {
            hasSeenOwn = true
            return nil
        }
        return found == 0 && !hasSeenOwn ? nil : .stamp(found: found, expected: expected)
    }
}
