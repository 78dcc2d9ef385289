import AppendLog
import ServiceLifecycle
import Synchronization
import Vocabulary

/// The pipeline as open consoles see it: it looks four times a second on a thread of its own, and
/// tells what it sees to all of them at once.
package final class LiveBoard: Service {
    package let feed: LiveFeed
    private let parts: LiveParts
    private let newest = Mutex<(figures: LiveFigures, history: [LiveHistory.Bucket])?>(nil)
    private let thread = OwnThread("tillbox.live")

    package init(_ parts: LiveParts) {
        self.parts = parts
        feed = LiveFeed(epoch: parts.clock.now().milliseconds)
    }

    /// The newest figures with those of the last hour. Before the first look of its own it looks
    /// for who asks, and blocks for as long as that takes.
    func seen() -> (figures: LiveFigures, history: [LiveHistory.Bucket]) {
        if let newest = newest.withLock({ $0 }) { return newest }
        var look = LiveLook(parts)
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
        var look = LiveLook(parts)
        var count = 0
        while !Task.isShuttingDownGracefully, !Task.isCancelled {
            look.tell(feed)
            if count % LiveLimits.looksPerSecond == 0 {
                let figures = look.figures()
                let history = Array(look.history.buckets)
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
