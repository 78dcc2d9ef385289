package import AppendLog
package import Appliance
package import Logging
package import Reconcile
import ServiceLifecycle
import Vocabulary

/// Makes the refunds that people want of payments that they decline, also where the ledger books
/// the decline late, and keeps what came of each. It books nothing: Stripe's event does.
///
///     decide with a refund             this service, every few seconds
///     keep: wanted
///     write the decision               declined, by the same person with the same note?
///     booked ─▶ ask Stripe now            yes ─▶ keep: asking; POST /v1/refunds, key K; keep it
///     not booked ─▶ it says so            ended otherwise ─▶ keep: dropped, and why
///                                         still open, nobody decides any more, and the ledger has
///                                         read all decisions ─▶ keep: dropped
///     (a crash anywhere: the row stands, and the service goes on from it after the start)
///
/// Two that ask for one payment at once are one request to Stripe (``RefundDesk``). Where several
/// processes keep refunds together, each of them looks, and one goes on with each:
///
///     process A                             process B
///     read: wanted, declined                read: wanted, declined
///     wanted ─▶ asking, if still wanted
///     POST, key K                           not wanted any more: leaves it
///     (killed)
///                                           asking since 240 s ─▶ asking: POST, key K again
///     (was only paused: made)               made: the same refund
///
/// That it was made stands, whoever says so. The amount is what the ledger says is left to be
/// refunded. The key is of charge and amount, and of the attempt that failed before, which is kept
/// with the refund, so that each of them has the same one; Stripe gives back no more than was paid
/// in any case.
package struct RefundKeeper: Service {
    let desk: RefundDesk
    private let ledger: any LedgerReading
    /// How a payment was scored, which says whose charge it is; nil where no record of it is kept.
    /// Blocking.
    private let scored: @Sendable (Review) throws -> ScoredPayment?
    private let payments: PaymentSources
    private let decisions: any DecisionLog
    /// What was wanted before this moment is of a process that is gone, where there is one at a
    /// time; nil where there are several.
    private let startedAt: Int64?
    private let access: AccessDesk
    /// Where Stripe's API is.
    let base: String
    private let clock: any LogClock
    private let logger: Logger
    var sleep: @Sendable (_ milliseconds: Int64) async throws -> Void = {
        try await Task.sleep(for: .milliseconds($0))
    }

    private static let lookMilliseconds: Int64 = 5_000
    /// Refunds that one look goes on with at most.
    private static let rowsMax = 100
    /// A request to Stripe, with the looks before and behind it, ends well within this. One that is
    /// asked for longer is of a process that has died over it.
    static let askingMilliseconds: Int64 = 240_000
    /// A decision is written or refused within ``ReviewDesk/answerSecondsMax``; as much longer as
    /// the clocks of several hosts may differ, and nobody is about to write it any more.
    static let decidingMilliseconds: Int64 = 240_000
    /// Stripe answers a key with what it made for it for 24 hours at least
    /// (https://docs.stripe.com/api/idempotent_requests). Behind that only the look at the charge's
    /// refunds keeps a second one from being made: whether to ask again is a person's to say.
    static let keyMilliseconds: Int64 = 23 * 3_600_000

    /// Of the one process that has the log.
    package init(
        desk: RefundDesk, sources: ConsoleSources, decisions: any DecisionLog, access: AccessDesk,
        base: String, clock: any LogClock, logger: Logger
    ) {
        self.init(
            desk: desk, payments: sources.payments,
            scored: { try CaseHistory(of: $0, in: sources).scored }, decisions: decisions,
            startedAt: clock.now().milliseconds, access: access, base: base, clock: clock,
            logger: logger)
    }

    /// Where the log is elsewhere and in several partitions, and there may be several processes.
    package init(
        desk: RefundDesk, payments: PaymentSources, decisions: any DecisionLog, access: AccessDesk,
        base: String, clock: any LogClock, logger: Logger
    ) {
        self.init(
            desk: desk, payments: payments,
            scored: { try CaseHistory.scoring(of: $0, in: payments) }, decisions: decisions,
            startedAt: nil, access: access, base: base, clock: clock, logger: logger)
    }

    private init(
        desk: RefundDesk, payments: PaymentSources,
        scored: @escaping @Sendable (Review) throws -> ScoredPayment?, decisions: any DecisionLog,
        startedAt: Int64?, access: AccessDesk, base: String, clock: any LogClock, logger: Logger
    ) {
        (self.desk, self.ledger, self.scored) = (desk, payments.ledger, scored)
        self.payments = payments
        (self.decisions, self.startedAt) = (decisions, startedAt)
        (self.access, self.base) = (access, base)
        (self.clock, self.logger) = (clock, logger)
    }

    private var now: Int64 { clock.now().milliseconds }

    // MARK: What pages ask

    /// What is known of the refund of a payment; nil where nobody wanted one, and where that cannot
    /// be read now.
    func known(of movement: MovementKey) async -> AskedRefund? {
        try? await access.run { try $0.refund(of: movement) }
    }

    /// A refund that is wanted once its decline is booked.
    struct Wish: Sendable {
        var refund: AskedRefund
        /// What was known of the payment's before.
        var earlier: AskedRefund?
    }

    /// Keeps that a refund is wanted as soon as a decline is booked that is about to be written.
    ///
    /// - Throws: `AccountsFailure`; then nothing was kept, and nothing should be decided.
    func want(_ movement: MovementKey, by name: String, note: String) async throws -> Wish {
        let refund = AskedRefund(
            movement: movement, by: name, note: note, wantedAt: now, changedAt: now,
            state: .wanted)
        let (kept, earlier) = try await access.change { try $0.want(refund) }
        return Wish(refund: kept, earlier: earlier)
    }

    /// The decline was not taken. Who was first, and whose decline the ledger may book late, still
    /// wants theirs.
    func withdraw(_ wish: Wish) async throws {
        try await access.change { try $0.withdraw(wish.refund, for: wish.earlier) }
    }

    /// Makes a refund of a decline that is booked already and whose refund is kept as wanted: what
    /// cannot be now is at the next look, and until then the refund is told to be wanted.
    func begin(_ review: Review, by name: String, from address: String?) async {
        do {
            try await make(review, by: name, from: address)
        } catch {
            logger.warning(
                "a refund is not asked for at Stripe now, and is soon",
                metadata: ["movement": "\(review.movement)", "error": "\(error)"])
        }
    }

    /// Asks Stripe for the refund of a declined payment, and keeps what comes of it.
    ///
    /// - Returns: how it then stands; also that it was not made, and why, or that somebody else is
    ///   asking for it now.
    /// - Throws: `AccountsFailure` where it cannot be kept that Stripe is asked: it is not then;
    ///   `LedgerError` or `StoreFailure` where it cannot be read now what is to be refunded.
    @discardableResult
    func make(
        _ review: Review, by name: String, from address: String?
    ) async throws -> AskedRefund {
        let seen = try await access.run { try $0.refund(of: review.movement) }
        if let seen, case .asking = seen.state, now - seen.changedAt <= Self.askingMilliseconds {
            return seen
        }
        return try await make(review, by: name, from: address, seen)
    }

    /// - Parameter seen: what is kept of it; where that has changed since, somebody else goes on.
    private func make(
        _ review: Review, by name: String, from address: String?, _ seen: AskedRefund?
    ) async throws -> AskedRefund {
        // Who goes on with what another has asked for goes on with its key, which ages from then.
        let began = seen.flatMap { $0.state == .asking ? $0.wantedAt : nil }
        var row = AskedRefund(
            movement: review.movement, by: name, note: review.decision?.note ?? "",
            wantedAt: began ?? now, changedAt: now, state: .asking)
        let given = try ledger.givenRefunds(of: review.movement)
        let disputed = try payments.disputed(of: review)
        var due = try scored(review).flatMap {
            DueRefund(review, $0.event, given, disputed: disputed, base: base)
        }
        if let seen, try isMade(seen, due) { return seen }
        // What Stripe has made, and is asked for again, has failed or is not the whole.
        row.behind = seen?.nextBehind(hasFailed: true) ?? ""
        due?.order.behind = row.behind
        guard let due, due.order.amount > .zero else {
            row.state = Self.state(seen, due, given.left(of: review))
            return try await end(seen, row, "\(review.movement)", from: address)
        }
        let asking = row
        guard try await access.change({ try $0.replace(seen, by: asking) }) else {
            return try await access.run { try $0.refund(of: review.movement) } ?? asking
        }
        let (outcome, asked) = await desk.refund(
            due.order, beside: Set(given.map(\.id) + [due.order.behind]))
        row.state = .ended(outcome)
        if case .made = outcome { row.behind = "" }
        let amount = ShownAmount(asked, due.order.currency).words
        return try await end(asking, row, "\(due.order.charge) \(amount)", from: address)
    }

    /// What becomes of one for which Stripe is not asked: there is nothing to ask for.
    ///
    /// - Parameters:
    ///   - seen: where Stripe was asked before and it is not known what came of it, the refund that
    ///     left nothing is it, or stands in its place.
    ///   - unrefunded: what is left besides what disputes have taken.
    private static func state(
        _ seen: AskedRefund?, _ due: DueRefund?, _ unrefunded: MinorUnits
    ) -> AskedRefund.State {
        guard let due else {
            return .dropped(
                "the log has no record of the payment any more; make it in Stripe's dashboard")
        }
        let nothing = "nothing of the payment is left to be refunded"
        switch seen?.state {
        case .asking, .ended(.unknown):
            guard let last = due.given.last, unrefunded == .zero else { break }
            return .ended(.made(id: last.id, status: RefundOutcome.booked))
        case .wanted, .ended, .dropped, nil: break
        }
        let gone = [
            due.given.isEmpty ? nil : "\(due.given.shownWords) was refunded before",
            due.disputedWords.map { "\($0) was taken for a dispute" },
        ].compactMap { $0 }.joined(separator: ", and ")
        return .dropped(gone.isEmpty ? nothing : "\(nothing): \(gone)")
    }

    /// Whether Stripe has made it, no failure of it is booked, and nothing is left beside it, so
    /// that nothing is to be asked.
    private func isMade(_ seen: AskedRefund, _ due: DueRefund?) throws -> Bool {
        guard case .ended(let outcome) = seen.state, case .made(let id, _) = outcome,
            !outcome.hasFailed, due?.isBesides(seen) != true
        else { return false }
        // What a movement settles stands among its transactions, too.
        let failure = MovementKey("refund_failed:\(id)")
        return try !ledger.transactions(of: failure).contains { $0.posting.movement == failure }
    }

    /// - Parameter before: what is kept of it until now.
    private func end(
        _ before: AskedRefund?, _ row: AskedRefund, _ what: String, from address: String?
    ) async throws -> AskedRefund {
        var row = row
        row.changedAt = now
        let ended = row
        // In the audit log first: that outlives what is wanted next.
        await access.audit.note(
            who: row.by, "refund at Stripe", from: address, "\(what): \(row.noted)")
        try await access.change { store in
            guard let before else { return try store.keep(ended) }
            try store.end(before, as: ended)
        }
        return row
    }

    // MARK: What waits for its decline

    package func run() async throws {
        do {
            try await withTaskExecutorPreference(OwnThread("tillbox.refunds")) {
                try await cancelWhenGracefulShutdown {
                    while !Task.isCancelled {
                        await look()
                        try await sleep(Self.lookMilliseconds)
                    }
                }
            }
        } catch is CancellationError {
            return
        }
    }

    /// One look: makes what may be made now. What cannot be is at the next one.
    func look() async {
        do {
            for row in try await access.run({ try $0.openRefunds(limit: Self.rowsMax) }) {
                guard !Task.isCancelled else { return }
                try await goOn(with: row)
            }
        } catch {
            logger.warning(
                "refunds that are wanted at Stripe cannot be looked at now, and are again",
                metadata: ["error": "\(error)"])
        }
    }

    private func goOn(with row: AskedRefund) async throws {
        if row.state == .asking {
            guard now - row.changedAt > Self.askingMilliseconds else { return }
            guard now - row.wantedAt < Self.keyMilliseconds else {
                return try await drop(
                    row, as: .ended(.unknown("the daemon stopped while it asked, long ago")))
            }
        }
        guard let review = try ledger.review(of: row.movement) else { return }
        switch review.state {
        case .open:
            guard try await isForsaken(row) else { return }
            try await drop(
                row, as: .dropped("no decline was recorded: what was to write it has ended"))
        case .declined where row.state == .asking || row.isWanted(by: review.decision):
            let name = row.state == .asking ? row.by : review.decision?.by ?? row.by
            let made = try await make(review, by: name, from: "refund that waited", row)
            logger.notice(
                "a refund was asked for at Stripe once its decline was booked",
                metadata: ["movement": "\(row.movement)", "outcome": "\(made.noted)"])
        case .declined:
            try await drop(
                row, as: .dropped("somebody else declined the payment, and asked for none"))
        case .approved, .expired, .released:
            try await drop(row, as: .dropped("the payment was not declined"))
        }
    }

    /// Whether the decline that it is wanted with was never written, and is not about to be: the
    /// process has ended in between, or could not take the wish back. Whoever declines the payment
    /// later says for themselves whether they want one.
    private func isForsaken(_ row: AskedRefund) async throws -> Bool {
        let isOfAnother = startedAt.map { row.changedAt < $0 } ?? false
        guard isOfAnother || now - row.changedAt > Self.decidingMilliseconds else { return false }
        if let end = try await decisions.end(of: row.movement) {
            let next = try ledger.position(
                topic: end.topic.rawValue, partition: end.partition)
            guard next ?? 0 >= end.offset.rawValue else { return false }
        }
        // Read again: it may have been booked since.
        return try ledger.review(of: row.movement)?.state == .open
    }

    private func drop(_ row: AskedRefund, as state: AskedRefund.State) async throws {
        var ended = row
        ended.state = state
        _ = try await end(row, ended, "\(row.movement)", from: "refund that waited")
    }
}
