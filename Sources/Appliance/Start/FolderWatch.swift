package import AppendLog
package import Logging
import ServiceLifecycle

/// Looks after the folder while the daemon runs: notes how far each topic has come, for the next
/// start to compare, and stops the daemon when the folder is no longer the one it has opened.
///
/// Two looks are a half second apart. Of a *deleted* folder nothing is acknowledged even in
/// between: the log refuses to call a file durable that has no name any more. In a folder that was
/// *moved* what is acknowledged until the next look is on disk all the same, in the place it was
/// moved to.
package struct FolderWatch: Service {
    package let log: Log
    package let parts: FolderParts
    package let logger: Logger

    package init(log: Log, parts: FolderParts, logger: Logger) {
        self.log = log
        self.parts = parts
        self.logger = logger
    }

    private static let interval = Duration.milliseconds(500)

    package func run() async throws {
        while !Task.isShuttingDownGracefully, !Task.isCancelled {
            if let lost = parts.lost() { throw lost }
            do {
                try await log.cursors.mark()
            } catch {
                // What stops the log is told by who watches it; a full disk is waited out.
                logger.debug("marks not written", metadata: ["error": "\(error)"])
            }
            try? await cancelWhenGracefulShutdown { try await Task.sleep(for: Self.interval) }
        }
    }
}
