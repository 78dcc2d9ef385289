import Bridges
import Synchronization
import Vocabulary

/// The code by which the first person comes in: good once, and as long as nobody has an account.
/// Each start makes another one.
final class SetupLink: Sendable {
    /// nil once it was used, or where there is none.
    private let hash: Mutex<[UInt8]?>
    /// What the address ends with; for who prints it.
    let code: String?

    /// - Parameter isNeeded: whether there is no account yet.
    init(isNeeded: Bool) {
        let code = isNeeded ? AccessSecret.make(byteCount: 16) : nil
        self.code = code
        hash = Mutex(code.map { AccessSecret.hash($0) })
    }

    /// Whether a code is the one, and was not used yet.
    func isGood(_ shown: String) -> Bool {
        let known = hash.withLock { $0 }
        return known.map { equalInConstantTime($0, AccessSecret.hash(shown)) } ?? false
    }

    /// Uses the code up.
    ///
    /// - Returns: false where it is not the one, or somebody was first.
    func use(_ shown: String) -> Bool {
        let shown = AccessSecret.hash(shown)
        return hash.withLock { known in
            guard let good = known, equalInConstantTime(good, shown) else { return false }
            known = nil
            return true
        }
    }
}
