internal import Foundation
import Synchronization

/// How the values of one model input, or of its scores, were spread in training.
package struct ValueBins: Hashable, Sendable, Decodable {
    /// Bins of one input at most, so that counting stays cheap and the metrics bounded.
    package static let binsMax = 32
    /// From which index on the values are customarily taken for shifted, and for those of another
    /// population (Siddiqi, Credit Risk Scorecards, 2006).
    package static let (shiftedFrom, otherFrom) = (0.1, 0.25)
    /// The least share that a bin counts with: an empty one would make the index infinite.
    private static let shareMin = 1e-4

    /// Upper bounds of all bins but the last, ascending and finite. A value that equals one lies in
    /// the bin above it.
    package let edges: [Double]
    /// Training payments by bin; one number more than there are edges.
    package let counts: [Int]

    package init(edges: [Double], counts: [Int]) {
        self.edges = edges
        self.counts = counts
    }

    /// Whether it can be counted into.
    package var isSound: Bool {
        (1..<Self.binsMax).contains(edges.count) && counts.count == edges.count + 1
            && edges.allSatisfy(\.isFinite) && zip(edges, edges.dropFirst()).allSatisfy { $0 < $1 }
            && counts.allSatisfy { $0 >= 0 } && counts.contains { $0 > 0 }
    }

    package func bin(of value: Double) -> Int {
        var bin = 0
        while bin < edges.count, value >= edges[bin] { bin += 1 }
        return bin
    }

    /// The population stability index of `actual` against training: Σ (a − e) ln(a / e) over the
    /// bins' shares (Siddiqi, Credit Risk Scorecards, 2006); see ``shiftedFrom`` and
    /// ``otherFrom``. Nil where nothing was counted.
    ///
    /// - Parameter actual: counts of the same bins.
    package func stabilityIndex(of actual: [Int]) -> Double? {
        precondition(actual.count == counts.count, "\(actual.count) bins, not \(counts.count)")
        let (expectedSum, actualSum) = (counts.reduce(0, +), actual.reduce(0, +))
        guard expectedSum > 0, actualSum > 0 else { return nil }
        return zip(counts, actual).reduce(0) { sum, pair in
            let expected = max(Double(pair.0) / Double(expectedSum), Self.shareMin)
            let found = max(Double(pair.1) / Double(actualSum), Self.shareMin)
            return sum + (found - expected) * log(found / expected)
        }
    }
}

/// What a model's inputs and its scores looked like on the payments that it learned from:
/// `training_distribution` of its `schema.json`.
package struct TrainingDistribution: Hashable, Sendable, Decodable {
    /// By the feature's name.
    package let features: [String: ValueBins]
    package let score: ValueBins

    package init(features: [String: ValueBins], score: ValueBins) {
        self.features = features
        self.score = score
    }
}

/// Payments counted into a model's training bins, all nine of them alike.
package struct DriftCount: Hashable, Sendable {
    /// The features in the model's order, then the score.
    package let bins: [ValueBins]
    /// Of each bin of each of `bins`.
    package private(set) var counts: [[Int]]
    package private(set) var payments = 0

    /// - Parameter bins: of each feature, and the score's; see `TrainingDistribution.bins(of:)`.
    package init(_ bins: [ValueBins]) {
        precondition(bins.count == FeatureVector.count + 1, "\(bins.count) inputs")
        self.bins = bins
        counts = bins.map { [Int](repeating: 0, count: $0.counts.count) }
    }

    package mutating func add(_ vector: FeatureVector, score: Double) {
        payments += 1
        for place in 0..<FeatureVector.count {
            counts[place][bins[place].bin(of: Double(vector[place]))] += 1
        }
        counts[FeatureVector.count][bins[FeatureVector.count].bin(of: score)] += 1
    }

    /// The stability index of each of `bins`; nil where nothing was counted.
    package var stabilityIndexes: [Double?] {
        zip(bins, counts).map { $0.stabilityIndex(of: $1) }
    }
}

/// How far what the model sees, and what it says, has moved from what it learned from; since the
/// process started. One lock a batch.
package final class ModelDrift: Sendable {
    /// Payments that an index is taken of: fewer would tell of chance.
    package static let windowCount = 10_000

    private struct State {
        var names: [String] = []
        var total: DriftCount?
        var window: DriftCount?
        var indexes: [Double?] = []
    }
    private let state = Mutex(State())

    package init() {}

    /// What is counted against; nil, of a model that does not say what it learned from, counts
    /// nothing.
    ///
    /// - Parameter names: the features in the model's order.
    package func begin(_ names: [String], _ distribution: TrainingDistribution?) {
        let bins = distribution.flatMap { $0.bins(of: names) }
        state.withLock { state in
            guard let bins else { return state = State() }
            state = State(
                names: names + ["score"], total: DriftCount(bins), window: DriftCount(bins))
        }
    }

    package func add(_ scored: [(vector: FeatureVector, score: Double)]) {
        guard !scored.isEmpty else { return }
        state.withLock { state in
            for (vector, score) in scored {
                state.total?.add(vector, score: score)
                state.window?.add(vector, score: score)
                guard state.window?.payments ?? 0 >= Self.windowCount else { continue }
                state.indexes = state.window?.stabilityIndexes ?? []
                state.window = state.total.map { DriftCount($0.bins) }
            }
        }
    }

    /// One input, or the score, as it stands.
    package struct Reading: Hashable, Sendable {
        package var name: String
        package var bins: ValueBins
        /// Payments by bin since the start.
        package var counts: [Int]
        /// Of the last whole window; nil until there is one.
        package var stabilityIndex: Double?
    }

    /// Empty where nothing is counted against.
    package var readings: [Reading] {
        let state = state.withLock { $0 }
        guard let total = state.total else { return [] }
        return state.names.indices.map { place in
            Reading(
                name: state.names[place], bins: total.bins[place], counts: total.counts[place],
                stabilityIndex: state.indexes.isEmpty ? nil : state.indexes[place])
        }
    }
}

extension TrainingDistribution {
    /// The bins of these features in this order, then the score's; nil where one is missing or
    /// cannot be counted into.
    package func bins(of names: [String]) -> [ValueBins]? {
        let found = names.compactMap { features[$0] } + [score]
        guard names.count == FeatureVector.count, found.count == names.count + 1,
            found.allSatisfy(\.isSound)
        else { return nil }
        return found
    }
}
