import AppendLog
import Foundation
import HTTPTypes
import Hummingbird
import TestSupport
import Testing

@testable import Appliance
@testable import Console
@testable import Vocabulary

@Suite("The console's pages")
struct PagesTests {
    /// A page of every kind, with what it must answer.
    private static let paths: [(path: String, status: Int)] = [
        ("/payments", 200), ("/payments?q=ch_2&verdict=&currency=usd", 200),
        ("/payments?q=4242", 200), ("/payments?from=soon", 400), ("/payments/ch_2", 200),
        ("/payments/charge:ch_3", 200), ("/payments/ch_unknown", 404),
        ("/", 200), ("/review", 200), ("/review?by=amount", 200), ("/review/ch_1", 200),
        ("/review/ch_2", 200), ("/review/ch_3", 200), ("/review/ch_2/sheet", 200),
        ("/ledger", 200), ("/ledger?as_of=2030-01-01", 200), ("/ledger/waiting", 200),
        ("/ledger/explain?of=charge:ch_2", 200), ("/ledger/explain?of=nobody", 404),
        ("/ledger/transactions/1", 200), ("/ledger/accounts/processor:stripe/usd", 200),
        ("/ledger/accounts/processor:stripe/usd?after=2&as_of=2030-01-01", 200),
        ("/log", 200), ("/log/webhook.received", 200),
        ("/log/payment.scored?from=0&has=alert", 200), ("/log/letters", 200),
        ("/log/letters?reason=bad_id", 200), ("/nowhere", 404), ("/ledger?as_of=soon", 400),
        ("/review/ch_unknown", 404), ("/log/no.topic", 404), ("/ledger/transactions/0", 404),
        ("/log/webhook.received?from=-1", 400), ("/ledger/nothing/at/all", 404),
        ("/review/ch_1/nothing", 404), ("/log/letters/nothing", 404),
        ("/reports", 200), ("/reports?from=2025-10-01&to=2025-10-31&currency=usd", 200),
        ("/reports/revenue?from=2025-10-01&to=2025-10-31", 200),
        ("/reports/verdicts?from=2025-10-01&to=2025-10-31", 200),
        ("/reports/reviews?from=2025-10-01&to=2025-10-31", 200),
        ("/reports/chargebacks?from=2025-10-01&to=2025-10-31", 200),
        ("/reports/fees?from=2025-10-01&to=2025-10-31", 200), ("/reports/payouts", 200),
        ("/reports/decisions?state=approved&currency=usd&from=2025-10-10", 200),
        ("/reports/reconciliation", 200), ("/reports/bank", 200), ("/reports/month", 200),
        ("/reports/month?of=2025-10", 200), ("/reports/month?of=2025-13", 400),
        ("/reports/month?of=1969-12", 400), ("/reports/nothing/at/all", 404),
        ("/ledger/transactions", 200), ("/ledger/transactions?account=merchant:", 200),
        ("/ledger/accounts/processor:stripe/usd/statement", 200), ("/ledger/verify", 200),
        ("/ledger/export", 200),
        ("/log/webhook.received/0", 200), ("/log/payment.scored/1", 200),
        ("/log/dead.letter/0", 200), ("/log/webhook.received/999", 404),
        ("/log/webhook.received/tail", 200), ("/log/webhook.received/tail?filter=key:evt_1", 200),
        ("/log/webhook.received/tail?filter=nothing", 400), ("/log/letters/0", 200),
        ("/log/webhook.received?filter=type:charge.succeeded", 200), ("/log/letters/77", 404),
        ("/payments/ch_2?zoom=1s&at=5", 200), ("/payments/ch_2?zoom=soon&at=-1", 200),
        ("/send", 200), ("/send/ch_unknown", 404),
        ("/settings", 200), ("/settings/codes", 200), ("/settings/users", 200),
        ("/settings/users/vera", 200), ("/settings/users/nobody", 404),
        ("/settings/tokens", 200), ("/settings/endpoints", 200), ("/settings/model", 200),
        ("/settings/model?review=0.2&block=0.9&of=last", 200),
        ("/settings/model?review=x", 400), ("/settings/model?review=0.9&block=0.8", 400),
        ("/settings/model?of=never", 400), ("/settings/model/card", 200),
        ("/settings/bridges", 200), ("/settings/backups", 200), ("/settings/audit", 200),
        ("/settings/audit?who=a&what=b", 200), ("/settings/audit?before=-1", 400),
        ("/settings/nothing", 404),
    ]

    @Test("each page has one heading, a label for each field, and nothing that the CSP forbids")
    func sound() async throws {
        try await PageFixture.opened { pages in
            for (path, status) in Self.paths {
                let answer = try await pages.ask(path)
                #expect(answer.status == status, "\(path)")
                expectSound(answer, path)
            }
            let problem = "no such name or password: \(PageFixture.hostile)"
            for response in [
                pages.pages.login(problem: problem),
                pages.pages.setup(code: PageFixture.hostile, problem: problem),
            ] { expectSound(try await PageFixture.read(response), "door") }
        }
    }

    private func expectSound(_ answer: PageFixture.Answer, _ path: String) {
        let text = answer.text
        #expect(answer.headers[.contentType] == "text/html; charset=utf-8", "\(path)")
        #expect(text.hasPrefix("<!doctype html>"), "\(path)")
        #expect(text.count(of: "<h1") == 1, "\(path)")
        let head = text.firstRange(of: "</head>").map { String(text[..<$0.lowerBound]) } ?? ""
        #expect(head.count(of: "<title>") == 1, "\(path)")
        // Whatever a name says, it stays text.
        #expect(!text.contains("<script>"), "\(path)")
        for forbidden in [
            " style=", "<style", "javascript:", "{{", "href=\"\"", "Optional(",
        ] {
            #expect(!text.contains(forbidden), "\(path): \(forbidden)")
        }
        #expect(text.firstMatch(of: #/<[^>]*\son[a-z]+=/#) == nil, "\(path)")
        let scripts = text.count(of: "<script")
        #expect(scripts == text.count(of: #"<script type="module" src="/assets/"#), "\(path)")
        for field in text.matches(of: #/<(input|select|textarea)\b[^>]*>/#) {
            #expect(Self.isLabelled(String(field.output.0), field.range.lowerBound, text),
                "\(path): \(field.output.0)")
        }
        let own = PageAssets.all.reduce(0) { $0 + $1.bytes.count }
        #expect(text.utf8.count + own <= 150_000, "\(path): \(text.utf8.count) and \(own) bytes")
    }

    private static func isLabelled(
        _ field: String, _ place: String.Index, _ text: String
    ) -> Bool {
        if field.contains("type=\"hidden\"") || field.contains("aria-label=") { return true }
        if let id = field.firstMatch(of: #/ id="([^"]+)"/#)?.output.1 {
            return text.contains("for=\"\(id)\"")
        }
        guard let label = text[..<place].range(of: "<label", options: .backwards) else {
            return false
        }
        return !text[label.upperBound..<place].contains("</label>")
    }

    @Test("every asset that a page names is served, for good, under a name of its content")
    func assets() async throws {
        try await PageFixture.opened { pages in
            let page = try await pages.ask("/review").text
            let names = page.matches(of: #/"(/assets/[^"]+)"/#).map { String($0.output.1) }
            #expect(names.count == 6, "\(names)")
            for name in names {
                let answer = try await pages.ask(name, as: nil)
                #expect(answer.status == 200, "\(name)")
                #expect(answer.headers[.cacheControl]?.contains("immutable") == true)
                #expect(!answer.text.isEmpty)
            }
            #expect(try await pages.ask("/assets/console-0.css", as: nil).status == 404)
        }
    }

    // MARK: Who may

    @Test("who is not signed in is sent to sign in")
    func anonymous() async throws {
        try await PageFixture.opened { pages in
            let answer = try await pages.ask("/review/ch_1?by=amount", as: nil)
            #expect(answer.status == 303)
            #expect(answer.headers[.location] == "/login")
            let form = try await pages.ask("/review/ch_1", form: "decision=approve", as: nil)
            #expect(form.status == 303)
        }
    }

    @Test("a link leads nowhere but into the console", arguments: [
        ("/review/ch_1?by=amount", "/review/ch_1?by=amount"), ("//evil.example", "/"),
        ("https://evil.example", "/"), ("/\\evil.example", "/"), ("", "/"), ("/a\nb", "/"),
    ])
    func local(path: String, expected: String) {
        #expect(ConsolePages.local(path) == expected)
    }

    @Test("who may not decide sees the case, and no form")
    func viewer() async throws {
        try await PageFixture.opened { pages in
            let page = try await pages.ask("/review/ch_1", as: PageFixture.viewer)
            #expect(page.status == 200 && !page.text.contains("value=\"approve\""))
            #expect(page.text.contains("needs the role reviewer"))
            let form = try await pages.ask(
                "/review/ch_1", form: "decision=approve&note=x", as: PageFixture.viewer)
            #expect(form.status == 403)
            let letters = try await pages.ask(
                "/log/letters", form: "reason=bad_id", as: PageFixture.reviewer)
            #expect(letters.status == 403)
        }
    }

    @Test("what passes is told as passing, to a person as to a program", arguments: [
        (LedgerError.busy, 503), (.diskFull, 503), (.corrupt(code: 11, detail: "torn"), 500),
    ])
    func passing(failure: LedgerError, status: Int) async throws {
        var routes = AdminRoutes()
        routes.get("/program", needs: .viewer) { _, _ in throw failure }
        let told = ConsolePages.told
        routes.page(.get, "/person", needs: .viewer, telling: told) { _, _ in throw failure }
        let responder = routes.router.buildResponder()
        for path in ["/program", "/person"] {
            let answer = try await PageFixture.ask(responder, path)
            #expect(answer.status == status, "\(path)")
        }
    }

    @Test("a form carries its session's token, and only a session's")
    func token() async throws {
        try await PageFixture.opened { pages in
            let own = try await pages.ask("/review/ch_1", as: PageFixture.reviewer)
            #expect(own.text.contains(#"name="csrf" value="t-rita""#))
            let folder = Caller(name: "folder", role: .admin, credential: .folder)
            let other = try await pages.ask("/review/ch_1", as: folder)
            #expect(other.text.contains(#"name="csrf" value="""#))
        }
    }

    // MARK: Reviews

    @Test("who comes second is told who was first, and that nothing of theirs was recorded")
    func race() async throws {
        try await PageFixture.opened { pages in
            let answer = try await pages.ask(
                "/review/ch_3", form: "decision=decline&note=late", as: PageFixture.reviewer)
            #expect(answer.status == 409)
            #expect(answer.text.contains("ada approved it on"))
            #expect(answer.text.contains("Your decline was not recorded."))
        }
    }

    @Test("a decision without a note is not taken, and what was written stays")
    func note() async throws {
        try await PageFixture.opened { pages in
            let empty = try await pages.ask(
                "/review/ch_1", form: "decision=approve&note=+", as: PageFixture.reviewer)
            #expect(empty.status == 400)
            let long = String(repeating: "x", count: 2_001)
            let answer = try await pages.ask(
                "/review/ch_1", form: "decision=approve&note=%3Cb%3E\(long)",
                as: PageFixture.reviewer)
            #expect(answer.status == 400)
            #expect(answer.text.contains("&lt;b&gt;\(long)</textarea>"))
            #expect(answer.text.contains("role=\"alert\""))
            let wrong = try await pages.ask("/review/ch_1", form: "decision=maybe&note=x")
            #expect(wrong.status == 400)
        }
    }

    @Test("the queue goes by age, or by currency and amount")
    func queue() async throws {
        try await PageFixture.opened { pages in
            func order(_ path: String) async throws -> [String] {
                let text = try await pages.ask(path).text
                let list = text.split(separator: "data-rows").dropFirst().first ?? ""
                return list.split(separator: "</ol>")[0]
                    .matches(of: #/href="/review/(ch_[0-9]+)/#).map { String($0.output.1) }
            }
            let byAge = try await order("/review")
            #expect(byAge == ["ch_1", "ch_2", "ch_4", "ch_5", "ch_6"])
            let byAmount = try await order("/review?by=amount")
            #expect(byAmount == ["ch_6", "ch_5", "ch_4", "ch_2", "ch_1"])
        }
    }

    // MARK: Payments

    @Test("a payment is found by its id, and tells its story in order")
    func story() async throws {
        try await PageFixture.opened { pages in
            let list = try await pages.ask("/payments?q=ch_4&verdict=&place=").text
            #expect(list.count(of: "href=\"/payments/ch_") == 1)
            #expect(list.contains("href=\"/payments/ch_4\""))
            #expect(!list.contains("rel=\"next\""))
            let page = try await pages.ask("/payments/ch_3").text
            let words = [
                "Webhook received: charge.succeeded", "Read as payment", "Features from",
                "Scored: in review", "Held: a person must look", "Approved by a person",
            ]
            for word in words { #expect(page.contains(word), "\(word)") }
            #expect(page.contains("<mark>3000</mark>"))
        }
    }

    @Test("a case and its sheet show a card by brand and last four, and its fingerprint nowhere")
    func card() async throws {
        let told = PipelineFixture.charge(1, type: "charge.captured")
            .replacing("evt_1", with: "evt_card")
            .replacing(
                #""fingerprint""#, with: #""brand":"visa","last4":"4242","fingerprint""#)
        try await PageFixture.opened(and: [
            PipelineFixture.received(told, event: "evt_card")
        ]) { pages in
            for path in ["/review/ch_1", "/review/ch_1/sheet", "/payments/ch_1"] {
                let page = try await pages.ask(path).text
                #expect(page.contains("Visa •••• 4242"), "\(path)")
            }
            for path in ["/review/ch_1", "/review/ch_1/sheet", "/review/ch_3/sheet"] {
                let page = try await pages.ask(path).text
                #expect(!page.contains("fp_1"), "\(path)")
            }
        }
    }

    @Test("a payment's story tells of the payout that it went into, and what was taken off one")
    func paidOut() throws {
        let dollar = try #require(Currency("usd"))
        let payout = PayoutOfLine(id: "po_1", created: Instant(seconds: 1_773_325_927))
        func line(_ net: Int64, _ payout: PayoutOfLine?) -> StatementLine {
            StatementLine(
                id: "txn_1", type: "charge", currency: dollar, amount: MinorUnits(net),
                fee: .zero, net: MinorUnits(net), created: Instant(seconds: 1_773_000_000),
                isRight: true, payout: payout)
        }
        let posted = PostedTransaction(
            id: TransactionID(4),
            posting: Posting(
                movement: MovementKey("charge:ch_1"), eventID: EventID("evt_1"), kind: .payment,
                effectiveAt: Instant(seconds: 0), entries: []),
            postedAtMilliseconds: 0, hash: [])
        var story = PaymentStory(row: PaymentRow(id: 1, charge: "ch_1"), steps: [])
        var explained = ExplainedTransaction(transaction: posted)
        explained.statement = [line(970, payout), line(-500, payout), line(10, nil)]
        story.transactions = [explained]
        let moments = StoryMoment.all(of: story).filter { $0.href == AccountPath.explain("po_1") }
        #expect(moments.map(\.words) == [
            "Paid out in po_1 on 12 Mar 2026, 9.70 USD",
            "Taken off the payout po_1 on 12 Mar 2026, −5.00 USD",
        ])
        #expect(moments.allSatisfy { $0.at == 1_773_325_927_000 })
        let shown = TrailView(explained).statement.map { $0.paidOut?.day }
        #expect(shown == ["12 Mar 2026", "12 Mar 2026", nil])
        explained.transaction.id = TransactionID(1_234_567)
        let view = TrailView(explained)
        #expect(view.id == "1,234,567" && view.href == "/ledger/transactions/1234567")
    }

    @Test("who declined is told as it was: a person, or the time that ran out", arguments: [
        ("rita", "Declined by a person", "rita declined it on"),
        (ReviewExpiry.actor, "Declined: nobody decided in time", "Nobody decided in time"),
    ])
    func declined(by: String, words: String, closing: String) throws {
        let movement = MovementKey("charge:ch_1")
        let step = TrailStep(
            topic: .paymentReview, offset: Offset(7), at: Timestamp(milliseconds: 0),
            word: "declined")
        var story = PaymentStory(row: PaymentRow(id: 1, charge: "ch_1"), steps: [step])
        #expect(StoryMoment.all(of: story).map(\.words) == ["Declined"])
        let record = ReviewRecord(
            movement: movement, state: .declined, reasons: [], by: by, at: Instant(seconds: 0),
            note: nil)
        story.decisions = [
            PlacedDecision(
                place: DecisionPlace(decision: 7, scoredNext: 0), record: record, tookEffect: true)
        ]
        #expect(StoryMoment.all(of: story).map(\.words) == [words])
        let dollar = try #require(Currency("usd"))
        let review = Review(
            payment: TransactionID(1), movement: movement, merchant: MerchantID("default"),
            currency: dollar, amount: MinorUnits(1), state: .declined,
            effectiveAt: Instant(seconds: 0), reasons: [],
            decision: Review.Decision(by: by, at: Instant(seconds: 0)))
        #expect(review.closing.hasPrefix(closing), "\(review.closing)")
    }

    @Test("what scoring released is no person's approval, in the list and in the story")
    func released() throws {
        let step = TrailStep(
            topic: .paymentReview, offset: Offset(7), at: Timestamp(milliseconds: 0),
            word: "approved")
        var row = PaymentRow(id: 1, charge: "ch_1")
        row.review = .approved
        row.verdict = .manualReview
        #expect(row.shownState.words == "Approved by a person")
        row.verdict = .approve
        #expect(row.shownState.words == "Approved" && row.shownState.tone.isEmpty)
        var story = PaymentStory(row: row, steps: [step])
        #expect(StoryMoment.all(of: story).map(\.words) == ["Approved by a person"])
        story.review = Review(
            payment: TransactionID(1), movement: MovementKey("charge:ch_1"),
            merchant: MerchantID("default"), currency: try #require(Currency("usd")),
            amount: MinorUnits(1), state: .released, effectiveAt: Instant(seconds: 0),
            reasons: [], decision: nil)
        let moments = StoryMoment.all(of: story)
        #expect(moments.map(\.words) == ["Released by a better informed scoring"])
        #expect(moments.map(\.dot) == [""])
    }

    // MARK: Explained

    @Test("an amount is explained to its bytes, with the number marked in them")
    func marked() async throws {
        try await PageFixture.opened { pages in
            let page = try await pages.ask("/ledger/explain?of=ch_4").text
            #expect(page.contains("<mark>4000</mark>"))
            #expect(page.contains("data.object.amount_captured"))
            #expect(page.contains(#"href="/log/webhook.received?from=3""#))
            let account = try await pages.ask("/ledger/accounts/processor:stripe/usd").text
            #expect(account.contains("it is the balance that the ledger keeps"))
            #expect(account.count(of: "<mark>") == 6)
        }
    }

    @Test("a redrive shows what would happen, and changes nothing by being shown")
    func dryRun() async throws {
        try await PageFixture.opened { pages in
            for _ in 0..<2 {
                let page = try await pages.ask("/log/letters?reason=bad_id").text
                #expect(page.contains("nothing changed"))
                #expect(page.contains("Fails again"))
            }
            let answer = try await pages.ask("/log/letters", form: "reason=bad_id")
            #expect(answer.status == 409)
        }
    }
}

extension String {
    fileprivate func count(of part: String) -> Int { ranges(of: part).count }
}
