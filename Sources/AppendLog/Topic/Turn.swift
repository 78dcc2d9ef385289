internal import Dispatch

/// A lock that may be handed from one thread's hold on another lock to the next: taken in one
/// function, given back in another.
struct Turn: Sendable {
    private let semaphore = DispatchSemaphore(value: 1)

    func take() { semaphore.wait() }
    func give() { semaphore.signal() }
}
