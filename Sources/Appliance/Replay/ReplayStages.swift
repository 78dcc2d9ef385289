import AppendLog
import Vocabulary

/// Drives the pipeline's own stages over the original's webhooks, and walks what the original
/// derived beside them.
///
///     webhook.received ─▶ ValidateStage ─▶ Lockstep ─▶ ScoreStage ─▶ Lockstep ─▶ bookings
///     (original)                           ▲ inputs                  ▲ inputs, decisions
///
/// Inputs are what no stage of the replay derives: redriven records and people's decisions. They
/// are taken over from the original at their place in their topic; a decision where the original's
/// ledger considered it.
struct ReplayStages {
    private let source: ReplaySource
    private let end: Offset
    /// Whether the replay goes as far as the original does.
    let isWhole: Bool

    private var validate: ValidateStage
    private var score: EmbeddedScoreStage
    private var validated: Lockstep
    private var scored: Lockstep
    /// Of `payment.review`, in the order in which the original's ledger considered them.
    private var reviewInputs: ArraySlice<ReplaySource.ReviewInput>
    private(set) var letters = LetterComparison()

    private(set) var received = Offset.zero
    private var isFinished = false
    /// Ends of the fresh topics.
    private var validatedNext = Offset.zero
    private var scoredNext = Offset.zero
    private(set) var scoredBeyond = 0

    /// - Parameter to: the last offset of `webhook.received` to replay; nil replays all.
    init(
        _ source: ReplaySource, through to: Offset?, validate: ValidateStage,
        score: EmbeddedScoreStage
    ) throws {
        self.source = source
        let whole = source[.webhookReceived].end
        if let to, to >= whole {
            throw ReplayError.beyondEnd(to: to.rawValue, end: whole.rawValue)
        }
        end = to.map { $0.advanced(by: 1) } ?? whole
        isWhole = end == whole
        self.validate = validate
        self.score = score
        validated = Lockstep(
            source[.paymentValidated], .validated,
            processed: try source.stageNext(ValidateStage.name, .webhookReceived))
        let scoreNext = try source.stageNext(EmbeddedScoreStage.name, .paymentValidated)
        scored = Lockstep(source[.paymentScored], .verdict, processed: scoreNext)
        reviewInputs = try source.reviewInputs()[...]
    }

    var total: Offset { end }

    /// The feature state after the last batch, as the daemon saves it.
    func snapshot() -> StageState? { score.snapshot() }

    /// The next batch; nil when all is done.
    mutating func next() throws -> ReplayBatch? {
        guard !isFinished else { return nil }
        var batch = ReplayBatch()
        guard received < end else {
            isFinished = true
            try finish(&batch)
            return batch
        }
        let records = try source[.webhookReceived]
            .read(from: received, byteCountMax: ReplayLimits.readByteCount)
            .prefix { $0.offset < end }
        batch.received = records.map(\.record)
        received = records.last?.offset.advanced(by: 1) ?? end
        let placed = records.map { stored in
            PlacedRecord(
                place: SourcePlace(topic: .webhookReceived, offset: stored.offset),
                record: stored.record)
        }
        try scoreAll(meetValidated(validate.process(placed), &batch), &batch)
        return batch
    }

    func report(into report: inout ReplayReport) {
        report.events = Int(received.rawValue)
        report.validated = validated.comparedCount
        report.scored = scored.comparedCount
        report.scoredBeyond = scoredBeyond
        for differences in [validated.differences, scored.differences] {
            report.differences.merge(differences)
        }
    }

    // MARK: Validated

    /// A record for the score stage, and the offset it has in the original.
    private struct Scorable {
        var placed: PlacedRecord
        var original: Offset?
    }

    private mutating func meetValidated(
        _ outputs: [StageOutput], _ batch: inout ReplayBatch
    ) throws -> [Scorable] {
        let producer = try ProducerName(ValidateStage.name)
        var scorables: [Scorable] = []
        for output in outputs {
            guard output.topic == .paymentValidated else {
                keep(letter: output, by: producer, in: &batch)
                continue
            }
            var inputs: [StoredRecord] = []
            let sourced = output.sourced
            let original = try validated.meet(output.record, source: sourced.source) {
                inputs.append($0)
            }
            for input in inputs { add(input, to: &scorables, &batch) }
            batch.steps[.paymentValidated, default: []].append(.derived(sourced, by: producer))
            scorables.append(Scorable(placed: place(output.record), original: original))
        }
        return scorables
    }

    private mutating func add(
        _ input: StoredRecord, to scorables: inout [Scorable], _ batch: inout ReplayBatch
    ) {
        batch.steps[.paymentValidated, default: []].append(.input(input.record))
        scorables.append(Scorable(placed: place(input.record), original: input.offset))
    }

    private mutating func place(_ record: Record) -> PlacedRecord {
        defer { validatedNext = validatedNext.advanced(by: 1) }
        return PlacedRecord(
            place: SourcePlace(topic: .paymentValidated, offset: validatedNext), record: record)
    }

    // MARK: Scored

    private mutating func scoreAll(_ scorables: [Scorable], _ batch: inout ReplayBatch) throws {
        guard let first = scorables.first?.placed.place.offset else { return }
        let producer = try ProducerName(EmbeddedScoreStage.name)
        for output in score.take(scorables.map(\.placed)) {
            let sourced = output.sourced
            let original = scorables[Int(first.distance(to: sourced.source))].original
            switch output.topic {
            case .paymentScored:
                try meetScored(sourced, original, producer, &batch)
            case .paymentFeatures:
                batch.steps[output.topic, default: []].append(.derived(sourced, by: producer))
            default:
                keep(letter: output, by: producer, in: &batch)
            }
        }
    }

    private mutating func meetScored(
        _ output: SourcedRecord, _ original: Offset?, _ producer: ProducerName,
        _ batch: inout ReplayBatch
    ) throws {
        var inputs: [StoredRecord] = []
        let found = try scored.meet(output.record, source: original) { inputs.append($0) }
        for input in inputs { takeScored(input, &batch) }
        batch.steps[.paymentScored, default: []].append(.derived(output, by: producer))
        book(output.record, at: found ?? scored.next, &batch)
    }

    private mutating func takeScored(_ input: StoredRecord, _ batch: inout ReplayBatch) {
        batch.steps[.paymentScored, default: []].append(.input(input.record))
        book(input.record, at: input.offset, &batch)
    }

    /// Books a scored record where the original's ledger had it, after the decisions that it had
    /// considered by then. What the original's ledger has not come to is stored and not booked.
    private mutating func book(_ record: Record, at place: Offset, _ batch: inout ReplayBatch) {
        let stored = StoredRecord(offset: scoredNext, record: record)
        scoredNext = scoredNext.advanced(by: 1)
        guard place < source.ledgerNext(.paymentScored) else {
            scoredBeyond += 1
            return
        }
        decide(before: place, stored.offset, &batch)
        batch.bookings.append(
            ReplayBatch.Booking(topic: .paymentScored, stored: stored, scoredNext: scoredNext))
    }

    private mutating func decide(
        before place: Offset, _ next: Offset, _ batch: inout ReplayBatch
    ) {
        while let input = reviewInputs.first, let scoredNext = input.scoredNext,
            scoredNext <= place
        {
            reviewInputs.removeFirst()
            batch.bookings.append(
                ReplayBatch.Booking(
                    topic: .paymentReview, stored: input.stored, scoredNext: next))
        }
    }

    // MARK: The rest

    private mutating func keep(
        letter output: StageOutput, by producer: ProducerName, in batch: inout ReplayBatch
    ) {
        batch.steps[.deadLetter, default: []].append(.derived(output.sourced, by: producer))
        letters.replayed(output.record)
    }

    /// What the original has behind the last output of the replay: inputs are taken over, records
    /// that were derived are differences.
    private mutating func finish(_ batch: inout ReplayBatch) throws {
        let last = Offset(end.rawValue - 1)
        var inputs: [StoredRecord] = []
        try validated.drain(through: isWhole ? nil : last) { inputs.append($0) }
        var scorables: [Scorable] = []
        for input in inputs { add(input, to: &scorables, &batch) }
        try scoreAll(scorables, &batch)
        let lastValidated = Offset(validated.next.rawValue - 1)
        inputs = []
        try scored.drain(through: isWhole ? nil : lastValidated) { inputs.append($0) }
        for input in inputs { takeScored(input, &batch) }
        decide(before: isWhole ? Offset(.max) : scored.next, scoredNext, &batch)
        if isWhole { batch.unconsidered = reviewInputs.map(\.stored.record) }
        try letters.finish(
            source[.deadLetter],
            through: [
                TopicID.webhookReceived.rawValue: end,
                TopicID.paymentValidated.rawValue: validated.next,
            ])
    }
}
