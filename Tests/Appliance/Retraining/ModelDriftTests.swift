import AppendLog
import Foundation
import Testing

@testable import Appliance
@testable import Console
@testable import Vocabulary

/// Bins that are easily told apart.
enum DriftGiven {
    static let names = Feature.names
    static let distribution = TrainingDistribution(
        features: Dictionary(
            uniqueKeysWithValues: Feature.names.map {
                ($0, ValueBins(edges: [0], counts: [50, 50]))
            }), score: ValueBins(edges: [0.3, 0.85], counts: [90, 8, 2]))

    static func scored(_ value: Float, _ score: Double) -> (vector: FeatureVector, score: Double) {
        (
            FeatureVector(
                values: [Float](repeating: value, count: 8), asOf: Instant(seconds: 0)), score
        )
    }

    /// A whole window: a quarter lies below the bound.
    static let window = (0..<ModelDrift.windowCount).map { scored($0 % 4 == 0 ? -1 : 0, 0.1) }
}

@Suite("Drift of features and scores")
struct ModelDriftTests {
    @Test("a value lies above the bound that it equals")
    func bins() {
        let bins = ValueBins(edges: [0, 2.5], counts: [1, 1, 1])
        let places = [-1, 0, 2.4, 2.5, .infinity].map { bins.bin(of: $0) }
        #expect(places == [0, 1, 1, 2, 2])
    }

    @Test("the index is Siddiqi's, zero for the same shares and finite for an empty bin")
    func index() throws {
        let bins = ValueBins(edges: [0], counts: [50, 50])
        let found = try #require(bins.stabilityIndex(of: [25, 75]))
        #expect(abs(found - (-0.25 * log(0.5) + 0.25 * log(1.5))) < 1e-12)
        #expect(bins.stabilityIndex(of: [7, 7]) == 0)
        #expect(bins.stabilityIndex(of: [0, 0]) == nil)
        #expect(try #require(bins.stabilityIndex(of: [0, 9])).isFinite)
    }

    @Test("what are no bins is refused with the schema", arguments: [
        ValueBins(edges: [], counts: [1]), ValueBins(edges: [1, 1], counts: [1, 1, 1]),
        ValueBins(edges: [2, 1], counts: [1, 1, 1]), ValueBins(edges: [1], counts: [1]),
        ValueBins(edges: [1], counts: [0, 0]), ValueBins(edges: [1], counts: [-1, 2]),
        ValueBins(
            edges: (0..<32).map(Double.init), counts: [Int](repeating: 1, count: 33)),
    ])
    func unsound(bins: ValueBins) {
        #expect(!bins.isSound)
        let distribution = TrainingDistribution(
            features: DriftGiven.distribution.features, score: bins)
        #expect(distribution.bins(of: Feature.names) == nil)
    }

    @Test("counts go on, and each whole window has an index")
    func windows() throws {
        let drift = ModelDrift()
        drift.add(DriftGiven.window)
        #expect(drift.readings.isEmpty, "there is nothing to count against")
        drift.begin(Feature.names, DriftGiven.distribution)
        drift.add(Array(DriftGiven.window.dropLast()))
        #expect(drift.readings.map(\.name) == Feature.names + ["score"])
        #expect(drift.readings.allSatisfy { $0.stabilityIndex == nil })
        drift.add([DriftGiven.scored(0, 0.9)])
        let first = drift.readings[0]
        #expect(first.counts == [ModelDrift.windowCount / 4, ModelDrift.windowCount * 3 / 4])
        let expected = first.bins.stabilityIndex(of: [25, 75])
        #expect(abs(try #require(first.stabilityIndex) - (try #require(expected))) < 1e-12)
        #expect(drift.readings[8].counts == [ModelDrift.windowCount - 1, 0, 1])
        // The next window begins anew, and the one before stands until it is whole.
        drift.add([DriftGiven.scored(-1, 0.9)])
        #expect(drift.readings[0].stabilityIndex == first.stabilityIndex)
        #expect(drift.readings[0].counts[0] == first.counts[0] + 1)
    }

    @Test("a running pipeline counts each payment once, and /metrics tells it")
    func counted() async throws {
        let fixture = try RetrainingFixture()
        try await fixture.process([
            PipelineFixture.intent(1), PipelineFixture.charge(1), PipelineFixture.charge(2),
            PipelineFixture.charge(2), PipelineFixture.charge(3),
        ])
        let counters = fixture.pipeline.counters
        let readings = counters.drift.readings
        #expect(readings.count == 9)
        // The first had no vector when it was first told of.
        #expect(readings.allSatisfy { $0.counts.reduce(0, +) == 2 })
        let text = HealthRoutes(readiness: Readiness(), counters: counters)
            .metrics(MetricsRegistry(), startedAt: Timestamp(milliseconds: 1)).text
        let values = try PrometheusReader(text).values
        #expect(
            values["tillbox_model_values_total{of=\"device_switch_flag\",below=\"1.0\"}"] == 2)
        #expect(
            values["tillbox_model_values_total{of=\"device_switch_flag\",below=\"+Inf\"}"] == 0)
        let trained = values["tillbox_model_training_values{of=\"score\",below=\"+Inf\"}"]
        #expect(try #require(trained) > 0)
        #expect(values["tillbox_model_drift{of=\"score\"}"] == nil, "no window is whole")
    }
}
