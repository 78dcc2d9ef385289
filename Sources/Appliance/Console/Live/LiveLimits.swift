/// Every bound of what open consoles are told.
enum LiveLimits {
    /// Looks at the pipeline a second; every one of them may tell of single records.
    static let looksPerSecond = 4
    /// Single records of a kind that one look tells of: 20 a second.
    static let recordsPerLook = 5
    /// Records of a kind that one look considers, where few of them are worth telling.
    static let recordsSeenPerLook = 50
    /// Events that are kept for who comes back, and their bytes.
    static let keptEventCount = 512
    static let keptByteCount = 512 << 10
    /// Bytes that a reader is handed at once.
    static let pieceByteCount = 32 << 10
    /// Seconds over which rates are taken.
    static let rateSeconds = 5
    /// Seconds of one bucket of what is shown over time, and how many are kept: an hour.
    static let bucketSeconds: Int64 = 10
    static let bucketCount = 360
    /// Buckets that "the last minute" means.
    static let minuteBucketCount = 6
    /// Seconds between two looks at whether the money is right. It costs one row an account.
    static let moneySeconds: Int64 = 5
    /// A look that takes long is made less often, so that it takes this share of its thread's time
    /// at most.
    static let moneyShareMax = 0.05
    /// Open reviews that are counted.
    static let reviewCountMax = 1_000
    /// Runs that are looked through for one that has ended.
    static let runCountMax = 10
    /// Milliseconds between two looks at a pipeline that other processes run, each of which asks
    /// servers for every partition.
    static let afarMilliseconds: Int64 = 2_000
    /// Such a look that takes long is made less often, so that it takes this share of its thread's
    /// time at most; one that failed is made again after as long a pause.
    static let afarShareMax = 0.25
    static let afarTroubleMilliseconds: Int64 = 4_000
    /// Payments of such a pipeline that wait for the ledger before they are told of, and between
    /// two looks at how far it is.
    static let afarWaitingMax = 64
    static let afarBookedMilliseconds: Int64 = 1_000
    /// A script's numbers are exact up to here.
    static let epochEnd: Int64 = 1 << 53
}
