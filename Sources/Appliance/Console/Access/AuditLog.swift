import AppendLog
import Logging
import Vocabulary

/// Who did what, when and from where, in the order in which it was done. Each entry is bound to
/// the one before it, so that none can be changed or taken out unseen.
///
/// What cannot be written is logged, and holds nothing up: a full disk must not keep anybody from
/// deciding a review.
package struct AuditLog: Sendable {
    let store: any AccountStore
    let clock: any LogClock
    let logger: Logger
    private let queue = BlockingQueue("tillbox.console.audit")

    init(store: any AccountStore, clock: any LogClock, logger: Logger) {
        self.store = store
        self.clock = clock
        self.logger = logger
    }

    /// Notes what a caller did.
    ///
    /// - Parameters:
    ///   - what: a stable word or a route.
    ///   - address: where it came from.
    ///   - detail: what a person should know of it; never a secret.
    package func note(
        _ caller: Caller, _ what: String, from address: String?, _ detail: String = ""
    ) async {
        let who =
            switch caller.credential {
            case .session: caller.name
            case .token: "token \(caller.name)"
            case .folder: "\(caller.name) (command line)"
            }
        await note(who: who, what, from: address, detail)
    }

    /// Notes how the daemon is set up, where that is another way than when it was noted last.
    /// Blocks.
    ///
    /// - Parameter summary: one line, without a secret.
    func noteConfiguration(_ summary: String) {
        let (what, now) = ("configuration", clock.now().milliseconds)
        do {
            let last = try store.lastAudit(of: what)?.detail
            guard last != AuditEntry.kept(summary) else { return }
            try store.note(
                who: ReservedNames.daemon, what: what, place: "start", detail: summary, at: now)
        } catch {
            logger.error(
                "the audit log cannot be written",
                metadata: ["what": "\(what)", "detail": "\(summary)", "error": "\(error)"])
        }
    }

    /// Notes what somebody did who is no caller yet, such as somebody who signs in.
    func note(who: String, _ what: String, from address: String?, _ detail: String = "") async {
        let now = clock.now().milliseconds
        let place = address ?? "unknown"
        do {
            try await queue.run { [store] in
                try store.note(who: who, what: what, place: place, detail: detail, at: now)
            }
        } catch {
            logger.error(
                "the audit log cannot be written",
                metadata: [
                    "who": "\(who)", "what": "\(what)", "from": "\(place)", "error": "\(error)",
                ])
        }
    }
}
