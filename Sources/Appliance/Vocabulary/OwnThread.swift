import Dispatch

/// A thread of its own for a task that may block, and for the tasks that it starts. On the
/// cooperative pool, which has a thread a core, two of them would hold up everybody else.
///
/// The thread is libdispatch's, which gives a serial queue one for as long as it has something to
/// do, and takes it back. It has 255 of them on Linux (DISPATCH_WORKQ_MAX_PTHREAD_COUNT in its
/// queue.c; of 600 queues that block 255 run), for all that is here and in ``BlockingQueue``: the
/// 256th waits until another is free. So whoever makes these without a bound of its own would hold
/// up the ledger. There are some forty in a process that stand for good; the admin port, which
/// makes one a request, has 128 at work at once (`GateLimits.adminWorkCountMax`).
package final class OwnThread: TaskExecutor {
    private let queue: DispatchQueue

    package init(_ label: String) { queue = DispatchQueue(label: label) }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
