/// Every bound of the two ports in one place.
package enum GateLimits {
    /// Bytes of all header fields of a request.
    static let headerByteCountMax = 16 * 1024
    /// Header fields of a request.
    static let headerCountMax = 100
    /// Seconds from the opening of a connection, or the first byte of a further request, to the end
    /// of its header.
    static let headerSecondsMax: Int64 = 5
    /// Seconds from the end of the header to the end of the body.
    static let bodySecondsMax: Int64 = 10
    /// Seconds that a connection may stay open without a request, once all is answered.
    static let idleSecondsMax: Int64 = 75
    /// Bytes of an answer that a client takes at least within each ``idleSecondsMax``, unless fewer
    /// are left: one that reads slower is cut off.
    static let takenAnswerByteCountMin = 64 << 10
    /// Bytes of a body, refused for its size, that are still read so that the refusal is seen.
    static let discardedByteCountMax = 4 << 20
    /// Bytes of further requests that wait for an answer's end, from which on a connection is not
    /// read any more.
    static let aheadByteCountMax = 16 << 10
    /// Bytes that are parsed at once; those of a body that is under way come on top.
    static let takenByteCountMax = 2 << 10
    /// Bytes of an answer up to which it counts for nothing: so many may wait for a client that
    /// does not read.
    static let answerByteCountFree = 4 << 10
    /// Bytes of answers that are not read, from which on a connection gets no further ones.
    static let unreadByteCountMax = 16 << 10
    /// Streamed answers of one port at one time; further ones are refused.
    package static let streamCountMax = 64
    /// Seconds that a client may leave a piece of a stream untaken before it is cut off.
    static let streamStallSecondsMax: Int64 = 10
    /// Seconds without anything sent after which a stream sends a heartbeat.
    static let streamHeartbeatSeconds: Int64 = 10
    /// Milliseconds that a stream's peer may leave what was sent unacknowledged: one that is gone
    /// without a word is found out by the kernel then, however little was sent.
    static let streamPeerMillisecondsMax = 30_000
    /// Bytes of requests in flight on one port, heads and bodies alike, unless configured
    /// otherwise.
    package static let memoryByteCount = 64 << 20
    /// Bytes that a parsed part of a request sent ahead counts for beside its own.
    static let aheadPartByteCount = 512
    /// Requests of the admin port that are at work at once, each of which may hold a thread up: so
    /// they leave threads to all else that has one of its own (``OwnThread``).
    package static let adminWorkCountMax = 128
    /// Bytes of a body on the admin port.
    package static let adminBodyByteCountMax = 64 << 10
    /// Bytes read at once when the index catches up with the log.
    static let catchUpByteCount = 1 << 20
    /// Seconds that requests which have begun have left when the port closes.
    static let drainSecondsMax: Int64 = 1
    /// Seconds that a client told 503 should wait.
    static let retryAfterSeconds = 5
    /// Admissions between two snapshots of the index.
    package static let snapshotIntervalCount = 250_000
    /// Seconds for which a clock that seems wrong is reported after the last sign of it.
    static let clockSuspicionSeconds: Int64 = 600
    /// Seconds for which a signature's time confirms this machine's clock.
    static let clockConfirmedSeconds: Int64 = 86_400
}
