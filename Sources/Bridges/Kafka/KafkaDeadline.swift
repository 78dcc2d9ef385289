#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The moment up to which a blocking call may wait.
struct KafkaDeadline {
    private let moment: ContinuousClock.Instant

    init(_ patience: Duration) { moment = .now + patience }

    private init(_ moment: ContinuousClock.Instant) { self.moment = moment }

    var hasPassed: Bool { moment <= .now }

    /// Never negative.
    var rest: Duration { max(.zero, ContinuousClock.now.duration(to: moment)) }

    /// The same, but not before `patience` from now.
    func atLeast(_ patience: Duration) -> KafkaDeadline {
        KafkaDeadline(max(moment, .now + patience))
    }

    /// Holds the calling thread.
    static func pause(_ time: Duration) {
        usleep(UInt32(time.wholeMilliseconds) * 1000)
    }
}
