import Synchronization
import Testing
import TwinSupport

@testable import Appliance
@testable import Reconcile
@testable import Twin
@testable import Vocabulary

/// Refunds of declined payments at the twin, which keeps keys for a day as Stripe does.
@Suite("Refunds at the twin")
struct TwinRefundTests {
    /// The twin as its port answers, some of whose answers are lost on the way.
    private final class Port: StripePosting {
        let caller: TwinCaller
        /// How many of the next answers to what is made are lost.
        let lost = Atomic<Int>(0)

        init(_ caller: TwinCaller) { self.caller = caller }

        func post(
            _ path: String, _ form: [(String, String)], idempotencyKey key: String,
            of account: StripeAccount
        ) async throws -> StripeAnswer {
            let answer = caller.post(
                path, StripeClient.encoded(form), idempotency: key, account: account.id)
            let left = lost.load(ordering: .relaxed)
            guard left == 0 else {
                lost.store(left - 1, ordering: .relaxed)
                throw StripeSilence(reason: "lost")
            }
            return Self.answer(answer.raw)
        }

        func look(_ path: String, of account: StripeAccount) async throws -> StripeAnswer {
            let parts = path.split(separator: "?", maxSplits: 1).map(String.init)
            return Self.answer(caller.get(parts[0], parts[1], account: account.id).raw)
        }

        private static func answer(_ answer: APIAnswer) -> StripeAnswer {
            StripeAnswer(status: answer.status, retryAfter: nil, body: answer.body)
        }
    }

    private let caller: TwinCaller
    private let port: Port
    private let charge: String

    init() throws {
        caller = try TwinCaller()
        port = Port(caller)
        charge = try #require(caller.pay(4_200).json["latest_charge"]?.text)
    }

    private func ask(
        _ amount: Int64, beside given: Set<String> = []
    ) async throws -> RefundOutcome {
        let order = RefundOrder(
            charge: charge, amount: MinorUnits(amount),
            currency: try #require(Currency("usd")), account: .own)
        // As another process would, which knows of no other request.
        return await RefundDesk(stripe: port, sleep: { _ in }).refund(order, beside: given).outcome
    }

    private var refunds: [TestJSON] { caller.list("/v1/refunds", "charge=\(charge)") }

    @Test(
        "one whose answers were all lost is the one that is there, also when its key is forgotten",
        arguments: [0, 2 * 86_400])
    func lost(_ later: Int64) async throws {
        port.lost.store(3, ordering: .relaxed)
        #expect(try await ask(4_200) == .unknown("lost"))
        caller.wait(later)
        let id = try #require(refunds.first?["id"]?.text)
        #expect(try await ask(4_200) == .made(id: id, status: "succeeded"))
        #expect(refunds.count == 1)
    }

    @Test("of a part that is asked for again behind the key's day no second one is made")
    func lostPart() async throws {
        port.lost.store(3, ordering: .relaxed)
        #expect(try await ask(1_000) == .unknown("lost"))
        caller.wait(2 * 86_400)
        let id = try #require(refunds.first?["id"]?.text)
        #expect(try await ask(1_000) == .made(id: id, status: "succeeded"))
        #expect(refunds.count == 1, "3,200 would be left for another")
    }

    @Test("one that somebody made in the dashboard just now is told, and none is made beside it")
    func dashboard() async throws {
        let made = caller.post("/v1/refunds", "charge=\(charge)")
        let id = try #require(made.json["id"]?.text)
        #expect(try await ask(4_200) == .made(id: id, status: "succeeded"))
        #expect(refunds.count == 1)
    }

    @Test("beside a part that is given back and not booked yet the rest is made, and once")
    func rest() async throws {
        _ = caller.post("/v1/refunds", "charge=\(charge)&amount=1000")
        let made = try await ask(4_200)
        #expect(Set(refunds.compactMap { $0["amount"] }) == [.int(1_000), .int(3_200)])
        #expect(try await ask(4_200) == made)
        #expect(refunds.count == 2)
    }

    @Test("of a charge that is disputed nothing is made, and Stripe's words say so")
    func disputed() async throws {
        _ = caller.post("/twin/disputes", "charge=\(charge)")
        guard case .refused = try await ask(4_200) else {
            Issue.record("it was not refused")
            return
        }
        #expect(refunds.isEmpty)
    }

    @Test("what is left beside a counted refund of the same size is made")
    func besides() async throws {
        let made = caller.post("/v1/refunds", "charge=\(charge)&amount=2100")
        let id = try #require(made.json["id"]?.text)
        guard case .made(let other, "succeeded") = try await ask(2_100, beside: [id]) else {
            Issue.record("it was not made")
            return
        }
        #expect(other != id)
        #expect(refunds.count == 2)
    }
}
