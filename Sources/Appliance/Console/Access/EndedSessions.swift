import Synchronization

/// Sessions that are over and that the store may still have: it could not be written, as on a full
/// disk. They open nothing any more in this process, and are taken out of the store as soon as it
/// can be written again.
final class EndedSessions: Sendable {
    /// By the hashes of their secrets: when they ended, in milliseconds since 1970.
    private let hashes = Mutex<[[UInt8]: Int64]>([:])

    /// Forgets those that no store would know any more, too.
    func add(_ hash: [UInt8], at now: Int64) {
        hashes.withLock { hashes in
            hashes = hashes.filter { now - $0.value < AccessLimits.sessionMilliseconds }
            hashes[hash] = now
        }
    }

    func has(_ hash: [UInt8]) -> Bool { hashes.withLock { $0[hash] != nil } }

    /// Takes all of them out of the store, and is rid of them then. Blocking.
    ///
    /// - Throws: ``AccountsFailure``; those that are left are kept.
    func store(in store: any AccountStore) throws {
        for hash in hashes.withLock({ Array($0.keys) }) {
            try store.endSession(hash)
            hashes.withLock { $0[hash] = nil }
        }
    }
}
