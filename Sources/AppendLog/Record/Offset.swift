/// A record's position in one topic: 0 for the first record, one more for each next one.
public struct Offset: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let rawValue: Int64

    public init(_ rawValue: Int64) { self.rawValue = rawValue }

    public static let zero = Offset(0)

    /// - Precondition: the sum fits into 64 bits; a log would need centuries to get there.
    public func advanced(by records: Int64) -> Offset { Offset(rawValue + records) }

    /// How many offsets lie between this one and `other`; negative if `other` comes first.
    public func distance(to other: Offset) -> Int64 { other.rawValue - rawValue }

    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

    public var description: String { String(rawValue) }
}

/// A moment in milliseconds since 1970-01-01T00:00:00Z, the resolution of a record batch.
public struct Timestamp: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Kafka writes −1 where a moment is not known.
    public let milliseconds: Int64

    public init(milliseconds: Int64) { self.milliseconds = milliseconds }

    public static func < (left: Self, right: Self) -> Bool {
        left.milliseconds < right.milliseconds
    }

    public var description: String { "\(milliseconds) ms" }
}

/// Who wrote a batch, and where it stands among that producer's records.
///
/// The log refuses a batch whose producer it has already heard at that sequence, which is what
/// makes a stage that repeats itself after a crash harmless (KIP-98).
public struct ProducerStamp: Hashable, Sendable {
    /// Not negative.
    public var producerID: Int64
    /// Which life of that producer it is; a higher epoch fences the lower ones off.
    public var epoch: Int16
    /// The sequence of the batch's first record, 0…2³¹−1, after which it starts again at 0.
    /// −1 in control batches, which are not part of the producer's sequence.
    public var baseSequence: Int32

    public init(producerID: Int64, epoch: Int16, baseSequence: Int32) {
        self.producerID = producerID
        self.epoch = epoch
        self.baseSequence = baseSequence
    }

    /// The same producer's stamp for the batch that follows one of `recordCount` records.
    ///
    /// - Precondition: `recordCount` is not negative, and neither is `baseSequence`.
    public func advanced(by recordCount: Int) -> ProducerStamp {
        precondition(
            recordCount >= 0 && baseSequence >= 0,
            "sequence \(baseSequence) cannot advance by \(recordCount) records")
        let sequence = (Int64(baseSequence) + Int64(recordCount)) & 0x7FFF_FFFF
        return ProducerStamp(
            producerID: producerID, epoch: epoch, baseSequence: Int32(sequence))
    }
}
