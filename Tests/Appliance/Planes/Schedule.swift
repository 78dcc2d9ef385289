import Synchronization

/// Lets one task run at a time, and chooses by a seed which: the same seed gives the same history.
///
/// Every task stops at named points, right before and right after each thing that it does to the
/// outside world. There it waits until it is let go, or told that its process dies.
final class Schedule: Sendable {
    /// Who waits, and where.
    struct Parked: Sendable {
        var task: Int
        var point: String
        /// Whether letting it go would do anything.
        var hasWork: @Sendable () -> Bool
    }

    /// The task's process died at this point.
    struct Died: Error {
        var point: String
    }

    private struct State {
        var running = 0
        var parked: [Int: (Parked, CheckedContinuation<Bool, Never>)] = [:]
        var driver: CheckedContinuation<Void, Never>?
        /// At which points something has died, for the test that it happened at each.
        var deaths: [String: Int] = [:]
    }

    private let state = Mutex(State())

    /// A task is about to start; it counts as running until it waits or ends.
    func starts() { state.withLock { $0.running += 1 } }

    func ends() { settle { $0.running -= 1 } }

    /// - Throws: `Died`.
    func pass(
        _ task: Int, _ point: String, hasWork: @escaping @Sendable () -> Bool = { true }
    ) async throws {
        let lives = await withCheckedContinuation { continuation in
            settle { state in
                state.running -= 1
                let parked = Parked(task: task, point: point, hasWork: hasWork)
                state.parked[task] = (parked, continuation)
            }
        }
        if !lives { throw Died(point: point) }
    }

    private func settle(_ change: (inout State) -> Void) {
        let driver: CheckedContinuation<Void, Never>? = state.withLock { state in
            change(&state)
            guard state.running == 0 else { return nil }
            defer { state.driver = nil }
            return state.driver
        }
        driver?.resume()
    }

    // MARK: The driver

    /// Returns when every task waits or has ended, with those that wait, in the order of their
    /// numbers.
    func quiet() async -> [Parked] {
        await withCheckedContinuation { continuation in
            let isQuiet = state.withLock { state in
                if state.running == 0 { return true }
                state.driver = continuation
                return false
            }
            if isQuiet { continuation.resume() }
        }
        return state.withLock { $0.parked.values.map(\.0).sorted { $0.task < $1.task } }
    }

    func letGo(_ task: Int) { resume(task, lives: true) }

    func kill(_ task: Int) { resume(task, lives: false) }

    private func resume(_ task: Int, lives: Bool) {
        let continuation: CheckedContinuation<Bool, Never>? = state.withLock { state in
            guard let (parked, continuation) = state.parked.removeValue(forKey: task) else {
                return nil
            }
            state.running += 1
            if !lives { state.deaths[parked.point, default: 0] += 1 }
            return continuation
        }
        continuation?.resume(returning: lives)
    }

    var deaths: [String: Int] { state.withLock { $0.deaths } }
}
