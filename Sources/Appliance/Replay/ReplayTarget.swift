import AppendLog
import Dispatch
import Vocabulary

/// The fresh folder: stores what the replay derives, books it, and compares the two chains.
///
/// One batch is in hand at a time, while the stages work at the next.
actor ReplayTarget {
    private let log: Log
    private let topics: Topics
    private let ledger: SQLiteLedger
    private let featurePath: String
    private var chain: ChainComparison
    private var head = CanonicalBytes.genesis
    /// SQLite blocks; it does so here and not on the cooperative pool.
    private let queue = DispatchQueue(label: "tillbox.replay.ledger")

    /// - Parameters:
    ///   - log: of the fresh folder; this closes it.
    ///   - featurePath: where the feature state goes, so that a daemon can go on from here.
    init(
        log: Log, ledger: SQLiteLedger, featurePath: String, chain: ChainComparison
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
                if let producer, !run.isEmpty { _ = try await topic.append(run, producer: producer) }
                run = []
                _ = try await topic.append([record])
            }
        }
        if let producer, !run.isEmpty { _ = try await topic.append(run, producer: producer) }
    }

    // MARK: Booking

    private func book(_ bookings: [ReplayBatch.Booking]) async throws {
        let document = JSONDocument()
        var inputs: [LedgerInput] = []
        var decoded: [ReplayBatch.Booking] = []
        var positions: [ConsumerPosition] = []
        for booking in bookings {
            let value = booking.stored.record.value ?? []
            // What cannot be decoded is the ledger stage's dead letter, in the original too.
            if booking.topic == .paymentScored {
                guard let scored = try? ScoredPayment(value, using: document) else { continue }
                inputs.append(.scored(scored))
            } else {
                guard let review = try? ReviewRecord(value, using: document) else { continue }
                inputs.append(.review(review))
                positions.append(
                    DecisionPlace(
                        decision: booking.stored.offset.rawValue,
                        scoredNext: booking.scoredNext.rawValue
                    ).position)
            }
            decoded.append(booking)
        }
        if let next = bookings.last(where: { $0.topic == .paymentScored })?.scoredNext {
            positions.append(
                ConsumerPosition(topic: TopicID.paymentScored.rawValue, nextOffset: next.rawValue))
        }
        let outcome = try await post(inputs, positions)
        try await store(outcome, of: decoded)
    }

    private func store(_ outcome: PostOutcome, of bookings: [ReplayBatch.Booking]) async throws {
        var letters: [TopicID: [SourcedRecord]] = [:]
        for (place, booking) in bookings.enumerated() {
            guard case .refused(let refusal) = outcome.inputs[place] else { continue }
            letters[booking.topic, default: []].append(
                LedgerService.letter(
                    of: booking.stored, in: booking.topic, refusal, outcome.details[place]))
        }
        for (id, letters) in letters {
            _ = try await topics[.deadLetter].append(
                letters, producer: ProducerName("\(LedgerService.name):\(id.rawValue)"))
        }
        let posted = outcome.posted.map { transaction in
            SourcedRecord(
                source: Offset(transaction.id.rawValue),
                record: LedgerService.record(of: transaction))
        }
        if !posted.isEmpty {
            _ = try await topics[.ledgerPosted].append(
                posted, producer: ProducerName(LedgerService.name))
        }
        for transaction in outcome.posted { try chain.meet(transaction) }
        head = outcome.posted.last?.hash ?? head
    }

    private func post(
        _ inputs: [LedgerInput], _ positions: [ConsumerPosition]
    ) async throws(LedgerError) -> PostOutcome {
        let (ledger, queue) = (ledger, queue)
        let result: Result<PostOutcome, LedgerError> = await withCheckedContinuation { waiting in
            queue.async {
                waiting.resume(
                    returning: Result { () throws(LedgerError) in
                        try ledger.post(inputs, positions: positions)
                    })
            }
        }
        return try result.get()
    }

    /// Stores the feature state so that a daemon can go on from here.
    func store(_ state: [UInt8], to path: String) throws {
        let topic = topics[.paymentValidated]
        try FeatureSnapshotFile.write(state, of: topic, before: topic.highWatermark, to: path)
    }

    // MARK: The end

    /// Compares what is left, and leaves the folder as a daemon would that has stopped.
    ///
    /// - Parameters:
    ///   - isWhole: whether the replay went as far as the original.
    ///   - reviewNext: the end of what is booked of the fresh `payment.review`.
    ///   - report: what the stages have found; the chain's part is added.
    func finish(
        isWhole: Bool, reviewNext: Offset, into report: ReplayReport
    ) async throws -> ReplayReport {
        var report = report
        if reviewNext > .zero {
            _ = try await post(
                [],
                [
                    ConsumerPosition(
                        topic: TopicID.paymentReview.rawValue, nextOffset: reviewNext.rawValue)
                ])
        }
        try chain.finish(isWhole: isWhole)
        report.transactions = chain.comparedCount
        report.head = head
        report.originalHead = chain.originalHead
        report.differences.merge(chain.differences)
        for (stage, id) in [
            (ValidateStage.name, TopicID.webhookReceived), (ScoreStage.name, .paymentValidated),
        ] {
            try await log.cursors.commit(
                topics[id].highWatermark, group: GroupName(stage), topic: topics[id].name)
        }
        try ledger.close()
        await log.close()
        return report
    }
}
