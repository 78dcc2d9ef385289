import AppendLog
import Appliance
import Reconcile
import Relay
import Vocabulary

/// Looks at the pipeline again and again, and remembers what it needs of the looks before.
///
/// Every look blocks on the disk and the ledger for as long as those take.
struct LiveLook: LiveLooking {
    private let parts: LiveParts
    private let startedAt: Int64
    private var topicRates = RateWindow()
    private var counterRates = RateWindow()
    private var history: LiveHistory
    private var money: MoneyCheck?
    private var moneySchedule: MoneySchedule
    private var payments: RecordSample
    private var reviews: RecordSample
    private var letters: RecordSample
    private var letterCount = LetterCount()
    private let document = JSONDocument()

    init(_ parts: LiveParts) {
        self.parts = parts
        startedAt = parts.clock.now().milliseconds
        let milliseconds = parts.clock.monotonicMilliseconds()
        history = LiveHistory(parts.counters, at: milliseconds)
        moneySchedule = MoneySchedule(from: milliseconds)
        // What came before is on the page already.
        payments = RecordSample(from: Self.booked(parts) ?? parts.topic(.paymentScored).start)
        reviews = RecordSample(from: parts.topic(.paymentReview).end)
        letters = RecordSample(from: parts.topic(.deadLetter).end)
    }

    /// The first record of `payment.scored` that the ledger has not considered; nil before it has
    /// considered any, and where it cannot be asked.
    private static func booked(_ parts: LiveParts) -> Offset? {
        let topic = TopicID.paymentScored
        guard let position = try? parts.ledger.position(topic: topic.rawValue) else { return nil }
        return Offset(position)
    }

    // MARK: Figures

    var buckets: [LiveHistory.Bucket] { Array(history.buckets) }

    mutating func figures() -> LiveFigures {
        let (counters, now) = (parts.counters, parts.clock.now().milliseconds)
        let milliseconds = parts.clock.monotonicMilliseconds()
        lookAtMoney(milliseconds)
        let isBucketOver = history.look(counters, at: milliseconds, wall: now)
        let topics = TopicID.allCases.map { id in
            let topic = parts.topic(id)
            return (id: id, count: topic.start.distance(to: topic.end), end: topic.end.rawValue)
        }
        let topicRates = topicRates.rates(topics.map(\.end), at: milliseconds)
        let rates = counterRates.rates(
            LiveFigures.rated.map { Int64(counters[$0]) }, at: milliseconds)
        let deadLetters = parts.topic(.deadLetter)
        let held = deadLetters.start.distance(to: deadLetters.end)
        return LiveFigures(
            at: now, startedAt: startedAt, reasons: parts.readiness.current,
            warnings: parts.readiness.warnings + counters.standstills.warnings,
            stages: zip(topics, topicRates).map { topic, rate in
                LiveFigures.Stage(topic: topic.id, count: topic.count, rate: rate)
            },
            readers: parts.readers().map { place in
                LiveFigures.Reader(place: place, oldestUnreadAt: oldestUnread(place))
            },
            counts: Counters.Name.allCases.map { ($0, Int64(counters[$0])) }, rates: rates,
            volume: counters.volume, toLedger: history.toLedger, toAnswer: history.toAnswer,
            bucket: history.buckets.last, isBucketOver: isBucketOver,
            bridges: parts.bridges.reports(), money: money,
            stripeAheadMilliseconds: parts.reconciler?.stripeAheadMilliseconds,
            runsAheadSeconds: parts.reconciler.map { $0.now.seconds - now / 1_000 } ?? 0,
            hasStripe: parts.reconciler?.asksStripe ?? false,
            letterCount: (try? letterCount.look(at: deadLetters)) ?? held,
            paymentsLeftOut: payments.leftOutCount, verifiedAt: parts.verifiedAt(),
            tally: parts.tally(), backup: parts.backup())
    }

    /// A ledger that cannot be asked leaves what was seen last, with its time.
    private mutating func lookAtMoney(_ milliseconds: Int64) {
        guard moneySchedule.isDue(at: milliseconds) else { return }
        money = (try? MoneyCheck(parts)) ?? money
        moneySchedule.didLook(from: milliseconds, to: parts.clock.monotonicMilliseconds())
    }

    private func oldestUnread(_ place: LiveParts.ReaderPlace) -> Int64? {
        guard place.lag > 0, let id = TopicID(rawValue: place.topic) else { return nil }
        let record = try? parts.topic(id).record(at: place.next)
        return record?.timestamp.milliseconds
    }

    // MARK: Single records

    /// Tells of what has come since the last look. What cannot be read now is told at the next.
    mutating func tell(_ feed: LiveFeed) {
        try? tellPayments(feed)
        let (reviewTopic, letterTopic) = (parts.topic(.paymentReview), parts.topic(.deadLetter))
        try? reviews.goOn(to: reviewTopic.end, in: reviewTopic) { [document] stored, leftOut in
            guard let record = try? ReviewRecord(stored.record.value ?? [], using: document) else {
                return false
            }
            feed.publish("review", LiveRecord.encode(record, at: stored, leftOut: leftOut))
            return true
        }
        try? letters.goOn(to: letterTopic.end, in: letterTopic) { stored, leftOut in
            // An order to redrive is no letter.
            guard stored.record.header(RedriveHeader.to) == nil else { return false }
            feed.publish("letter", LiveRecord.encode(letter: stored, leftOut: leftOut))
            return true
        }
    }

    /// Payments as they are booked: those of `payment.scored` that the ledger has passed.
    private mutating func tellPayments(_ feed: LiveFeed) throws {
        guard let end = Self.booked(parts) else { return }
        let (ledger, document) = (parts.ledger, document)
        try payments.goOn(to: end, in: parts.topic(.paymentScored)) { stored, leftOut in
            guard let payment = try? ScoredPayment(stored.record.value ?? [], using: document)
            else { return false }
            let booked = (try? ledger.transactions(of: payment.event.movement)) ?? []
            feed.publish(
                "payment", LiveRecord.encode(payment, booked, at: stored, leftOut: leftOut))
            return true
        }
    }
}

/// Single records as the feed tells of them.
enum LiveRecord {
    /// - Parameters:
    ///   - booked: the transactions of its movement, and of what the ledger made of it.
    ///   - partition: of the record; nil where its topic has one.
    static func encode(
        _ payment: ScoredPayment, _ booked: [PostedTransaction], at stored: StoredRecord,
        _ partition: Int32? = nil, leftOut: Int64
    ) -> [UInt8] {
        let event = payment.event
        return object(at: stored, partition, leftOut: leftOut) { writer in
            writer.member("event_id", event.eventID.rawValue)
            writer.member("movement", event.movement.rawValue)
            writer.member("kind", event.kind.rawValue)
            writer.member("object", event.objectID)
            writer.member("amount", event.amount.rawValue)
            writer.member("currency", event.currency.code)
            writer.member("created", event.created.seconds)
            writer.member("merchant", event.merchant.rawValue)
            writer.member("customer", event.customer)
            writer.member("outcome", event.outcome)
            writer.member("verdict", payment.verdict.rawValue)
            writer.member("score", payment.score)
            writer.key("reasons")
            payment.reasons.encode(into: &writer)
            writer.key("shown")
            if let line = OverviewView.Payment(payment, at: stored, partition) {
                line.encode(into: &writer)
            } else {
                writer.null()
            }
            writer.key("transactions")
            writer.beginArray()
            for transaction in booked { LedgerPosted(transaction).encode(into: &writer) }
            writer.endArray()
        }
    }

    static func encode(
        _ review: ReviewRecord, at stored: StoredRecord, _ partition: Int32? = nil, leftOut: Int64
    ) -> [UInt8] {
        object(at: stored, partition, leftOut: leftOut) { writer in
            writer.key("review")
            review.encode(into: &writer)
        }
    }

    static func encode(
        letter stored: StoredRecord, _ partition: Int32? = nil, leftOut: Int64
    ) -> [UInt8] {
        object(at: stored, partition, leftOut: leftOut) { writer in
            writer.member("event_id", stored.record.text("event-id"))
            writer.member("topic", stored.record.text("topic"))
            writer.member("stage", stored.record.text("stage"))
            writer.member("reason", stored.record.text("reason"))
            writer.member("detail", stored.record.text("detail"))
        }
    }

    private static func object(
        at stored: StoredRecord, _ partition: Int32?, leftOut: Int64,
        _ write: (inout JSONWriter) -> Void
    ) -> [UInt8] {
        var writer = JSONWriter(capacity: 1_024)
        writer.beginObject()
        if let partition { writer.member("partition", Int64(partition)) }
        writer.member("offset", stored.offset.rawValue)
        writer.member("at", stored.record.timestamp.milliseconds)
        writer.member("left_out", leftOut)
        write(&writer)
        writer.endObject()
        return writer.bytes
    }
}
