import Synchronization

/// When a step was first asked to stop. Noted by the wish itself: a step that blocks sees it late,
/// and what it has left of its time counts from the wish.
final class StopMoment: Sendable {
    private let first = Mutex<ContinuousClock.Instant?>(nil)

    /// nil while nobody wants it to stop.
    var asked: ContinuousClock.Instant? { first.withLock { $0 } }

    func note() { first.withLock { $0 = $0 ?? .now } }
}
