package import Vocabulary

/// What a feature source had for a payment.
package enum FeatureReading: Hashable, Sendable {
    case fresh(FeatureVector)
    /// Computed too long before the payment to be trusted.
    case stale(FeatureVector)
    case missing

    var vector: FeatureVector? {
        switch self {
        case .fresh(let vector), .stale(let vector): vector
        case .missing: nil
        }
    }
}

/// What a feature source says to an event.
package enum FeatureAnswer: Hashable, Sendable {
    /// The movement was answered for by an event that knew as much: nothing to score.
    case repeated
    /// Nothing to judge: the kind bears no risk, or the event contradicts an earlier one, which the
    /// ledger refuses.
    case unscored
    /// - isRescore: the movement had been answered for, and this event knows more.
    case judge(FeatureReading, isRescore: Bool)
}

/// Where scoring has its vectors from. Scoring itself remembers nothing: who counts a movement once
/// is whoever computes them.
///
/// A source that only looks vectors up may miss one, or be told of it late:
///
///     look up ─▶ there: fresh
///        └─▶ missing: the event waits ─▶ look up again ─▶ there: fresh
///                        ▲                   └─▶ missing: a person is asked meanwhile
///                        └── the vector's record comes: the event is scored again, with it
///
/// The event waits before the second look: a vector that comes between the two is then found by the
/// one or by the other.
package protocol FeatureSource: Sendable {
    /// Whether this computes the vectors. Who computes them publishes them in `payment.features`;
    /// who does not is told there of those that come late.
    static var computesVectors: Bool { get }

    /// As many answers as events, in their order.
    ///
    /// - Throws: what the outside world failed with. No answer is then given to any of them: a
    ///   missing vector must not be told of unless its event waits.
    mutating func readings(for events: [PaymentEvent]) async throws -> [FeatureAnswer]

    /// The payment that waits for a vector which a record tells of; nil where none does.
    ///
    /// It goes on waiting: who asks may die before anything is made of the answer.
    mutating func awaited(by record: FeaturesRecord) async throws -> AwaitedPayment?

    /// The state that a restart needs, to be encoded elsewhere; nil for a source without any.
    func state() -> (@Sendable () -> [UInt8])?
}

/// A payment that was judged without its vector, and the vector.
package struct AwaitedPayment: Hashable, Sendable {
    var event: PaymentEvent
    var reading: FeatureReading
}

/// The features of the embedded plane: computed on the same record, so that none is ever missing
/// for a payment that says whose it is, nor late. Never suspends.
package struct EmbeddedFeatures: FeatureSource {
    package static let computesVectors = true

    var engine: FeatureEngine

    package init(_ engine: FeatureEngine) { self.engine = engine }

    package mutating func readings(for events: [PaymentEvent]) -> [FeatureAnswer] {
        var answers: [FeatureAnswer] = []
        answers.reserveCapacity(events.count)
        engine.forEach(events) { engine, event, names in
            answers.append(Self.answer(event, names, by: &engine))
        }
        return answers
    }

    package func awaited(by record: FeaturesRecord) -> AwaitedPayment? { nil }

    package func state() -> (@Sendable () -> [UInt8])? {
        let frozen = engine.frozen()
        return { frozen.encoded() }
    }

    private static func answer(
        _ event: PaymentEvent, _ names: EventNames, by engine: inout FeatureEngine
    ) -> FeatureAnswer {
        let known = engine.movements.find(names.movement)
        let telling = event.kind == .payment ? engine.telling(of: event, at: known) : .first
        // Not for scoring to decide: the ledger refuses the second of two that do not agree.
        if telling == .conflicting { return .unscored }
        switch engine.observe(event, names, at: known) {
        case .counted: return .unscored
        case .missing: return .judge(.missing, isRescore: false)
        case .score(let vector, let isRescore): return .judge(.fresh(vector), isRescore: isRescore)
        case .alreadyScored:
            guard telling == .larger else { return .repeated }
            // More is captured than was known: judged again, by what was known of it.
            let vector = engine.vector(at: known)
            return .judge(vector.map { .fresh($0) } ?? .missing, isRescore: true)
        }
    }
}
