import Appliance
package import Logging
import ServiceLifecycle
import Synchronization
import Vocabulary

/// Looks all the while whether Postgres answers, for the role that asks it only when somebody asks
/// the role: `/readyz` would know nothing of it otherwise. Says in the log, once, what is in the
/// way.
package final class PostgresWatch: Service {
    private let ask: @Sendable () throws -> Void
    private let logger: Logger
    private let tale = Mutex(TroubleTale())
    private let found = Mutex<String?>(nil)
    private let queue = BlockingQueue("tillbox.postgres.watch")

    private static let pause = Duration.seconds(2)

    /// - Parameter ask: one short question; what it throws is what is in the way. Blocking.
    package init(logger: Logger, ask: @escaping @Sendable () throws -> Void) {
        self.ask = ask
        self.logger = logger
    }

    /// What was in the way at the last look; nil for nothing.
    package var trouble: String? { found.withLock { $0 } }

    /// Runs until graceful shutdown.
    package func run() async throws {
        while !Task.isShuttingDownGracefully, !Task.isCancelled {
            await look()
            // Ended early by a stop, which the next look notices.
            try? await cancelWhenGracefulShutdown { try await Task.sleep(for: Self.pause) }
        }
    }

    private func look() async {
        let sentence: String?
        do {
            try await queue.run { [ask] in try ask() }
            sentence = nil
        } catch {
            sentence = "Postgres: \(error)"
        }
        found.withLock { $0 = sentence }
        switch tale.withLock({ $0.hear(sentence) }) {
        case .begins(let sentence):
            logger.warning("Postgres cannot be used now", metadata: ["error": "\(sentence)"])
        case .ends: logger.info("Postgres can be used again")
        case nil: return
        }
    }
}
