import AppendLog
import Appliance
import Vocabulary

/// What the whole of one payment's story is read from. Blocking, for one caller at a time.
struct StoryReader {
    let index: PaymentIndex
    let ledger: any LedgerReading
    let explainer: Explainer
    let log: ShownLog
    private let document = JSONDocument()

    /// Records and transactions of one payment that are told.
    static let recordCountMax = 1_000
    static let transactionCountMax = 50
    /// The customer's earlier vectors that the usual is taken from.
    static let vectorCountMax = 200
    /// The same where each of them is asked of a server.
    static let vectorsAfarMax = 20

    init(_ sources: PaymentSources) {
        (index, ledger, log) = (sources.index, sources.ledger, sources.log)
        explainer = sources.explainer()
    }

    /// - Returns: nil where the index knows no such payment.
    func story(of words: String) throws -> PaymentStory? {
        guard let row = try index.payment(words) else { return nil }
        let steps = try index.trail(of: row, limit: Self.recordCountMax)
        var story = PaymentStory(row: row, steps: steps)
        let movement = MovementKey("charge:\(row.charge)")
        story.review = try ledger.review(of: movement)
        story.decisions = try ledger.decisions(on: movement)
        var readers: [SourceLane: TopicReader] = [:]
        for step in steps {
            let reader = try readers[step.lane] ?? log.reader(step.lane)
            readers[step.lane] = reader
            let record = try reader.record(at: step.offset)
            story.kept.append(record != nil)
            if let record { try tell(record, step, &story) }
        }
        if let vector = story.vector {
            story.usual = FeatureUsual(of: try earlier(row), beside: vector.record)
        }
        return story
    }

    private func tell(_ record: Record, _ step: TrailStep, _ story: inout PaymentStory) throws {
        let value = record.value ?? []
        switch step.topic {
        case .paymentValidated:
            guard let event = try? PaymentEvent(value, using: document),
                event.objectID == story.row.charge
            else { return }
            story.event = event
        case .paymentFeatures:
            guard let features = try? FeaturesRecord(value, using: document) else { return }
            story.vector = (step.offset, features)
        case .paymentScored:
            guard let scored = try? ScoredPayment(value, using: document),
                scored.event.objectID == story.row.charge,
                Standing(scored).rawValue >= story.scored?.standing ?? 0
            else { return }
            story.scored = (step.offset, scored, Standing(scored).rawValue)
        case .ledgerPosted:
            guard story.transactions.count < Self.transactionCountMax,
                let posted = try? LedgerPosted(value, using: document),
                let transaction = try ledger.transaction(TransactionID(posted.id))
            else { return }
            story.transactions.append(try explainer.explain(transaction))
        case .deadLetter: story.letters.append((step, record))
        case .webhookReceived, .paymentReview: break
        }
    }

    private func earlier(_ row: PaymentRow) throws -> [FeatureVector] {
        let limit = log.isNear ? Self.vectorCountMax : Self.vectorsAfarMax
        return try index.earlierVectors(of: row, limit: limit).compactMap { place in
            let reader = try log.reader(place.lane)
            guard let record = try reader.record(at: place.offset) else { return nil }
            return try? FeaturesRecord(record.value ?? [], using: document).vector
        }
    }
}

/// The usual of a customer, of each feature over earlier vectors.
struct FeatureUsual {
    struct Line {
        var name: String
        var value: Double
        /// nil for fewer earlier vectors than make a usual.
        var usual: UsualRange?
    }

    var lines: [Line]
    /// Earlier vectors that it is taken from.
    var count: Int

    init(of vectors: [FeatureVector], beside record: FeaturesRecord) {
        count = vectors.count
        lines = Feature.names.enumerated().map { place, name in
            Line(
                name: name, value: Double(record.vector[place]),
                usual: UsualRange(vectors.map { Double($0[place]) }))
        }
    }
}

/// Everything that is known of one payment.
struct PaymentStory {
    let row: PaymentRow
    let steps: [TrailStep]
    /// Of each step, whether the log still has its record.
    var kept: [Bool] = []
    var event: PaymentEvent?
    var vector: (offset: Offset, record: FeaturesRecord)?
    var usual: FeatureUsual?
    /// The scoring that stands.
    var scored: (offset: Offset, payment: ScoredPayment, standing: Int64)?
    var review: Review?
    var decisions: [PlacedDecision] = []
    var transactions: [ExplainedTransaction] = []
    var letters: [(step: TrailStep, record: Record)] = []

    init(row: PaymentRow, steps: [TrailStep]) {
        (self.row, self.steps) = (row, steps)
    }
}
