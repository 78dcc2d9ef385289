import Synchronization
import Testing

@testable import Appliance
@testable import Console
@testable import Reconcile
@testable import Vocabulary

@Suite("Refunds of declined payments")
struct RefundDeskTests {
    /// Stripe as it answers a list of requests; nil for one that brings nothing.
    private final class Answers: StripePosting {
        struct Asked: Hashable {
            var path, key, account: String
            var form: [String]
        }

        private let state: Mutex<(left: [StripeAnswer?], asked: [Asked])>

        init(_ answers: [StripeAnswer?]) { state = Mutex((answers, [])) }

        var asked: [Asked] { state.withLock { $0.asked } }

        func post(
            _ path: String, _ form: [(String, String)], idempotencyKey key: String,
            of account: StripeAccount
        ) async throws -> StripeAnswer {
            let answer = state.withLock { state in
                state.asked.append(
                    Asked(
                        path: path, key: key, account: account.rawValue,
                        form: form.map { "\($0.0)=\($0.1)" }))
                return state.left.isEmpty ? nil : state.left.removeFirst()
            }
            guard let answer else { throw StripeSilence(reason: "no route") }
            return answer
        }
    }

    private static let made = answer(200, #"{"id":"re_1","status":"succeeded"}"#)

    private static func answer(_ status: Int, _ body: String) -> StripeAnswer {
        StripeAnswer(status: status, retryAfter: nil, body: Array(body.utf8))
    }

    private func order(account: String = "") throws -> RefundOrder {
        RefundOrder(
            charge: "ch_1", amount: MinorUnits(4_200), currency: try #require(Currency("usd")),
            account: StripeAccount(account))
    }

    @Test("it asks for the charge's amount, in its account, and tells what came of it")
    func made() async throws {
        let answers = Answers([Self.made])
        let desk = RefundDesk(stripe: answers, sleep: { _ in })
        let outcome = await desk.refund(try order(account: "acct_1"))
        #expect(outcome == .made(id: "re_1", status: "succeeded"))
        #expect(answers.asked == [
            Answers.Asked(
                path: "/v1/refunds", key: "tillbox-decline-ch_1-4200", account: "acct_1",
                form: ["charge=ch_1", "amount=4200"])
        ])
    }

    @Test("where no answer comes it asks again with the same key, and gives up after three")
    func again() async throws {
        let answers = Answers([nil, Self.answer(500, ""), Self.made])
        let outcome = await RefundDesk(stripe: answers, sleep: { _ in }).refund(try order())
        #expect(outcome == .made(id: "re_1", status: "succeeded"))
        #expect(answers.asked.count == 3 && Set(answers.asked.map(\.key)).count == 1)
        let silent = Answers([])
        let unknown = await RefundDesk(stripe: silent, sleep: { _ in }).refund(try order())
        #expect(unknown == .unknown("no route"))
        #expect(silent.asked.count == 3)
    }

    @Test("what Stripe refuses is told in its words, and not asked again", arguments: [
        (400, #"{"error":{"message":"Charge ch_1 has already been refunded."}}"#,
            "Charge ch_1 has already been refunded."),
        (401, "", "it does not know the API key"),
        (403, "", "the API key may not make refunds; give it write permission"),
        (404, "not JSON", "status 404"),
    ])
    func refused(status: Int, body: String, words: String) async throws {
        let answers = Answers([Self.answer(status, body)])
        let outcome = await RefundDesk(stripe: answers, sleep: { _ in }).refund(try order())
        #expect(outcome == .refused(words))
        #expect(answers.asked.count == 1)
    }

    @Test("two who ask at once make one request")
    func atOnce() async throws {
        let answers = Answers([Self.made])
        let gate = AsyncStream<Void>.makeStream()
        let desk = RefundDesk(stripe: Held(answers, gate.stream), sleep: { _ in })
        let order = try order()
        async let first = desk.refund(order)
        async let second = desk.refund(order)
        gate.continuation.yield()
        gate.continuation.finish()
        #expect(await [first, second].allSatisfy { $0 == .made(id: "re_1", status: "succeeded") })
        // Whoever came after the answer asks again, with the same key.
        #expect(Set(answers.asked.map(\.key)).count == 1)
    }

    /// Stripe that answers once it is let.
    private struct Held: StripePosting {
        let answers: Answers
        let gate: AsyncStream<Void>

        init(_ answers: Answers, _ gate: AsyncStream<Void>) {
            (self.answers, self.gate) = (answers, gate)
        }

        func post(
            _ path: String, _ form: [(String, String)], idempotencyKey key: String,
            of account: StripeAccount
        ) async throws -> StripeAnswer {
            for await _ in gate { break }
            _ = try await answers.post(path, form, idempotencyKey: key, of: account)
            return RefundDeskTests.made
        }
    }
}
