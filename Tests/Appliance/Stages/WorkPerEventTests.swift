import AppendLog
import TestSupport
import Testing

@testable import Appliance
@testable import Traffic
@testable import Vocabulary

/// What one webhook costs each step, counted and not timed. The thresholds lie a little above what
/// was measured; docs/BENCHMARKS.md has the figures. Who makes a step dearer raises its threshold
/// there and here, knowingly.
@Suite("The work of a webhook", .enabled(if: Allocations.isOptimizedBuild))
struct WorkPerEventTests {
    /// Payments in a run; the first runs are not counted, since they fill tables and buffers.
    private static let runCount = 256

    /// Simulated `charge.succeeded` of payments, as the gate stores them.
    private static func webhooks() -> [PlacedRecord] {
        let validator = EventValidator(defaultMerchant: MerchantID("shop"))
        var scenario = TrafficScenario(TrafficWorld.Settings(seed: 5))
        var records: [PlacedRecord] = []
        while records.count < runCount * 3 {
            let event = scenario.next()
            guard event.type == .chargeSucceeded,
                case .movements = validator.validate(event.body)
            else { continue }
            let record = Record.received(
                event.body[...], id: event.id, endpoint: "default",
                receivedAt: Timestamp(milliseconds: 0))
            let place = SourcePlace(
                topic: .webhookReceived, offset: Offset(Int64(records.count)))
            records.append(PlacedRecord(place: place, record: record))
        }
        return records
    }

    private static func runs(_ records: [PlacedRecord]) -> [[PlacedRecord]] {
        stride(from: 0, to: records.count, by: runCount).map { Array(records[$0..<$0 + runCount]) }
    }

    private static func placed(_ outputs: [StageOutput], _ topic: TopicID) -> [PlacedRecord] {
        outputs.filter { $0.topic == topic }.enumerated().map { place, output in
            PlacedRecord(
                place: SourcePlace(topic: topic, offset: Offset(Int64(place))),
                record: output.record)
        }
    }

    /// Allocations an event of the last run.
    private static func allocations(
        _ runs: [[PlacedRecord]], _ step: ([PlacedRecord]) -> Void
    ) -> Double {
        for run in runs.dropLast() { step(run) }
        let spent = Allocations.ofThread { step(runs[runs.count - 1]) }
        return Double(spent.count) / Double(runCount)
    }

    private static func validated() -> [StageOutput] {
        var stage = validateStage()
        return runs(webhooks()).flatMap { stage.process($0) }
    }

    private static func validateStage() -> ValidateStage {
        ValidateStage(
            validator: EventValidator(defaultMerchant: MerchantID("shop")), counters: Counters())
    }

    private static func scoreStage() throws -> EmbeddedScoreStage {
        let model = try ModelLocation.embedded.load()
        return ScoreStage(
            scoring: Scoring(
                verdicts: Verdicts(thresholds: model.schema.thresholds), model: model),
            schemaVersion: "1", counters: Counters())
    }

    @Test("validating one allocates no more than its texts and its record")
    func validating() {
        var stage = Self.validateStage()
        let count = Self.allocations(Self.runs(Self.webhooks())) { _ = stage.process($0) }
        #expect(count <= Threshold.validate, "\(count) allocations a webhook")
    }

    @Test("scoring one allocates no more than its texts and its two records")
    func scoring() throws {
        var stage = try Self.scoreStage()
        let inputs = Self.placed(Self.validated(), .paymentValidated)
        let count = Self.allocations(Self.runs(inputs)) { _ = stage.take($0) }
        #expect(count <= Threshold.score, "\(count) allocations a payment")
    }

    @Test("reading one for the ledger allocates no more than its texts")
    func reading() throws {
        var stage = try Self.scoreStage()
        let outputs = stage.take(Self.placed(Self.validated(), .paymentValidated))
        let step = LedgerStep()
        let count = Self.allocations(Self.runs(Self.placed(outputs, .paymentScored))) {
            _ = step.decode($0)
        }
        #expect(count <= Threshold.ledgerInput, "\(count) allocations a payment")
    }

    @Test("it leads to a record in each topic, and to few bytes")
    func bytes() throws {
        var stage = try Self.scoreStage()
        let received = Self.webhooks()
        let validated = Self.validated()
        let scored = stage.take(Self.placed(validated, .paymentValidated))
        #expect(validated.count == received.count)
        #expect(scored.count == 2 * received.count)
        let derived = (validated + scored).reduce(0) { $0 + $1.record.byteCount }
        let each = Double(derived) / Double(received.count)
        #expect(each <= Threshold.derivedBytes, "\(each) bytes derived of a webhook")
    }

    /// Above what was measured by about a tenth.
    private enum Threshold {
        static let validate = 14.0
        static let score = 14.5
        static let ledgerInput = 10.5
        static let derivedBytes = 1_770.0
    }
}

extension Record {
    fileprivate var byteCount: Int {
        (key?.count ?? 0) + (value?.count ?? 0)
            + headers.reduce(0) { $0 + $1.name.utf8.count + ($1.value?.count ?? 0) }
    }
}
