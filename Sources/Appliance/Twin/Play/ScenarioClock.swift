import Synchronization
import Vocabulary

/// The clock of a twin on which a world is played: it stands still between two occurrences, and
/// runs as fast as they are played.
final class ScenarioClock: Sendable {
    private let seconds: Atomic<Int64>

    init(start: Instant) { seconds = Atomic(start.seconds) }

    /// Seconds since 1970.
    var now: Int64 { seconds.load(ordering: .acquiring) }

    /// What a ``Twin`` takes for its clock.
    var reading: @Sendable () -> Int64 { { self.now } }

    /// Moves on to the time of an occurrence; time never goes back.
    func move(to occurrence: Int64) {
        if occurrence > now { seconds.store(occurrence, ordering: .releasing) }
    }
}
