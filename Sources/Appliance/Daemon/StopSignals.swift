@preconcurrency import Dispatch
import Foundation
import Logging
import ServiceLifecycle
import Synchronization

/// SIGTERM, SIGINT and SIGHUP as one wish to stop, from here to the end of the process.
///
/// The group's own handling lets go of a signal when its services have ended, and a second one
/// would then kill the process while it closes its files. Here a second one, of whatever kind, is
/// the same wish again.
package final class StopSignals: Service {
    private let sources: [any DispatchSourceSignal]
    private let wish = AsyncStream<Int32>.makeStream(bufferingPolicy: .bufferingOldest(1))
    private let logger: Logger

    package static let all: [Int32] = [SIGTERM, SIGINT, SIGHUP]

    init(_ signals: [Int32] = all, logger: Logger) {
        self.logger = logger
        sources = signals.map { number in
            // Dispatch reads them from a descriptor; their usual effect would come first.
            DispatchSource.makeSignalSource(signal: number, queue: .global())
        }
        for (number, source) in zip(signals, sources) {
            source.setEventHandler { [wish] in wish.continuation.yield(number) }
            source.activate()
        }
    }

    /// The process's only ones. They outlive the daemon, so that a signal after its end changes
    /// nothing any more.
    static func kept(_ signals: [Int32], logger: Logger) -> StopSignals {
        everKept.withLock { kept in
            let new = StopSignals(signals, logger: logger)
            kept.append(new)
            return new
        }
    }

    private static let everKept = Mutex<[StopSignals]>([])

    /// Ends at the first signal; whoever runs this stops everything then.
    package func run() async throws {
        let number = await cancelWhenGracefulShutdown { [wish] in
            for await number in wish.stream { return Int32?.some(number) }
            return nil
        }
        guard let number else { return }
        logger.info("stopping", metadata: ["signal": "\(number)"])
        ServiceManager.ofProcess?.tell(.stopping, logger)
    }
}
