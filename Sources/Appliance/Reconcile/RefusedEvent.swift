import Vocabulary

/// An event of Stripe's list that never arrived and that could not be stored for itself, while
/// others are: it is too large for a topic, say.
struct RefusedEvent: Hashable, Sendable {
    var id: EventID
    var type: String
    var created: Instant
    var account: StripeAccount
    /// In an operator's words.
    var why: String

    /// How many a sweep names; more are counted.
    static let namedCountMax = 1_000
    /// How many are told in one sentence.
    private static let toldCountMax = 3

    /// As a run lists it.
    var asBreak: ReconciliationBreak {
        ReconciliationBreak(
            kind: .eventRefused, subject: id.rawValue, type: type, occurredAt: created,
            account: account)
    }

    /// What a sweep says of those that it met; nil where it met none.
    static func sentence(of refused: [RefusedEvent], count: Int64) -> String? {
        guard count > 0 else { return nil }
        let told = refused.prefix(toldCountMax).map { "\($0.id) (\($0.type)): \($0.why)" }
        let rest = count - Int64(told.count)
        return (count == 1 ? "an event" : "\(count) events")
            + " of Stripe's list cannot be stored, and each sweep tries again: "
            + told.joined(separator: "; ") + (rest > 0 ? "; and \(rest) more" : "")
    }
}
