import Dispatch

/// A thread of its own for a task that may block, and for the tasks that it starts. On the
/// cooperative pool, which has a thread a core, two of them would hold up everybody else.
final class OwnThread: TaskExecutor {
    private let queue: DispatchQueue

    init(_ label: String) { queue = DispatchQueue(label: label) }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
