import AppendLog
import ServiceLifecycle
import Synchronization
import Vocabulary

/// The pipeline as open consoles see it: it looks four times a second on a thread of its own, and
/// tells what it sees to all of them at once.
package final class LiveBoard: Service {
    package let feed: LiveFeed
    /// One for one thread.
    private let makeLook: @Sendable () -> any LiveLooking
    private let newest = Mutex<(figures: LiveFigures, history: [LiveHistory.Bucket])?>(nil)
    private let thread = OwnThread("tillbox.live")

    /// Of a pipeline that this process runs.
    package init(_ parts: LiveParts) {
        makeLook = { LiveLook(parts) }
        feed = LiveFeed(epoch: parts.clock.now().milliseconds)
    }

    /// Of one that other processes run. Of several instances that look at it each has numbers of
    /// its own, so that an id of one is not taken for another's.
    package init(_ look: AfarLook) {
        makeLook = { AfarLive(look) }
        feed = LiveFeed(epoch: Int64.random(in: 1..<LiveLimits.epochEnd))
    }

    /// The newest figures with those of the last hour. Before the first look of its own it looks
    /// for who asks, and blocks for as long as that takes.
    func seen() -> (figures: LiveFigures, history: [LiveHistory.Bucket]) {
        if let newest = newest.withLock({ $0 }) { return newest }
        var look = makeLook()
        return (look.figures(), [])
    }

    /// The newest figures with those of the last hour, as JSON; nil before the first look.
    func encoded() -> [UInt8]? {
        newest.withLock { $0 }.map { $0.figures.encode(history: $0.history) }
    }

    package func run() async throws {
        await withTaskExecutorPreference(thread) { await look() }
    }

    private func look() async {
        var look = makeLook()
        var count = 0
        while !Task.isShuttingDownGracefully, !Task.isCancelled {
            look.tell(feed)
            if count % LiveLimits.looksPerSecond == 0 {
                let figures = look.figures()
                let history = look.buckets
                newest.withLock { $0 = (figures, history) }
                feed.publish(
                    figures: figures.encode(shown: ShownFigures(figures, history)))
            }
            count += 1
            // Ended early by the shutdown, which the loop then sees.
            try? await cancelWhenGracefulShutdown {
                try await Task.sleep(for: .seconds(1) / LiveLimits.looksPerSecond)
            }
        }
    }
}
