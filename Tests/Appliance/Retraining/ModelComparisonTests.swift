import AppendLog
import Foundation
import Testing

@testable import Appliance
@testable import Command
@testable import Daemon
@testable import Vocabulary

@Suite("Another model beside the live one")
struct ModelComparisonTests {
    private static let day = RetrainingFixture.day
    private static let usd = Given.usd

    private func compared(
        _ fixture: RetrainingFixture, review: Double? = nil, block: Double? = nil,
        evidence: FraudEvidence? = nil, costs: [Currency: DecisionCosts] = [:]
    ) throws -> ModelComparison.Report {
        let steps = try PipelineSteps(fixture.pipeline.settings, modelAt: nil)
        var comparison = ModelComparison(
            model: steps.model,
            verdicts: try steps.verdicts(reviewFrom: review, blockFrom: block),
            distribution: steps.model.schema.distribution, evidence: evidence, costs: costs)
        var history = try fixture.history()
        while let page = try history.page() { try comparison.add(page) }
        return comparison.report
    }

    @Test("the same model agrees with itself on every payment, score for score")
    func itself() async throws {
        let fixture = try RetrainingFixture { $0.amountLimits = [Given.usd: MinorUnits(1_500)] }
        try await fixture.process(
            (1...30).map { PipelineFixture.charge($0, amount: 100 * $0, customer: $0 % 4) })
        let report = try compared(fixture)
        #expect(report.payments == 30 && report.scorings == 30)
        #expect(report.agreeing == 30)
        #expect(report.differenceMax == 0 && report.scoredByBoth == 30)
        #expect(report.liveModels == [report.version: 30])
        let held = try #require(report.byCurrency[Self.usd]?[.unknown, 1, 1])
        #expect(held.count == 15 && held.amount == (16...30).reduce(0) { $0 + $1 * 100 })
        #expect(report.drift?.payments == 30)
    }

    @Test("of no payment and of one it says so in words that fit", arguments: [0, 1])
    func few(count: Int) async throws {
        let fixture = try RetrainingFixture()
        try await fixture.process((0..<count).map { PipelineFixture.charge($0 + 1) })
        let report = try compared(fixture)
        let lines = report.text(hasTruth: false).split(separator: "\n")
        if count == 0 {
            #expect(lines.first == "live: no scorings")
            #expect(lines.contains("0 payments in 0 scorings, 0 without a vector"))
            #expect(lines.last == "no payment to compare")
        } else {
            #expect(lines.first == "live: \(report.version) (1) scoring")
            #expect(lines.contains("1 payment in 1 scoring, 0 without a vector"))
            #expect(lines.contains("both verdicts agree on 1 of 1 payment (100.00 %)"))
        }
    }

    @Test("thresholds that are tried say which money would have been held")
    func thresholds() async throws {
        let fixture = try RetrainingFixture()
        try await fixture.process(
            (1...20).map { PipelineFixture.charge($0, amount: 10 * $0, customer: $0) })
        let report = try compared(fixture, review: 1e-9, block: 1)
        let newlyHeld = try #require(report.byCurrency[Self.usd]?[.unknown, 0, 1])
        #expect(newlyHeld.count == 20 && newlyHeld.amount == 2_100)
        #expect(report.agreeing == 0)
        #expect(throws: ModelError.thresholdsOutOfOrder(review: 0.9, block: 0.85)) {
            try compared(fixture, review: 0.9)
        }
    }

    @Test("costs are exact, and only of payments whose truth is known")
    func costs() async throws {
        let fixture = try RetrainingFixture()
        try await fixture.process(
            (1...4).map { PipelineFixture.charge($0, amount: 1_005, customer: $0) } + [
                FraudEvidenceTests.dispute("\"ch_1\"", on: 10),
                // Too young to be known as honest.
                PipelineFixture.charge(150 * 24 * 60, amount: 5_000, customer: 9),
            ])
        let usd = try #require(
            DecisionCosts(disputeFee: 1_500, review: 200, marginBasisPoints: 300))
        let evidence = try fixture.evidence(
            asOf: RetrainingFixture.start + 200 * Self.day)
        let report = try compared(
            fixture, review: 1e-9, block: 1, evidence: evidence, costs: [Self.usd: usd])
        let tally = try #require(report.byCurrency[Self.usd])
        #expect(tally[.fraud, 0, 1].count == 1 && tally[.honest, 0, 1].count == 3)
        #expect(tally[.unknown, 0, 1].count == 1)
        #expect(tally.cost(usd, ofOther: false) == 1_005 + 1_500)
        #expect(tally.cost(usd, ofOther: true) == 4 * 200)
        let blocked = try compared(
            fixture, review: 1e-9, block: 1e-9, evidence: evidence, costs: [Self.usd: usd])
        // 3 % of 10.05 is 30.15 cents, rounded to 30 for each of three.
        let lost = try #require(blocked.byCurrency[Self.usd]).cost(usd, ofOther: true)
        #expect(lost == 90)
    }

    @Test("margins round half up and do not overflow at the largest amount")
    func margins() throws {
        let costs = try #require(
            DecisionCosts(disputeFee: 0, review: 0, marginBasisPoints: 10_000))
        let most = MinorUnits.movementMax.rawValue
        #expect(costs.margin(of: most) == most)
        let half = try #require(DecisionCosts(disputeFee: 0, review: 0, marginBasisPoints: 5_000))
        #expect(half.margin(of: 1) == 1 && half.margin(of: 2) == 1 && half.margin(of: 0) == 0)
    }

    @Test("fees are read, or refused", arguments: [
        ("usd:1500:200:300", true), ("jpy:0:0:0", true), ("usd:1500:200", false),
        ("usd:1500:200:10001", false), ("USD:1:1:1", false), ("usd:-1:1:1", false),
        ("usd:1:1:1:", false), ("usd:1000000001:1:1", false), ("", false),
    ])
    func fees(text: String, isValid: Bool) {
        #expect((DecisionCosts.parse(text) != nil) == isValid)
    }

    @Test("a payment that is told twice counts once, by what stands on either side")
    func standing() async throws {
        let fixture = try RetrainingFixture()
        try await fixture.process([
            PipelineFixture.intent(1), PipelineFixture.charge(1, amount: 1_000),
        ])
        let report = try compared(fixture)
        #expect(report.payments == 1 && report.scorings == 2 && report.withoutFeatures == 1)
        let tally = try #require(report.byCurrency[Self.usd])
        #expect(tally[.unknown, 0, 0].count == 1 && tally[.unknown, 0, 0].amount == 1_000)
        #expect(tally[.unknown, 1, 1].count == 0 && tally[.unknown, 1, 1].amount == 0)
    }

    @Test("it follows the log from any place, and waits for a vector that is not there yet")
    func following() async throws {
        let fixture = try RetrainingFixture()
        try await fixture.process((1...5).map { PipelineFixture.charge($0) })
        let before = try fixture.topics()
        let end = try #require(before[.paymentScored]?.end)
        var atEnd = try fixture.history(from: end)
        var page = try atEnd.page()
        #expect(page == nil)
        try await fixture.process((6...9).map { PipelineFixture.charge($0) })
        let after = try fixture.topics()
        let (scored, features) = (
            try #require(after[.paymentScored]), try #require(after[.paymentFeatures])
        )
        // The vectors as they were when it looked before.
        let old = try #require(before[.paymentFeatures])
        atEnd.renew(scored: scored, features: old)
        page = try atEnd.page()
        #expect(page == nil)
        #expect(atEnd.next == end)
        atEnd.renew(scored: scored, features: features)
        page = try atEnd.page()
        let found = try #require(page)
        #expect(found.map(\.scored.event.objectID) == ["ch_6", "ch_7", "ch_8", "ch_9"])
        #expect(found.allSatisfy { $0.vector?.asOf == $0.scored.event.created })
        page = try atEnd.page()
        #expect(page == nil)
        for start in 0..<9 {
            var history = try fixture.history(from: Offset(Int64(start)))
            let read = try history.page()
            let rest = try #require(read)
            #expect(rest.count == 9 - start && rest.allSatisfy { $0.vector != nil })
        }
    }

    @Test("a bound on payments is kept to the payment")
    func bounded() async throws {
        let fixture = try RetrainingFixture()
        try await fixture.process((1...9).map { PipelineFixture.charge($0) })
        let steps = try PipelineSteps(fixture.pipeline.settings, modelAt: nil)
        var comparison = ModelComparison(
            model: steps.model, verdicts: try steps.verdicts(), distribution: nil)
        var history = try fixture.history()
        let read = try history.page()
        let page = try #require(read)
        var isEnough = try comparison.add(page, paymentsMax: 20)
        #expect(!isEnough && comparison.report.payments == 9)
        comparison = ModelComparison(
            model: steps.model, verdicts: try steps.verdicts(), distribution: nil)
        isEnough = try comparison.add(page, paymentsMax: 4)
        #expect(isEnough)
        #expect(comparison.report.payments == 4)
        #expect(comparison.report.drift == nil)
    }
}
