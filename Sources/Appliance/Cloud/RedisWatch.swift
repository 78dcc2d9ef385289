package import Bridges
package import Logging
import ServiceLifecycle
import Synchronization

/// Says in the log, once, what is in the way at Redis: a role that has nothing to do asks Redis for
/// nothing, and only `/readyz` would know.
package final class RedisWatch: Service {
    private let redis: RedisClient
    private let logger: Logger
    private let tale = Mutex(TroubleTale())

    private static let pause = Duration.seconds(1)

    package init(_ redis: RedisClient, logger: Logger) {
        self.redis = redis
        self.logger = logger
    }

    /// What keeps the role from its work.
    package var trouble: String? {
        let statistics = redis.statistics
        guard !statistics.isConnected else { return nil }
        return statistics.lastTrouble.map { "\($0)" } ?? "no connection to Redis yet"
    }

    /// Runs until graceful shutdown.
    package func run() async throws {
        while !Task.isShuttingDownGracefully, !Task.isCancelled {
            look()
            // Ended early by a stop, which the next look notices.
            try? await cancelWhenGracefulShutdown { try await Task.sleep(for: Self.pause) }
        }
    }

    private func look() {
        let statistics = redis.statistics
        // A first connection that is still to come is no news.
        let sentence = statistics.isConnected ? nil : statistics.lastTrouble.map { "\($0)" }
        switch tale.withLock({ $0.hear(sentence) }) {
        case .begins(let sentence):
            logger.warning("Redis cannot be used now", metadata: ["error": "\(sentence)"])
        case .ends: logger.info("Redis can be used again")
        case nil: return
        }
    }
}
