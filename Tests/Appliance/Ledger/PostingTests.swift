import Testing

@testable import Appliance
@testable import Vocabulary

@Suite("What is booked")
struct PostingTests {
    private static let approved = Given.payment("ch", .approve)
    private static let suspect = Given.payment("ch", .manualReview)

    @Test(
        "each row of contracts §6 moves what it says",
        arguments: [
            ([approved], ["processor:stripe usd": 1000, "merchant:acct_1:payable usd": -1000]),
            ([suspect], ["processor:stripe usd": 1000, "merchant:acct_1:held usd": -1000]),
            (
                [Given.payment("ch", .block)],
                ["processor:stripe usd": 1000, "merchant:acct_1:held usd": -1000]
            ),
            (
                [Given.payment("ch", .notScored)],
                ["processor:stripe usd": 1000, "merchant:acct_1:held usd": -1000]
            ),
            (
                [suspect, Given.review("ch", .approved)],
                ["processor:stripe usd": 1000, "merchant:acct_1:payable usd": -1000]
            ),
            (
                [suspect, Given.review("ch", .declined)],
                ["processor:stripe usd": 1000, "merchant:acct_1:refund_due usd": -1000]
            ),
            (
                [
                    suspect, Given.review("ch", .declined),
                    Given.scored(Given.event(.refund, "re", related: "ch")),
                ], [:]
            ),
            (
                [
                    suspect, Given.review("ch", .declined),
                    Given.scored(Given.event(.refund, "re", related: "ch")),
                    Given.scored(Given.event(.refundFailed, "re", related: "ch")),
                ], ["processor:stripe usd": 1000, "merchant:acct_1:refund_due usd": -1000]
            ),
            (
                [approved, Given.scored(Given.event(.refund, "re", amount: 300, related: "ch"))],
                ["processor:stripe usd": 700, "merchant:acct_1:payable usd": -700]
            ),
            (
                [Given.scored(Given.event(.disputeWithdrawn, "txn", fee: 1500))],
                [
                    "merchant:acct_1:disputed usd": 1000, "fees:stripe usd": 1500,
                    "processor:stripe usd": -2500,
                ]
            ),
            (
                [Given.scored(Given.event(.disputeReinstated, "txn", fee: -1500))],
                [
                    "merchant:acct_1:disputed usd": -1000, "fees:stripe usd": -1500,
                    "processor:stripe usd": 2500,
                ]
            ),
            (
                [Given.scored(Given.event(.disputeReinstated, "txn"))],
                ["merchant:acct_1:disputed usd": -1000, "processor:stripe usd": 1000]
            ),
            (
                [Given.scored(Given.event(.payout, "po"))],
                ["bank:usd usd": 1000, "processor:stripe usd": -1000]
            ),
            (
                [
                    Given.scored(Given.event(.payoutFailed, "po")),
                    Given.scored(Given.event(.payout, "po")),
                ], [:]
            ),
            (
                [Given.scored(Given.event(.fee, "txn"))],
                ["fees:stripe usd": 1000, "processor:stripe usd": -1000]
            ),
            (
                [Given.scored(Given.event(.fee, "txn", fee: -1000))],
                ["fees:stripe usd": -1000, "processor:stripe usd": 1000]
            ),
        ] as [([LedgerInput], [String: Int64])], LedgerStore.allCases)
    func table(row: ([LedgerInput], [String: Int64]), store: LedgerStore) throws {
        let (inputs, expected) = row
        let ledger = try store.ledger()
        for outcome in try ledger.post(inputs).inputs { #expect(outcome != .nothingToBook) }
        #expect(try ledger.standing() == expected)
        #expect(try ledger.verify().fault == nil)
    }

    @Test(
        "a kind that moves no money books nothing",
        arguments: [PaymentKind.paymentFailed, .disputeOpened, .disputeClosed],
        LedgerStore.allCases)
    func zeroEntryKinds(kind: PaymentKind, store: LedgerStore) throws {
        let ledger = try store.ledger()
        let outcome = try ledger.post([Given.scored(Given.event(kind, "x", amount: 0))])
        #expect(outcome == PostOutcome(inputs: [.nothingToBook], posted: []))
    }

    @Test(
        "what cannot be booked is refused by its code and spoils nothing else",
        arguments: [
            (Given.payment("ch", amount: 0), .amountIsZero),
            (Given.payment("ch", amount: -1), .amountIsNegative),
            (
                Given.scored(Given.event(.disputeWithdrawn, "t", amount: .max, fee: 1)),
                .amountOverflow
            ),
            (Given.scored(Given.event(.disputeWithdrawn, "t", amount: 0)), .amountIsZero),
            (
                Given.scored(Given.event(.disputeReinstated, "t", amount: .max, fee: -1)),
                .amountOverflow
            ),
            (Given.payment("ch", amount: .max), .amountOverflow),
            (Given.payment("ch", amount: 1_000_000_000_000_001), .amountOverflow),
            (Given.payment("ch", merchant: "a:b"), .merchantUnusable),
            (Given.payment("ch", merchant: ""), .merchantUnusable),
            (Given.payment("ch", merchant: "ä"), .merchantUnusable),
            (Given.payment("ch", merchant: String(repeating: "m", count: 129)), .merchantUnusable),
            (Given.payment("c h", id: "evt"), .movementUnusable),
            (Given.payment(String(repeating: "c", count: 256), id: "evt"), .movementUnusable),
            (Given.payment("ch", id: ""), .eventIDUnusable),
            (Given.payment("ch", id: "evt\u{0}"), .eventIDUnusable),
            (
                Given.scored(Given.event(.payout, "po", movement: "held:charge:ch")),
                .movementUnusable
            ),
            (
                Given.scored(Given.event(.fee, "t", movement: "released:charge:ch")),
                .movementUnusable
            ),
            (Given.payment("first", currency: Given.eur), .movementConflicts),
            (Given.payment("first", merchant: "acct_2"), .movementConflicts),
            (Given.scored(Given.event(.payout, "po0", amount: 7)), .movementConflicts),
            (
                Given.scored(
                    Given.event(
                        .paymentReversed, "nobody", related: "nobody",
                        movement: "charge_reversed:nobody")), .paymentUnknown
            ),
            (
                Given.scored(Given.event(.payout, "po", movement: "capture_grown:charge:ch#5")),
                .movementUnusable
            ),
            (
                .review(
                    ReviewRecord(
                        movement: MovementKey("refund:re"), state: .approved, reasons: [],
                        score: nil, by: "ada", at: Instant(seconds: 1), note: nil)), .notReviewable
            ),
        ] as [(LedgerInput, PostingRefusal)], LedgerStore.allCases)
    func refuses(row: (LedgerInput, PostingRefusal), store: LedgerStore) throws {
        let (input, refusal) = row
        let ledger = try store.ledger()
        let before = [Given.payment("first"), Given.scored(Given.event(.payout, "po0", amount: 5))]
        let outcome = try ledger.post(before + [input, Given.payment("last")])
        #expect(
            outcome.inputs == [
                .booked(count: 1), .booked(count: 1), .refused(refusal), .booked(count: 1),
            ])
        #expect(try ledger.post([input]).inputs == [.refused(refusal)])
        #expect(try ledger.standing()["processor:stripe usd"] == 1995)
        #expect(try ledger.verify().fault == nil)
    }

    @Test(
        "a balance that would leave 64 bits refuses the posting, and later ones are booked",
        arguments: LedgerStore.allCases)
    func balanceOverflow(store: LedgerStore) throws {
        let ledger = try store.ledger()
        let largest = MinorUnits.movementMax.rawValue
        let count = Int(Int64.max / largest)
        let inputs = (0...count).map { Given.payment("ch\($0)", amount: largest) }
        let outcome = try ledger.post(inputs).inputs
        #expect(outcome.filter { $0 == .booked(count: 1) }.count == count)
        #expect(outcome.last == .refused(.balanceOverflow))
        #expect(try ledger.post([Given.payment("small")]).inputs == [.booked(count: 1)])
    }

    @Test(
        "a capture grows where the payment stands, in either order, and moves as a whole",
        arguments: LedgerStore.allCases)
    func growth(store: LedgerStore) throws {
        let tellings = [300, 1000, 600].map { Given.payment("ch", .block, amount: $0) }
        for order in [[0, 1, 2], [1, 0, 2], [2, 1, 0], [0, 2, 1]] {
            let ledger = try store.ledger()
            for place in order { _ = try ledger.post([tellings[place]]) }
            #expect(try ledger.standing()["processor:stripe usd"] == 1000)
            #expect(try ledger.standing()["merchant:acct_1:held usd"] == -1000)
            #expect(try ledger.verify().fault == nil)
            _ = try ledger.post([Given.review("ch", .approved)])
            #expect(try ledger.standing()["merchant:acct_1:payable usd"] == -1000)
            _ = try ledger.post([
                Given.payment("ch", .block, amount: 1200), Given.review("ch", .declined),
            ])
            #expect(
                try ledger.standing() == [
                    "processor:stripe usd": 1200, "merchant:acct_1:refund_due usd": -1200,
                ])
            #expect(try ledger.verify().fault == nil)
        }
    }

    @Test(
        "tellings of one batch and of several end alike, and a smaller one is a repetition",
        arguments: LedgerStore.allCases)
    func growthInOneBatch(store: LedgerStore) throws {
        let ledger = try store.ledger()
        let outcome = try ledger.post([
            Given.payment("ch", amount: 300), Given.payment("ch", amount: 1000),
            Given.payment("ch", amount: 600),
        ])
        #expect(outcome.inputs == [.booked(count: 1), .booked(count: 1), .alreadyBooked])
        #expect(
            outcome.posted.map(\.posting.movement.rawValue) == [
                "charge:ch", "capture_grown:charge:ch#1000",
            ])
        #expect(try ledger.post([Given.payment("ch", amount: 999)]).inputs == [.alreadyBooked])
        #expect(try ledger.standing()["processor:stripe usd"] == 1000)
    }

    @Test(
        "what is taken back leaves from where the payment stands, and later moves leave it out",
        arguments: [
            ([], "held"), ([Given.review("ch", .approved)], "payable"),
            ([Given.review("ch", .declined)], "refund_due"),
        ] as [([LedgerInput], String)], LedgerStore.allCases)
    func reversal(row: ([LedgerInput], String), store: LedgerStore) throws {
        let (decisions, place) = row
        let ledger = try store.ledger()
        let reversal = Given.scored(
            Given.event(
                .paymentReversed, "ch", amount: 400, related: "ch", movement: "charge_reversed:ch"))
        _ = try ledger.post([Given.payment("ch", .block)] + decisions + [reversal, reversal])
        #expect(
            try ledger.standing() == [
                "processor:stripe usd": 600, "merchant:acct_1:\(place) usd": -600,
            ])
        #expect(try ledger.verify().fault == nil)
        _ = try ledger.post([Given.review("ch", .declined)])
        #expect(try ledger.standing()["merchant:acct_1:refund_due usd"] == -600)
        #expect(try ledger.verify().fault == nil)
    }

    @Test(
        "a fuller scoring moves the money, a poorer one does not, a person's word stays",
        arguments: LedgerStore.allCases)
    func rescoring(store: LedgerStore) throws {
        let ledger = try store.ledger()
        let steps: [(LedgerInput, String)] = [
            (Given.payment("ch", .approve, known: false), "payable"),
            (Given.payment("ch", .manualReview), "held"),
            (Given.payment("ch", .approve, known: false), "held"),
            (Given.payment("ch", .approve), "held"),
            (Given.review("ch", .approved, by: "scoring"), "held"),
            (Given.review("ch", .expired), "held"),
            (Given.review("ch", .approved), "payable"),
            (Given.payment("ch", .block), "payable"),
            (Given.review("ch", .declined), "refund_due"),
            (Given.review("ch", .approved), "refund_due"),
        ]
        for (input, place) in steps {
            _ = try ledger.post([input])
            #expect(try ledger.standing()["merchant:acct_1:\(place) usd"] == -1000)
        }
        #expect(
            try ledger.transactions(of: MovementKey("charge:ch")).map(\.posting.movement.rawValue)
                == [
                    "charge:ch", "held:charge:ch", "review_approved:charge:ch",
                    "review_declined:charge:ch",
                ])
    }

    @Test("the money may be held twice, under a key of its own", arguments: LedgerStore.allCases)
    func heldTwice(store: LedgerStore) throws {
        let ledger = try store.ledger()
        var event = Given.event(.payment, "ch", known: false)
        for (index, verdict) in [Verdict.approve, .block, .approve, .block].enumerated() {
            if index == 1 { event.customer = "c" }
            if index == 2 { event.card = "f" }
            if index == 3 { event.country = "DE" }
            #expect(
                try ledger.post([Given.scored(event, verdict)]).inputs == [.booked(count: 1)])
        }
        #expect(
            try ledger.show("charge:ch").map(\.posting.movement.rawValue) == [
                "charge:ch", "held:charge:ch", "released:charge:ch", "held:charge:ch#2",
            ])
    }
}
