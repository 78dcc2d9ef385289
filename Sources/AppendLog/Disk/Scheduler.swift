internal import Dispatch

/// Where flushers run. In production a queue of the system's; in a simulation the test's own hand.
public protocol LogScheduler: Sendable {
    /// A queue that runs its work in order, one at a time, off the caller's thread.
    func makeQueue(_ label: String) -> any LogQueue
}

public protocol LogQueue: Sendable {
    func schedule(_ work: @escaping @Sendable () -> Void)
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
}
