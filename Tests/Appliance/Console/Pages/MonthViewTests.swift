import HTTPTypes
import Testing

@testable import Appliance
@testable import Console
@testable import Reconcile
@testable import Vocabulary

@Suite("A month's page")
struct MonthViewTests {
    private static let usd = Currency("usd")!

    /// October 2026: 5.70 before, 20.00 paid, 0.75 taken by Stripe, 5.00 paid out.
    private func report(stripe: Int64?, account: String? = nil) throws -> MonthReport {
        let month = try #require(CalendarMonth("2026-10"))
        let owner = account.map { StripeAccount($0) } ?? .own
        func sum(_ kind: String, _ opening: Int64, _ amount: Int64) -> MonthReport.KindSum {
            MonthReport.KindSum(
                account: owner, currency: Self.usd, kind: kind, opening: opening, amount: amount,
                count: 1, fee: 0)
        }
        let place = MonthReport.Place(account: owner, currency: Self.usd)
        let statements = stripe.map {
            [place: MonthReport.Statement(opening: 570, activity: $0, payouts: -500, lines: 3)]
        }
        return MonthReport(
            month, [sum("payout", -400, -500), sum("payment", 970, 2_000), sum("fees", 0, -75)],
            statements, readUntil: stripe.map { _ in month.to }, basis: .due,
            inTransit: [Self.usd: (500, 1)])
    }

    private func view(_ report: MonthReport, now: String = "2026-11-20") throws -> MonthView {
        MonthView(report, now: try #require(BankDay(now)).start)
    }

    private func page(_ view: MonthView) -> String {
        let shell = Shell(
            title: "Month", at: .reports, now: "", token: "", profile: "", version: "")
        return PageTemplates.render("month", PageView(shell: shell, page: view))
    }

    @Test("from opening to closing, each kind with the transactions behind it")
    func rows() throws {
        let view = try view(try report(stripe: 1_925))
        let rows = try #require(view.balances.first).rows
        #expect(
            rows.map(\.name) == [
                "Opening", "Payment", "Stripe’s fees", "Activity", "Payout", "Payouts", "Closing",
            ])
        #expect(
            rows.map { $0.ledger.whole + $0.ledger.fraction } == [
                "5.70", "20.00", "−0.75", "19.25", "−5.00", "−5.00", "19.95",
            ])
        #expect(rows.map { $0.stripe != nil } == [true, false, false, true, false, true, true])
        let days = "currency=usd&from=2026-10-01&to=2026-10-31"
        #expect(rows[1].link == "/ledger/transactions?kind=payment&\(days)")
        #expect(rows[2].link == "/ledger/transactions?account=fees:&\(days)")
        #expect(rows[4].link == "/ledger/transactions?kind=payout&\(days)")
        #expect(
            view.balances[0].transit?.contains("5.00 USD in 1 movement, by the day") == true)
    }

    @Test("where no money is on its way to the bank, that is what stands there")
    func nothingOnItsWay() throws {
        var report = try report(stripe: 1_925)
        report.balances[0].inTransit = 0
        report.balances[0].inTransitCount = 0
        let words = try #require(try view(report).balances.first?.transit)
        #expect(words.hasPrefix("Nothing is on the way to the bank at the end, by the day"))
    }

    @Test("the rule is doubled once, under a closing balance that is Stripe's to the cent")
    func proof() throws {
        let right = try view(try report(stripe: 1_925))
        #expect(right.answer == "Oct 2026 is what Stripe says" && right.tone == "")
        #expect(page(right).ranges(of: "class=\"proof\"").count == 1)
        let wrong = try view(try report(stripe: 1_924))
        #expect(wrong.answer == "Oct 2026 is not what Stripe says" && wrong.tone == "is-stop")
        let shown = page(wrong)
        #expect(!shown.contains("class=\"proof\"") && shown.contains("Not equal to Stripe’s"))
        // Activity and closing differ; opening and payouts do not.
        #expect(shown.ranges(of: "class=\"num stop\"").count == 2)
    }

    @Test("what was not compared is called neither right nor wrong")
    func unread() throws {
        let over = try view(try report(stripe: nil))
        #expect(over.answer == "Oct 2026 is not compared yet" && over.tone == "grey")
        #expect(!over.isRight && !page(over).contains("class=\"proof\""))
        let running = try view(try report(stripe: nil), now: "2026-10-31")
        #expect(running.answer == "Oct 2026 is not over" && running.later == nil)
    }

    @Test("the ledger's own month is on the page, and the CSV is what the command writes")
    func pages() async throws {
        try await PageFixture.opened { pages in
            // Six payments of 10 to 60 dollars, that no run has read Stripe's statement of.
            let page = try await pages.ask("/reports/month?of=2025-10").text
            #expect(page.contains("Oct 2025 is not compared yet"))
            #expect(page.contains("<span class=\"amt\">210.00</span>"))
            let csv = try await pages.ask("/reports/month/csv?of=2025-10")
            #expect(csv.headers[.contentType] == "text/csv; charset=utf-8")
            #expect(csv.text.contains("2025-10,,usd,activity:payment,6,21000,210.00\n"))
            let before = try await pages.ask("/reports/month?of=2025-09").text
            #expect(before.contains("No money had moved by the end of Sep 2025"))
            #expect(!before.contains("/reports/month/csv"))
        }
    }

    @Test("a connected account is named, and whatever it is called stays text")
    func accounts() throws {
        let shown = page(try view(try report(stripe: 1_925, account: "acct_<b>1")))
        #expect(shown.contains("USD, account acct_") && !shown.contains("<b>1"))
        // It has a bank of its own, of which nothing is known here.
        #expect(!shown.contains("On the way to the bank"))
    }

    @Test("months lead to their neighbours, from the first one on", arguments: [
        ("1970-01", nil, "1970-02"), ("2026-12", "2026-11", "2027-01"),
        ("2024-03", "2024-02", "2024-04"),
    ] as [(String, String?, String?)])
    func neighbours(text: String, before: String?, after: String?) throws {
        let month = try #require(CalendarMonth(text))
        #expect(month.previous?.description == before && month.next?.description == after)
    }
}
