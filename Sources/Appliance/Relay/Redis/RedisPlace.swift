package import Bridges
package import Vocabulary

/// Where the Redis bridge copies to, and by which keys. What is older than `RedisKeys.lifetime` is
/// not copied.
package struct RedisPlace: Sendable {
    package var configuration: RedisConfiguration
    package var keys: RedisKeys

    package init(configuration: RedisConfiguration, keys: RedisKeys) {
        self.configuration = configuration
        self.keys = keys
    }

    func claimKey(of event: EventID) -> String { keys.claims + event.rawValue }
    func vectorKey(of movement: MovementKey) -> String { keys.vectors + movement.rawValue }
}
