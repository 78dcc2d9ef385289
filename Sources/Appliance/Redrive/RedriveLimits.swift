/// Bounds of what is read and sent at once.
package enum RedriveLimits {
    /// Bytes of `dead.letter`'s target that are searched for one redriven record.
    static let searchByteCount = 16 << 20
    /// Bytes of dead letters from which on a request takes no more; their orders fit one append.
    static let requestByteCount = 2 << 20
    /// Dead letters that one request takes at most; the answer says where to go on.
    static let requestCountMax = 1000
    /// Dead letters of those that a request names which are read at once.
    static let namedLetterCount = 100
    /// Dead letters that one page lists at most.
    package static let pageCountMax = 1000
    /// Dead letters of a data folder that a page groups by their reasons.
    static let listedCountMax = 5_000
    /// Records of `dead.letter` that one look at Kafka reads at most, and letters whose lines are
    /// kept from then on.
    static let lookRecordCountMax = 20_000
    static let bookLetterCountMax = 50_000
    /// Records of `dead.letter` that a request looks through which names a reason or nothing; the
    /// answer says where to go on.
    static let searchRecordCountMax = 100_000
    /// An edited value, in bytes: with its escapes it fits a request's body.
    package static let editByteCountMax = 32 << 10
    /// Body of a request, in bytes.
    package static let bodyByteCountMax = 64 << 10
}
