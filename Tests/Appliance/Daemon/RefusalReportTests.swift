import Logging
import Testing

@testable import Appliance
@testable import Daemon
@testable import Vocabulary

@Suite("Summary of refusals")
struct RefusalReportTests {
    private static func report(
        deadLetters: [String: Int] = [:], _ count: (Counters) -> Void
    ) -> RefusalReport {
        let counters = Counters()
        counters.add(.bodyTooLarge, 7)
        counters.signatureCodes.add("signature_no_match", 9)
        let before = RefusalReading(counters)
        count(counters)
        return RefusalReport(since: before, now: RefusalReading(counters), deadLetters: deadLetters)
    }

    @Test("where nothing was refused there is no line")
    func nothing() {
        let report = Self.report { counters in
            counters.add(.admitted, 5)
            counters.add(.validated, 4)
            counters.add(.booked, 4)
            counters.ignoredTypes.add("charge.updated")
        }
        #expect(!report.isWorthALine)
    }

    @Test("connections that are closed without a request are no deliveries, and no news")
    func idleConnections() {
        #expect(!Self.report { $0.add(.connectionsIdled, 62) }.isWorthALine)
        let report = Self.report { $0.add(.requestsTimedOut) }
        #expect(report.refused == ["request_timed_out": 1])
    }

    @Test("refusals of the interval are added up by reason, the most frequent one explained")
    func reasons() {
        let report = Self.report(deadLetters: ["livemode_mismatch": 2, "conflicting_event": 1]) {
            $0.signatureCodes.add("signature_no_match", 3)
            $0.signatureCodes.add("signature_too_old")
            $0.add(.conflicts)
            $0.add(.booked, 2)
        }
        #expect(report.isWorthALine)
        #expect(report.refused == ["signature_no_match": 3, "signature_too_old": 1])
        #expect(report.message.hasPrefix(
                "7 deliveries were not booked, most often for signature_no_match; webhook.secret"))
        #expect(report.metadata["booked"] == "2")
        #expect(report.metadata["dead_letters"] != nil && report.metadata["ignored"] == nil)
    }

    @Test("a reason that says all by itself is still told where to look", arguments: [
        (["bad_amount": 3, "missing_charge": 3], "most often for bad_amount; `tillbox dead-letter"),
        (["bad_amount": 1], "1 delivery was not booked; `tillbox dead-letter list`"),
    ])
    func withoutHint(deadLetters: [String: Int], expected: String) {
        let report = Self.report(deadLetters: deadLetters) { _ in }
        #expect(report.message.contains(expected), "\(report.message)")
    }

    @Test("events that all move nothing are worth a line, until one moves something")
    func ignoredOnly() {
        let report = Self.report { $0.ignoredTypes.add("customer.created", 4) }
        #expect(report.isWorthALine && report.message.hasPrefix("nothing is booked"))
        #expect(report.ignored == ["customer.created": 4])
        let mixed = Self.report {
            $0.ignoredTypes.add("customer.created", 4)
            $0.add(.validated)
        }
        #expect(!mixed.isWorthALine)
    }

    @Test("words from outside are bounded in number and length")
    func bounded() {
        let tally = WordTally()
        for number in 0..<1000 { tally.add("type.\(number)") }
        tally.add(String(repeating: "x", count: 10_000))
        #expect(tally.all.count == WordTally.wordCountMax + 1)
        #expect(tally.all.values.reduce(0, +) == 1001)
        #expect(tally.all[WordTally.others] == 1001 - WordTally.wordCountMax)
    }
}
