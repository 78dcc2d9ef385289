import AppendLog
import Dispatch
import Logging
import ServiceLifecycle
import Synchronization
import Vocabulary

/// Books `payment.scored` and `payment.review` into the ledger, and what was booked into `ledger.posted`.
///
/// The position lives in the ledger's own database, in the transaction of the entries. Two things
/// lie outside that transaction and are made up for after a crash:
///
///     post (entries + positions) ─▶ dead letters of refused inputs ─▶ ledger.posted ─▶ cursor
///                                                                                        │
///     start: inputs from the cursor to the position are offered again; the ledger says   │
///     "already booked" or refuses as before ─▶ dead letters (the log refuses those it ◀──┘
///     has) ─▶ transactions after the last one in ledger.posted are published
final class LedgerService: Service {
    static let name = "ledger"
    static let inputs = [TopicID.paymentScored, .paymentReview]

    private let log: Log
    private let topics: Topics
    private let ledger: SQLiteLedger
    private let clock: any LogClock
    private let counters: Counters
    private let logger: Logger
    private let patience: DiskPatience
    private let deadLetters: RationedLog
    /// SQLite blocks; it does so here and not on the cooperative pool.
    private let queue = DispatchQueue(label: "tillbox.ledger")

    init(
        log: Log, topics: Topics, ledger: SQLiteLedger, clock: any LogClock, counters: Counters,
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
            gathering.took(batch.inputs.count)
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

    /// Records of one topic, decoded; a record that cannot be is a dead letter already.
    private struct Batch {
        var inputs: [(topic: TopicID, stored: StoredRecord, input: LedgerInput)] = []
        var undecodable: [(TopicID, StageOutput)] = []
        var next: Positions = [:]
        var isEmpty: Bool { next.isEmpty }

        /// Where in `payment.scored` each decision of a person is considered. Two topics have no
        /// order between them, so the ledger's own is kept: a replay needs it to give the same chain.
        func places(after positions: Positions) -> [ConsumerPosition] {
            inputs.compactMap { topic, stored, input in
                guard case .review(let record) = input, record.by != PostingRules.scoringActor
                else { return nil }
                return DecisionPlace(
                    decision: stored.offset.rawValue,
                    scoredNext: positions[.paymentScored]?.rawValue ?? 0
                ).position
            }
        }
    }

    private func read(from positions: Positions, _ inputs: [TopicID] = inputs) throws -> Batch {
        let document = JSONDocument()
        var batch = Batch()
        for id in inputs {
            let from = positions[id] ?? topics[id].start
            guard from < topics[id].highWatermark else { continue }
            let records = try topics[id].read(from: from, byteCountMax: StageLimits.batchByteCount)
                .prefix(StageLimits.ledgerBatchCount)
            for stored in records { add(stored, of: id, to: &batch, using: document) }
            if let last = records.last { batch.next[id] = last.offset.advanced(by: 1) }
        }
        return batch
    }

    private func add(
        _ stored: StoredRecord, of id: TopicID, to batch: inout Batch, using document: JSONDocument
    ) {
        let value = stored.record.value ?? []
        do {
            let input: LedgerInput =
                id == .paymentScored
                ? .scored(try ScoredPayment(value, using: document))
                : .review(try ReviewRecord(value, using: document))
            batch.inputs.append((id, stored, input))
        } catch {
            batch.undecodable.append(
                (id, .undecodable(stored, topic: id, stage: Self.name, error)))
        }
    }

    private func book(_ batch: Batch, advancing positions: Positions) async throws -> Positions {
        let next = positions.merging(batch.next) { $1 }
        let outcome = try await post(batch.inputs.map(\.input), next, batch.places(after: next))
        count(outcome, of: batch)
        try await bury(outcome, of: batch)
        try await publish(outcome.posted)
        return next
    }

    /// A full disk is waited out: the inputs stay in the log, so nothing is lost meanwhile.
    private func post(
        _ inputs: [LedgerInput], _ positions: Positions, _ places: [ConsumerPosition] = []
    ) async throws -> PostOutcome {
        let reached = positions.map {
            ConsumerPosition(topic: $0.key.rawValue, nextOffset: $0.value.rawValue)
        }
        let stored = (reached + places).sorted { $0.topic < $1.topic }
        return try await patience.waitingOut("ledger.sqlite") {
            try await onQueue { [ledger] () throws(LedgerError) in
                try ledger.post(inputs, positions: stored)
            }
        }
    }

    private func count(_ outcome: PostOutcome, of batch: Batch) {
        counters.add(.booked, outcome.posted.count)
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
    private func bury(_ outcome: PostOutcome, of batch: Batch) async throws {
        var letters: [TopicID: [SourcedRecord]] = [:]
        for (id, output) in batch.undecodable {
            letters[id, default: []].append(SourcedRecord(source: output.source, record: output.record))
        }
        for (place, input) in batch.inputs.enumerated() {
            guard case .refused(let refusal) = outcome.inputs[place] else { continue }
            letters[input.topic, default: []].append(
                Self.letter(of: input.stored, in: input.topic, refusal, outcome.details[place]))
        }
        for (id, letters) in letters {
            let ordered = letters.sorted { $0.source < $1.source }
            let outcome = try await patience.waitingOut(TopicID.deadLetter.rawValue) {
                try await topics[.deadLetter].append(
                    ordered, producer: ProducerName("\(Self.name):\(id.rawValue)"))
            }
            counters.add(.deadLetters, ordered.count - outcome.refusedCount)
            for letter in ordered { deadLetters.tell(of: letter.record, from: Self.name) }
        }
    }

    /// The dead letter of an input that the posting rules refuse.
    ///
    /// - Parameter detail: what it told, what is booked, and what was expected.
    static func letter(
        of stored: StoredRecord, in topic: TopicID, _ refusal: PostingRefusal, _ detail: String?
    ) -> SourcedRecord {
        let letter = DeadLetter(
            topic: topic.rawValue, offset: stored.offset, stage: name, reason: refusal.code,
            detail: detail ?? "expected \(refusal.expectation)")
        return SourcedRecord(source: stored.offset, record: letter.record(of: stored))
    }

    /// Appends booked transactions to `ledger.posted`; their ids are the source offsets.
    private func publish(_ transactions: [PostedTransaction]) async throws {
        guard let first = transactions.first else { return }
        let published = topics[.ledgerPosted].lastSource(of: try ProducerName(Self.name))
        if let published, first.id.rawValue <= published.rawValue {
            try compare(transactions, through: published.rawValue)
        }
        let records = transactions.map { transaction in
            SourcedRecord(
                source: Offset(transaction.id.rawValue), record: Self.record(of: transaction))
        }
        _ = try await patience.waitingOut(TopicID.ledgerPosted.rawValue) {
            try await topics[.ledgerPosted].append(records, producer: ProducerName(Self.name))
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

    static func record(of transaction: PostedTransaction) -> Record {
        let posting = transaction.posting
        return Record(
            key: ArraySlice(posting.movement.rawValue.utf8), value: LedgerPosted(transaction).encoded()[...],
            headers: [
                RecordHeader("event-id", posting.eventID.rawValue),
                SchemaHeader.ledgerPosted,
                RecordHeader(SourcedRecord.headerName, String(transaction.id.rawValue)),
            ],
            timestamp: Timestamp(milliseconds: transaction.postedAtMilliseconds))
    }

    // MARK: Start and end

    /// Makes up for a crash after a commit, and says where to go on.
    private func recover() async throws -> Positions {
        var positions: Positions = [:]
        for id in Self.inputs {
            let topic = topics[id]
            let stored = try await onQueue { [ledger] () throws(LedgerError) in
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
        let waiting = try await onQueue { [ledger] () throws(LedgerError) in
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
            let head = try await onQueue { [ledger] () throws(LedgerError) in
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
            let document = JSONDocument()
            var batch = Batch()
            let records = try topics[id].read(from: next, byteCountMax: StageLimits.batchByteCount)
                .prefix { $0.offset < position }
            guard let last = records.last else { break }
            for stored in records { add(stored, of: id, to: &batch, using: document) }
            let outcome = try await post(batch.inputs.map(\.input), [:])
            try await bury(outcome, of: batch)
            next = last.offset.advanced(by: 1)
        }
    }

    private func publishMissing() async throws {
        let producer = try ProducerName(Self.name)
        var last: Int64? = topics[.ledgerPosted].lastSource(of: producer)?.rawValue ?? 0
        while let after = last {
            let missing = try await onQueue { [ledger] () throws(LedgerError) in
                try ledger.posted(after: TransactionID(after), limit: StageLimits.ledgerBatchCount)
            }
            try await publish(missing)
            last = missing.last?.id.rawValue
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

    private func onQueue<Value: Sendable>(
        _ body: @escaping @Sendable () throws(LedgerError) -> Value
    ) async throws(LedgerError) -> Value {
        let result: Result<Value, LedgerError> = await withCheckedContinuation { continuation in
            queue.async {
                do throws(LedgerError) {
                    continuation.resume(returning: .success(try body()))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
        return try result.get()
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

extension LedgerPosted {
    /// The record of a booked transaction.
    init(_ transaction: PostedTransaction) {
        let posting = transaction.posting
        self.init(
            id: transaction.id.rawValue, movement: posting.movement, eventID: posting.eventID,
            kind: posting.kind.name, effectiveAt: posting.effectiveAt,
            postedAt: Instant(seconds: transaction.postedAtMilliseconds / 1000),
            entries: posting.entries.map {
                Entry(account: $0.account.rawValue, currency: $0.currency, amount: $0.amount)
            },
            hash: String(hex: transaction.hash))
    }
}
