package import AppendLog
package import Logging
import ServiceLifecycle
import Synchronization
package import Vocabulary

/// Books `payment.scored` and `payment.review` into the ledger, what was booked into
/// `ledger.posted`, and what became of reviews into `payment.review`.
///
/// The position lives in the ledger's own database, in the transaction of the entries. What follows
/// from it lies outside, and is made up for after a crash:
///
///     next ─▶ post (entries + reviews + positions) ─▶ finish (dead letters, rows, cursor)
///      ▲                                                │
///      └── a crash in between: the flow begins at the ◀─┘
///          cursor, behind the position. Records before the position are offered again for their
///          refusals alone: the ledger says "already booked" or refuses as before. Rows behind the
///          last one that was published are published first.
///
/// Blocks its own thread, as the database does.
package final class LedgerService<Source: Flow, Books: LedgerBooks>: Service {
    private let makeDesk: @Sendable () -> LedgerDesk<Books>
    private let logger: Logger
    private let thread = OwnThread("tillbox.ledger")
    private let begin: @Sendable (inout LedgerDesk<Books>) async throws -> Source

    /// - Parameter begin: a flow that goes on from what is stored; called at the start, and again
    ///   after another instance has taken over some of the input.
    package init(
        desk makeDesk: @escaping @Sendable () -> LedgerDesk<Books>, logger: Logger,
        begin: @escaping @Sendable (inout LedgerDesk<Books>) async throws -> Source
    ) {
        self.makeDesk = makeDesk
        self.logger = logger
        self.begin = begin
    }

    /// Runs until graceful shutdown, then drains what has arrived, for at most a second.
    package func run() async throws {
        do {
            try await withTaskExecutorPreference(thread) {
                try await StageLoop.run(LedgerStep.name, logger) {
                    var desk = makeDesk()
                    var flow = try await begin(&desk)
                    let trace = StepTrace(LedgerStep.name, logger)
                    try await desk.makeUp(&flow, tracing: trace)
                    while try await desk.turn(&flow, tracing: trace) {}
                    try await flow.close(checkpoint: { nil })
                }
            }
        } catch is StoppedWhileWaiting {
            StageLoop.tellOfWaiting(LedgerStep.name, logger)
        }
        logger.debug("stage stopped", metadata: ["stage": "\(LedgerStep.name)"])
    }
}

/// Takes runs into the ledger, and what follows from them out of it. One for each instance of the
/// step.
package struct LedgerDesk<Books: LedgerBooks> {
    let ledger: Books
    let clock: any LogClock
    let counters: Counters
    private let step = LedgerStep()
    /// What the ledger reads next of each partition that was seen so far.
    private var read: [SourceLane: Offset] = [:]
    /// Partitions of which everything from now on is new to the ledger.
    private var caughtUp: Set<SourceLane> = []

    package init(ledger: Books, clock: any LogClock, counters: Counters) {
        self.ledger = ledger
        self.clock = clock
        self.counters = counters
    }

    /// Publishes what was committed and not published, before anything else is booked.
    mutating func makeUp(
        _ flow: inout some Flow, tracing trace: StepTrace? = nil
    ) async throws {
        let ledger = ledger
        let waiting = try await flow.waitingOut(Self.store) { try ledger.waitingCount() }
        counters.waiting.store(waiting, ordering: .relaxed)
        while true {
            let rows = try await missing(flow)
            guard !rows.isEmpty else { return }
            try await flow.finish(rows, consumed: [])
            trace?.tell([], rows)
        }
    }

    /// What is waited for where the ledger has no room or does not answer.
    private static var store: String { "the ledger" }

    /// Whether the ledger has not come to a transaction that was published.
    func lacksRow(_ number: Int64) throws(LedgerError) -> Bool {
        try ledger.posted(after: TransactionID(number - 1), limit: 1).isEmpty
    }

    /// Alike for a change of a review.
    func lacksReviewChange(_ number: Int64) throws(LedgerError) -> Bool {
        try ledger.reviewChanges(after: number - 1, limit: 1).isEmpty
    }

    /// Takes one run in.
    ///
    /// - Parameter trace: told of the run once it is finished.
    /// - Returns: false when the daemon stops and what had arrived is taken in.
    mutating func turn(
        _ flow: inout some Flow, tracing trace: StepTrace? = nil
    ) async throws -> Bool {
        guard let run = try await flow.next(bytesMax: StageLimits.batchByteCount) else {
            return false
        }
        var outputs: [StageOutput] = []
        var booked = Booked()
        let (old, new) = try await flow.waitingOut(Self.store) { try split(run) }
        if !old.isEmpty {
            let (batch, outcome) = try await post(old, positions: [], flow)
            outputs += LedgerStep.letters(of: outcome, batch)
            booked.add(outcome)
        }
        if !new.isEmpty {
            let (batch, outcome) = try await post(
                new, positions: run.next.filter { !isRead($0) }, flow)
            count(outcome, of: batch)
            outputs += LedgerStep.letters(of: outcome, batch)
            booked.add(outcome)
        }
        let letterCount = outputs.count
        outputs += try await rows(of: booked, flow)
        let repeated = try await flow.finish(outputs, consumed: run.next)
        counters.add(.deadLetters, letterCount - repeated[.deadLetter, default: 0])
        trace?.tell(run.records, outputs)
        return true
    }

    /// Forgets how far it knows the ledger to be; for who begins it at another place.
    mutating func forget() { (read, caughtUp) = ([:], []) }

    // MARK: Booking

    /// What one run has added, in the order of the rows.
    private struct Booked {
        var posted: [PostedTransaction] = []
        var reviews: [ReviewChange] = []

        mutating func add(_ outcome: PostOutcome) {
            posted += outcome.posted
            reviews += outcome.reviews
        }
    }

    /// What the ledger has read already, and what is new to it.
    ///
    /// A desk begins anew whenever its flow does, so that what it remembers of a partition is not
    /// behind what another instance has committed of it.
    private mutating func split(
        _ run: Run
    ) throws(LedgerError) -> (old: [PlacedRecord], new: [PlacedRecord]) {
        var mayBeOld = false
        for end in run.next where !caughtUp.contains(end.lane) {
            _ = try position(of: end.lane)
            mayBeOld = true
            if !isRead(end) { caughtUp.insert(end.lane) }
        }
        guard mayBeOld else { return ([], run.records) }
        return (
            run.records.filter { isRead($0.place) }, run.records.filter { !isRead($0.place) }
        )
    }

    /// What the ledger reads next of a partition, of which this run may have nothing.
    private mutating func position(of lane: SourceLane) throws(LedgerError) -> Offset {
        if let known = read[lane] { return known }
        let stored = try ledger.position(topic: lane.topic.rawValue, partition: lane.partition)
        let position = Offset(stored ?? 0)
        read[lane] = position
        return position
    }

    private func isRead(_ place: SourcePlace) -> Bool {
        place.offset < read[place.lane, default: .zero]
    }

    /// A full disk is waited out: the inputs stay in their topics, so nothing is lost meanwhile.
    private mutating func post(
        _ records: [PlacedRecord], positions: [SourcePlace], _ flow: some Flow
    ) async throws -> (LedgerStep.Batch, PostOutcome) {
        let batch = step.decode(records)
        // Where there may be other instances, each says from where it goes on: of two that believe
        // to have a partition, one is refused.
        var stored: [ConsumerPosition] = []
        for place in positions.sorted() {
            stored.append(
                ConsumerPosition(
                    topic: place.topic.rawValue, partition: place.partition,
                    nextOffset: place.offset.rawValue,
                    expected: flow.isShared ? read[place.lane, default: .zero].rawValue : nil,
                    checksum: try await flow.checksum(before: place)))
        }
        // Decisions that were considered before have their place already.
        let next = try await flow.waitingOut(Self.store) { try scoredNext(positions) }
        let places = positions.isEmpty ? [:] : batch.places { _ in next }
        let ledger = ledger
        let outcome: PostOutcome
        do {
            outcome = try await flow.waitingOut(Self.store) {
                try ledger.post(batch.inputs, positions: stored, places: places)
            }
        } catch LedgerError.positionWentBack where flow.isShared {
            // Whoever has taken over was quicker, and has committed.
            throw FlowFenced()
        }
        for place in positions { read[place.lane] = place.offset }
        return (batch, outcome)
    }

    /// `payment.scored` comes first in a run, so that every decision stands behind it.
    private mutating func scoredNext(
        _ positions: [SourcePlace]
    ) throws(LedgerError) -> Offset {
        if let place = positions.first(where: { $0.topic == .paymentScored }) {
            return place.offset
        }
        let partition = positions.first?.partition ?? 0
        return try position(of: SourceLane(topic: .paymentScored, partition: partition))
    }

    // MARK: Publishing

    /// Transactions for `ledger.posted` and changes for `payment.review`, behind those that are
    /// there.
    private func rows(of booked: Booked, _ flow: some Flow) async throws -> [StageOutput] {
        guard flow.leads else { return [] }
        // Others may have booked meanwhile: whoever leads publishes for all, in the order of the
        // rows.
        guard !flow.isShared else { return try await missing(flow) }
        try await compare(booked.posted, flow)
        return LedgerStep.posted(booked.posted) + LedgerStep.reviews(booked.reviews)
    }

    /// Rows that their topics still lack, a batch of each at most.
    private func missing(_ flow: some Flow) async throws -> [StageOutput] {
        guard flow.leads else { return [] }
        let posted = try await flow.lastRow(in: .ledgerPosted) ?? 0
        let reviewed = try await flow.lastRow(in: .paymentReview) ?? 0
        let limit = StageLimits.ledgerBatchCount
        let ledger = ledger
        return try await flow.waitingOut(Self.store) {
            LedgerStep.posted(try ledger.posted(after: TransactionID(posted), limit: limit))
                + LedgerStep.reviews(try ledger.reviewChanges(after: reviewed, limit: limit))
        }
    }

    /// What an older ledger books again must be what was published before.
    private func compare(_ transactions: [PostedTransaction], _ flow: some Flow) async throws {
        guard let first = transactions.first,
            let published = try await flow.lastRow(in: .ledgerPosted),
            first.id.rawValue <= published
        else { return }
        let document = JSONDocument()
        for transaction in transactions where transaction.id.rawValue <= published {
            // Retention may have deleted it.
            guard let record = try await flow.row(transaction.id.rawValue, in: .ledgerPosted) else {
                continue
            }
            let posted = try LedgerPosted(record.value ?? [], using: document)
            guard posted.id == transaction.id.rawValue, posted.hash == String(hex: transaction.hash)
            else { throw LedgerDiffers(id: transaction.id.rawValue) }
        }
    }

    private func count(_ outcome: PostOutcome, of batch: LedgerStep.Batch) {
        counters.add(.booked, outcome.posted.count)
        counters.add(.paymentsBooked, outcome.posted.count { $0.posting.kind == .payment })
        counters.add(
            .reviewsOpened,
            outcome.reviews.count { $0.record.state == .opened } - outcome.renewedCount)
        if let waiting = outcome.waiting { counters.waiting.store(waiting, ordering: .relaxed) }
        let now = clock.now().milliseconds
        for place in batch.sources.indices {
            switch outcome.inputs[place] {
            case .booked:
                counters.endToEnd.record(
                    microseconds: (now - batch.sources[place].record.timestamp.milliseconds) * 1000)
            case .alreadyBooked: counters.add(.alreadyBooked)
            case .nothingToBook: break
            case .refused: counters.add(.postingsRefused)
            }
        }
        counters.add(volume: Self.volume(of: outcome.posted))
    }

    /// What payments came to, each once: to release or to decline one moves its money once more.
    /// What is captured later of one is more of it.
    private static func volume(of posted: [PostedTransaction]) -> [Currency: Int64] {
        var volume: [Currency: Int64] = [:]
        for transaction in posted
        where [.payment, .captureGrown].contains(transaction.posting.kind) {
            for entry in transaction.posting.entries where entry.amount > .zero {
                volume[entry.currency, default: 0] &+= entry.amount.rawValue
            }
        }
        return volume
    }
}

/// What an older ledger has booked again is not what was published.
struct LedgerDiffers: Error, CustomStringConvertible {
    var id: Int64

    var description: String {
        "transaction \(id) of the ledger is not the one in ledger.posted: they tell of different "
            + "histories. \(FolderRemedy.restore)"
    }
}
