package import AppendLog
package import Appliance
import Logging
import ServiceLifecycle
import Synchronization
package import Vocabulary

/// `ledger verify` beside the running daemon: at most one at a time, on a thread and a connection
/// of its own, so that neither a booking nor a page waits for it.
package final class LedgerCheck: Service {
    /// A ledger that is opened for one verification, and how that is broken off.
    package struct Opened: Sendable {
        var ledger: any LedgerReading
        var interrupt: @Sendable () -> Void

        package init(
            _ ledger: any LedgerReading, interrupt: @escaping @Sendable () -> Void
        ) {
            (self.ledger, self.interrupt) = (ledger, interrupt)
        }
    }

    /// A verification that is under way.
    struct Running: Sendable, Equatable {
        var by: String
        var begun: Instant
        /// Transactions checked so far, and in all; 0 of 0 before the first look.
        var checked: Int64 = 0
        var total: Int64 = 0
    }

    /// The last one that ended.
    struct Ended: Sendable {
        var by: String
        var begun, at: Instant
        /// What it found, or why it could not be done.
        var outcome: Result<LedgerVerification, LedgerError>
    }

    struct State: Sendable {
        var running: Running?
        var ended: Ended?
    }

    private let open: @Sendable () throws(LedgerError) -> Opened
    private let clock: any LogClock
    private let current = Mutex(State())
    private let log: VerificationLog?
    /// Breaks off what runs; it refuses to begin once the daemon stops.
    private let stop = Mutex<(interrupt: (@Sendable () -> Void)?, isStopped: Bool)>((nil, false))
    private let asks: AsyncStream<Void>
    private let ask: AsyncStream<Void>.Continuation
    private let queue = BlockingQueue("tillbox.console.verify")

    /// - Parameter log: where it is kept what was found; nil forgets it with the process.
    package init(
        clock: any LogClock, log: VerificationLog? = nil,
        open: @escaping @Sendable () throws(LedgerError) -> Opened
    ) {
        (self.clock, self.log, self.open) = (clock, log, open)
        (asks, ask) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    var state: State { current.withLock { $0 } }

    /// - Parameter who: who asks for it.
    /// - Returns: false where one is under way, which this one would not see anything beside.
    func begin(by who: String) -> Bool {
        let now = now
        let isFree = current.withLock { state in
            guard state.running == nil else { return false }
            state.running = Running(by: who, begun: now)
            return true
        }
        if isFree { ask.yield() }
        return isFree
    }

    private var now: Instant { Instant(seconds: clock.now().milliseconds / 1_000) }

    package func run() async throws {
        await withTaskCancellationHandler {
            await withGracefulShutdownHandler {
                for await _ in asks { await check() }
            } onGracefulShutdown: {
                self.breakOff()
            }
        } onCancel: {
            breakOff()
        }
    }

    private func breakOff() {
        ask.finish()
        let interrupt = stop.withLock { stop in
            stop.isStopped = true
            return stop.interrupt
        }
        interrupt?()
    }

    private func check() async {
        let outcome: Result<LedgerVerification, LedgerError>
        do throws(LedgerError) {
            outcome = .success(try await queue.run { () throws(LedgerError) in try self.verify() })
        } catch {
            outcome = .failure(error)
        }
        let now = now
        let ended: Ended? = current.withLock { state in
            guard let running = state.running else { return nil }
            let ended = Ended(
                by: running.by, begun: running.begun, at: now, outcome: outcome)
            (state.ended, state.running) = (ended, nil)
            return ended
        }
        if let ended { await log?.note(ended) }
    }

    /// When the whole ledger was verified last and found sound, also before the last restart.
    package var verifiedAt: Instant? { log?.verifiedAt }

    private func verify() throws(LedgerError) -> LedgerVerification {
        let opened = try open()
        let mayBegin = stop.withLock { stop in
            stop.interrupt = opened.interrupt
            return !stop.isStopped
        }
        defer {
            stop.withLock { $0.interrupt = nil }
            try? opened.ledger.close()
        }
        guard mayBegin else { throw .busy }
        return try opened.ledger.verify { progress in
            current.withLock { state in
                state.running?.checked = progress.checked
                state.running?.total = progress.total
            }
        }
    }
}
