import Synchronization
import Vocabulary

/// Work that looks at another disk, on a thread of its own. Where that hangs, such as the mount of
/// a server that has gone, nobody waits for it, not even who stops the daemon.
final class UnawaitedWork: Sendable {
    private let thread: OwnThread
    private let isUnderWay = Mutex(false)

    init(_ label: String) { thread = OwnThread(label) }

    /// Begins it, unless what was begun before has not come to its end.
    ///
    /// - Returns: whether it has begun.
    func begin(_ body: @escaping @Sendable () async -> Void) -> Bool {
        let mayBegin = isUnderWay.withLock { isUnderWay in
            defer { isUnderWay = true }
            return !isUnderWay
        }
        guard mayBegin else { return false }
        // A system call that hangs heeds no cancellation, and a group would wait for it.
        Task(executorPreference: thread) {
            await body()
            self.isUnderWay.withLock { $0 = false }
        }
        return true
    }
}
