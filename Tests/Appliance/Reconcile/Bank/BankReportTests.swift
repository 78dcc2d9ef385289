import Testing

@testable import Appliance
@testable import Console
@testable import Reconcile
@testable import Vocabulary

@Suite("The bank beside the ledger")
struct BankReportTests {
    private static let usd = Currency("usd")!

    private func one(
        _ id: Int64, _ amount: Int64, due: Int64, booked: (day: Int64, amount: Int64)? = nil,
        key: String? = nil
    ) -> SettledBankMovement {
        let movement = BankMovement(
            transaction: id, key: key ?? "payout:po_\(id)", currency: Self.usd,
            amount: MinorUnits(amount), sent: BankDay(due - 2), due: BankDay(due))
        let entry = booked.map {
            SettledBankMovement.Entry(
                day: BankDay($0.day), amount: MinorUnits($0.amount), text: "STRIPE")
        }
        return SettledBankMovement(movement: movement, entry: entry)
    }

    private func statement(
        _ first: Int64, _ last: Int64, opening: Int64? = nil, closing: Int64? = nil
    ) -> StoredBankStatement {
        StoredBankStatement(
            account: "A", currency: Self.usd, days: BankDay(first)...BankDay(last),
            opening: opening, closing: closing)
    }

    private var settled: [SettledBankMovement] {
        [
            one(1, 1, due: 90), one(2, 10, due: 105, booked: (105, 10)),
            one(3, 100, due: 105, booked: (109, 100)), one(4, 1_000, due: 110, booked: (110, 990)),
            one(5, 10_000, due: 126), one(6, 100_000, due: 119), one(7, 1_000_000, due: 118),
            one(8, 5, due: 101), one(9, -5, due: 104, key: "payout_failed:po_8"),
            one(10, 20_000, due: 140),
        ]
    }

    @Test("each movement has its state, and all of them come to what the bank says")
    func states() throws {
        // All that was sent, less what the bank kept.
        let ledger = settled.reduce(Int64(0)) { $0 + $1.movement.amount.rawValue } - 10
        let report = BankReport(
            settled, open: [], [statement(100, 129)], [Self.usd: (ledger, -10)])
        let states = report.lines.map(\.state)
        #expect(
            states == [
                .earlier, .arrived, .arrived, .different, .inTransit, .late, .missing, .returned,
                .returned, .inTransit,
            ])
        #expect(report.lines.map(\.lateDays) == [0, 0, 4, 0, 0, 10, 11, 0, 0, 0])
        let sum = try #require(report.sums.first)
        #expect(sum.bank == 1_100 && sum.untold == 1 && sum.notArrived == 1_130_000)
        #expect(sum.difference == 0 && sum.expected == 1_100)
        #expect(!report.isClean)
    }

    @Test("a difference that is not booked is a difference, and a cent is enough")
    func unbooked() throws {
        let all = [one(4, 1_000, due: 110, booked: (110, 999))]
        let report = BankReport(all, open: [], [statement(100, 129)], [Self.usd: (1_000, 0)])
        let sum = try #require(report.sums.first)
        #expect(sum.difference == -1 && !report.isClean)
        let booked = BankReport(all, open: [], [statement(100, 129)], [Self.usd: (999, -1)])
        let right = try #require(booked.sums.first)
        #expect(right.difference == 0 && booked.isClean)
    }

    @Test("without a statement nothing says that money has arrived")
    func noStatement() {
        let sent = [one(1, 1_000, due: 110)]
        let report = BankReport(sent, open: [], [], [Self.usd: (1_000, 0)])
        #expect(report.withoutStatement == [Self.usd])
        #expect(!report.differs && !report.isClean)
        let back = sent + [one(2, -1_000, due: 111, key: "payout_failed:po_1")]
        #expect(BankReport(back, open: [], [], [Self.usd: (0, 0)]).isClean)
    }

    @Test("what is missing comes before what is late, other, or on its way; the newest first")
    func pressing() {
        let report = BankReport(
            settled, open: [], [statement(100, 129)], [Self.usd: (1_131_106, -10)])
        let pressing = report.pressing { $0.state != .arrived && $0.state != .returned }
        #expect(
            pressing.map(\.settled.movement.key)
                == [7, 6, 4, 10, 5, 1].map { "payout:po_\($0)" })
    }

    @Test("what says Stripe and is not known counts as what the bank says, and nothing else does")
    func unknown() throws {
        let entries = ["STRIPE 7", "rent"].enumerated().map { place, text in
            OpenBankEntry(
                id: Int64(place), currency: Self.usd, day: BankDay(110), amount: MinorUnits(7),
                text: text)
        }
        let report = BankReport([], open: entries, [statement(100, 129)], [:])
        #expect(report.unknown.map(\.text) == ["STRIPE 7"])
        let sum = try #require(report.sums.first)
        #expect(sum.difference == 7 && !report.isClean)
    }

    @Test("a weekend between two balances that meet is no gap, any other days are")
    func gaps() {
        func gaps(_ statements: [StoredBankStatement]) -> [String] {
            BankReport([], open: [], statements, [:]).gaps.map {
                "\($0.days.lowerBound.rawValue)-\($0.days.upperBound.rawValue)"
            }
        }
        #expect(gaps([statement(1, 5), statement(6, 9)]).isEmpty)
        #expect(gaps([statement(1, 5), statement(8, 9)]) == ["6-7"])
        let meeting = [statement(1, 5, closing: 7), statement(8, 9, opening: 7)]
        #expect(gaps(meeting).isEmpty)
        let parted = [statement(1, 5, closing: 7), statement(8, 9, opening: 8)]
        #expect(gaps(parted) == ["6-7"])
        #expect(gaps([statement(1, 30), statement(2, 3), statement(20, 40)]).isEmpty)
    }

    @Test("the page says what is wrong, in words and with every amount")
    func page() {
        let ledger = settled.reduce(Int64(0)) { $0 + $1.movement.amount.rawValue } - 10
        let report = BankReport(
            settled, open: [], [statement(100, 129)], [Self.usd: (ledger, -10)])
        let view = BankView(report)
        #expect(view.answer == "1 payout never reached the bank" && view.tone == "is-stop")
        let quiet = BankView(.nothing)
        #expect(quiet.tone == "grey" && !quiet.isRight)
        #expect(view.rows.map(\.key).first == "payout:po_7", "what never came, first")
        #expect(view.sums.first?.bank != nil && view.sums.first?.difference != nil)
        let untold = BankView(BankReport(settled, open: [], [], [Self.usd: (ledger, -10)]))
        let sum = untold.sums.first
        #expect(sum?.days == "none" && sum?.bank == nil && sum?.difference == nil, "nobody knows")
        let shell = Shell(title: "Bank", at: .reports, now: "", token: "", profile: "", version: "")
        let text = PageTemplates.render("bank", PageView(shell: shell, page: view))
        for word in ["payout:po_7", "Missing", "Another amount, booked", "On its way"] {
            #expect(text.contains(word), "\(word)")
        }
        #expect(!text.contains("{{") && !text.contains("payout:po_8"))
    }
}
