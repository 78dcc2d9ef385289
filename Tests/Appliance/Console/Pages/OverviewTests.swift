import AppendLog
import Foundation
import TestSupport
import Testing
import TwinSupport

@testable import Appliance
@testable import Backup
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
            let names = Set(shown.values.map(\.0))
            #expect(names.count == shown.values.count, "two texts would go to one place")
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

    @Test("ways are coloured where something has gone them, and open pages then ask anew")
    func ways() async throws {
        try await PageFixture.opened { pages in
            var figures = pages.seen.figures
            figures.letterCount = 0
            figures.money?.openReviewCount = 0
            let quiet = OverviewView(figures, [])
            #expect(!quiet.topology.hasLetters && !quiet.topology.hasReviews)
            figures.letterCount = 1
            let stopped = OverviewView(figures, [])
            #expect(stopped.topology.hasLetters && stopped.shape != quiet.shape)
            figures.letterCount = 0
            figures.money?.openReviewCount = 1
            let waits = OverviewView(figures, [])
            #expect(waits.topology.hasReviews && waits.shape != quiet.shape)
        }
    }

    @Test("payments are counted and listed once each, and fees are none")
    func payments() async throws {
        let fee = StripeExample.event(
            "tillbox.balance_transaction",
            StripeExample.balanceTransaction.with(["fee": 33, "net": 67]), id: "evt_fee")
        // The same payment, of which more was captured later.
        let again = PipelineFixture.charge(6, amount: 7_000, type: "charge.captured")
            .replacing("evt_6", with: "evt_again")
        try await PageFixture.opened(and: [
            PipelineFixture.received(
                String(decoding: fee.bytes, as: UTF8.self), event: "evt_fee",
                endpoint: "reconcile"),
            PipelineFixture.received(again, event: "evt_again"),
        ]) { pages in
            let scored = try pages.pipeline.records(.paymentScored).count
            #expect(scored > 7, "\(scored) records: no fee, or no second telling")
            let page = try await pages.ask("/").text
            for number in 1...6 {
                let name = "data-cell=\"name\">ch_\(number)<"
                #expect(page.ranges(of: name).count == 1, "ch_\(number)")
            }
            #expect(page.ranges(of: "data-cell=\"name\">").count == 6)
            #expect(page.contains("data-value=\"booked\">6<"))
        }
    }

    @Test("a figure leads to exactly the payments that it counts")
    func links() async throws {
        try await PageFixture.opened { pages in
            let view = OverviewView(pages.seen.figures, [])
            for key in ["booked", "fraud"] {
                let figure = try #require(view.figures.first { $0.key == key })
                let list = try await pages.ask(try #require(figure.href)).text
                let rows = list.ranges(of: "<a class=\"id cut\" href=\"/payments/ch_").count
                #expect("\(rows)" == figure.value, "\(key): \(figure.href ?? "")")
            }
            #expect(view.figures.first { $0.key == "booked" }?.value == "6")
            // All payments of the fixture are of one currency.
            let volume = try #require(view.volumes.first)
            let paid = try await pages.ask(volume.href).text
            #expect(paid.ranges(of: "<a class=\"id cut\" href=\"/payments/ch_").count == 6)
            #expect(volume.amount.whole == "210")
        }
    }

    @Test("what is right as far as it goes turns amber by age, and says what to do")
    func ages() async throws {
        try await PageFixture.opened { pages in
            var figures = pages.seen.figures
            (figures.reasons, figures.warnings) = ([], [])
            let checked = try #require(figures.money?.checkedAt)
            figures.at = checked
            let now = checked / 1_000
            func view(_ hours: Int64, verified days: Int64) -> OverviewView {
                let ended = Instant(seconds: now - hours * 3_600)
                figures.money?.run = RunReport(
                    run: RunRecord(
                        id: 1, cause: .schedule, state: .finished, from: Instant(seconds: 0),
                        to: ended, startedAt: ended, finishedAt: ended, livemode: false, pages: 1,
                        transactions: 14, failure: nil, sweptTo: ended), breaks: [])
                figures.verifiedAt = Instant(seconds: now - days * 86_400)
                return OverviewView(figures, [])
            }
            func tones(_ view: OverviewView) -> [String] {
                ["trial", "reconciliation", "missed"].map { key in
                    view.proofs.first { $0.key == key }?.tone ?? "none"
                }
            }
            let fresh = view(36, verified: 7)
            #expect(tones(fresh) == ["ok", "ok", "ok"])
            #expect(fresh.answer.tone == "is-right")
            let old = view(37, verified: 7)
            #expect(tones(old) == ["ok", "wait", "wait"])
            #expect(old.answer.tone == "is-wait")
            #expect(old.answer.second.hasPrefix("Reconciliation: explained, "))
            #expect(old.answer.second.hasSuffix("no run has ended since."))
            // Runs of a twin's world are dated by that world's clock.
            figures.runsAheadSeconds = -300 * 86_400
            #expect(tones(view(300 * 24 + 36, verified: 7)) == ["ok", "ok", "ok"])
            #expect(tones(view(300 * 24 + 37, verified: 7)) == ["ok", "wait", "wait"])
            figures.runsAheadSeconds = 0
            let unverified = view(1, verified: 8)
            #expect(tones(unverified) == ["wait", "ok", "ok"])
            #expect(unverified.answer.second.contains("last verified 8 d ago: verify the ledger"))
            figures.verifiedAt = nil
            figures.startedAt = figures.at - 8 * 86_400_000
            let never = OverviewView(figures, []).proofs.first { $0.key == "trial" }
            #expect(never?.tone == "wait" && never?.second.contains("not verified yet") == true)
        }
    }

    @Test("the last backup is told with its age, and amber when it is old")
    func backups() async throws {
        try await PageFixture.opened { pages in
            var figures = pages.seen.figures
            func proof(_ hours: Int64?) -> OverviewView.Proof? {
                figures.backup = hours.map {
                    BackupNote(
                        moment: Instant(seconds: figures.at / 1_000 - $0 * 3_600), name: "n",
                        folder: "/b", byteCount: 1, isEncrypted: true)
                }
                return OverviewView(figures, []).proofs.first { $0.key == "backups" }
            }
            #expect(proof(nil)?.tone == "mute" && proof(nil)?.href == "/settings/backups")
            #expect(proof(36)?.tone == "ok" && proof(36)?.href == "/settings/backups")
            #expect(proof(-1)?.tone == "wait" && proof(-1)?.second.contains("ago") == false)
            #expect(proof(37)?.tone == "wait" && proof(37)?.second.contains("ago") == true)
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
            // No scale and no value before there is one.
            #expect(empty.allSatisfy { $0.top == "" && $0.lines.allSatisfy { $0.words == "" } })
            #expect(empty.allSatisfy { $0.span == "begins after half a minute" })
            let hour = OverviewView(figures, Self.history(LiveLimits.bucketCount)).charts
            let throughput = try #require(hour.first)
            #expect(throughput.lines[0].path.hasPrefix("M0 "))
            #expect(throughput.lines[0].path.ranges(of: "L").count == 119)
            #expect(throughput.lines[0].path.contains("L400 "))
            #expect(throughput.sentence.contains("over the last 60 min"))
            #expect(throughput.top == "10/s" && throughput.span == "the last hour")
            let latency = hour[1]
            #expect(latency.lines.map(\.key) == ["p99", "p50"])
            #expect(latency.lines[0].place != latency.lines[1].place)
            #expect(latency.top == "10 ms")
            // Four half minutes of the first ten: the line is no stroke in a corner.
            let begun = OverviewView(figures, Self.history(12)).charts[0]
            #expect(begun.span == "the last 10 min" && begun.lines[0].path.hasPrefix("M336.8 "))
            let alone = OverviewView(figures, Self.history(3)).charts[0].lines[0].path
            #expect(alone.hasPrefix("M400 ") && alone.hasSuffix("H389.5"))
            let idle = Self.history(12).map { bucket in
                var bucket = bucket
                bucket.booked = 0
                return bucket
            }
            #expect(OverviewView(figures, idle).charts.map(\.top) == ["", ""])
            var gap = Self.history(12)
            for place in 3..<6 { gap[place].booked = 0 }
            for place in 3..<6 { gap[place].toLedger = LiveHistory.Latency() }
            let broken = OverviewView(figures, gap).charts[1].lines[0].path
            #expect(broken.ranges(of: "M").count == 2, "where nothing was booked there is no line")
        }
    }
}
