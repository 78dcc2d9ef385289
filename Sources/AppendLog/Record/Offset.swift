/// A record's position in one topic: 0 for the first record, one more for each next one.
public struct Offset: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let rawValue: Int64

    public init(_ rawValue: Int64) { self.rawValue = rawValue }

    public static let zero = Offset(0)

    /// Larger ones are no log's: at a million records a second it would take 146,000 years.
    public static let largest = Offset(Int64.max / 2)

    /// The door for a number that a request, a file or an argument names.
    ///
    /// - Returns: nil where no record can have that offset.
    public init?(named number: Int64) {
        guard (0...Self.largest.rawValue).contains(number) else { return nil }
        self.init(number)
    }

    /// Ends at the ends of 64 bits. No log gets there, but a number in a damaged file may, and it
    /// must be found to be wrong and not end the process.
    public func advanced(by records: Int64) -> Offset {
        let (sum, overflows) = rawValue.addingReportingOverflow(records)
        return overflows ? Offset(records < 0 ? .min : .max) : Offset(sum)
    }

    /// How many offsets lie between this one and `other`; negative if `other` comes first. Ends at
    /// the ends of 64 bits.
    public func distance(to other: Offset) -> Int64 {
        let (difference, overflows) = other.rawValue.subtractingReportingOverflow(rawValue)
        return overflows ? (other < self ? .min : .max) : difference
    }

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
