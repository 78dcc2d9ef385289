import NIOCore
import Synchronization

/// Lets so many requests at work at once, and the others in their turn. Who waits holds no thread.
///
///     enter ── one is free ──▶ at work ──leave──▶ the first in line, or free
///       └──── none is ──▶ in line, as long as there are connections
final class RequestTurns: Sendable {
    private struct State {
        var free: Int
        var line = CircularBuffer<CheckedContinuation<Void, Never>>()
    }

    private let state: Mutex<State>

    init(_ count: Int) { state = Mutex(State(free: count)) }

    /// Returns when it is the caller's turn, who says with ``leave()`` that it is over.
    func enter() async {
        await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                guard state.free == 0 else {
                    state.free -= 1
                    return true
                }
                state.line.append(continuation)
                return false
            }
            if isFree { continuation.resume() }
        }
    }

    func leave() {
        let next = state.withLock { state in
            let next = state.line.popFirst()
            if next == nil { state.free += 1 }
            return next
        }
        next?.resume()
    }
}
