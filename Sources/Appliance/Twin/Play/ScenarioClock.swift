import Dispatch
import Synchronization
import Vocabulary

/// The clock of a twin on which a world is played: it stands still between two occurrences, and
/// runs as fast as they are played. Behind the last one it goes on at the machine's pace, so that
/// who pays then by hand pays in a time that passes.
final class ScenarioClock: Sendable {
    private struct State {
        /// Seconds since 1970 of the last occurrence.
        var played: Int64
        /// What `uptime` said behind the last one; nil while the world is played.
        var over: Int64?
    }

    private let state: Mutex<State>
    private let uptime: @Sendable () -> Int64

    /// - Parameter uptime: seconds that pass whatever anybody sets a clock to.
    init(start: Instant, uptime: @escaping @Sendable () -> Int64 = ScenarioClock.machineUptime) {
        state = Mutex(State(played: start.seconds))
        self.uptime = uptime
    }

    /// Seconds since 1970.
    var now: Int64 {
        state.withLock { state in
            state.over.map { state.played + max(0, uptime() - $0) } ?? state.played
        }
    }

    /// What a ``Twin`` takes for its clock.
    var reading: @Sendable () -> Int64 { { self.now } }

    /// Moves on to the time of an occurrence; time never goes back.
    func move(to occurrence: Int64) {
        state.withLock { $0.played = max($0.played, occurrence) }
    }

    /// The world is over: from now on time passes by itself.
    func goOn() { state.withLock { $0.over = $0.over ?? uptime() } }

    static let machineUptime: @Sendable () -> Int64 = {
        Int64(DispatchTime.now().uptimeNanoseconds / 1_000_000_000)
    }
}
