/// What keys are called in Redis (contracts §11): our own names behind a prefix, so that several
/// installations can share a server.
package struct RedisKeys: Hashable, Sendable {
    /// In front of every key.
    package let prefix: String

    package init(prefix: String) { self.prefix = prefix }

    /// How long claims, vectors and payments without one are kept.
    package static let lifetime = Duration.seconds(7 * 86_400)
    /// The same in milliseconds.
    package static let lifetimeMilliseconds = Int64(lifetime / .milliseconds(1))

    /// In front of an event's id: the claim of who admits it (`ClaimStore`).
    package var claims: String { prefix + "gate:" }
    /// In front of a movement's key: its vector (``StoredVector``).
    package var vectors: String { prefix + "features:" }

    /// A sorted set of the movements that wait for a vector, by the time since when.
    package var waiting: String { prefix + "waiting" }
    /// The event of a movement that waits.
    package func waiting(_ movement: MovementKey) -> String { "\(waiting):\(movement.rawValue)" }
    /// The movement of an event that waits, or has waited.
    package func waiting(behind event: EventID) -> String { "\(waiting).event:\(event.rawValue)" }
    /// There while one of the instances of the score role has just swept for all.
    package var sweep: String { prefix + "sweep" }

    /// A hash of the bridge's: by topic, the offset of the local log that is copied next.
    package func position(of log: String) -> String { "\(prefix)bridge:\(log)" }
}
