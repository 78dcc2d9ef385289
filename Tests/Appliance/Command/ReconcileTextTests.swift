import ArgumentParser
import Testing

@testable import Appliance
@testable import Command
@testable import Reconcile
@testable import Vocabulary

/// What a person reads of a run, from the document of the API.
@Suite("A run in words")
struct ReconcileTextTests {
    private static func text(_ json: String) throws -> String {
        let document = JSONDocument()
        return try withExtendedLifetime(document) {
            ReconcileText.of(try document.parse(Array(json.utf8)))
        }
    }

    private static func run(
        state: String = "finished", clean: Bool = true, late: String = "[]", matched: Int = 2,
        isDry: Bool = false, findings: [String] = [], next: String = "null"
    ) throws -> String {
        let currencies = state == "failed" ? "" : """
            {"currency":"usd","transactions":2,"matched":\(matched),"net":4000,"booked":0,
            "ledger":1,"stripe":1,"unexplained":0}
            """
        return try text(
            """
            {"reconciliation":{"id":"\(isDry ? "dry-7" : "7")","state":"\(state)","clean":\(clean),
            "dry_run":\(isDry),"late":\(late),"missed_events_until":null,"accounts":1,
            "currencies":[\(currencies)]},
            "findings":[\(findings.joined(separator: ","))],"next":\(next)}
            """)
    }

    private static func finding(
        _ kind: String, _ status: String = "open", _ suggestion: String = "null"
    ) -> String {
        """
        {"kind":"\(kind)","status":"\(status)","subject":"txn_1","stripe_amount":4000,
        "stripe_currency":"usd","age_seconds":60,"suggestion":\(suggestion)}
        """
    }

    @Test("clean is said of what agrees, and how much is late of what may yet come")
    func verdict() throws {
        #expect(try Self.run().hasSuffix("run 7: clean"))
        #expect(try Self.run(clean: false).hasSuffix("run 7: not clean"))
        let late = """
            [{"currency":"eur","count":1,"amount":1500},{"currency":"jpy","count":2,"amount":40}]
            """
        #expect(
            try Self.run(late: late).hasSuffix("run 7: clean so far, 3 late (15.00 eur, 40 jpy)"))
        #expect(try Self.run(clean: false, late: late).hasSuffix("run 7: not clean"))
    }

    @Test("a ledger that holds nothing of the statement is told so, though nothing is a break yet")
    func nothingArrived() throws {
        let late = #"[{"currency":"usd","count":2,"amount":4000}]"#
        let text = try Self.run(late: late, matched: 0)
        #expect(text.contains("run 7: clean so far, 2 late (40.00 usd); the ledger holds nothing"))
        #expect(text.contains("the log of who takes them says why"))
    }

    @Test("of a run that failed nothing is told that it has not come to")
    func failed() throws {
        #expect(try Self.run(state: "failed", clean: false) == "run 7: failed")
    }

    @Test("what a run books says so: it is not only fees, and a dry run books nothing yet")
    func booked() throws {
        let booked = try Self.run(findings: [Self.finding("fee_unbooked", "resolved")])
        #expect(booked.contains(/fee_unbooked +booked +txn_1/), "\(booked)")
        let dry = try Self.run(isDry: true, findings: [Self.finding("fee_unbooked")])
        #expect(dry.contains(/fee_unbooked +to be booked +txn_1/), "\(dry)")
        let open = try Self.run(findings: [Self.finding("fee_unbooked"), Self.finding("late")])
        #expect(open.contains(/fee_unbooked +open/) && open.contains(/late +open/), "\(open)")
    }

    @Test("a table that is cut says so and where the rest is")
    func cut() throws {
        let rows = Array(repeating: Self.finding("late"), count: 50)
        #expect(try !Self.run(findings: rows).contains("first 50"))
        let more = try Self.run(findings: rows, next: #""break:50""#)
        #expect(
            more.contains(
                "these are the first 50 findings; more: `tillbox reconcile show 7 --csv`"))
        let dry = try Self.run(isDry: true, findings: rows, next: #""break:50""#)
        #expect(dry.contains("more: `tillbox reconcile run --dry-run --json`"))
    }

    @Test("each kind of open break has its advice once")
    func advice() throws {
        let text = try Self.run(
            clean: false,
            findings: [
                Self.finding("amount_mismatch", "open", #""compare a""#),
                Self.finding("amount_mismatch", "open", #""compare b""#),
                Self.finding("duplicate_at_stripe", "open", #""ask""#),
                Self.finding("late", "open", #""wait""#),
                Self.finding("missing_in_ledger", "resolved"),
            ])
        #expect(text.contains("amount_mismatch: compare a\nduplicate_at_stripe: ask\n\n"))
        #expect(!text.contains("compare b") && !text.contains("wait"))
    }

    @Test(
        "advice names commands that exist, with all that they want",
        arguments: BreakKind.allCases)
    func suggestions(kind: BreakKind) throws {
        let found = ReconciliationBreak(
            kind: kind, subject: "txn_1", movement: "charge:ch_1", type: "odd",
            occurredAt: Instant(seconds: 1))
        let open = StoredBreak(id: 1, found: found, firstRun: 1)
        let words = try #require(open.suggestion)
        // Nothing books by hand.
        #expect(!words.contains("book the") && !words.contains("reverse"), "\(words)")
        for command in words.matches(of: /`tillbox ([^`]+)`/) {
            let arguments = command.output.1.split(separator: " ").map(String.init)
            #expect(throws: Never.self) { try Tillbox.parseAsRoot(arguments) }
        }
        #expect(StoredBreak(id: 1, found: found, firstRun: 1, resolvedRun: 2).suggestion == nil)
    }
}
