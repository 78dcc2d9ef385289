import Dispatch

/// A thread of its own for a task that may block, and for the tasks that it starts. On the
/// cooperative pool, which has a thread a core, two of them would hold up everybody else.
package final class OwnThread: TaskExecutor {
    private let queue: DispatchQueue

    package init(_ label: String) { queue = DispatchQueue(label: label) }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
