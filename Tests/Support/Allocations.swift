internal import CAllocations

/// How often some code asked for memory, and how many bytes: a measure of work that does not depend
/// on the machine's speed, so that a test may hold a threshold against it.
///
/// Every allocation of the test program is counted, by thread (`CAllocations`), but for a build
/// with a sanitizer, whose own malloc must not be replaced.
public struct Allocations: Hashable, Sendable {
    public var count: Int
    public var bytes: Int

    /// Whether this build counts at all. For `.enabled(if:)`.
    public static var areCounted: Bool { tillbox_counts_allocations() }

    /// Whether they are counted, and thresholds hold: code that is not optimized asks for memory
    /// where other code does not. For `.enabled(if:)`.
    public static var isOptimizedBuild: Bool {
        #if DEBUG
            false
        #else
            areCounted
        #endif
    }

    /// What `body` asks for on the thread that runs it: exact, whatever else goes on meanwhile.
    ///
    /// Run `body` once beforehand where what it makes for ever (tables, metadata) is not meant.
    public static func ofThread(during body: () throws -> Void) rethrows -> Allocations {
        let before = tillbox_allocations_of_thread()
        try body()
        return Allocations(since: before, tillbox_allocations_of_thread())
    }

    private init(since before: tillbox_allocations, _ after: tillbox_allocations) {
        count = Int(after.count - before.count)
        bytes = Int(after.bytes - before.bytes)
    }
}
