internal import Foundation
package import Vocabulary

/// What `model/schema.json` says of the model beside it.
package struct ModelSchema: Hashable, Sendable, Decodable {
    /// The model's version, as scored payments carry it.
    package var version: String
    /// The feature names in the order of the model's columns.
    package var features: [String]
    package var thresholds: Thresholds
    /// SHA-256 of the training matrix, in hex.
    package var trainingDataHash: String
    /// SHA-256 of the model file, in hex. libxgboost itself would not notice a changed leaf.
    package var modelHash: String
    /// How the training payments were spread; nil of a model that does not say so.
    package var distribution: TrainingDistribution?

    package struct Thresholds: Hashable, Sendable, Decodable {
        /// From this score on a person looks at the payment.
        package var review: Double
        /// From this score on the payment is blocked.
        package var block: Double

        /// The thresholds with `tighter` in place of those it names. A threshold may only go down.
        package func tightened(
            review tighterReview: Double? = nil, block tighterBlock: Double? = nil
        ) throws(ModelError) -> Thresholds {
            if let tighterReview, !(tighterReview <= review) {
                throw .thresholdLoosened(name: "review", model: review, configured: tighterReview)
            }
            if let tighterBlock, !(tighterBlock <= block) {
                throw .thresholdLoosened(name: "block", model: block, configured: tighterBlock)
            }
            let result = Thresholds(
                review: tighterReview ?? review, block: tighterBlock ?? block)
            try result.check()
            return result
        }

        /// Thresholds that somebody tries.
        ///
        /// - Throws: `thresholdsOutOfOrder`.
        package static func checked(
            review: Double, block: Double
        ) throws(ModelError) -> Thresholds {
            let thresholds = Thresholds(review: review, block: block)
            try thresholds.check()
            return thresholds
        }

        /// What a score alone comes to: `approve` below `review`, `block` from `block`,
        /// `manual_review` between.
        package func verdict(of score: Double) -> Verdict {
            if score >= block { return .block }
            return score >= review ? .manualReview : .approve
        }

        func check() throws(ModelError) {
            guard review > 0, review <= block, block <= 1 else {
                throw .thresholdsOutOfOrder(review: review, block: block)
            }
        }
    }

    enum CodingKeys: String, CodingKey {
        case version, features, thresholds
        case trainingDataHash = "training_data_sha256"
        case modelHash = "model_sha256"
        case distribution = "training_distribution"
    }

    /// Reads and checks a schema.
    ///
    /// - Throws: `damagedSchema`, `featuresDiffer`, `thresholdsOutOfOrder`.
    init(json: [UInt8]) throws(ModelError) {
        do {
            self = try JSONDecoder().decode(ModelSchema.self, from: Data(json))
        } catch {
            throw .damagedSchema(detail: "\(error)")
        }
        guard features == Feature.names else {
            throw .featuresDiffer(
                in: "schema.json", expected: Feature.names, found: features)
        }
        guard !version.isEmpty else { throw .damagedSchema(detail: "the version is empty") }
        if let distribution, distribution.bins(of: features) == nil {
            throw .damagedSchema(
                detail: "training_distribution lacks a feature, or its bins are no bins")
        }
        try thresholds.check()
    }
}
