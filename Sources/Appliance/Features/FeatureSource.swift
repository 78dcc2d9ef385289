package import AppendLog
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

    /// The payments that wait for the vectors which records tell of; as many answers as records, in
    /// their order, nil where nobody waits.
    ///
    /// They go on waiting: who asks may die before anything is made of the answers.
    mutating func awaited(by records: [FeaturesRecord]) async throws -> [AwaitedPayment?]

    /// Payments that have waited until their vectors came, and that no record has told of; asked
    /// now and then. They go on waiting, as those of `awaited` do.
    mutating func overdue() async throws -> [OverduePayment]

    /// What was made of the answers stands: who was answered need not wait any more.
    mutating func finished()

    /// The state that a restart needs, to be encoded elsewhere; nil for a source without any.
    func state() -> StateEncoding?
}

/// A payment that was judged without its vector, and the vector.
package struct AwaitedPayment: Hashable, Sendable {
    package var event: PaymentEvent
    package var reading: FeatureReading

    package init(event: PaymentEvent, reading: FeatureReading) {
        self.event = event
        self.reading = reading
    }
}

/// A payment whose vector was found by looking, and since when it had waited.
package struct OverduePayment: Hashable, Sendable {
    package var payment: AwaitedPayment
    package var since: Timestamp

    package init(payment: AwaitedPayment, since: Timestamp) {
        self.payment = payment
        self.since = since
    }
}

extension FeatureSource {
    /// Of a source that tells of every vector.
    package mutating func overdue() async throws -> [OverduePayment] { [] }
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

    package func awaited(by records: [FeaturesRecord]) -> [AwaitedPayment?] {
        [AwaitedPayment?](repeating: nil, count: records.count)
    }

    /// Nobody waits for a vector here.
    package mutating func finished() {}

    package func state() -> StateEncoding? {
        let frozen = engine.frozen()
        return { sink in try frozen.encode(to: sink) }
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
