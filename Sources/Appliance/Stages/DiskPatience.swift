import Logging
import ServiceLifecycle
import Vocabulary

/// A failure that may say of itself that the same call can succeed later.
package protocol PassingFailure: Error {
    var isRetryable: Bool { get }
}

extension LedgerError: PassingFailure {}

/// Waits out what passes by itself, such as a full disk: a stage that meets one stands still and
/// goes on when there is room, without anybody's help.
///
///     attempt ─▶ done
///        ▲ └─ full ─▶ wait 0.1 s, 0.2 s … 5 s ─┐
///        └─────────────────────────────────────┘ while stopping: for a second, then given up
struct DiskPatience: Sendable {
    let stage: String
    private let warnings: RationedLog
    private let standstills: Standstills

    init(stage: String, standstills: Standstills = Standstills(), logger: Logger) {
        self.stage = stage
        self.standstills = standstills
        warnings = RationedLog(logger: logger)
    }

    /// Repeats `attempt` until it succeeds or fails for good.
    ///
    /// - Throws: `StoppedWhileWaiting`, and what `attempt` throws that does not pass.
    func waitingOut<Value>(
        _ what: String, _ attempt: () async throws -> Value
    ) async throws -> Value {
        var milliseconds = 100
        var giveUpAt: ContinuousClock.Instant?
        var hasWaited = false
        defer { if hasWaited { standstills.ends(stage, waitingFor: what) } }
        while true {
            do {
                return try await attempt()
            } catch let error as any PassingFailure where error.isRetryable {
                warnings.warning(
                    "waiting for room", kind: "\(stage).\(what)",
                    ["stage": stage, "for": what, "error": "\(error)"])
                hasWaited = true
                standstills.begins(stage, waitingFor: what, "\(error)")
            }
            if Task.isShuttingDownGracefully, giveUpAt == nil {
                giveUpAt = .now + .seconds(StageLimits.drainSecondsMax)
                milliseconds = 100
            }
            if let giveUpAt, .now > giveUpAt { throw StoppedWhileWaiting() }
            try await pause(milliseconds)
            milliseconds = min(milliseconds * 2, StageLimits.retryMillisecondsMax)
        }
    }

    /// Ends early when the daemon stops, so that the last attempts come while there is time.
    private func pause(_ milliseconds: Int) async throws {
        if Task.isCancelled { throw StoppedWhileWaiting() }
        guard !Task.isShuttingDownGracefully else {
            // Ended early by cancellation alone, which the next look notices.
            try? await Task.sleep(for: .milliseconds(100))
            return
        }
        try? await cancelWhenGracefulShutdown {
            try await Task.sleep(for: .milliseconds(milliseconds))
        }
    }
}
