internal import Foundation
internal import Synchronization

/// Clients of Kafka that nobody holds any more.
///
/// Ending one waits for librdkafka's threads, one of which may be looking up a name, and tells each
/// record that still waits its fate. A thread of its own does that, so that letting a client go
/// holds up nobody, whatever thread it is let go on.
public enum KafkaClients {
    private static let waitsAtExit = Mutex(false)
    private static let ends = DispatchGroup()

    /// Waits until every client that was let go has ended: a process that exits first tears the
    /// libraries down below them. Blocking; exiting in order does it by itself, for a second.
    ///
    /// - Returns: whether all have, but for producers that were abandoned.
    @discardableResult
    public static func waitUntilEnded(within patience: Duration) -> Bool {
        let milliseconds = Int(patience.wholeMilliseconds)
        return ends.wait(timeout: .now() + .milliseconds(milliseconds)) == .success
    }

    /// Ends a client on a thread of its own.
    static func end(_ body: @escaping @Sendable () -> Void) {
        ends.enter()
        waitsAtExit.withLock { waitsAtExit in
            guard !waitsAtExit else { return }
            waitsAtExit = true
            // Registered behind the libraries' own, so that it is called before them.
            atexit { KafkaClients.waitUntilEnded(within: .seconds(1)) }
        }
        Thread.detachNewThread {
            body()
            ends.leave()
        }
    }
}

/// Counts the producers that were given up in a call which has not returned yet.
///
/// Each keeps its threads and connections until then; its records it has given back. So that a
/// broker which hangs again and again does not fill the process with them, no producer is made
/// while there are `countMax`: there are never more than these and those that were in use by then.
final class KafkaAbandoned: Sendable {
    static let shared = KafkaAbandoned()
    static let countMax = 8

    private let number = Atomic(0)

    var count: Int { number.load(ordering: .relaxed) }

    func add() { number.add(1, ordering: .relaxed) }
    func remove() { number.subtract(1, ordering: .relaxed) }

    /// - Throws: `.producersHang`.
    func requireRoom() throws(KafkaError) {
        let count = count
        guard count < Self.countMax else { throw .producersHang(count) }
    }
}
