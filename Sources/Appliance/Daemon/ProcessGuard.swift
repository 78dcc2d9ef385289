import CProcess
import Foundation

/// What the daemon sets up about its own process before it opens anything.
enum ProcessGuard {
    /// Parts of the heap with a lock of their own.
    private static let arenasMax: Int32 = 2
    /// Descriptors that are asked for where the hard limit is higher.
    private static let descriptorsWanted: UInt = 65_536
    /// Descriptors that no connection may take: segments and indexes of each topic, the ledger with
    /// its write-ahead log, snapshots, cursors, connections to Stripe, and what opens for a moment.
    private static let descriptorsKept = 256
    /// Connections of each port, however few descriptors there are.
    private static let connectionsMin = 16

    /// - Returns: a sentence for each protection that this system refuses.
    static func prepare() -> [String] {
        var warnings: [String] = []
        crashAtOnce()
        shareArenas()
        var none = rlimit(rlim_cur: 0, rlim_max: 0)
        if setrlimit(__rlimit_resource_t(UInt32(RLIMIT_CORE.rawValue)), &none) != 0
            || tillbox_forbid_dumps() != 0
        {
            warnings.append(
                "core dumps cannot be turned off; a crash may leave secrets on the disk")
        }
        return warnings
    }

    /// Swift's runtime catches traps to print a backtrace, which takes seconds in which the ports
    /// stay open and nobody answers. Without it the kernel frees them at once, and a supervisor
    /// starts anew. Whoever sets SWIFT_BACKTRACE wants the backtrace.
    private static func crashAtOnce() {
        guard getenv("SWIFT_BACKTRACE") == nil else { return }
        for number in [SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGQUIT] {
            signal(number, SIG_DFL)
        }
    }

    /// glibc gives nearly each thread an arena of its own. What one thread allocates and another
    /// frees then leaves holes in all of them: after a million payments they held two and a half
    /// times what was in use (docs/BENCHMARKS.md). Whoever sets MALLOC_ARENA_MAX is obeyed.
    private static func shareArenas() {
        guard getenv("MALLOC_ARENA_MAX") == nil else { return }
        // Refused, it only costs memory.
        _ = tillbox_limit_arenas(arenasMax)
    }

    /// Raises the limit of open files as far as allowed.
    ///
    /// - Returns: how many may be open.
    static func raiseDescriptorLimit() -> Int {
        let resource = __rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue))
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0 else { return 1024 }
        let wanted = min(limit.rlim_max, max(limit.rlim_cur, descriptorsWanted))
        if wanted > limit.rlim_cur {
            var raised = rlimit(rlim_cur: wanted, rlim_max: limit.rlim_max)
            if setrlimit(resource, &raised) == 0 { limit.rlim_cur = wanted }
        }
        return Int(clamping: limit.rlim_cur)
    }

    /// How many connections each port may serve with so many descriptors: the webhook port three
    /// quarters of what is left.
    static func connections(of descriptors: Int) -> (webhook: Int, admin: Int) {
        let left = max(0, descriptors - descriptorsKept)
        return (
            min(4096, max(connectionsMin, left / 4 * 3)), min(1024, max(connectionsMin, left / 4))
        )
    }
}
