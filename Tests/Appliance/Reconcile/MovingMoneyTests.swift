import Synchronization
import TestSupport
import Testing

@testable import Appliance
@testable import Daemon
@testable import Reconcile
@testable import Vocabulary

private let now = ReconcileFixture.now

/// Payments that are made while a run asks Stripe: each request finds more money there, and half
/// of the webhooks come at once.
@Suite("Reconciliation while money moves")
struct MovingMoneyTests {
    /// Makes payments before each answer, in two currencies, a second apart.
    private final class Traffic: Sendable {
        private let made = Mutex<Int64>(0)
        private let fixture: ReconcileFixture
        private let perRequest: Int

        init(_ fixture: ReconcileFixture, perRequest: Int) {
            (self.fixture, self.perRequest) = (fixture, perRequest)
        }

        func pay() async throws {
            for _ in 0..<perRequest {
                let number = made.withLock { made in
                    made += 1
                    return made
                }
                fixture.clock.set(now + number)
                let event = fixture.stripe.charge(
                    "m\(number)", 1_000 + number * number, number % 3 == 0 ? "eur" : "usd",
                    fee: number % 5, at: now + number)
                if number % 2 == 0 { try await deliver(event) }
            }
        }

        private func deliver(_ id: String) async throws {
            let found = fixture.stripe.state.withLock { state in
                state.events.first { $0.id == id }
            }
            guard let event = found else { return }
            try await fixture.admit(Array(event.json.utf8), event.id, event.type, event.created)
            try await fixture.drained()
        }
    }

    @Test(
        "every run explains every difference at its first look, whatever comes between its asking",
        arguments: [1, 3, 7])
    func isClean(perRequest: Int) async throws {
        let fixture = try ReconcileFixture()
        fixture.stripe.charge("before", 5_000, fee: 175, at: now - 5 * 86_400)
        let traffic = Traffic(fixture, perRequest: perRequest)
        try await fixture.running {
            try await fixture.deliver()
            fixture.stripe.script.withLock { script in
                script = { _, _ in
                    try await traffic.pay()
                    return nil
                }
            }
            for _ in 0..<4 {
                let report = try await fixture.reconcile()
                #expect(report.isClean, "\(report.breaks)")
                #expect(report.currencies.map(\.unexplained).allSatisfy { $0 == 0 }, "\(report)")
                // The two sides do differ: that is explained, not absent.
                #expect(report.currencies.contains { $0.ledger != $0.stripe })
            }
            // What is missing for good is found while money moves, too.
            fixture.stripe.change { state in
                state.lines.removeAll { $0.id == "txn_before" }
            }
            let report = try await fixture.reconcile()
            #expect(try fixture.found(report).contains("missing_at_stripe charge:ch_before"))
            #expect(report.currencies.allSatisfy { $0.unexplained == 0 }, "\(report.currencies)")
        }
    }

    @Test("money that no line and no movement explains stays unexplained while money moves")
    func unexplained() async throws {
        let fixture = try ReconcileFixture()
        fixture.stripe.charge("before", 5_000, at: now - 86_400)
        let traffic = Traffic(fixture, perRequest: 2)
        try await fixture.running {
            try await fixture.deliver()
            fixture.stripe.script.withLock { script in
                script = { _, path in
                    try await traffic.pay()
                    guard path == "/v1/balance" else { return nil }
                    return FakeStripe.ok(
                        """
                        {"available": [], "livemode": false,
                         "pending": [{"amount": 77, "currency": "usd"}]}
                        """)
                }
            }
            let report = try await fixture.reconcile()
            #expect(!report.isClean)
            #expect(report.currencies.contains { $0.unexplained != 0 })
        }
    }

    @Test("the ledger of a moment holds what was booked until then, and nothing since")
    func earlierLedger() async throws {
        let fixture = try ReconcileFixture()
        try await fixture.running {
            fixture.stripe.charge("a", 1_000, at: now - 50)
            try await fixture.deliver()
            let lookup = LedgerMoment(try SQLiteLedgerReader.open(path: fixture.data.ledger))
            let then = try lookup.standingStill()
            fixture.stripe.charge("b", 300, at: now - 40)
            fixture.stripe.change { state in
                let grown = state.events[0].object
                    .replacing(#""amount_captured": 1000"#, with: #""amount_captured": 1400"#)
                    .replacing(#""amount": 1000"#, with: #""amount": 1400"#)
                state.events.append(
                    FakeStripe.Event(
                        id: "evt_grown", type: "charge.captured", created: now - 30, object: grown))
            }
            try await fixture.deliver()
            let keys = ["charge:ch_a", "charge:ch_b"]
            let usd = Given.usd
            #expect(try lookup.processorBalance(of: .own) == [usd: 1_700])
            #expect(try then.processorBalance(of: .own) == [usd: 1_000])
            #expect(try lookup.movements(keys).mapValues(\.amount.rawValue) == [
                "charge:ch_a": 1_400, "charge:ch_b": 300,
            ])
            #expect(try then.movements(keys).mapValues(\.amount.rawValue) == ["charge:ch_a": 1_000])
            let found = try then.movements(
                after: 0, from: Instant(seconds: 0), to: Instant(seconds: now), limit: 9)
            #expect(found.map(\.key) == ["charge:ch_a"])
        }
    }
}

@Suite("The lines since a period's end")
struct TailOfStatementTests {
    private static func line(_ id: String, _ amount: Int64) -> BalanceTransaction {
        BalanceTransaction(
            id: id, type: "charge", source: "ch_\(id)", reportingCategory: nil,
            amount: MinorUnits(amount), fee: .zero, net: MinorUnits(amount), currency: Given.usd,
            created: Instant(seconds: 1), availableOn: Instant(seconds: 1), isConverted: false)
    }

    /// Stripe wrote `a`, was asked for its newest line, wrote `b` and `c`, told its balance, and
    /// wrote `d`. The ledger holds `a` and `d`.
    private static func tail(newest: String?) throws -> TailOfStatement {
        var tail = TailOfStatement(newest: newest)
        for movement in [(1, 100), (2, 4_000), (2, 4_000)] as [(Int64, Int64)] {
            try tail.add(
                LedgerMovement(
                    transaction: movement.0, key: "charge:\(movement.0)",
                    effectiveAt: Instant(seconds: 1), currency: Given.usd,
                    amount: MinorUnits(movement.1)),
                movement.1)
        }
        try tail.add(line("d", 4_000))
        try tail.add(line("c", 700))
        try tail.add(line("b", 20))
        try tail.add(line("a", 100))
        return tail
    }

    @Test(
        "a balance ends behind one of the lines that came while it was asked for",
        arguments: [
            // Stripe's balance, and what is left of the difference.
            (balance: 100, left: 0), (120, 0), (820, 0), (4_820, 0),
            // Nothing that is sure may be left out, nor taken twice.
            (0, 4_820), (720, 4_100), (20, 4_800), (5_820, -1_000),
        ] as [(balance: Int64, left: Int64)])
    func ends(example: (balance: Int64, left: Int64)) throws {
        let difference = 4_100 - example.balance
        let parts = try Self.tail(newest: "a").parts { $0[Given.usd] == difference }
        #expect(difference - (parts[Given.usd] ?? 0) == example.left)
    }

    @Test("without a line before, every line may be the last; with all of them before, none may")
    func edges() throws {
        #expect(try Self.tail(newest: nil).parts { $0[Given.usd] == 4_100 }[Given.usd] == 4_100)
        let sure = try Self.tail(newest: "d").parts { $0[Given.usd] == 4_100 }
        #expect(sure[Given.usd] == -720)
    }

    @Test("lines whose sum is none of money are refused, and nothing wraps")
    func beyond() throws {
        var tail = TailOfStatement(newest: nil)
        try tail.add(Self.line("b", .max))
        #expect(throws: StripeError.self) { try tail.add(Self.line("a", -1)) }
        #expect(tail.parts { _ in false }[Given.usd] == -Int64.max)
    }
}
