/// The events that an endpoint at Stripe is subscribed to, so that all is told that this version
/// reads (docs/EVENTS.md).
package enum SubscribedEvents {
    /// No endpoint can name these at Stripe any more, or yet.
    static let unnamed: Set = [
        "payment.created", "transfer.paid", "transfer.failed", "transfer.canceled",
    ]

    /// By the alphabet.
    package static let names = StripeEvent.HandledType.allCases.map(\.rawValue)
        // Tillbox's own, which Stripe does not send.
        .filter { !$0.hasPrefix("tillbox.") && !unnamed.contains($0) }
        .sorted()
}
