import AppendLog
import Foundation
import TestSupport
import Testing

@testable import Appliance
@testable import Console
@testable import Reconcile
@testable import Vocabulary

@Suite("The overview")
struct OverviewTests {
    /// Ten seconds each, the newest last.
    private static func history(_ count: Int) -> [LiveHistory.Bucket] {
        (0..<count).map { place in
            var latency = LiveHistory.Latency()
            (latency.p50, latency.p99) = (4_000, UInt64(9_000 + place))
            return LiveHistory.Bucket(
                endedAt: 1_760_000_000 + Int64(place) * 10, booked: Int64(place % 3) * 100,
                toLedger: latency)
        }
    }

    @Test("every text that open pages are told has its place on the page, and is what stands there")
    func agrees() async throws {
        try await PageFixture.opened { pages in
            let figures = pages.seen.figures
            let shown = ShownFigures(figures, Self.history(60))
            let page = PageTemplates.render(
                "overview",
                PageView(
                    shell: Shell(
                        title: "Overview", at: .overview, now: "", token: "", profile: "dev",
                        version: "0"), page: OverviewView(figures, Self.history(60))))
            #expect(shown.values.count > 50)
            for (name, text) in shown.values {
                #expect(
                    page.contains("data-value=\"\(name)\">\(text)<"), "\(name): \(text)")
            }
            #expect(page.contains("half a minute a point"))
        }
    }

    @Test("the answer is green only where the money was looked at, lately, and nothing is wrong")
    func answer() async throws {
        try await PageFixture.opened { pages in
            var figures = pages.seen.figures
            figures.reasons = []
            figures.warnings = []
            #expect(OverviewView(figures, []).answer.tone == "is-right")
            let checked = try #require(figures.money?.checkedAt)
            figures.at = checked + OverviewView.moneyAgeMax + 1
            let stale = OverviewView(figures, []).answer
            #expect(stale.tone == "grey" && stale.words.hasPrefix("Unknown since "))
            figures.at = checked
            figures.warnings = ["a bridge stands"]
            #expect(OverviewView(figures, []).answer.tone == "is-wait")
            let dollar = try #require(Currency("usd"))
            figures.money?.trial[dollar] = 1
            let wrong = OverviewView(figures, [])
            #expect(wrong.answer.tone == "is-stop")
            #expect(wrong.answer.words == "Not right: trial balance")
            #expect(wrong.volumes.first { $0.key == "usd" }?.isZero == false)
            figures.money = nil
            #expect(OverviewView(figures, []).answer.tone == "grey")
        }
    }

    @Test("the overview counts a run's breaks as its own page does: what is late is none")
    func breaks() async throws {
        try await PageFixture.opened { pages in
            var figures = pages.seen.figures
            let report = RunReport(
                run: RunRecord(
                    id: 12, cause: .schedule, state: .finished, from: Instant(seconds: 0),
                    to: Instant(seconds: 60), startedAt: Instant(seconds: 60),
                    finishedAt: Instant(seconds: 61), livemode: false, pages: 1, transactions: 14,
                    failure: nil, sweptTo: nil),
                breaks: [
                    BreakCount(kind: .amountMismatch, count: 2), BreakCount(kind: .late, count: 3),
                ])
            figures.money?.run = report
            let proof = OverviewView(figures, []).proofs.first { $0.key == "reconciliation" }
            #expect(proof?.value == "2 breaks")
            #expect(RunRow(report).breaks == "2")
        }
    }

    @Test("a chart says what one would see, begins at zero, and ends where it is now")
    func charts() async throws {
        try await PageFixture.opened { pages in
            let figures = pages.seen.figures
            let empty = OverviewView(figures, []).charts
            #expect(empty.allSatisfy { $0.sentence.contains("nothing yet") })
            #expect(empty.allSatisfy { $0.lines.allSatisfy { $0.path.isEmpty } })
            let hour = OverviewView(figures, Self.history(LiveLimits.bucketCount)).charts
            let throughput = try #require(hour.first)
            #expect(throughput.lines[0].path.hasPrefix("M0 "))
            #expect(throughput.lines[0].path.ranges(of: "L").count == 119)
            #expect(throughput.lines[0].path.contains("L400 "))
            #expect(throughput.sentence.contains("over the last 60 min"))
            #expect(throughput.top == "10/s")
            let latency = hour[1]
            #expect(latency.lines.map(\.key) == ["p99", "p50"])
            #expect(latency.lines[0].place != latency.lines[1].place)
            #expect(latency.top == "10 ms")
            var gap = Self.history(12)
            for place in 3..<6 { gap[place].booked = 0 }
            for place in 3..<6 { gap[place].toLedger = LiveHistory.Latency() }
            let broken = OverviewView(figures, gap).charts[1].lines[0].path
            #expect(broken.ranges(of: "M").count == 2, "where nothing was booked there is no line")
        }
    }
}
