package import AppendLog
package import Vocabulary

/// What makes two deliveries the same event: Stripe repeats all three, byte for byte.
package struct EventIdentity: Hashable, Sendable {
    package var id: EventID
    package var type: String
    /// The text of `created` as it stands in the body; a thin event's is a string.
    package var created: String

    package init(id: EventID, type: String, created: String) {
        self.id = id
        self.type = type
        self.created = created
    }

    /// What a claim on its id says of it: `type:created` (contracts §11).
    package var claimText: [UInt8] { Array("\(type):\(created)".utf8) }
}

/// How an admission ended, once its record (or the first one's) is durable.
package enum AdmissionOutcome: Hashable, Sendable {
    case admitted(SourcePlace)
    /// Stored before, under this identity.
    case duplicate
    /// Another event is stored under this id, with another type or creation time.
    case conflict
}

/// Admits each event once. The claim on an id and the storing of its record are one step as seen
/// from outside:
///
///     absent ─claim─▶ pending ─record durable─▶ done
///        ▲               │
///        └─given back────┘  only where it is certain that nothing was stored
///
/// Nobody is told "duplicate" before the first record is durable. Who meets a pending claim waits
/// for what becomes of it, and fails with it, or with `StoreFailure.pending`.
package protocol AdmissionStore: Sendable {
    /// Stores `record` in `webhook.received` unless an event of this id is stored; `completion` is
    /// called once, when that is durable, on any thread: be quick there.
    func admit(
        _ identity: EventIdentity, record: Record,
        completion: @escaping @Sendable (Result<AdmissionOutcome, StoreFailure>) -> Void)
}

extension AdmissionStore {
    /// The same for a task.
    func admit(
        _ identity: EventIdentity, record: Record
    ) async throws(StoreFailure) -> AdmissionOutcome {
        let result: Result<AdmissionOutcome, StoreFailure> =
            await withCheckedContinuation { continuation in
                admit(identity, record: record) { continuation.resume(returning: $0) }
            }
        return try result.get()
    }
}

/// Keeps records of `dead.letter` that no step derived: deliveries that are no events, and orders
/// to send letters back.
package protocol LetterStore: Sendable {
    /// Appends the records; `completion` is called once, when they are durable, on any thread: be
    /// quick there.
    func keep(
        _ letters: [Record],
        completion: @escaping @Sendable (Result<Void, StoreFailure>) -> Void)
}

extension LetterStore {
    /// The same for a task.
    func keep(_ letters: [Record]) async throws(StoreFailure) {
        let result: Result<Void, StoreFailure> = await withCheckedContinuation { continuation in
            keep(letters) { continuation.resume(returning: $0) }
        }
        try result.get()
    }
}
