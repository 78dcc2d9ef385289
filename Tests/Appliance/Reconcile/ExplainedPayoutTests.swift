import AppendLog
import TestSupport
import Testing
import TwinSupport

@testable import Appliance
@testable import Command
@testable import Reconcile
@testable import Twin
@testable import Vocabulary

private let day = ReconcileFixture.day

/// A payout beside what Stripe says it is made of, as far as a run has read it.
@Suite("A payout, explained")
struct ExplainedPayoutTests {
    private func explainer(_ world: TwinWorld) -> Explainer {
        let topics = world.fixture.topics
        return Explainer(
            ledger: world.fixture.ledger, statement: world.fixture.store,
            topic: { TopicReader(topics[$0]) }, endpoints: [])
    }

    @Test("its bank movement, its line, and the sum of its parts, before and after a run")
    func payout() async throws {
        let start = ReconcileFixture.start
        let world = try TwinWorld(start: start, payouts: .daily)
        try await world.fixture.running {
            let charge = try world.charge(10_000)
            _ = try world.charge(2_500)
            world.go(to: start + 9 * day)
            try await world.deliver()
            let payouts = try world.get("/v1/payouts", "limit=100")["data"].list
            let payout = try #require(payouts.first { $0["automatic"] == true })
            let (id, amount) = (payout.id, try #require(payout["amount"]?.integer))
            let before = try explainer(world).movement(MovementKey("payout:\(id)"))
            #expect(before.isPayout && before.payout == nil && before.faults.isEmpty)
            #expect(before.transactions[0].statement.isEmpty)
            #expect(ExplainText(before).text.contains("no reconciliation has looked at it"))

            _ = try await world.fixture.reconcile(from: 0)
            #expect(try explainer(world).name(id) == .movement(MovementKey("payout:\(id)")))
            let found = try explainer(world).movement(MovementKey("payout:\(id)"))
            #expect(found.faults.isEmpty, "\(found.faults)")
            let parts = try #require(found.payout)
            #expect(parts.amount.rawValue == amount && parts.unexplained == .zero)
            #expect(parts.total.rawValue == amount && parts.count >= 2)
            let explained = try #require(found.transactions.first)
            let bank = try #require(explained.transaction.posting.entries.first {
                $0.account.rawValue == "bank:usd"
            })
            #expect(bank.amount.rawValue == amount)
            #expect(explained.statement.map(\.type) == ["payout"])
            #expect(explained.statement.map(\.isRight) == [true])
            #expect(explained.statement.first?.net.rawValue == -amount)
            let text = ExplainText(found).text
            #expect(text.contains("made of \(parts.count) balance transactions at Stripe"))
            #expect(text.contains("unexplained: nothing"))
            // Each payment's line, and none of the payout's own.
            #expect(parts.count == 2)
            #expect(parts.lines.map(\.type) == ["charge", "charge"])
            #expect(parts.lines.compactMap(\.net?.rawValue).reduce(0, +) == amount)
            let payment = try explainer(world).movement(MovementKey("charge:\(charge)"))
            let settled = try #require(payment.transactions.first)
            let line = try #require(settled.statement.first)
            #expect(line.payout == PayoutOfLine(id: id, created: parts.created))
            #expect(parts.lines.contains {
                $0.id == line.id && $0.transaction == settled.transaction.id
            })
            let day = parts.created.rfc3339.prefix(10)
            #expect(ExplainText(payment).text.contains("paid out   in \(id) on \(day)"))
            #expect(text.contains("  line       \(line.id), charge, net "))
            // The fee was never signed: reconciliation made it.
            let fees = try #require(
                try explainer(world).account(
                    AccountName("fees:stripe"), Given.usd, limit: 100))
            #expect(fees.entries.count == 2 && fees.faults.isEmpty, "\(fees.faults)")
            for entry in fees.entries {
                #expect(
                    entry.transaction.webhook?.signature == .unsigned(.reconciliation))
                let number = try #require(
                    entry.transaction.numbers(for: fees.account).first)
                #expect(number.path == "data.object.fee")
                #expect(number.value == entry.amount.rawValue)
            }
        }
    }

    @Test("a payout whose lines an earlier release did not keep has them after the next run")
    func filled() async throws {
        let start = ReconcileFixture.start
        let world = try TwinWorld(start: start, payouts: .daily)
        try await world.fixture.running {
            let charge = MovementKey("charge:\(try world.charge(10_000))")
            world.go(to: start + 9 * day)
            try await world.deliver()
            _ = try await world.fixture.reconcile(from: 0)
            let before = try explainer(world).movement(charge).transactions[0].statement
            let id = try #require(before.first?.payout?.id)
            try world.fixture.store.execute("DELETE FROM payout_lines")
            let gone = try explainer(world).movement(charge).transactions[0].statement
            #expect(gone.count == 1 && gone.first?.payout == nil)
            let unknown = ExplainText(try explainer(world).movement(MovementKey("payout:\(id)")))
            #expect(unknown.text.contains("which they are: not known yet"))
            // A night's period, which does not hold the payout.
            world.go(to: start + 20 * day)
            _ = try await world.fixture.reconcile(from: start + 18 * day)
            #expect(try explainer(world).movement(charge).transactions[0].statement == before)
        }
    }

    @Test("what its parts do not come to is unexplained")
    func unexplained() async throws {
        let start = ReconcileFixture.start
        let world = try TwinWorld(start: start, payouts: .daily)
        try await world.fixture.running {
            _ = try world.charge(10_000)
            world.go(to: start + 9 * day)
            try await world.deliver()
            _ = try await world.fixture.reconcile(from: 0)
            let payouts = try world.get("/v1/payouts", "limit=100")["data"].list
            let id = try #require(payouts.first { $0["automatic"] == true }).id
            try world.fixture.store.execute("UPDATE settled_payouts SET total = total - 120")
            let found = try explainer(world).movement(MovementKey("payout:\(id)"))
            #expect(found.payout?.unexplained == MinorUnits(120))
            #expect(ExplainText(found).text.contains("unexplained: 1.20 usd"))
        }
    }
}
