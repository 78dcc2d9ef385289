/// How close together a topic's syncs come, where the configuration wants an interval between them.
///
/// What a stage derives keeps the interval always: nobody waits for it, and each sync takes the
/// disk from those who do. A plain append has somebody waiting, so it is synced at once, unless so
/// many come that they would share the sync anyway: then gathering costs each a little and saves
/// most of the syncs.
struct SyncPace: Sendable {
    private let interval: Duration
    private let gatheringAppends: Double
    /// When the last group was taken; nil before the first.
    private var taken: ContinuousClock.Instant?
    /// About how many plain appends came within the last interval.
    private var level = 0.0

    init(_ configuration: LogConfiguration) {
        interval = .microseconds(configuration.syncIntervalMicroseconds)
        gatheringAppends = Double(configuration.gatheringAppends)
    }

    /// Takes note of a group of so many plain appends that is written now.
    mutating func didTake(_ count: Int, now: ContinuousClock.Instant = .now) {
        guard interval > .zero else { return }
        let passed = taken.map { ($0.duration(to: now)) / interval } ?? 1
        level = level * max(0, 1 - passed) + Double(count)
        taken = now
    }

    /// How long to wait before the next group is taken.
    ///
    /// - Parameter isDerived: whether it begins with what a stage derived.
    func rest(isDerived: Bool, now: ContinuousClock.Instant) -> Duration {
        guard interval > .zero, let taken, isDerived || level >= gatheringAppends else {
            return .zero
        }
        return max(.zero, now.duration(to: taken + interval))
    }
}
