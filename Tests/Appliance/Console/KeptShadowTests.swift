import Foundation
import LogSupport
import TestSupport
import Testing

@testable import Appliance
@testable import Console
@testable import Vocabulary

@Suite("The last report of another model")
struct KeptShadowTests {
    static func report() throws -> ShadowReport {
        let (dollar, yen) = (try #require(Currency("usd")), try #require(Currency("jpy")))
        return ShadowReport(
            madeAt: Instant(seconds: 1_760_000_000), version: "candidate-1",
            file: "model-candidates/<b>", reviewFrom: 0.25, blockFrom: 0.75, records: 17..<1_234,
            liveModels: [.init(version: "tillbox-fraud-2", scorings: 12)],
            figures: ShadowReport.Figures(
                payments: 10, scorings: 12, withoutFeatures: 1, differenceMean: 0.125,
                differenceMax: 0.5,
                lines: [
                    .init(
                        currency: dollar, live: .approve, other: .approve, payments: 6,
                        amount: MinorUnits(60_000)),
                    .init(
                        currency: dollar, live: .approve, other: .block, payments: 1,
                        amount: MinorUnits(12_345)),
                    .init(
                        currency: dollar, live: .manualReview, other: .approve, payments: 2,
                        amount: MinorUnits(2_000)),
                    .init(
                        currency: yen, live: .manualReview, other: .block, payments: 1,
                        amount: MinorUnits(500)),
                ]))
    }

    private static func json(_ report: ShadowReport) -> String {
        var writer = JSONWriter()
        report.encode(into: &writer)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    private static func kept(_ text: String) throws -> KeptShadow {
        let folder = try TemporaryFolder()
        try Data(text.utf8).write(to: URL(filePath: folder.file(ShadowReport.fileName)))
        return withExtendedLifetime(folder) { KeptShadow(in: folder.path) }
    }

    @Test("it is read as it was written")
    func roundTrip() throws {
        let report = try Self.report()
        #expect(report.figures.agreeing == 6)
        #expect(try Self.kept(Self.json(report) + "\n") == .report(report))
    }

    @Test("there is none in a folder where none was made")
    func none() throws {
        let folder = try TemporaryFolder()
        withExtendedLifetime(folder) { #expect(KeptShadow(in: folder.path) == .none) }
    }

    @Test("a file that is cut, of another release, or contradicts itself is told of")
    func unreadable() throws {
        let text = Self.json(try Self.report())
        let wrong: [(String, String)] = [
            ("", "is damaged"), (String(text.dropLast(40)), "is damaged"), ("[]", "is damaged"),
            (text.replacing("\"format\":1", with: "\"format\":2"), "of another release"),
            (text.replacing("\"payments\":10", with: "\"payments\":11"), "payments"),
            (text.replacing("\"agreeing\":6", with: "\"agreeing\":7"), "agreeing"),
            (text.replacing("\"end_offset\":1234", with: "\"end_offset\":3"), "end_offset"),
            (text.replacing("\"usd\"", with: "\"dollars\""), "currency"),
            (String(repeating: " ", count: 2 << 20), "cannot be read"),
        ]
        for (text, words) in wrong {
            guard case .unreadable(let why) = try Self.kept(text) else {
                Issue.record("\(text.prefix(80)) was read")
                continue
            }
            #expect(why.contains(words), "\(why)")
        }
    }

    // MARK: What the page says

    @Test("the page has the agreement, the changed verdicts and their money, by currency")
    func view() throws {
        let view = ShadowView(.report(try Self.report()), besides: "tillbox-fraud-2")
        let report = try #require(view.report)
        #expect(!view.isEmpty && view.fault == nil && !report.isInUse)
        #expect(report.answer.hasPrefix("Both say the same of 6 of 10 payments, 60.00 %."))
        #expect(
            report.records == "records 17 to 1,233 of payment.scored, judged by tillbox-fraud-2")
        #expect(report.scores == "Scores lie 0.1250 apart on average, 0.5000 at most.")
        let rows = report.groups.map { group in
            group.rows.map { "\($0.count) \($0.amount.words) \($0.change)" }
        }
        #expect(
            rows == [
                ["1 500 JPY held either way"],
                [
                    "6 600.00 USD the same", "1 123.45 USD would be held",
                    "2 20.00 USD would be let through",
                ],
            ])
        let own = ShadowView(.report(try Self.report()), besides: "candidate-1")
        #expect(own.report?.isInUse == true)
    }

    @Test("a report that cannot be read costs its section alone")
    func fault() {
        let view = ShadowView(.unreadable("shadow.json is damaged"), besides: "")
        #expect(view.report == nil && !view.isEmpty && view.fault == "shadow.json is damaged")
        #expect(ShadowView(.none, besides: "").isEmpty)
    }
}
