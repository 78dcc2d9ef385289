public import AppendLog
internal import Synchronization

/// A scheduler whose work runs only when a test says so, on the test's own thread: what happens is
/// then a function of the test alone.
public final class SteppedScheduler: LogScheduler {
    private struct State {
        var queues: [[@Sendable () -> Void]] = []
    }
    private let state = Mutex(State())

    public init() {}

    public func makeQueue(_ label: String) -> any LogQueue {
        state.withLock { state in
            state.queues.append([])
            return Queue(scheduler: self, index: state.queues.count - 1)
        }
    }

    /// Runs the first piece of work of one queue, which `generator` chooses.
    ///
    /// - Returns: whether there was any.
    @discardableResult
    public func step(using generator: inout SeededGenerator) -> Bool {
        let waiting = state.withLock { state in
            state.queues.indices.filter { !state.queues[$0].isEmpty }
        }
        guard let index = waiting.randomElement(using: &generator) else { return false }
        let work = state.withLock { $0.queues[index].removeFirst() }
        work()
        return true
    }

    /// Runs everything, also what it schedules in turn.
    public func run() {
        var generator = SeededGenerator(seed: 0)
        while step(using: &generator) {}
    }

    private struct Queue: LogQueue {
        let scheduler: SteppedScheduler
        let index: Int

        func schedule(_ work: @escaping @Sendable () -> Void) {
            scheduler.state.withLock { $0.queues[index].append(work) }
        }

        func pause(_ duration: Duration) {}
    }
}

/// A clock that stands still until it is told otherwise.
public final class ManualLogClock: LogClock {
    private let state: Mutex<(wall: Int64, monotonic: Int64)>

    public init(milliseconds: Int64 = 1_700_000_000_000) { state = Mutex((milliseconds, 0)) }

    public func now() -> Timestamp { state.withLock { Timestamp(milliseconds: $0.wall) } }
    public func monotonicMilliseconds() -> Int64 { state.withLock { $0.monotonic } }

    /// Moves both clocks on.
    public func advance(milliseconds: Int64) {
        state.withLock { state in
            state.wall += milliseconds
            state.monotonic += milliseconds
        }
    }
}
