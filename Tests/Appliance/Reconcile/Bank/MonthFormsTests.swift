import Testing

@testable import Reconcile
@testable import Vocabulary

@Suite("A month's forms")
struct MonthFormsTests {
    private static let usd = Currency("usd")!

    private func report(stripe: Int64?) throws -> MonthReport {
        let month = try #require(CalendarMonth("2026-10"))
        func sum(_ kind: String, _ opening: Int64, _ amount: Int64, fee: Int64 = 0)
            -> MonthReport.KindSum
        {
            MonthReport.KindSum(
                account: .own, currency: Self.usd, kind: kind, opening: opening, amount: amount,
                count: 1, fee: fee)
        }
        let sums = [
            sum("payout", -400, -500), sum("payment", 1_000, 2_000), sum("fees", -30, -60),
            sum("dispute_withdrawn", 0, -1_015, fee: 15),
        ]
        let place = MonthReport.Place(account: .own, currency: Self.usd)
        let statements = stripe.map {
            [place: MonthReport.Statement(opening: 570, activity: $0, payouts: -500, lines: 4)]
        }
        return MonthReport(
            month, sums, statements, readUntil: stripe.map { _ in month.to }, basis: .bank,
            inTransit: [Self.usd: (500, 1)])
    }

    @Test("a month ends with its last second, a leap year's February too", arguments: [
        ("2026-10", "2026-11-01"), ("2026-12", "2027-01-01"), ("2024-02", "2024-03-01"),
    ])
    func months(text: String, end: String) throws {
        let month = try #require(CalendarMonth(text))
        #expect(month.end.description == end && month.first.description == "\(text)-01")
    }

    @Test("what is no month is none", arguments: ["2026-13", "2026-1", "10-2026", "2026-10-01", ""])
    func noMonths(text: String) { #expect(CalendarMonth(text) == nil) }

    @Test("a dispute's fee stands among the fees, payouts behind all else, and all adds up")
    func sums() throws {
        let balance = try #require(try report(stripe: 925).balances.first)
        let kinds = ["payment", "dispute_withdrawn", "fees", "payout"]
        #expect(balance.activities.map(\.kind) == kinds)
        #expect(balance.activities.map(\.amount) == [2_000, -1_000, -75, -500])
        #expect(balance.opening == 570 && balance.activity == 925 && balance.payouts == -500)
        #expect(balance.closing == 995 && balance.agrees == true)
    }

    @Test("one cent is enough to differ, and what is not read is not called right")
    func verdicts() throws {
        #expect(try report(stripe: 925).isRight)
        #expect(try report(stripe: 924).isRight == false)
        #expect(try report(stripe: 924).verdict.contains("USD"))
        let unread = try report(stripe: nil)
        #expect(!unread.isRight && unread.verdict.contains("Not compared"))
    }

    @Test("the CSV has a line for every amount, in minor units and as people write them")
    func csv() throws {
        let expected = """
            month,account,currency,line,count,minor_units,amount
            2026-10,,usd,opening,,570,5.70
            2026-10,,usd,activity:payment,1,2000,20.00
            2026-10,,usd,activity:dispute_withdrawn,1,-1000,-10.00
            2026-10,,usd,activity:fees,2,-75,-0.75
            2026-10,,usd,activity:payout,1,-500,-5.00
            2026-10,,usd,closing,,995,9.95
            2026-10,,usd,stripe:opening,,570,5.70
            2026-10,,usd,stripe:activity,,925,9.25
            2026-10,,usd,stripe:payouts,,-500,-5.00
            2026-10,,usd,stripe:closing,4,995,9.95
            2026-10,,usd,in_transit,1,500,5.00

            """
        #expect(try report(stripe: 925).csv == expected)
    }

    @Test("the page fetches nothing, runs nothing, and doubles the rule only under what is proven")
    func page() throws {
        let right = MonthPage.html(try report(stripe: 925), writtenAt: Instant(seconds: 0))
        for word in ["src=", "href=", "<script", "url(", "@import"] {
            #expect(!right.contains(word), "\(word)")
        }
        #expect(right.contains("sum proof") && right.contains("9.95"))
        let wrong = MonthPage.html(try report(stripe: 924), writtenAt: Instant(seconds: 0))
        #expect(!wrong.contains("sum proof"))
    }

    @Test("money is in transit until the bank has it, or Stripe has taken it back")
    func inTransit() {
        func one(
            _ id: Int64, _ amount: Int64, sent: Int64, booked: Int64? = nil, key: String? = nil
        ) -> SettledBankMovement {
            let movement = BankMovement(
                transaction: id, key: key ?? "payout:po_\(id)", currency: Self.usd,
                amount: MinorUnits(amount), sent: BankDay(sent), due: BankDay(sent + 2))
            return SettledBankMovement(
                movement: movement,
                entry: booked.map {
                    SettledBankMovement.Entry(
                        day: BankDay($0), amount: MinorUnits(amount), text: "")
                })
        }
        let all = [
            one(1, 1, sent: 90, booked: 92), one(2, 10, sent: 98, booked: 101),
            one(3, 100, sent: 99), one(4, 1_000, sent: 100), one(5, 10_000, sent: 90),
            one(6, 100_000, sent: 95), one(7, -100_000, sent: 97, key: "payout_failed:po_6"),
            one(8, 1_000_000, sent: 95), one(9, -1_000_000, sent: 103, key: "payout_failed:po_8"),
        ]
        let days = [Self.usd: BankDay(80)...BankDay(120)]
        func sum(_ basis: MonthReport.TransitBasis) -> Int64? {
            MonthReport.inTransit(all, at: BankDay(100), basis: basis, days)[Self.usd]?.amount
        }
        #expect(sum(.bank) == 1_010_110)
        #expect(sum(.due) == 1_000_110)
    }
}
