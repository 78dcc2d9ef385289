import AppendLog
import Logging
import ServiceLifecycle
import Synchronization
import Vocabulary

/// Books `payment.scored` and `payment.review` into the ledger, what was booked into
/// `ledger.posted`, and what became of reviews into `payment.review`.
///
/// The position lives in the ledger's own database, in the transaction of the entries. Two things
/// lie outside that transaction and are made up for after a crash:
///
///     post (entries + reviews + positions) ─▶ dead letters of refused inputs ─▶ ledger.posted
///                                                          cursor ◀─ payment.review ◀─┘
///                                                            │
///     start: inputs from the cursor to the position are      │
///     offered again; the ledger says "already booked" or ◀───┘
///     refuses as before ─▶ dead letters (the log refuses those it has) ─▶ transactions after the
///     last one in ledger.posted, and reviews after the last one in payment.review, are published
final class LedgerService: Service {
    static let name = LedgerStep.name
    static let inputs = LedgerStep.inputs

    private let log: Log
    private let topics: Topics
    private let ledger: any Ledger
    private let clock: any LogClock
    private let counters: Counters
    private let logger: Logger
    private let patience: DiskPatience
    private let deadLetters: RationedLog
    /// SQLite blocks; it does so here and not on the cooperative pool.
    private let queue = BlockingQueue("tillbox.ledger")

    init(
        log: Log, topics: Topics, ledger: any Ledger, clock: any LogClock, counters: Counters,
        logger: Logger
    ) {
        self.log = log
        self.topics = topics
        self.ledger = ledger
        self.clock = clock
        self.counters = counters
        self.logger = logger
        patience = DiskPatience(stage: Self.name, logger: logger)
        deadLetters = RationedLog(logger: logger)
    }

    /// Runs until graceful shutdown, then drains what has arrived, for at most a second.
    func run() async throws {
        do {
            try await follow()
        } catch is StoppedWhileWaiting {
            logger.warning("stage stopped while it waited for room; the next start goes on there", metadata: [
                "stage": "\(Self.name)"
            ])
        }
    }

    private func follow() async throws {
        var positions = try await bookPublished(from: recover())
        var savedAt = ContinuousClock.now
        var drainUntil: ContinuousClock.Instant?
        var gathering = Gathering()
        while true {
            if drainUntil == nil { await gathering.pause() }
            let batch = try read(from: positions)
            guard !batch.isEmpty else {
                guard drainUntil == nil else { break }
                if !(try await waitUnlessStopping(for: positions)) {
                    drainUntil = .now + .seconds(StageLimits.drainSecondsMax)
                }
                continue
            }
            if let drainUntil, .now > drainUntil { break }
            gathering.took(batch.records.inputs.count)
            positions = try await book(batch, advancing: positions)
            if .now - savedAt > .seconds(1) {
                try await saveCursors(positions)
                savedAt = .now
            }
        }
        try await saveCursors(positions)
        logger.debug("stage stopped", metadata: ["stage": "\(Self.name)"])
    }

    // MARK: One batch

    /// What to read next, by topic.
    private typealias Positions = [TopicID: Offset]

    /// What was read, and where to go on.
    private struct Batch {
        var records = LedgerStep.Batch()
        var next: Positions = [:]
        var isEmpty: Bool { next.isEmpty }
    }

    private func read(from positions: Positions, _ inputs: [TopicID] = inputs) throws -> Batch {
        let step = LedgerStep()
        var batch = Batch()
        for id in inputs {
            let from = positions[id] ?? topics[id].start
            guard from < topics[id].highWatermark else { continue }
            let records = try topics[id].read(from: from, byteCountMax: StageLimits.batchByteCount)
                .prefix(StageLimits.ledgerBatchCount)
            for stored in records { step.add(stored, of: id, to: &batch.records) }
            if let last = records.last { batch.next[id] = last.offset.advanced(by: 1) }
        }
        return batch
    }

    private func book(_ batch: Batch, advancing positions: Positions) async throws -> Positions {
        let next = positions.merging(batch.next) { $1 }
        // `payment.scored` comes first in a batch, so that every decision stands behind it.
        let scoredNext = next[.paymentScored] ?? .zero
        let outcome = try await post(
            batch.records.ledgerInputs, next, batch.records.places { _ in scoredNext })
        count(outcome, of: batch.records)
        try await bury(outcome, of: batch.records)
        try await publish(outcome.posted)
        try await publish(outcome.reviews)
        return next
    }

    /// A full disk is waited out: the inputs stay in the log, so nothing is lost meanwhile.
    private func post(
        _ inputs: [LedgerInput], _ positions: Positions, _ places: [Int: DecisionPlace] = [:]
    ) async throws -> PostOutcome {
        let stored = positions.map {
            ConsumerPosition(topic: $0.key.rawValue, nextOffset: $0.value.rawValue)
        }.sorted { $0.topic < $1.topic }
        return try await patience.waitingOut("ledger.sqlite") {
            try await queue.run { [ledger] () throws(LedgerError) in
                try ledger.post(inputs, positions: stored, places: places)
            }
        }
    }

    private func count(_ outcome: PostOutcome, of batch: LedgerStep.Batch) {
        counters.add(.booked, outcome.posted.count)
        counters.add(.reviewsOpened, outcome.reviews.count(where: { $0.record.state == .opened }))
        if let waiting = outcome.waiting { counters.waiting.store(waiting, ordering: .relaxed) }
        let now = clock.now().milliseconds
        var volume: [Currency: Int64] = [:]
        for (input, result) in zip(batch.inputs, outcome.inputs) {
            switch result {
            case .booked:
                counters.endToEnd.record(
                    microseconds: (now - input.stored.record.timestamp.milliseconds) * 1000)
                if case .scored(let payment) = input.input, payment.event.kind == .payment {
                    volume[payment.event.currency, default: 0] &+= payment.event.amount.rawValue
                }
            case .alreadyBooked: counters.add(.alreadyBooked)
            case .nothingToBook: break
            case .refused: counters.add(.postingsRefused)
            }
        }
        counters.add(volume: volume)
    }

    /// Dead letters for what the posting rules refused and for what could not be read.
    private func bury(_ outcome: PostOutcome, of batch: LedgerStep.Batch) async throws {
        for (id, letters) in LedgerStep.letters(of: outcome, batch) {
            let outcome = try await patience.waitingOut(TopicID.deadLetter.rawValue) {
                try await topics[.deadLetter].append(
                    letters, producer: LedgerStep.letterProducer(id))
            }
            counters.add(.deadLetters, letters.count - outcome.refusedCount)
            for letter in letters { deadLetters.tell(of: letter.record, from: Self.name) }
        }
    }

    /// Appends booked transactions to `ledger.posted`; their ids are the source offsets.
    private func publish(_ transactions: [PostedTransaction]) async throws {
        guard let first = transactions.first else { return }
        let published = topics[.ledgerPosted].lastSource(of: try ProducerName(Self.name))
        if let published, first.id.rawValue <= published.rawValue {
            try compare(transactions, through: published.rawValue)
        }
        let records = LedgerStep.posted(transactions)
        _ = try await patience.waitingOut(TopicID.ledgerPosted.rawValue) {
            try await topics[.ledgerPosted].append(records, producer: ProducerName(Self.name))
        }
    }

    /// Appends changes of reviews to `payment.review`; their numbers are the source offsets. The stage
    /// reads them again, and has nothing to book of them.
    private func publish(_ changes: [ReviewChange]) async throws {
        guard !changes.isEmpty else { return }
        _ = try await patience.waitingOut(TopicID.paymentReview.rawValue) {
            try await topics[.paymentReview].append(
                LedgerStep.reviews(changes), producer: ProducerName(Self.name))
        }
    }

    /// What an older ledger books again must be what was published before.
    private func compare(
        _ transactions: [PostedTransaction], through published: Int64
    ) throws {
        let topic = topics[.ledgerPosted]
        let document = JSONDocument()
        for transaction in transactions where transaction.id.rawValue <= published {
            let last = topic.highWatermark.advanced(by: -1)
            let offset = last.advanced(by: transaction.id.rawValue - published)
            // Retention may have deleted it.
            guard offset >= topic.start,
                let stored = try topic.read(from: offset, byteCountMax: 1).first
            else { continue }
            let posted = try LedgerPosted(stored.record.value ?? [], using: document)
            guard posted.id == transaction.id.rawValue, posted.hash == String(hex: transaction.hash)
            else { throw LedgerDiffers(id: transaction.id.rawValue) }
        }
    }

    // MARK: Start and end

    /// Makes up for a crash after a commit, and says where to go on.
    private func recover() async throws -> Positions {
        var positions: Positions = [:]
        for id in Self.inputs {
            let topic = topics[id]
            let stored = try await queue.run { [ledger] () throws(LedgerError) in
                try ledger.position(topic: id.rawValue)
            }
            let next = max(stored.map(Offset.init) ?? topic.start, topic.start)
            guard next <= topic.highWatermark else {
                throw LedgerAheadOfLog(topic: id, ledger: next, log: topic.highWatermark)
            }
            positions[id] = next
            try await buryAgain(id, through: next)
        }
        try await publishMissing()
        let waiting = try await queue.run { [ledger] () throws(LedgerError) in
            try ledger.waitingCount()
        }
        counters.waiting.store(waiting, ordering: .relaxed)
        return positions
    }

    /// Books what `ledger.posted` has and an older ledger lacks, before anybody can decide anything.
    private func bookPublished(from positions: Positions) async throws -> Positions {
        let producer = try ProducerName(Self.name)
        guard let published = topics[.ledgerPosted].lastSource(of: producer) else { return positions }
        var positions = positions
        while true {
            let head = try await queue.run { [ledger] () throws(LedgerError) in
                try ledger.point().head
            }
            if head >= published.rawValue { return positions }
            let batch = try read(from: positions, [.paymentScored])
            guard !batch.isEmpty else { throw LedgerDiffers(id: head + 1) }
            positions = try await book(batch, advancing: positions)
        }
    }

    /// Offers the inputs between the cursor and the position again, for their refusals.
    private func buryAgain(_ id: TopicID, through position: Offset) async throws {
        let group = try GroupName(Self.name)
        let cursor = log.cursors.committed(group: group, topic: topics[id].name) ?? topics[id].start
        var next = max(cursor, topics[id].start)
        while next < position {
            var batch = Batch()
            let step = LedgerStep()
            let records = try topics[id].read(from: next, byteCountMax: StageLimits.batchByteCount)
                .prefix { $0.offset < position }
            guard let last = records.last else { break }
            for stored in records { step.add(stored, of: id, to: &batch.records) }
            let outcome = try await post(batch.records.ledgerInputs, [:])
            try await bury(outcome, of: batch.records)
            next = last.offset.advanced(by: 1)
        }
    }

    private func publishMissing() async throws {
        let producer = try ProducerName(Self.name)
        var last: Int64? = topics[.ledgerPosted].lastSource(of: producer)?.rawValue ?? 0
        while let after = last {
            let missing = try await queue.run { [ledger] () throws(LedgerError) in
                try ledger.posted(after: TransactionID(after), limit: StageLimits.ledgerBatchCount)
            }
            try await publish(missing)
            last = missing.last?.id.rawValue
        }
        last = topics[.paymentReview].lastSource(of: producer)?.rawValue ?? 0
        while let after = last {
            let missing = try await queue.run { [ledger] () throws(LedgerError) in
                try ledger.reviewChanges(after: after, limit: StageLimits.ledgerBatchCount)
            }
            try await publish(missing)
            last = missing.last?.id
        }
    }

    private func saveCursors(_ positions: Positions) async throws {
        let group = try GroupName(Self.name)
        for (id, next) in positions {
            do {
                try await log.cursors.commit(next, group: group, topic: topics[id].name)
            } catch {
                guard error.isRetryable else { throw error }
                // The ledger's own position is what counts; the cursor spares the next start work.
                logger.warning("position not stored; the next start repeats some work", metadata: [
                    "stage": "\(Self.name)", "error": "\(error)",
                ])
            }
        }
    }

    /// - Returns: false when graceful shutdown ended the wait.
    private func waitUnlessStopping(for positions: Positions) async throws -> Bool {
        do {
            try await cancelWhenGracefulShutdown {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for id in Self.inputs {
                        let topic = self.topics[id]
                        let next = positions[id] ?? topic.start
                        group.addTask { try await topic.waitForRecords(from: next) }
                    }
                    try await group.next()
                    group.cancelAll()
                }
            }
            return true
        } catch LogError.cancelled {
            return false
        }
    }
}

/// The ledger knows more of the log than the log itself: one of the two was put back from a backup.
struct LedgerAheadOfLog: Error, CustomStringConvertible {
    var topic: TopicID
    var ledger: Offset
    var log: Offset

    var description: String {
        "the ledger has booked \(topic.rawValue) up to offset \(ledger.rawValue), but the log ends at "
            + "\(log.rawValue): restore ledger.sqlite and log/ from the same backup"
    }
}

/// What an older ledger has booked again is not what was published.
struct LedgerDiffers: Error, CustomStringConvertible {
    var id: Int64

    var description: String {
        "transaction \(id) of the ledger is not the one in ledger.posted: restore ledger.sqlite and "
            + "log/ from the same backup"
    }
}
