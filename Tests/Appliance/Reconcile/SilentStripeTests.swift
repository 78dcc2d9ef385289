import Logging
import Synchronization
import TestSupport
import Testing

@testable import Appliance
@testable import Daemon
@testable import Reconcile
@testable import Vocabulary

/// A Stripe that does not answer yet: the twin is started after the daemon, or the network is down.
@Suite("Reconciliation before Stripe answers")
struct SilentStripeTests {
    private struct Refused: Error {}

    /// What the test knows of the service.
    private final class Watched: Sendable {
        let isUp = Atomic<Bool>(false)
        let waits = Atomic<Int>(0)
    }

    private static func reconciler(_ fixture: ReconcileFixture, _ watched: Watched) -> Reconciler {
        var settings = ReconcilerSettings()
        settings.schedule = ReconcileSchedule(nightlyMinute: 150, sweepSeconds: 3_600)
        return Reconciler(
            settings: settings, client: fixture.client, store: fixture.store,
            openLedger: { try SQLiteLedgerReader.open(path: fixture.data.ledger) },
            admission: fixture.admission, accepts: { !$0 }, clock: fixture.clock,
            stripeClock: StripeClock(fixture.clock),
            sleep: { _ in
                let before = watched.waits.add(1, ordering: .relaxed).newValue
                // The first wait ends when Stripe is up, every other with the test.
                try? await eventually("the wait is over", within: 3_600) {
                    before == 1 && watched.isUp.load(ordering: .relaxed)
                }
            },
            counters: fixture.counters,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    @Test("a Stripe that has never answered is asked again after a second, then ever less often")
    func askedAgain() async throws {
        let fixture = try ReconcileFixture()
        fixture.stripe.script.withLock { script in script = { _, _ in throw Refused() } }
        let waits = Mutex<[Int64]>([])
        let reconciler = Reconciler(
            settings: ReconcilerSettings(), client: fixture.client, store: fixture.store,
            openLedger: { try SQLiteLedgerReader.open(path: fixture.data.ledger) },
            admission: fixture.admission, accepts: { !$0 }, clock: fixture.clock,
            stripeClock: StripeClock(fixture.clock),
            sleep: { seconds in
                let count = waits.withLock { waits in
                    waits.append(seconds)
                    return waits.count
                }
                // The last wait lasts as long as the service.
                if count == 8 { try? await Task.sleep(for: .seconds(3_600)) }
            },
            counters: fixture.counters,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await fixture.running {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await reconciler.run() }
                defer { group.cancelAll() }
                try await eventually("it waits") { waits.withLock { $0.count } == 8 }
            }
        }
        #expect(waits.withLock { $0 } == [1, 2, 4, 8, 16, 32, 60, 60])
    }

    @Test("nothing that is due is begun until Stripe has answered; then it has Stripe's time")
    func waits() async throws {
        let fixture = try ReconcileFixture()
        let watched = Watched()
        fixture.stripe.script.withLock { script in
            script = { _, _ in
                guard watched.isUp.load(ordering: .relaxed) else { throw Refused() }
                return nil
            }
        }
        let reconciler = Self.reconciler(fixture, watched)
        try await fixture.running {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await reconciler.run() }
                defer { group.cancelAll() }
                try await eventually("it waits") { watched.waits.load(ordering: .relaxed) > 0 }
                #expect(try fixture.store.runs(before: nil, limit: 9) == [])
                #expect(try fixture.store.lastBegunSweep(notAfter: Instant(seconds: .max)) == nil)
                #expect(fixture.stripe.asked == ["/v1/balance"])
                // Who asks is told so at once, and not after seven attempts.
                #expect(await !reconciler.learnTime(isAsked: true))
                #expect(fixture.stripe.asked.count == 2)

                watched.isUp.store(true, ordering: .relaxed)
                try await eventually("the run that was due is done") {
                    try fixture.store.runs(before: nil, limit: 9).first?.state == .finished
                }
                #expect(await reconciler.learnTime(isAsked: true))
                let runs = try fixture.store.runs(before: nil, limit: 9)
                #expect(runs.map(\.to.seconds) == [ReconcileFixture.now])
            }
        }
    }
}
