import ServiceLifecycle
import Synchronization

@testable import Appliance
@testable import Daemon
@testable import Vocabulary

/// Runs services while `body` does, and stops them behind it, whatever it throws.
func running(
    _ services: [any Service], _ body: () async throws -> Void
) async throws {
    let group = ServiceGroup(
        configuration: ServiceGroupConfiguration(
            services: services.map { .init(service: $0) }, logger: PipelineFixture.quiet))
    async let running: Void = group.run()
    let outcome: Result<Void, any Error>
    do {
        outcome = .success(try await body())
    } catch {
        outcome = .failure(error)
    }
    await group.triggerGracefulShutdown()
    try await running
    try outcome.get()
}

extension PipelineFixture {
    /// Payments above 20 USD are held, and every batch of the ledger has a time of its own.
    static func ofLedgerCopies() throws -> PipelineFixture {
        let ticks = Ticks()
        return try PipelineFixture(clockMilliseconds: { ticks.next() }) { settings in
            settings.amountLimits = [Given.usd: MinorUnits(2_000)]
        }
    }

    /// Counts up.
    private final class Ticks: Sendable {
        private let ticks = Mutex<Int64>(1_700_000_000_000)
        func next() -> Int64 {
            ticks.withLock { ticks in
                ticks += 1
                return ticks
            }
        }
    }
}
