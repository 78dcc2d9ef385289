import Testing

@testable import Reconcile
@testable import Vocabulary

@Suite("Entries of the bank's and movements of the ledger's")
struct BankMatcherTests {
    private static let usd = Currency("usd")!

    private func movement(
        _ id: Int64, _ amount: Int64, sent: Int64, due: Int64? = nil, key: String? = nil
    ) -> BankMovement {
        BankMovement(
            transaction: id, key: key ?? "payout:po_\(id)", currency: Self.usd,
            amount: MinorUnits(amount), sent: BankDay(sent), due: BankDay(due ?? sent + 2))
    }

    private func entry(
        _ id: Int64, _ amount: Int64, on day: Int64, _ text: String = "STRIPE PAYOUT"
    ) -> OpenBankEntry {
        OpenBankEntry(
            id: id, currency: Self.usd, day: BankDay(day), amount: MinorUnits(amount), text: text)
    }

    /// `entry=movement` and what the bank kept where it kept something.
    private func matches(
        _ entries: [OpenBankEntry], _ movements: [BankMovement], through last: Int64 = 200
    ) -> Set<String> {
        Set(
            BankMatcher.matches(entries, movements, through: [Self.usd: BankDay(last)]).map {
                "\($0.entry)=\($0.movement.transaction)"
                    + ($0.kept == .zero ? "" : " \($0.kept.rawValue)")
            })
    }

    @Test("two of one amount arrive in their order, however they are listed")
    func order() {
        let movements = [movement(1, 500, sent: 100), movement(2, 500, sent: 101)]
        let entries = [entry(11, 500, on: 103), entry(12, 500, on: 104)]
        #expect(matches(entries, movements) == ["11=1", "12=2"])
        #expect(matches(entries.reversed(), movements.reversed()) == ["11=1", "12=2"])
    }

    @Test("a name outweighs order and amount")
    func named() {
        let movements = [movement(1, 500, sent: 100), movement(2, 500, sent: 101)]
        #expect(matches([entry(11, 500, on: 103, "stripe po_2 x")], movements) == ["11=2"])
        #expect(matches([entry(11, 400, on: 103, "ref:po_2")], movements) == ["11=2 100"])
        // A longer id is another one.
        #expect(matches([entry(11, 400, on: 103, "po_22")], movements).isEmpty)
    }

    @Test("what names one payout is no other's, though that one is settled already")
    func namedOnce() {
        let movements = [movement(1, 500, sent: 100), movement(2, 510, sent: 100)]
        let told = [entry(11, 500, on: 102, "STRIPE po_1"), entry(12, 505, on: 102, "STRIPE po_1")]
        #expect(matches(told, movements) == ["11=1"])
        let again = BankMatcher.matches(
            [entry(12, 510, on: 102, "STRIPE po_1"), entry(13, 510, on: 103)], [movements[1]],
            settled: ["po_1"], through: [Self.usd: BankDay(200)])
        #expect(again.map(\.entry) == [13])
    }

    @Test("what comes before it was sent, or long after, is another's")
    func window() {
        let one = [movement(1, 500, sent: 100)]
        for (day, isIts) in [(98, false), (99, true), (145, true), (146, false)] {
            #expect(matches([entry(11, 500, on: Int64(day))], one).isEmpty != isIts, "\(day)")
        }
    }

    @Test("an entry that does not say Stripe counts only where nothing else could be meant")
    func unmarked() {
        let one = [movement(1, 500, sent: 100)]
        #expect(matches([entry(11, 500, on: 102, "transfer")], one) == ["11=1"])
        let two = [entry(11, 500, on: 102, "transfer"), entry(12, 500, on: 103, "rent back")]
        #expect(matches(two, one).isEmpty)
        let marked = [entry(11, 500, on: 102, "rent back"), entry(12, 500, on: 103)]
        #expect(matches(marked, one) == ["12=1"])
        let rivals = one + [movement(2, 500, sent: 101)]
        #expect(matches([entry(11, 500, on: 102, "transfer")], rivals).isEmpty)
    }

    @Test("another amount counts near the due day, within a tenth, where only one could be meant")
    func difference() {
        let one = [movement(1, 1_000, sent: 100)]
        #expect(matches([entry(11, 985, on: 102)], one) == ["11=1 15"])
        #expect(matches([entry(11, 1_001, on: 102)], one) == ["11=1 -1"])
        #expect(matches([entry(11, 899, on: 102)], one).isEmpty)
        #expect(matches([entry(11, 985, on: 110)], one).isEmpty)
        #expect(matches([entry(11, 985, on: 102, "transfer")], one).isEmpty)
        #expect(matches([entry(11, -985, on: 102)], one).isEmpty)
        // The right amount may still come.
        #expect(matches([entry(11, 985, on: 102)], one, through: 104).isEmpty)
        #expect(matches([entry(11, 985, on: 102)], one, through: 105) == ["11=1 15"])
        // Another that is nearly as near leaves both; one four times as far does not.
        let cases: [(Int64, Set<String>)] = [(990, []), (1_040, []), (1_060, ["11=1 15"])]
        for (amount, found) in cases {
            let both = one + [movement(2, amount, sent: 100)]
            #expect(matches([entry(11, 985, on: 102)], both) == found, "\(amount)")
        }
    }

    @Test("what the bank pays back to Stripe has its own sign and its own difference")
    func debit() {
        let back = [movement(1, -1_000, sent: 100, key: "payout_failed:po_1")]
        #expect(matches([entry(11, -1_000, on: 102)], back) == ["11=1"])
        #expect(matches([entry(11, -1_005, on: 102)], back) == ["11=1 5"])
    }

    @Test("no entry and no movement is used twice")
    func once() {
        let movements = (1...20).map { movement(Int64($0), 500, sent: 100 + Int64($0 % 3)) }
        let entries = (1...30).map { entry(Int64(100 + $0), 500, on: 105) }
        let found = BankMatcher.matches(
            entries, movements, through: [Self.usd: BankDay(200)])
        #expect(found.count == 20)
        #expect(Set(found.map(\.entry)).count == 20)
        #expect(Set(found.map(\.movement.transaction)).count == 20)
    }
}
