import Foundation
import HTTPTypes
import Testing

@testable import Appliance
@testable import Console
@testable import Reconcile
@testable import Vocabulary

@Suite("Reports and the ledger's transactions")
struct ReportPagesTests {
    private static let day = "from=2025-10-10&to=2025-10-10"

    @Test("a report's amounts lead to the transactions that come to them")
    func explained() async throws {
        try await PageFixture.opened { pages in
            let report = try await pages.ask("/reports/revenue?\(Self.day)").text
            #expect(report.contains("Revenue in USD"))
            // Six payments of 10 to 60 dollars.
            let link = try #require(
                report.firstMatch(of: #/<a class="x" href="([^"]+)">210\.00</#)?.output.1)
            let path = String(link).replacing("&amp;", with: "&")
            #expect(path.contains("kind=payment,capture_grown"))
            let list = try await pages.ask(path)
            #expect(list.status == 200)
            #expect(list.text.contains("What these come to"))
            let sum = try #require(list.text.split(separator: "What these come to").last)
            #expect(sum.contains("210<span class=\"fr\">.00</span>"))
            #expect(sum.contains("<td class=\"num\">6</td>"))
        }
    }

    @Test("a count of decisions leads to them, and a count of verdicts to their payments")
    func counts() async throws {
        try await PageFixture.opened { pages in
            let reviews = try await pages.ask("/reports/reviews?\(Self.day)").text
            let link = try #require(
                reviews.firstMatch(of: #/href="(/reports/decisions[^"]+)"/#)?.output.1)
            let list = try await pages.ask(String(link).replacing("&amp;", with: "&"))
            #expect(list.status == 200 && list.text.contains("href=\"/review/ch_3\""))
            let verdicts = try await pages.ask("/reports/verdicts?\(Self.day)").text
            let payments = try #require(
                verdicts.firstMatch(of: #/href="(/payments\?verdict[^"]+)"/#)?.output.1)
            let found = try await pages.ask(String(payments).replacing("&amp;", with: "&"))
            #expect(found.text.ranges(of: "href=\"/payments/ch_").count == 6)
        }
    }

    @Test("days on which nothing happened have no line, and no currency is made up")
    func empty() async throws {
        try await PageFixture.opened { pages in
            let none = try await pages.ask("/reports/revenue?from=2020-01-01&to=2020-01-05").text
            #expect(none.contains("Nothing of this on these days"))
            #expect(!none.contains("<table"))
            let other = try await pages.ask("/reports/revenue?\(Self.day)&currency=eur").text
            #expect(other.contains("Nothing of this on these days"))
        }
    }

    private static let wrong = [
        ("/reports/revenue?from=soon", 400),
        ("/reports/revenue?from=2026-01-02&to=2026-01-01", 400),
        ("/reports/revenue?from=2015-01-01&to=2026-01-01", 400), ("/reports?currency=dollars", 400),
        ("/reports/nothing", 404), ("/reports/reconciliation/1", 404),
        ("/reports/reconciliation?after=x", 400), ("/reports/decisions", 400),
        ("/ledger/transactions?kind=nothing", 400), ("/ledger/transactions?after=-1", 400),
        ("/ledger/transactions?currency=x", 400), ("/ledger/transactions/100", 404),
        ("/ledger/accounts/nobody/usd/statement", 404),
        ("/ledger/accounts/processor:stripe/usd/statement?from=soon", 400),
    ]

    @Test("what cannot be asked for is refused, what is not there is told")
    func refused() async throws {
        try await PageFixture.opened { pages in
            for (path, status) in Self.wrong {
                let answer = try await pages.ask(path)
                #expect(answer.status == status, "\(path)")
            }
        }
    }

    // MARK: The ledger

    @Test("transactions are narrowed by all that is given at once, and none is left out")
    func narrowed() async throws {
        try await PageFixture.opened { pages in
            func ids(_ query: String) async throws -> [String] {
                let text = try await pages.ask("/ledger/transactions?\(query)").text
                return text.matches(of: #/<th scope="row"><a class="id" href="[^"]+">([0-9]+)</#)
                    .map { String($0.output.1) }
            }
            let all = (1...7).map(String.init)
            for (query, wanted) in [
                ("", all), ("kind=payment", Array(all.prefix(6))),
                ("kind=review_approved&currency=usd", ["7"]),
                ("kind=payment,review_approved", all), ("currency=eur", []),
                ("account=processor:", Array(all.prefix(6))), ("to=2025-10-09", []),
                ("kind=payment&after=4", ["5", "6"]),
            ] {
                let found = try await ids(query)
                #expect(found == wanted, "\(query)")
            }
        }
    }

    @Test("a transaction shows its hash, the one before it, and that they fit")
    func chain() async throws {
        try await PageFixture.opened { pages in
            func hashes(_ id: Int) async throws -> [String] {
                let text = try await pages.ask("/ledger/transactions/\(id)").text
                #expect(text.contains("<span class=\"ok\">the same</span>"))
                return text.matches(of: #/<code class="hash">([0-9a-f]{64})</#)
                    .map { String($0.output.1) }
            }
            let (first, second) = (try await hashes(1), try await hashes(2))
            #expect(first[0] == String(repeating: "0", count: 64))
            #expect(first[1] == first[2])
            #expect(second[0] == first[2] && second[1] == second[2])
        }
    }

    @Test("a statement goes from its opening to its closing balance")
    func statement() async throws {
        try await PageFixture.opened { pages in
            let path = "/ledger/accounts/processor:stripe/usd/statement"
            let page = try await pages.ask("\(path)?\(Self.day)").text
            #expect(page.contains("Opening balance") && page.contains("6 entries"))
            let close = try #require(page.split(separator: "Closing balance").last)
            #expect(close.contains("<span class=\"proof\">"))
            #expect(close.contains("210<span class=\"fr\">.00</span>"))
            let later = try await pages.ask("\(path)?from=2025-10-11&to=2025-10-12").text
            let open = try #require(later.split(separator: "Opening balance").last)
            #expect(open.prefix(400).contains("210<span class=\"fr\">.00</span>"))
            #expect(later.contains("Nothing took effect in these days."))
        }
    }

    @Test("an export leads to the file, with the days that were chosen")
    func export() async throws {
        try await PageFixture.opened { pages in
            let answer = try await pages.ask("/ledger/export?format=csv&from=2025-10-10&to=")
            #expect(answer.status == 303)
            #expect(
                answer.headers[.location]
                    == "/api/v1/ledger/export?format=csv&from=2025-10-10")
        }
    }

    // MARK: Views

    @Test("the drift of a rate compares the last days with those before them")
    func drift() {
        func sums(_ day: Int64, _ volume: Int64, _ fees: Int64) -> [DaySum] {
            [("booked:payment", volume), ("fees", fees)].map { word, amount in
                DaySum(day: day, currency: "usd", word: word, count: 1, amount: amount)
            }
        }
        let rising = sums(20_000, 10_000, 290) + sums(20_025, 10_000, 310)
        #expect(
            RateDrift.words(of: rising, 20_000...20_029)
                == "Stripe took 3.10 % over the last 7 days, 0.20 points above the 2.90 % of the "
                + "days before.")
        let level = sums(20_000, 10_000, 290) + sums(20_025, 20_000, 580)
        #expect(
            RateDrift.words(of: level, 20_000...20_029)?.contains("the same as") == true)
        #expect(RateDrift.words(of: sums(20_025, 1, 1), 20_000...20_029) == nil)
        #expect(RateDrift.words(of: rising, 20_025...20_029) == nil)
    }

    @Test("a run says what it found, each break with its age and the way to its explanation")
    func run() throws {
        let usd = Given.usd
        let run = RunRecord(
            id: 12, cause: .schedule, state: .finished, from: Instant(seconds: 0),
            to: Instant(seconds: 1_760_054_400), startedAt: Instant(seconds: 1_760_054_400),
            finishedAt: Instant(seconds: 1_760_054_460), livemode: false, pages: 1,
            transactions: 14, failure: nil, sweptTo: nil)
        var summary = CurrencySummary(currency: usd)
        (summary.transactions, summary.matched, summary.ledger, summary.stripe) = (14, 13, 9, 4)
        let report = RunReport(
            run: run, currencies: [summary],
            breaks: [
                BreakCount(kind: .amountMismatch, count: 1), BreakCount(kind: .late, count: 3),
            ], late: [LateSum(currency: usd, count: 3, amount: 300)])
        let found = ReconciliationBreak(
            kind: .amountMismatch, subject: "charge:ch_1", movement: "charge:ch_1",
            balanceTransaction: "txn_1", type: "charge",
            stripe: .init(currency: usd, amount: MinorUnits(900)),
            ledger: .init(currency: usd, amount: MinorUnits(1_000)),
            occurredAt: Instant(seconds: 1_760_054_460 - 7_200))
        let page = FindingPage(
            findings: [StoredBreak(id: 1, found: found, firstRun: 11)], next: .break(1))
        let view = RunView(
            report, RunName(number: 12, isDry: false), page, progress: nil,
            now: Instant(seconds: 1_900_000_000),
            sections: ReportSection.links(at: .reconciliation, ""))
        #expect(view.answer == "Stripe and the ledger differ in 1 place")
        #expect(!view.isRight && view.isOver)
        #expect(view.findings.map(\.age) == ["2 h"])
        #expect(view.findings[0].link == "/ledger/explain?of=charge:ch_1")
        #expect(view.findings[0].firstHref == "/reports/reconciliation/11")
        #expect(view.balances[0].isWrong && view.balances[0].unexplained.words == "0.05 USD")
        #expect(view.next == "/reports/reconciliation/12?after=break:1")
        #expect(RunRow(report).breaks == "1" && RunRow(report).late == "3")
        // Both are rendered, whatever is missing.
        let shell = Shell(title: "Run", at: .reports, now: "", token: "", profile: "", version: "")
        let text = PageTemplates.render("run", PageView(shell: shell, page: view))
        #expect(text.contains("charge:ch_1") && !text.contains("{{"))
        let runs = RunsView(
            sections: ReportSection.links(at: .reconciliation, ""), rows: [RunRow(report)],
            isEmpty: false)
        #expect(PageTemplates.render("runs", PageView(shell: shell, page: runs)).contains("Run 12"))
    }
}
