/// Why the fraud model cannot be used, with the numbers and what to do about it.
package enum ModelError: Error, Hashable, Sendable {
    /// The file cannot be read.
    case unreadable(path: String)
    /// libxgboost does not accept the bytes as a model.
    case damagedModel(detail: String)
    /// `schema.json` is not the JSON object it should be.
    case damagedSchema(detail: String)
    /// The schema's, or the model's own, feature names are not those of `Feature.names`.
    case featuresDiffer(in: String, expected: [String], found: [String])
    /// The schema's thresholds are not 0 < review ≤ block ≤ 1.
    case thresholdsOutOfOrder(review: Double, block: Double)
    /// The configuration would let pass what the model would hold back.
    case thresholdLoosened(name: String, model: Double, configured: Double)
    /// libxgboost failed while predicting, or gave something that is not a probability.
    case predictionFailed(detail: String)

    /// A prediction may succeed the next time; everything else stays wrong until somebody acts.
    var isRetryable: Bool {
        if case .predictionFailed = self { true } else { false }
    }
}

extension ModelError: CustomStringConvertible {
    /// One sentence that says what is wrong and what to do.
    package var description: String {
        switch self {
        case .unreadable(let path):
            "the model file \(path) cannot be read: check that it exists and that this user may "
                + "read it, or remove the configuration key model.path to use the built-in model"
        case .damagedModel(let detail):
            "the model is damaged (\(detail)): put back the fraud.ubj that was released with this "
                + "version, or run model/train.py again"
        case .damagedSchema(let detail):
            "the model's schema.json is damaged (\(detail)): put back the one that was released "
                + "with the model, or run model/train.py again"
        case .featuresDiffer(let place, let expected, let found):
            "the features in \(place) are [\(found.joined(separator: ", "))] but this version "
                + "computes [\(expected.joined(separator: ", "))]: use the model that was released "
                + "with this version"
        case .thresholdsOutOfOrder(let review, let block):
            "the thresholds are review \(review) and block \(block): they must satisfy "
                + "0 < review ≤ block ≤ 1"
        case .thresholdLoosened(let name, let model, let configured):
            "verdict.\(name)_from is \(configured), and the model allows at most \(model): "
                + "configuration may only tighten it"
        case .predictionFailed(let detail):
            "the model failed while predicting (\(detail)): payments go to manual review until it "
                + "succeeds again"
        }
    }
}
