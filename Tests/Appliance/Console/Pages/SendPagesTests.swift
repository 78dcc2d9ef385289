import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import Appliance
@testable import Console
@testable import Vocabulary

@Suite("What is sent from the console")
struct SendPagesTests {
    private static func form(_ kind: String, _ further: String = "") -> String {
        "kind=\(kind)&amount=1%2C284.50&currency=usd&country=US&customer=7&card=own&device=usual"
            + further
    }

    /// The page that an order leads to.
    private static func sent(_ pages: PageFixture, _ kind: String) async throws -> String {
        let answer = try await pages.ask("/send", form: form(kind))
        #expect(answer.status == 303)
        let path = try #require(answer.headers[.location])
        #expect(path.hasPrefix("/send/ch_"))
        return try await pages.ask(path).text
    }

    @Test("a payment is followed from its signature to the balanced pair, in order")
    func followed() async throws {
        try await PageFixture.opened { pages in
            let page = try await Self.sent(pages, "payment")
            var rest = page[...]
            for words in [
                "Signature valid", "New: stored before it was answered", "webhook.received @ ",
                "Read as payment", "1,284.50 USD", "Eight features", "Scored ", "Booked: ",
                "−1,284",
            ] {
                let place = rest.range(of: words)
                #expect(place != nil, "\(words)")
                if let place { rest = rest[place.upperBound...] }
            }
            #expect(page.contains(#"data-done="true""#))
            #expect(page.contains(#"href="/payments/ch_"#))
            #expect(page.contains(#"href="/ledger/explain?of=charge:ch_"#))
            #expect(page.contains("value=\"refund\""))
        }
    }

    @Test("what is sent twice is blocked, and a bad signature refused, with the port's own words")
    func refused() async throws {
        try await PageFixture.opened { pages in
            let twice = try await Self.sent(pages, "twice")
            #expect(twice.contains("Sent again, blocked"))
            #expect(twice.ranges(of: "New: stored before it was answered").count == 1)
            let bad = try await Self.sent(pages, "bad_signature")
            #expect(bad.contains("Refused: nothing of it is stored"))
            #expect(bad.contains("400 signature_no_match &lt;script&gt;"))
            #expect(bad.contains(#"data-done="true""#))
            #expect(!bad.contains("Booked") && !bad.contains("value=\"refund\""))
        }
    }

    @Test("what cannot be sent is told on the form, and what was typed stays", arguments: [
        ("amount=12.345&currency=usd&country=US&customer=1", "amount is a number"),
        ("amount=0&currency=usd&country=US&customer=1", "amount is from 1"),
        ("amount=1.5&currency=jpy&country=US&customer=1", "at most 0 decimals"),
        ("amount=1&currency=usd&country=US&customer=1000", "customer is a number from 1 to 999"),
        ("amount=1&currency=usd&country=XX&customer=1", "none of those that are sent"),
        ("amount=%3Cb%3E&currency=usd&country=US&customer=1", "amount is a number"),
    ])
    func form(form: String, words: String) async throws {
        try await PageFixture.opened { pages in
            let answer = try await pages.ask("/send", form: form)
            #expect(answer.status == 400)
            #expect(answer.text.lowercased().contains(words), "\(words)")
            #expect(answer.text.contains("role=\"alert\""))
            if form.contains("%3Cb") { #expect(answer.text.contains("value=\"&lt;b&gt;\"")) }
        }
    }

    @Test("an amount is read in its currency's own decimals", arguments: [
        ("42", "usd", 4_200), ("1,284.5", "eur", 128_450), ("1284", "jpy", 1_284),
        ("1.25", "kwd", 1_250), ("999999.99", "usd", 99_999_999),
    ])
    func amount(text: String, code: String, expected: Int64) throws {
        let currency = try #require(Currency(code))
        #expect(try PaymentOrder.amount(text, currency).rawValue == expected)
    }

    @Test("only an admin sends, and others see no form")
    func roles() async throws {
        try await PageFixture.opened { pages in
            let page = try await pages.ask("/send", as: PageFixture.reviewer)
            #expect(page.status == 200 && !page.text.contains("<form class=\"body"))
            #expect(page.text.contains("needs the role admin"))
            let form = try await pages.ask(
                "/send", form: Self.form("payment"), as: PageFixture.reviewer)
            #expect(form.status == 403)
        }
    }

    @Test("an order as JSON is read strictly", arguments: [
        (#"{"kind":"payment","amount":5}"#, true), (#"{}"#, true), (#"{"kind":"gift"}"#, false),
        (#"{"amount":"5"}"#, false), (#"{"amount":0}"#, false), (#"{"currency":"US"}"#, false),
        (#"[]"#, false), (#"{"country":7}"#, false),
    ])
    func order(body: String, isTaken: Bool) {
        struct Nobody: PaymentSending {
            let currencies = [Currency("usd")].compactMap { $0 }
            let countries = ["US"]
            let customers = 1...9

            func send(_ order: PaymentOrder) async throws(SendingRefusal) -> SentPayment {
                throw .notListening
            }
        }
        let order = try? DevPaymentRoutes.order(Array(body.utf8), Nobody())
        #expect((order != nil) == isTaken)
    }
}
