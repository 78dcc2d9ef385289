/// What a topic's folder says of where the topic must begin at the latest: retention notes that in
/// the checkpoint before it removes what lies in front.
public enum KnownBeginning: Hashable, Sendable {
    /// No segment from this offset on may be missing.
    case noted(Offset)
    /// The checkpoint is of a release that noted nothing.
    case notNoted
    /// There is no checkpoint, so that the topic was read from wherever it begins.
    case unknown

    init(_ checkpoint: Checkpoint?) {
        switch checkpoint {
        case nil: self = .unknown
        case let checkpoint?: self = checkpoint.begins.map { .noted($0) } ?? .notNoted
        }
    }
}
