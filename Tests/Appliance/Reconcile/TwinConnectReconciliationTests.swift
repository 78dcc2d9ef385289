import AppendLog
import TestSupport
import Testing

@testable import Appliance
@testable import Reconcile
@testable import Twin
@testable import Vocabulary

private let day = ReconcileFixture.day
private let start = ReconcileFixture.start
private let seller = "acct_1SellerOfTheFlows"

/// The twin's statements against the ledger, account by account.
@Suite("Money of every kind, reconciled in every account")
struct TwinConnectReconciliationTests {
    /// Which webhooks never come.
    enum Loss: CaseIterable, Sendable {
        case none
        /// What a run books by itself where nobody told: it may come before or after the sweep.
        case transfers

        var words: [String] {
            guard self == .transfers else { return [] }
            return ["transfer.created", "transfer.reversed", "application_fee.", "topup."].flatMap {
                ["\"type\":\"\($0)", "\"type\": \"\($0)"]
            }
        }
    }

    @Test(
        "each account's ledger is Stripe's balance to the cent and every line is explained",
        arguments: ConnectFlow.all, Loss.allCases)
    func reconciles(flow: ConnectFlow, loss: Loss) async throws {
        let world = try TwinWorld(start: start, payouts: .manual, sellers: [seller])
        let fixture = world.fixture
        try await fixture.running {
            try flow.act(world)
            // What no webhook tells of is booked when none is waited for any more.
            world.go(to: world.now + 3 * day)
            try await world.deliver(losing: loss.words)
            let report = try await fixture.reconcile()
            #expect(try fixture.found(report) == [], "\(flow)")
            #expect(report.currencies.map(\.unexplained).allSatisfy { $0 == 0 }, "\(report)")
            #expect(report.currencies.allSatisfy { $0.share ?? 1 == 1 }, "\(report)")
            for account in ["", seller] {
                let atStripe = try world.balance(account: account.isEmpty ? nil : account)
                let isKnown = report.currencies.contains { $0.account.rawValue == account }
                #expect(try !isKnown || fixture.processor(of: account) == atStripe, "\(account)")
            }
            // The webhooks that come after all, by the sweep, change nothing any more.
            let standing = try fixture.ledger.standing()
            _ = try await fixture.sweep()
            try await world.drained()
            #expect(try fixture.ledger.standing() == standing)
            let again = try await fixture.reconcile()
            #expect(try fixture.found(again) == [])
            #expect(again.currencies.map(\.booked).allSatisfy { $0 == 0 }, "\(again)")
        }
        #expect(fixture.topics[.deadLetter].highWatermark.rawValue == 0)
    }
}
