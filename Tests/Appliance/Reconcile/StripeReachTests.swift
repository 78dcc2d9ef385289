import AppendLog
import Logging
import NIOCore
import TestSupport
import Testing

@testable import Appliance
@testable import Daemon
@testable import Reconcile
@testable import Vocabulary

/// What is known of a Stripe that does not answer, and in which words.
@Suite("A silent Stripe")
struct StripeReachTests {
    /// 2026-11-25T22:31:00Z
    private struct Clock: LogClock {
        func now() -> Timestamp { Timestamp(milliseconds: 1_795_645_860_000) }
        func monotonicMilliseconds() -> Int64 { 0 }
    }

    private static func reach() -> StripeReach {
        StripeReach(base: "http://stripe", clock: Clock(), logger: Logger(label: "test"))
    }

    @Test("the first attempt that fails is a warning, and the first answer ends it")
    func warning() {
        let reach = Self.reach()
        #expect(reach.warning == nil)
        reach.hasFailed("Connection refused")
        reach.hasFailed("status 502")
        #expect(
            reach.warning?.hasPrefix(
                "Stripe does not answer at http://stripe since 2026-11-25T22:31:00Z "
                    + "(Connection refused):")
                == true, "\(reach.warning ?? "")")
        reach.hasAnswered()
        #expect(reach.warning == nil)
    }

    @Test("an address where nobody listens fails at once, in the system's own words")
    func refused() async throws {
        let reach = Self.reach()
        let transport = HTTPStripeTransport(
            base: "http://127.0.0.1:\(try freePort())", key: "sk_test_a", reach: reach)
        await #expect(throws: StripeSilence(reason: "Connection refused")) {
            try await transport.get("/v1/balance", of: .own)
        }
        #expect(reach.warning?.contains("(Connection refused)") == true)
    }

    @Test("a request that was given up says nothing of Stripe")
    func cancelled() async throws {
        let reach = Self.reach()
        let mute = try ScriptedPeer { connection in while !connection.read().isEmpty {} }
        let transport = HTTPStripeTransport(
            base: "http://127.0.0.1:\(mute.port)", key: "sk_test_a", reach: reach)
        let request = Task { try await transport.get("/v1/balance", of: .own) }
        request.cancel()
        await #expect(throws: CancellationError.self) { try await request.value }
        #expect(reach.warning == nil)
    }

    @Test("one that takes connections and answers nothing is a silence too, when its time is asked")
    func mute() async throws {
        let reach = Self.reach()
        let mute = try ScriptedPeer { connection in while !connection.read().isEmpty {} }
        let fixture = try ReconcileFixture()
        let reconciler = Reconciler(
            settings: ReconcilerSettings(),
            client: StripeClient(
                transport: HTTPStripeTransport(
                    base: "http://127.0.0.1:\(mute.port)", key: "sk_test_a", reach: reach)),
            store: fixture.store,
            openLedger: { try SQLiteLedgerReader.open(path: fixture.data.ledger) },
            admission: fixture.admission, accepts: { !$0 }, clock: fixture.clock,
            stripeClock: StripeClock(fixture.clock), counters: fixture.counters,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        #expect(await !reconciler.learnTime())
        #expect(reach.warning?.contains("(no answer within 2 s)") == true, "\(reach.warning ?? "")")
        reach.hasAnswered()
        let asking = Task { await reconciler.learnTime() }
        asking.cancel()
        #expect(await !asking.value)
        #expect(reach.warning == nil, "who is stopped says nothing of Stripe")
    }

    @Test("a failed connection is told in words of which none is a type's name")
    func words() async {
        #expect(
            NetworkReason.of(IOError(errnoCode: 111, reason: "connect")) == "Connection refused")
        let transport = HTTPStripeTransport(base: "http://example.invalid", key: "sk_test_a")
        await #expect(throws: StripeSilence(reason: "no address is known of example.invalid")) {
            try await transport.get("/v1/balance", of: .own)
        }
    }
}
