import AppendLog
import Appliance
import Vocabulary

/// Something that happened to a payment: a record of the log, or a line of Stripe's statement.
struct StoryMoment {
    /// Milliseconds since 1970.
    var at: Int64
    var words: String
    var href, record: String
    var dot: String
    /// A person or the model has decided.
    var isTurn = false
    /// Whether retention has taken the record.
    var isGone = false

    /// Everything, in the order of time; at one moment as the log has it.
    static func all(of story: PaymentStory) -> [StoryMoment] {
        let records = story.steps.enumerated().map { place, step in
            StoryMoment(
                step, of: story, isGone: place < story.kept.count && !story.kept[place])
        }
        let statement = story.transactions.flatMap { explained in
            explained.statement.map { (line: $0, transaction: explained.transaction.id) }
        }
        let lines = statement.map { StoryMoment($0.line, $0.transaction) }
        let payouts = statement.compactMap { StoryMoment(paidOut: $0.line) }
        return (records + lines + payouts).enumerated()
            .sorted { ($0.element.at, $0.offset) < ($1.element.at, $1.offset) }
            .map { $0.element }
    }

    private init(_ step: TrailStep, of story: PaymentStory, isGone: Bool) {
        let (words, dot) = step.shown
        at = step.at.milliseconds
        self.words = words
        self.dot = dot
        self.isGone = isGone
        record = LogPath.words(step.topic, step.partition, step.offset)
        href = LogPath.page(step.topic, step.partition, "/\(step.offset)")
        isTurn = step.topic == .paymentReview || step.topic == .paymentScored
        if let decider = Self.decider(of: step, in: story) {
            self.words = decider == ReviewExpiry.actor
                ? "Declined: nobody decided in time" : "Declined by a person"
        }
        if Self.isRelease(step, in: story) {
            self.words = "Released by a better informed scoring"
            self.dot = ""
        }
        guard step.topic == .deadLetter else { return }
        if step.word != "redrive" {
            href = LetterPath.page(
                .letter(step.offset, partition: step.partition ?? 0),
                isOnly: step.partition == nil)
        }
        let own = story.letters.first { $0.step == step }
        guard let author = own.flatMap({ RedriveEdit.author(of: $0.record) }) else { return }
        self.words = "Redriven, edited by \(ShownText.escaped(author))"
    }

    /// Whether scoring let the money go by itself at a step. Its record is none of the decisions,
    /// which are people's and the expiry's.
    private static func isRelease(_ step: TrailStep, in story: PaymentStory) -> Bool {
        step.topic == .paymentReview && step.word == ReviewState.approved.rawValue
            && story.review?.state == .released && !story.decisions.contains { $0.stands(at: step) }
    }

    /// Who declined at a step; nil for another step, and before the ledger has read the decision.
    private static func decider(of step: TrailStep, in story: PaymentStory) -> String? {
        guard step.topic == .paymentReview, step.word == ReviewState.declined.rawValue else {
            return nil
        }
        return story.decisions.first { $0.stands(at: step) }?.record.by
    }

    /// A line of Stripe's statement that settles a transaction; its time is Stripe's.
    private init(_ line: StatementLine, _ transaction: TransactionID) {
        let fee = ShownAmount(line.fee, line.currency).words
        at = line.created.seconds * 1_000
        words = line.isRight
            ? "On Stripe’s statement, fee \(fee)" : "Stripe’s statement says otherwise, fee \(fee)"
        dot = line.isRight ? "ok" : "stop"
        record = ShownText.escaped(line.id)
        href = "/ledger/transactions/\(transaction.rawValue)"
    }

    /// The payout that a line of the statement went into; its time is Stripe's.
    ///
    /// - Returns: nil where it is in none yet, or none is known.
    private init?(paidOut line: StatementLine) {
        guard let payout = line.payout else { return nil }
        let net = ShownAmount(line.net, line.currency).words
        let (name, day) = (ShownText.escaped(payout.id), ShownMoment(payout.created).day)
        at = payout.created.seconds * 1_000
        words = line.net < .zero
            ? "Taken off the payout \(name) on \(day), \(net)"
            : "Paid out in \(name) on \(day), \(net)"
        dot = "ok"
        record = ShownText.escaped(line.id)
        href = AccountPath.explain(payout.id)
    }
}

extension PlacedDecision {
    /// Whether it is the record of a step.
    fileprivate func stands(at step: TrailStep) -> Bool {
        place.decision == step.offset.rawValue && place.partition == step.lane.partition
    }
}
