internal import Dispatch
internal import Glibc

/// Where flushers run. In production a queue of the system's; in a simulation the test's own hand.
public protocol LogScheduler: Sendable {
    /// A queue that runs its work in order, one at a time, off the caller's thread.
    func makeQueue(_ label: String) -> any LogQueue
}

public protocol LogQueue: Sendable {
    func schedule(_ work: @escaping @Sendable () -> Void)
    /// Lets time pass within the work that runs now; a simulation need not.
    func pause(_ duration: Duration)
    /// Looks out for a moment, within the work that runs now, whether `isOver` comes true; a
    /// simulation, in which nothing can happen meanwhile, need not.
    func linger(until isOver: () -> Bool)
}

extension LogQueue {
    public func linger(until isOver: () -> Bool) {}
}

/// Runs flushers on Dispatch's threads, which may block.
public struct DispatchScheduler: LogScheduler {
    public init() {}
    public func makeQueue(_ label: String) -> any LogQueue { DispatchLogQueue(label: label) }
}

private struct DispatchLogQueue: LogQueue {
    private let queue: DispatchQueue

    init(label: String) { queue = DispatchQueue(label: label, qos: .userInitiated) }
    func schedule(_ work: @escaping @Sendable () -> Void) { queue.async(execute: work) }

    func pause(_ duration: Duration) {
        // Cut short by a signal it is a little less.
        usleep(UInt32(max(0, duration / .microseconds(1))))
    }

    func linger(until isOver: () -> Bool) {
        let end = ContinuousClock.now + .microseconds(Limits.lingerMicroseconds)
        // Whoever else wants the processor gets it.
        while !isOver(), ContinuousClock.now < end { sched_yield() }
    }
}
