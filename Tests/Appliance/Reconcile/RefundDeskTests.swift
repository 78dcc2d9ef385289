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
        /// Of the looks at a charge's refunds, one after the other; the last goes on.
        private let lists: Mutex<(left: [StripeAnswer?], asked: [String])>

        init(_ answers: [StripeAnswer?], lists: [StripeAnswer?] = [RefundDeskTests.empty]) {
            state = Mutex((answers, []))
            self.lists = Mutex((lists, []))
        }

        var asked: [Asked] { state.withLock { $0.asked } }
        var looks: [String] { lists.withLock { $0.asked } }

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

        func look(_ path: String, of account: StripeAccount) async throws -> StripeAnswer {
            let answer = lists.withLock { lists in
                lists.asked.append("\(account.rawValue) \(path)")
                return lists.left.count > 1 ? lists.left.removeFirst() : lists.left[0]
            }
            guard let answer else { throw StripeSilence(reason: "no route") }
            return answer
        }
    }

    private static let made = answer(200, #"{"id":"re_1","status":"succeeded"}"#)
    private static let empty = list()
    private static let isRefunded = answer(
        400,
        #"""
        {"error":{"code":"charge_already_refunded",
        "message":"Charge ch_1 has already been refunded."}}
        """#)

    private static func answer(_ status: Int, _ body: String) -> StripeAnswer {
        StripeAnswer(status: status, retryAfter: nil, body: Array(body.utf8))
    }

    private static func list(_ refunds: String..., hasMore: Bool = false) -> StripeAnswer {
        answer(200, #"{"has_more":\#(hasMore),"data":[\#(refunds.joined(separator: ","))]}"#)
    }

    private static func refund(
        _ id: String, _ amount: Int, status: String = "succeeded", key: String? = nil,
        moved: String? = "txn_1"
    ) -> String {
        let metadata = key.map { #""tillbox_refund":"\#($0)""# } ?? ""
        let line = moved.map { #""\#($0)""# } ?? "null"
        return #"""
            {"id":"\#(id)","amount":\#(amount),"status":"\#(status)","metadata":{\#(metadata)},
            "balance_transaction":\#(line)}
            """#
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
        let (outcome, amount) = await desk.refund(try order(account: "acct_1"))
        #expect(amount == MinorUnits(4_200))
        #expect(outcome == .made(id: "re_1", status: "succeeded"))
        #expect(answers.asked == [
            Answers.Asked(
                path: "/v1/refunds", key: "tillbox-decline-ch_1-4200", account: "acct_1",
                form: [
                    "charge=ch_1", "amount=4200",
                    "metadata[tillbox_refund]=tillbox-decline-ch_1-4200",
                ])
        ])
        #expect(answers.looks == ["acct_1 /v1/refunds?charge=ch_1&limit=100"])
    }

    @Test("where no answer comes it asks again with the same key, and gives up after three")
    func again() async throws {
        let answers = Answers([nil, Self.answer(500, ""), Self.made])
        let outcome = await RefundDesk(stripe: answers, sleep: { _ in }).refund(try order()).outcome
        #expect(outcome == .made(id: "re_1", status: "succeeded"))
        #expect(answers.asked.count == 3 && Set(answers.asked.map(\.key)).count == 1)
        let silent = Answers([])
        let unknown = await RefundDesk(stripe: silent, sleep: { _ in }).refund(try order()).outcome
        #expect(unknown == .unknown("no route"))
        #expect(silent.asked.count == 3)
    }

    @Test("what Stripe refuses is told in its words, and not asked again", arguments: [
        (402, #"{"error":{"message":"Insufficient funds"}}"#, "Insufficient funds"),
        (401, "", "it does not know the API key"),
        (403, "", "the API key may not make refunds; give it write permission"),
        (404, "not JSON", "status 404"),
    ])
    func refused(status: Int, body: String, words: String) async throws {
        let answers = Answers([Self.answer(status, body)])
        let outcome = await RefundDesk(stripe: answers, sleep: { _ in }).refund(try order()).outcome
        #expect(outcome == .refused(words))
        #expect(answers.asked.count == 1)
    }

    // MARK: What Stripe has made already

    private static let key = "tillbox-decline-ch_1-4200"

    @Test(
        "what is made already is found among the charge's refunds, and is not asked for",
        arguments: [
            [refund("re_2", 4_200, status: "pending", key: key)],
            [refund("re_9", 4_200), refund("re_2", 100, status: "pending", key: key)],
            [refund("re_1", 4_200, status: "failed"), refund("re_2", 4_200, status: "pending")],
            [refund("re_7", 4_200), refund("re_2", 4_200, status: "pending")],
        ])
    func foundBefore(_ refunds: [String]) async throws {
        let list = Self.answer(
            200, #"{"has_more":false,"data":[\#(refunds.joined(separator: ","))]}"#)
        let answers = Answers([Self.made], lists: [list])
        let outcome = await RefundDesk(stripe: answers, sleep: { _ in })
            .refund(try order(), beside: ["re_7"]).outcome
        #expect(outcome == .made(id: "re_2", status: "pending"))
        #expect(answers.asked.isEmpty)
    }

    @Test(
        "one that failed, one that is counted and what an authorisation released are not it",
        arguments: [
            refund("re_2", 4_200, status: "failed"), refund("re_2", 4_200, status: "canceled"),
            refund("re_7", 4_200), refund("re_2", 4_200, moved: nil),
            refund("re_2", 100, moved: nil),
        ])
    func others(_ refund: String) async throws {
        let answers = Answers([Self.made], lists: [Self.list(refund)])
        let outcome = await RefundDesk(stripe: answers, sleep: { _ in })
            .refund(try order(), beside: ["re_7"]).outcome
        #expect(outcome == .made(id: "re_1", status: "succeeded"))
        #expect(answers.asked.count == 1)
    }

    @Test("what others have given back and is not counted yet is not asked for", arguments: [
        ([refund("re_2", 1_200)], 3_000),
        ([refund("re_2", 1_200, status: "pending", moved: nil), refund("re_3", 1)], 2_999),
        ([refund("re_2", 4_199), refund("re_7", 100), refund("re_4", 9, status: "failed")], 1),
    ] as [([String], Int64)])
    func left(_ refunds: [String], _ left: Int64) async throws {
        let list = Self.answer(
            200, #"{"has_more":false,"data":[\#(refunds.joined(separator: ","))]}"#)
        let answers = Answers([Self.made], lists: [list])
        let (outcome, amount) = await RefundDesk(stripe: answers, sleep: { _ in })
            .refund(try order(), beside: ["re_7"])
        #expect(outcome == .made(id: "re_1", status: "succeeded"))
        #expect(amount == MinorUnits(left))
        #expect(answers.asked.map(\.key) == ["tillbox-decline-ch_1-\(left)"])
        #expect(answers.asked.map { $0.form[1] } == ["amount=\(left)"])
    }

    @Test("where others have given all of it back nothing is asked for, and it says by what")
    func nothingLeft() async throws {
        let list = Self.list(Self.refund("re_2", 1_200), Self.refund("re_3", 3_000))
        let answers = Answers([Self.made], lists: [list])
        let (outcome, amount) = await RefundDesk(stripe: answers, sleep: { _ in })
            .refund(try order())
        #expect(outcome == .refused("all of it was given back by re_2, re_3"))
        #expect(amount == .zero && answers.asked.isEmpty)
    }

    @Test("one of less than the order, asked for from here, is it; one behind another is not")
    func lessened() async throws {
        let own = Self.refund("re_2", 3_000, key: "tillbox-decline-ch_1-3000")
        let answers = Answers([Self.made], lists: [Self.list(Self.refund("re_3", 1_200), own)])
        let (outcome, amount) = await RefundDesk(stripe: answers, sleep: { _ in })
            .refund(try order())
        #expect(outcome == .made(id: "re_2", status: "succeeded"))
        #expect(amount == MinorUnits(3_000) && answers.asked.isEmpty)
        let later = Self.refund("re_2", 3_000, key: "tillbox-decline-ch_1-3000-re_9")
        let others = Answers([Self.made], lists: [Self.list(later)])
        let next = await RefundDesk(stripe: others, sleep: { _ in }).refund(try order())
        #expect(next.outcome == .made(id: "re_1", status: "succeeded"))
        #expect(next.amount == MinorUnits(1_200))
    }

    @Test(
        "where Stripe refuses since it is made already, it is told which refund it is",
        arguments: [
            isRefunded,
            answer(400, #"{"error":{"param":"amount","message":"greater than unrefunded"}}"#),
            answer(400, #"{"error":{"type":"idempotency_error","message":"Keys for …"}}"#),
        ])
    func foundBehind(_ refusal: StripeAnswer) async throws {
        let answers = Answers(
            [refusal], lists: [Self.empty, Self.list(Self.refund("re_2", 4_200, key: Self.key))])
        let outcome = await RefundDesk(stripe: answers, sleep: { _ in }).refund(try order()).outcome
        #expect(outcome == .made(id: "re_2", status: "succeeded"))
        #expect(answers.asked.count == 1 && answers.looks.count == 2)
    }

    @Test("where none of its refunds is it Stripe's words stand; unread ones leave it unknown")
    func notFound() async throws {
        let other = Answers(
            [Self.isRefunded], lists: [Self.empty, Self.list(Self.refund("re_2", 1))])
        let refused = await RefundDesk(stripe: other, sleep: { _ in }).refund(try order()).outcome
        #expect(refused == .refused("Charge ch_1 has already been refunded."))
        let silent = Answers([Self.isRefunded], lists: [Self.empty, nil])
        let unknown = await RefundDesk(stripe: silent, sleep: { _ in }).refund(try order()).outcome
        guard case .unknown(let why) = unknown else {
            Issue.record("\(unknown)")
            return
        }
        #expect(why.hasPrefix("Charge ch_1 has already been refunded."))
        #expect(!unknown.hasFailed, "the next one has the same key")
    }

    private static let unreadable: [(StripeAnswer?, RefundOutcome)] = [
        (nil, .unknown("no route")),
        (answer(500, ""), .unknown("status 500")),
        (answer(401, ""), .refused("it does not know the API key")),
        (
            answer(403, ""),
            .refused("the API key may not look for refunds; give it write permission for them")
        ),
        (
            answer(404, #"{"error":{"message":"No such charge: 'ch_1'"}}"#),
            .refused("No such charge: 'ch_1'")
        ),
        (
            list(hasMore: true),
            .unknown("it has made more refunds of the charge than are looked through")
        ),
    ]

    @Test("without knowing what is made nothing is asked for", arguments: unreadable)
    func unread(_ list: StripeAnswer?, _ expected: RefundOutcome) async throws {
        let answers = Answers([Self.made], lists: [list])
        let outcome = await RefundDesk(stripe: answers, sleep: { _ in }).refund(try order()).outcome
        #expect(outcome == expected)
        #expect(answers.asked.isEmpty)
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
        let made = RefundOutcome.made(id: "re_1", status: "succeeded")
        #expect(await [first, second].allSatisfy { $0.outcome == made })
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

        func look(_ path: String, of account: StripeAccount) async throws -> StripeAnswer {
            try await answers.look(path, of: account)
        }
    }
}
