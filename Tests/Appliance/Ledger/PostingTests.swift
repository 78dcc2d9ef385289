import Testing

@testable import Appliance

@Suite("What is booked")
struct PostingTests {
    private static let approved = Make.payment("ch", .approve)
    private static let suspect = Make.payment("ch", .manualReview)

    @Test(
        "each row of contracts §6 moves what it says",
        arguments: [
            ([approved], ["processor:stripe usd": 1000, "merchant:acct_1:payable usd": -1000]),
            ([suspect], ["processor:stripe usd": 1000, "merchant:acct_1:held usd": -1000]),
            (
                [Make.payment("ch", .block)],
                ["processor:stripe usd": 1000, "merchant:acct_1:held usd": -1000]
            ),
            (
                [Make.payment("ch", .notScored)],
                ["processor:stripe usd": 1000, "merchant:acct_1:held usd": -1000]
            ),
            (
                [suspect, Make.review("ch", .approved)],
                ["processor:stripe usd": 1000, "merchant:acct_1:payable usd": -1000]
            ),
            (
                [suspect, Make.review("ch", .declined)],
                ["processor:stripe usd": 1000, "merchant:acct_1:refund_due usd": -1000]
            ),
            (
                [
                    suspect, Make.review("ch", .declined),
                    Make.scored(Make.event(.refund, "re", related: "ch")),
                ], [:]
            ),
            (
                [
                    suspect, Make.review("ch", .declined),
                    Make.scored(Make.event(.refund, "re", related: "ch")),
                    Make.scored(Make.event(.refundFailed, "re", related: "ch")),
                ], ["processor:stripe usd": 1000, "merchant:acct_1:refund_due usd": -1000]
            ),
            (
                [approved, Make.scored(Make.event(.refund, "re", amount: 300, related: "ch"))],
                ["processor:stripe usd": 700, "merchant:acct_1:payable usd": -700]
            ),
            (
                [Make.scored(Make.event(.disputeWithdrawn, "txn", fee: 1500))],
                [
                    "merchant:acct_1:disputed usd": 1000, "fees:stripe usd": 1500,
                    "processor:stripe usd": -2500,
                ]
            ),
            (
                [Make.scored(Make.event(.disputeReinstated, "txn", fee: -1500))],
                [
                    "merchant:acct_1:disputed usd": -1000, "fees:stripe usd": -1500,
                    "processor:stripe usd": 2500,
                ]
            ),
            (
                [Make.scored(Make.event(.disputeReinstated, "txn"))],
                ["merchant:acct_1:disputed usd": -1000, "processor:stripe usd": 1000]
            ),
            (
                [Make.scored(Make.event(.payout, "po"))],
                ["bank:usd usd": 1000, "processor:stripe usd": -1000]
            ),
            (
                [
                    Make.scored(Make.event(.payoutFailed, "po")),
                    Make.scored(Make.event(.payout, "po")),
                ], [:]
            ),
            (
                [Make.scored(Make.event(.fee, "txn"))],
                ["fees:stripe usd": 1000, "processor:stripe usd": -1000]
            ),
        ] as [([LedgerInput], [String: Int64])])
    func table(inputs: [LedgerInput], expected: [String: Int64]) throws {
        let ledger = try memoryLedger()
        for outcome in try ledger.post(inputs).inputs { #expect(outcome != .nothingToBook) }
        #expect(try standing(ledger) == expected)
        #expect(try ledger.verify().fault == nil)
    }

    @Test(
        "a kind that moves no money books nothing",
        arguments: [PaymentKind.paymentFailed, .disputeOpened, .disputeClosed])
    func zeroEntryKinds(kind: PaymentKind) throws {
        let outcome = try memoryLedger().post([Make.scored(Make.event(kind, "x", amount: 0))])
        #expect(outcome == PostOutcome(inputs: [.nothingToBook], posted: []))
    }

    @Test(
        "what cannot be booked is refused by its code and spoils nothing else",
        arguments: [
            (Make.payment("ch", amount: 0), .amountIsZero),
            (Make.payment("ch", amount: -1), .amountIsNegative),
            (
                Make.scored(Make.event(.disputeWithdrawn, "t", amount: .max, fee: 1)),
                .amountOverflow
            ),
            (Make.scored(Make.event(.disputeWithdrawn, "t", amount: 0)), .amountIsZero),
            (
                Make.scored(Make.event(.disputeReinstated, "t", amount: .max, fee: -1)),
                .amountOverflow
            ),
            (Make.payment("ch", amount: .max), .balanceOverflow),
            (Make.payment("ch", merchant: "a:b"), .merchantUnusable),
            (Make.payment("ch", merchant: ""), .merchantUnusable),
            (Make.payment("ch", merchant: "ä"), .merchantUnusable),
            (Make.payment("ch", merchant: String(repeating: "m", count: 129)), .merchantUnusable),
            (Make.payment("c h", id: "evt"), .movementUnusable),
            (Make.payment(String(repeating: "c", count: 256), id: "evt"), .movementUnusable),
            (Make.payment("ch", id: ""), .eventIDUnusable),
            (Make.payment("ch", id: "evt\u{0}"), .eventIDUnusable),
            (
                Make.scored(Make.event(.payout, "po", movement: "held:charge:ch")),
                .movementUnusable
            ),
            (
                Make.scored(Make.event(.fee, "t", movement: "released:charge:ch")),
                .movementUnusable
            ),
            (Make.payment("first", amount: 999), .movementConflicts),
            (Make.payment("first", currency: Make.eur), .movementConflicts),
            (Make.payment("first", merchant: "acct_2"), .movementConflicts),
            (Make.scored(Make.event(.payout, "po0", amount: 7)), .movementConflicts),
            (
                .review(
                    ReviewRecord(
                        movement: MovementKey("refund:re"), state: .approved, reasons: [],
                        score: nil, by: "ada", at: Instant(seconds: 1), note: nil)), .notReviewable
            ),
        ] as [(LedgerInput, PostingRefusal)])
    func refuses(input: LedgerInput, refusal: PostingRefusal) throws {
        let ledger = try memoryLedger()
        let before = [Make.payment("first"), Make.scored(Make.event(.payout, "po0", amount: 5))]
        let outcome = try ledger.post(before + [input, Make.payment("last")])
        #expect(
            outcome.inputs == [
                .booked(count: 1), .booked(count: 1), .refused(refusal), .booked(count: 1),
            ])
        #expect(try ledger.post([input]).inputs == [.refused(refusal)])
        #expect(try standing(ledger)["processor:stripe usd"] == 1995)
        #expect(try ledger.verify().fault == nil)
    }

    @Test("a fuller scoring moves the money, a poorer one does not, a person's word stays")
    func rescoring() throws {
        let ledger = try memoryLedger()
        let steps: [(LedgerInput, String)] = [
            (Make.payment("ch", .approve, known: false), "payable"),
            (Make.payment("ch", .manualReview), "held"),
            (Make.payment("ch", .approve, known: false), "held"),
            (Make.payment("ch", .approve), "held"),
            (Make.review("ch", .approved, by: "scoring"), "held"),
            (Make.review("ch", .expired), "held"),
            (Make.review("ch", .approved), "payable"),
            (Make.payment("ch", .block), "payable"),
            (Make.review("ch", .declined), "refund_due"),
            (Make.review("ch", .approved), "refund_due"),
        ]
        for (input, place) in steps {
            _ = try ledger.post([input])
            #expect(try standing(ledger)["merchant:acct_1:\(place) usd"] == -1000)
        }
        #expect(
            try ledger.transactions(of: MovementKey("charge:ch")).map(\.posting.movement.rawValue)
                == [
                    "charge:ch", "held:charge:ch", "review_approved:charge:ch",
                    "review_declined:charge:ch",
                ])
    }

    @Test("the money may be held twice, under a key of its own")
    func heldTwice() throws {
        let ledger = try memoryLedger()
        var event = Make.event(.payment, "ch", known: false)
        for (index, verdict) in [Verdict.approve, .block, .approve, .block].enumerated() {
            if index == 1 { event.customer = "c" }
            if index == 2 { event.card = "f" }
            if index == 3 { event.country = "DE" }
            #expect(
                try ledger.post([Make.scored(event, verdict)]).inputs == [.booked(count: 1)])
        }
        #expect(
            try ledger.show("charge:ch").map(\.posting.movement.rawValue) == [
                "charge:ch", "held:charge:ch", "released:charge:ch", "held:charge:ch#2",
            ])
    }
}
