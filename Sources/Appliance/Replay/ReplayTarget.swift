import AppendLog
import Vocabulary

/// The fresh folder: stores what the replay derives, books it, and compares the two chains.
///
/// One batch is in hand at a time, while the stages work at the next. SQLite blocks: whoever calls
/// this has a thread for it.
actor ReplayTarget {
    private let log: Log
    private let topics: Topics
    private let ledger: any Ledger
    private let featurePath: String
    private var chain: ChainComparison
    private var reviews = ReviewComparison()
    private var head = CanonicalBytes.genesis
    private var unconsidered: [Record] = []

    /// - Parameters:
    ///   - log: of the fresh folder; this closes it.
    ///   - featurePath: where the feature state goes, so that a daemon can go on from here.
    init(
        log: Log, ledger: any Ledger, featurePath: String, chain: ChainComparison
    ) throws(LogError) {
        self.log = log
        topics = try Topics(of: log)
        self.ledger = ledger
        self.featurePath = featurePath
        self.chain = chain
    }

    /// Stores and books a batch; everything is on disk when it returns.
    func take(_ batch: ReplayBatch) async throws {
        let topics = topics
        try await withThrowingTaskGroup(of: Void.self) { group in
            if !batch.received.isEmpty {
                group.addTask {
                    _ = try await topics[.webhookReceived].append(batch.received)
                }
            }
            for (id, steps) in batch.steps {
                group.addTask { try await Self.append(steps, to: topics[id]) }
            }
            try await group.waitForAll()
        }
        for start in stride(
            from: 0, to: batch.bookings.count, by: StageLimits.ledgerBatchCount)
        {
            let bookings = batch.bookings[start...].prefix(StageLimits.ledgerBatchCount)
            try await book(Array(bookings))
        }
        unconsidered += batch.unconsidered
    }

    private static func append(_ steps: [ReplayBatch.Step], to topic: Topic) async throws {
        var run: [SourcedRecord] = []
        var producer: ProducerName?
        for step in steps {
            switch step {
            case .derived(let record, by: let own):
                if let producer, producer != own {
                    _ = try await topic.append(run, producer: producer)
                    run = []
                }
                producer = own
                run.append(record)
            case .input(let record):
                if let producer, !run.isEmpty {
                    _ = try await topic.append(run, producer: producer)
                }
                run = []
                _ = try await topic.append([record])
            }
        }
        if let producer, !run.isEmpty { _ = try await topic.append(run, producer: producer) }
    }

    // MARK: Booking

    private func book(_ bookings: [ReplayBatch.Booking]) async throws {
        let step = LedgerStep()
        var batch = LedgerStep.Batch()
        // By the places of the inputs.
        var scoredNext: [Offset] = []
        for booking in try await takeOver(bookings) {
            let place = SourcePlace(topic: booking.topic, offset: booking.stored.offset)
            step.add(PlacedRecord(place: place, record: booking.stored.record), to: &batch)
            if scoredNext.count < batch.inputs.count { scoredNext.append(booking.scoredNext) }
        }
        let positions = bookings.last { $0.topic == .paymentScored }.map {
            ConsumerPosition(
                topic: TopicID.paymentScored.rawValue, nextOffset: $0.scoredNext.rawValue)
        }
        let outcome = try ledger.post(
            batch.inputs, positions: positions.map { [$0] } ?? [],
            places: batch.places { scoredNext[$0] })
        try await store(outcome, of: batch)
    }

    /// Appends what is taken over of `payment.review` and gives it its place there.
    private func takeOver(
        _ bookings: [ReplayBatch.Booking]
    ) async throws -> [ReplayBatch.Booking] {
        let records = bookings.filter { $0.topic == .paymentReview }.map(\.stored.record)
        guard !records.isEmpty else { return bookings }
        var place = try await topics[.paymentReview].append(records).lowerBound
        return bookings.map { booking in
            guard booking.topic == .paymentReview else { return booking }
            defer { place = place.advanced(by: 1) }
            var booking = booking
            booking.stored = StoredRecord(offset: place, record: booking.stored.record)
            return booking
        }
    }

    private func store(_ outcome: PostOutcome, of batch: LedgerStep.Batch) async throws {
        let outputs =
            LedgerStep.letters(of: outcome, batch) + LedgerStep.posted(outcome.posted)
            + LedgerStep.reviews(outcome.reviews)
        let flow = FlowStep.ledger()
        for batch in flow.batches(outputs) {
            _ = try await topics[batch.producer.topic].append(
                batch.records, producer: ProducerName(flow.name(of: batch.producer)))
        }
        reviews.replayed(outcome.reviews)
        for transaction in outcome.posted { try chain.meet(transaction) }
        head = outcome.posted.last?.hash ?? head
    }

    /// Stores the feature state so that a daemon can go on from here.
    func store(_ state: StateEncoding, to path: String) throws {
        let topic = topics[.paymentValidated]
        try FeatureSnapshotFile.write(state, of: topic, before: topic.highWatermark, to: path)
    }

    // MARK: The end

    /// Compares what is left, and leaves the folder as a daemon would that has stopped.
    ///
    /// - Parameters:
    ///   - isWhole: whether the replay went as far as the original.
    ///   - source: the original.
    ///   - report: what the stages have found; the chain's part is added.
    func finish(
        isWhole: Bool, source: ReplaySource, into report: ReplayReport
    ) async throws -> ReplayReport {
        var report = report
        let considered = topics[.paymentReview].highWatermark
        if considered > .zero {
            let position = ConsumerPosition(
                topic: TopicID.paymentReview.rawValue, nextOffset: considered.rawValue)
            _ = try ledger.post([], positions: [position])
        }
        if !unconsidered.isEmpty { _ = try await topics[.paymentReview].append(unconsidered) }
        try chain.finish(isWhole: isWhole)
        try reviews.finish(source, isWhole: isWhole && report.scoredBeyond == 0)
        report.reviews = reviews.comparedCount
        report.differences.merge(reviews.differences)
        report.transactions = chain.comparedCount
        report.head = head
        report.originalHead = chain.originalHead
        report.differences.merge(chain.differences)
        for (stage, id) in [
            (ValidateStage.name, TopicID.webhookReceived),
            (EmbeddedScoreStage.name, .paymentValidated),
        ] {
            try await log.cursors.commit(
                topics[id].highWatermark, group: GroupName(stage), topic: topics[id].name)
        }
        try ledger.close()
        await log.close()
        return report
    }
}
