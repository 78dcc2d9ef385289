import Appliance
import Synchronization
import Vocabulary

/// Keeps in the audit log that the whole ledger was verified, and what was found.
package final class VerificationLog: Sendable {
    private let audit: AuditLog
    private let newest: Mutex<Instant?>

    /// What the audit log calls it where everything fits together.
    private static let sound = "ledger verified"
    private static let unsound = "ledger not sound"
    private static let failed = "ledger not verified"
    private static let place = "verification"

    /// Blocks while it reads when that was last.
    package init(_ audit: AuditLog) {
        self.audit = audit
        // Accounts that cannot be read are told of elsewhere.
        let last = try? audit.store.lastAudit(of: Self.sound)
        newest = Mutex(last.map { Instant(seconds: $0.at / 1_000) })
    }

    /// When it was verified last and found sound; nil for never.
    var verifiedAt: Instant? { newest.withLock { $0 } }

    func note(_ ended: LedgerCheck.Ended) async {
        let (what, detail) =
            switch ended.outcome {
            case .success(let found):
                found.fault.map { (Self.unsound, "\($0)") }
                    ?? (Self.sound, Counted.words(found.transactions, "transaction"))
            case .failure(let error): (Self.failed, "\(error)")
            }
        if what == Self.sound { newest.withLock { $0 = ended.at } }
        await audit.note(who: ended.by, what, from: Self.place, detail)
    }
}
