import AppendLog
import Appliance
import Vocabulary

/// What the log says of a payment under review: how it was scored, the model's eight numbers, and
/// what the same customer did before. Looked for near the payment, within bounds.
struct CaseHistory {
    /// A customer's earlier payment, or an attempt that failed.
    struct Earlier {
        var payment: ScoredPayment
        var offset: Offset
    }

    var scored: ScoredPayment?
    var vector: FeatureVector?
    /// The newest first, at most ``shownMax``.
    var earlier: [Earlier] = []
    /// In the payment's own currency.
    var usual: UsualAmount?
    /// Whether there is a usual amount; nil where the customer's payments were not looked for, or
    /// may lie before where they were.
    var hasUsual: Bool?
    /// `Visa •••• 4242`; nil where no index of payments knows it.
    var card: String?
    /// What banks have told of the payment and of the customer's others, by an index of payments.
    var signs: [FraudSign] = []
    /// Whether that index has read all, so that there are no others.
    var hasAllSigns = false

    /// Records before the payment's own in which the customer is looked for.
    static let windowCount: Int64 = 20_000
    static let shownMax = 6
    /// Earlier payments of the customer that the index is asked for.
    private static let indexedMax = 1_000
    /// Milliseconds before the score from which on its vector is looked for, and records.
    private static let vectorMillisecondsMax: Int64 = 2_000
    private static let vectorRecordsMax = 8_192
    private static let signsMax = 10

    /// Where there is no log to look into.
    init() {}

    /// - Parameters:
    ///   - scoredAt: where the payment lies in `payment.scored`, where that is known.
    /// - Throws: `StoreFailure`.
    init(
        of review: Review, scoredAt place: Offset?, topic: (TopicID) -> TopicReader
    ) throws(StoreFailure) {
        let document = JSONDocument()
        let scores = topic(.paymentScored)
        guard let place, let record = try scores.record(at: place),
            let scored = try? ScoredPayment(record.value ?? [], using: document)
        else { return }
        self.scored = scored
        vector = try Self.vector(of: scored, near: record.timestamp, topic(.paymentFeatures))
        guard let customer = scored.event.customer else { return }
        try look(for: customer, before: place, in: scores, document)
    }

    /// The same, looked for from the ledger on.
    ///
    /// - Throws: `LedgerError` or `StoreFailure`.
    init(of review: Review, in sources: ConsoleSources) throws {
        let booked = try sources.ledger.transaction(review.payment)
        let explained = try booked.map { try sources.explainer.explain($0) }
        let place = explained?.records.first { $0.topic == .paymentScored }?.offset
        try self.init(of: review, scoredAt: place, topic: sources.reader)
        guard let row = try? sources.index.payment(review.movement.rawValue) else { return }
        card = row.card
        // A case is decided without them, too.
        try? look(for: row, in: sources.index)
    }

    /// The same by the index of payments, where the log is elsewhere and in several partitions.
    ///
    /// - Throws: `LedgerError` or `StoreFailure`.
    init(of review: Review, in sources: PaymentSources) throws {
        self.init()
        guard let row = try sources.index.payment(review.movement.rawValue) else { return }
        try look(for: row, in: sources.index)
        let document = JSONDocument()
        func newest<Found>(
            _ topic: TopicID, of row: PaymentRow, _ read: (ArraySlice<UInt8>) -> Found?
        ) throws -> (found: Found, offset: Offset)? {
            let steps = try sources.index.trail(of: row, limit: StoryReader.recordCountMax)
            for step in steps.reversed() where step.topic == topic {
                let record = try sources.log.reader(step.lane).record(at: step.offset)
                if let found = record?.value.flatMap(read) { return (found, step.offset) }
            }
            return nil
        }
        func scoring(of row: PaymentRow) throws -> (found: ScoredPayment, offset: Offset)? {
            try newest(.paymentScored, of: row) { value in
                let payment = try? ScoredPayment(value, using: document)
                return payment?.event.objectID == row.charge ? payment : nil
            }
        }
        scored = try scoring(of: row)?.found
        vector = try newest(.paymentFeatures, of: row) {
            try? FeaturesRecord($0, using: document).vector
        }?.found
        guard let told = row.told, let customer = told.customer else { return }
        var query = PaymentQuery()
        (query.customer, query.after, query.limit) = (customer, row.listPlace, Self.indexedMax)
        let past = try sources.index.payments(query).rows
        usual = UsualAmount(
            past.compactMap(\.told).filter { !$0.isFailed && $0.currency == told.currency }
                .map { MinorUnits($0.amount) }, told.currency)
        for row in past.prefix(Self.shownMax) {
            guard let (payment, offset) = try scoring(of: row) else { continue }
            earlier.append(Earlier(payment: payment, offset: offset))
        }
    }

    private mutating func look(
        for row: PaymentRow, in index: PaymentIndex
    ) throws(StoreFailure) {
        // What is there once all is read, and not the other way round.
        hasAllSigns = index.behind == nil
        signs = try index.fraudSigns(of: row, limit: Self.signsMax)
    }

    private mutating func look(
        for customer: String, before place: Offset, in scores: TopicReader,
        _ document: JSONDocument
    ) throws(StoreFailure) {
        let name = Array(customer.utf8)
        var found: [Earlier] = []
        let first = max(scores.start, Offset(max(0, place.rawValue - Self.windowCount)))
        try scores.scan(from: first) { stored in
            guard stored.offset < place else { return false }
            guard let value = stored.record.value, value.firstRange(of: name) != nil,
                let payment = try? ScoredPayment(value, using: document),
                payment.event.customer == customer
            else { return true }
            found.append(Earlier(payment: payment, offset: stored.offset))
            return true
        }
        let others = Self.once(found).filter {
            [.payment, .paymentFailed].contains($0.payment.event.kind)
                && $0.payment.event.movement != scored?.event.movement
        }
        let currency = scored?.event.currency
        let paid = others.filter {
            $0.payment.event.kind == .payment && $0.payment.event.currency == currency
        }
        usual = currency.flatMap { UsualAmount(paid.map(\.payment.event.amount), $0) }
        hasUsual = usual != nil ? true : first == .zero ? false : nil
        earlier = others.suffix(Self.shownMax).reversed()
    }

    /// Each movement once, as its newest record has it: a payment is told by its intent and by its
    /// charge, and may be scored for either.
    ///
    /// - Parameter found: the oldest first, as the answer.
    static func once(_ found: [Earlier]) -> [Earlier] {
        var seen: Set<MovementKey> = []
        var kept: [Earlier] = []
        for one in found.reversed() where seen.insert(one.payment.event.movement).inserted {
            kept.append(one)
        }
        return kept.reversed()
    }

    /// The vector is written just before the score, by the same step.
    private static func vector(
        of scored: ScoredPayment, near moment: Timestamp, _ features: TopicReader
    ) throws(StoreFailure) -> FeatureVector? {
        let before = Timestamp(milliseconds: moment.milliseconds - vectorMillisecondsMax)
        guard let from = try features.offset(at: before) else { return nil }
        let document = JSONDocument()
        let event = scored.event.eventID
        var vector: FeatureVector?
        var left = vectorRecordsMax
        try features.scan(from: from) { stored in
            left -= 1
            guard left >= 0 else { return false }
            guard stored.record.header("event-id")?.elementsEqual(event.rawValue.utf8) == true
            else { return true }
            vector = (try? FeaturesRecord(stored.record.value ?? [], using: document))?.vector
            return vector == nil
        }
        return vector
    }
}

extension CaseHistory {
    /// How a payment was scored, by the index of payments; nil where no record of it is kept.
    ///
    /// - Throws: `LedgerError`; `StoreFailure`, also where the index has not read all that it would
    ///   have to know to say that there is none.
    static func scoring(
        of review: Review, in sources: PaymentSources
    ) throws -> ScoredPayment? {
        let document = JSONDocument()
        func read(_ lane: SourceLane, _ offset: Offset) throws -> ScoredPayment? {
            let record = try sources.log.reader(lane).record(at: offset)
            return record?.value.flatMap { try? ScoredPayment($0, using: document) }
        }
        let behind = sources.index.behind
        if let row = try sources.index.payment(review.movement.rawValue) {
            let steps = try sources.index.trail(of: row, limit: StoryReader.recordCountMax)
            for step in steps.reversed() where step.topic == .paymentScored {
                if let found = try read(step.lane, step.offset), found.event.objectID == row.charge
                {
                    return found
                }
            }
        }
        if let behind {
            throw StoreFailure.outside(
                "the records of the payment are not known yet: \(behind) still to be read")
        }
        return nil
    }

    /// The refund that a decline makes due; nil where the log has no record that says whose charge
    /// it is.
    ///
    /// - Parameters:
    ///   - given: the charge's refunds that the ledger has booked.
    ///   - disputed: see ``PaymentSources/disputed(of:)``.
    ///   - base: where Stripe's API is.
    func due(
        _ review: Review, _ given: [GivenRefund], disputed: MinorUnits, base: String
    ) -> DueRefund? {
        scored.flatMap { DueRefund(review, $0.event, given, disputed: disputed, base: base) }
    }
}
