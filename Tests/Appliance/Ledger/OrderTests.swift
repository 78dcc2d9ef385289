import AppendLog
import Testing

@testable import Appliance
@testable import Vocabulary

@Suite("The order of arrival does not matter")
struct OrderTests {
    /// The records of one charge's life that depend on each other the most.
    private static let lives: [[LedgerInput]] = [
        [
            Given.payment("ch", .approve, known: false, id: "evt_pi"),
            Given.payment("ch", .manualReview), Given.review("ch", .declined),
            Given.scored(Given.event(.refund, "re", amount: 400, related: "ch")),
            Given.scored(Given.event(.refundFailed, "re", amount: 400, related: "ch")),
        ],
        [
            Given.payment("ch", .manualReview, known: false), Given.payment("ch", .approve),
            Given.payment("ch", .block), Given.review("ch", .approved),
            Given.scored(Given.event(.refund, "re", related: "ch")),
        ],
        [
            Given.payment("ch", .block), Given.review("ch", .approved, at: 50),
            Given.review("ch", .declined, at: 60),
            Given.scored(Given.event(.refund, "re1", amount: 300, related: "ch")),
            Given.scored(Given.event(.refund, "re2", amount: 700, related: "ch")),
        ],
        [
            Given.scored(Given.event(.payment, "ch", known: false), .manualReview),
            Given.payment("ch", .approve, known: false),
            Given.scored(Given.event(.payment, "ch"), .manualReview, score: 0.7),
            Given.scored(Given.event(.payment, "ch"), .block, score: 0.9),
            Given.scored(
                Given.event(.payment, "ch"), .block, score: 0.9,
                reasons: [.rule("amount_limit")]),
        ],
    ]

    @Test("every order, with every record repeated, ends in the same balances and movements",
        arguments: 0..<lives.count)
    func exhaustive(life: Int) throws {
        var seen: Set<Ending> = []
        for order in permutations(Self.lives[life]) {
            // Once all in one batch, and once each alone with the whole again after it.
            seen.insert(try ending([order]))
            seen.insert(try ending(order.map { [$0, $0] } + [order]))
        }
        #expect(seen.count == 1)
    }

    @Test("seeded shuffles of many charges end in the same balances", arguments: 1...20)
    func seeded(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var inputs: [LedgerInput] = []
        for index in 0..<40 {
            let charge = "ch\(index)"
            let verdicts: [Verdict] = [.approve, .manualReview, .block, .notScored]
            for known in [true, true, false, false] {
                inputs.append(
                    Given.scored(
                        Given.event(.payment, charge, known: known),
                        verdicts.randomElement(using: &random) ?? .block,
                        score: [nil, 0.25, 0.75].randomElement(using: &random) ?? nil))
            }
            if Bool.random(using: &random) {
                let isApproved = Bool.random(using: &random)
                inputs.append(Given.review(charge, isApproved ? .approved : .declined))
            }
            for kind in [PaymentKind.refund, .refundFailed] where Bool.random(using: &random) {
                inputs.append(
                    Given.scored(Given.event(kind, "re\(index)", amount: 10, related: charge)))
            }
            inputs.append(Given.scored(Given.event(.payout, "po\(index)", amount: 3)))
        }
        let expected = try ending([inputs])
        let whole = try SQLiteLedger.inMemory().post(inputs + inputs).posted
        let single = try SQLiteLedger.inMemory()
        #expect(try (inputs + inputs).flatMap { try single.post([$0]).posted } == whole)
        for _ in 0..<3 {
            let shuffled = (inputs + inputs.shuffled(using: &random)).shuffled(using: &random)
            let cut = Int.random(in: 0...shuffled.count, using: &random)
            let found = try ending([Array(shuffled[..<cut]), Array(shuffled[cut...])])
            #expect(found == expected, "seed \(seed)")
        }
    }

    /// What must not depend on the order. Moves that scoring and reviews make on the way (`held:`,
    /// `released:`, `review_…:`) are the path to it and may differ.
    private struct Ending: Hashable {
        var balances: [String: Int64]
        var movements: Set<String>
        /// By payment, what the review says.
        var openReviews: [MovementKey: ReviewFinding]
    }

    private func ending(_ batches: [[LedgerInput]]) throws -> Ending {
        let ledger = try SQLiteLedger.inMemory()
        for batch in batches { _ = try ledger.post(batch) }
        let path: Set<PostingKind> = [.held, .released, .reviewApproved, .reviewDeclined]
        let movements = try ledger.posted(after: TransactionID(0), limit: 10_000)
            .filter { !path.contains($0.posting.kind) }.map(\.posting.movement.rawValue)
        #expect(Set(movements).count == movements.count)
        #expect(try ledger.verify().fault == nil)
        return Ending(
            balances: try ledger.standing(), movements: Set(movements),
            openReviews: try ledger.openReviews(after: TransactionID(0), limit: 1000)
                .reduce(into: [:]) { open, review in
                    open[review.movement] = ReviewFinding(
                        score: review.score, reasons: review.reasons)
                })
    }
}

/// Every order of some inputs.
func permutations(_ inputs: [LedgerInput]) -> [[LedgerInput]] {
    guard inputs.count > 1 else { return [inputs] }
    return inputs.indices.flatMap { index in
        var rest = inputs
        let first = rest.remove(at: index)
        return permutations(rest).map { [first] + $0 }
    }
}
