package import AppendLog
package import Vocabulary

/// Where an event came from that was not delivered: the `endpoint` header of its record. No
/// webhook endpoint can be called so, since these names are refused in the configuration.
package enum FetchedOrigin: String, Sendable {
    /// Stripe's list of events had it, and no delivery ever came.
    case backfill
    /// Reconciliation made it of Stripe's statement.
    case reconcile
}

/// Admits what was fetched exactly as what was delivered, so that the index, the log and
/// everything behind them know no difference.
extension AdmissionStore {
    /// Appends the event unless one of its id is stored, and returns when that is on disk.
    ///
    /// - Parameters:
    ///   - body: the event as JSON; the record's value, byte for byte.
    ///   - arrived: the wall clock now.
    /// - Throws: what the store failed with; the same call is harmless then.
    package func admit(
        fetched body: [UInt8], _ identity: EventIdentity, from origin: FetchedOrigin,
        arrived: Timestamp
    ) async throws(StoreFailure) -> AdmissionOutcome {
        let record = Record.received(
            body[...], id: identity.id, endpoint: origin.rawValue, receivedAt: arrived)
        return try await admit(identity, record: record)
    }
}
