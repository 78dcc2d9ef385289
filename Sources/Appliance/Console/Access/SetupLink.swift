import Vocabulary

/// The code by which the first person comes in: good once, and as long as nobody has an account.
/// Where accounts are a folder's, each start makes another one; where several instances share
/// them, the first to start makes it, and another one only once it is old.
struct SetupLink: Sendable {
    /// What the address ends with; for who prints it. nil where there is none, or it is somebody
    /// else's.
    let code: String?

    /// Offers a code, where nobody has an account and the store takes it. Blocking.
    init(_ store: any AccountStore, at now: Int64) {
        // Nobody can be let in who cannot be written down.
        guard (try? store.hasUsers) == false else {
            code = nil
            return
        }
        let new = AccessSecret.make(byteCount: 16)
        let isTaken = (try? store.offerSetup(AccessSecret.hash(new), at: now)) == true
        code = isTaken ? new : nil
    }
}
