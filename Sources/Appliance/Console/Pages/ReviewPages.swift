import AppendLog
import Appliance
import HTTPTypes
import Hummingbird
import Reconcile
import Vocabulary

/// What waits for a person: `/review`, `/review/{movement}`, its sheet for an auditor, the form
/// that decides, and the one that makes a declined payment's refund at Stripe.
///
///     GET /review ──▶ the first case of the queue
///     POST /review/{movement}
///        booked ──▶ 303 to the next case, which tells what was decided
///        declined with refund=yes ──▶ Stripe is asked for the refund too, once; where the ledger
///                                     books the decline late, when it has (``RefundKeeper``)
///        somebody was first ──▶ 409: who, when and what; the note is kept
///        bad note ──▶ 400 on the same page; the note is kept
///        not yet ──▶ 503 on the same page; the note is kept
struct ReviewPages: Sendable {
    let pages: ConsolePages

    private var parts: ConsoleParts { pages.parts }
    /// Cases that the queue holds at most.
    private static let queueMax = 200
    private static let decidedMax = 12
    /// Records of `payment.review` that are looked through for them, of all its partitions.
    private static let decidedWindow: Int64 = 2_000

    func add(to routes: inout AdminRoutes) {
        pages.page(&routes, .get, "/review", .viewer) { try await page(nil, $0) }
        pages.page(&routes, .get, "/review/:movement", .viewer) { asked in
            try await page(asked.context.word("movement"), asked)
        }
        pages.page(&routes, .get, "/review/:movement/sheet", .viewer) { try await sheet($0) }
        pages.page(&routes, .post, "/review/:movement", .reviewer) { try await decide($0) }
        pages.page(&routes, .post, "/review/:movement/refund", .reviewer) { try await refund($0) }
    }

    // MARK: What nobody decides

    private var rule: String {
        guard let seconds = parts.reviewExpirySeconds else {
            return "What nobody decides stays held. Never approved by itself."
        }
        return "What nobody decides within \(ShownAge.words(seconds: seconds)) is declined. Never "
            + "approved."
    }

    /// nil for a review that is not open.
    private func expires(_ review: Review) throws -> String? {
        guard review.state == .open else { return nil }
        guard let seconds = parts.reviewExpirySeconds,
            let left = try ReviewExpiry.secondsLeft(
                of: review, in: parts.ledger, after: seconds, now: parts.clock.now())
        else { return "Kept held until somebody decides" }
        return left > 0
            ? "Expires in \(ShownAge.words(seconds: left)), into declined"
            : "Overdue, declined next"
    }

    // MARK: The queue

    private func queue(byAge: Bool) throws -> [Review] {
        let open = try parts.ledger.openReviews(after: TransactionID(0), limit: Self.queueMax)
        if byAge { return open.sorted { $0.effectiveAt < $1.effectiveAt } }
        // Amounts of two currencies have no order: the queue goes through one after the other.
        return open.sorted {
            ($0.currency.code, $1.amount, $0.payment) < ($1.currency.code, $0.amount, $1.payment)
        }
    }

    private func page(_ id: String?, _ asked: PageRequest) async throws -> Response {
        let byAge = asked.query("by") != "amount"
        let open = try queue(byAge: byAge)
        var review = open.first
        if let id {
            review = try parts.ledger.review(of: ReviewName.movement(id))
            guard review != nil else {
                throw Problem(.notFound, ReviewRefusal.unknown(id).message, code: "review_unknown")
            }
        }
        var view = try await self.view(open, review, byAge: byAge, asked)
        if let state = asked.query("done"), let movement = asked.query("of") {
            view.done = try await done(state, ReviewName.movement(movement))
        }
        return respond(view, asked)
    }

    private func respond(
        _ view: ReviewView, _ asked: PageRequest, _ status: HTTPResponse.Status = .ok
    ) -> Response {
        ConsolePages.html("review", pages.shell("Review", .review, asked), view, status)
    }

    private func view(
        _ open: [Review], _ review: Review?, byAge: Bool, _ asked: PageRequest
    ) async throws -> ReviewView {
        let now = parts.now
        let order = byAge ? "" : "?by=amount"
        let oldest = open.map(\.effectiveAt).min()
        let decided = try decisions()
        var opened: CaseView?
        if let review { opened = try await openCase(review, asked) }
        return ReviewView(
            count: open.count == Self.queueMax ? "\(open.count) or more" : "\(open.count)",
            oldest: oldest.map { ShownAge.words(from: $0, to: now) }, byAge: byAge,
            rows: open.map { row in
                ReviewView.Row(
                    href: CaseView.path(of: row.movement) + order,
                    isCurrent: row.movement == review?.movement,
                    amount: ShownAmount(row.amount, row.currency),
                    age: ShownAge.words(from: row.effectiveAt, to: now),
                    why: row.reasons.first?.words() ?? "held by its score alone",
                    score: row.score.map { "score \(ShownNumber.decimal($0, 2))" })
            }, isEmpty: open.isEmpty, rule: rule, held: Self.held(open),
            openCase: opened, decided: decided,
            hasDecided: !decided.isEmpty, done: nil)
    }

    private func openCase(_ review: Review, _ asked: PageRequest) async throws -> CaseView {
        let history = try history(of: review)
        var view = CaseView(review, history, now: parts.now, role: asked.role, token: asked.token)
        view.expires = try expires(review)
        let given = try parts.ledger.givenRefunds(of: review.movement)
        let disputed = disputed(of: review)
        view.due = Self.words(for: given.left(of: review, disputed: disputed), review)
        let due = history.due(review, given, disputed: disputed, base: parts.stripeBase)
        guard let due else { return view }
        view.decision?.mayRefund = parts.refunds != nil && due.order.amount > .zero
        guard review.state == .declined else { return view }
        let mayMake = parts.refunds != nil && asked.role >= .reviewer
        view.refund = RefundView(
            due, action: mayMake ? "\(view.path)/refund" : nil,
            await parts.refunds?.known(of: review.movement), token: asked.token)
        return view
    }

    /// A page is shown without it, too: who orders the refund looks again.
    private func disputed(of review: Review) -> MinorUnits {
        (try? parts.payments.disputed(of: review)) ?? .zero
    }

    /// What a decline makes due as a refund, as the subject of a sentence; `nothing` for nothing.
    private static func words(for left: MinorUnits, _ review: Review) -> String {
        left > .zero ? ShownAmount(left, review.currency).words : "nothing"
    }

    private func history(of review: Review) throws -> CaseHistory {
        if let log = parts.log { return try CaseHistory(of: review, in: log.sources) }
        return try CaseHistory(of: review, in: parts.payments)
    }

    private static func held(_ open: [Review]) -> [ShownAmount] {
        Dictionary(grouping: open, by: \.currency)
            .sorted { $0.key.code < $1.key.code }
            .map { currency, reviews in
                ShownAmount(reviews.reduce(.zero) { $0 &+ $1.amount }, currency)
            }
    }

    /// The last decisions of people, and those that the expiry took for them; the newest first.
    private func decisions() throws -> [ReviewView.Decided] {
        let log = parts.shownLog
        let document = JSONDocument()
        var records: [ReviewRecord] = []
        for partition in 0..<log.partitionCount {
            let topic = try log.reader(SourceLane(topic: .paymentReview, partition: partition))
            let window = Self.decidedWindow / Int64(log.partitionCount)
            let first = max(topic.start, Offset(max(0, topic.end.rawValue - window)))
            try topic.scan(from: first) { stored in
                guard let record = try? ReviewRecord(stored.record.value ?? [], using: document),
                    [.approved, .declined].contains(record.state),
                    record.by != ReservedNames.scoring
                else { return true }
                records.append(record)
                return true
            }
        }
        // Partitions have no order among them.
        if log.partitionCount > 1 { records.sort { $0.at < $1.at } }
        return try records.suffix(Self.decidedMax).reversed().map { record in
            let review = try parts.ledger.review(of: record.movement)
            let isApproved = record.state == .approved
            return ReviewView.Decided(
                moment: ShownMoment(record.at), href: CaseView.path(of: record.movement),
                amount: review.map { ShownAmount($0.amount, $0.currency) },
                state: isApproved
                    ? ShownState("Approved by a person", "ok") : ShownState("Declined"),
                by: ShownText.escaped(record.by), note: ShownText.escaped(record.note ?? ""))
        }
    }

    // MARK: The decision

    /// What the last decision came to, read from the ledger and not from the address.
    private func done(
        _ state: String, _ movement: MovementKey
    ) async throws -> ReviewView.Done? {
        guard let review = try parts.ledger.review(of: movement) else { return nil }
        let amount = ShownAmount(review.amount, review.currency).words
        let name = review.movement.rawValue
        switch review.state {
        case .approved:
            return ReviewView.Done(
                words: "Approved: \(amount) moved from held to payable.", movement: name, tone: "")
        case .declined:
            return try await declined(review, amount)
        case .open where state == "written":
            let wanted = await parts.refunds?.known(of: movement)
            return ReviewView.Done(
                words: "Your decision is \(parts.kept); the ledger books it next."
                    + (wanted.map { " \($0.shown.words)." } ?? ""),
                movement: name, tone: "wait")
        case .open, .expired, .released: return nil
        }
    }

    private func declined(_ review: Review, _ amount: String) async throws -> ReviewView.Done {
        let (name, href) = (review.movement.rawValue, CaseView.path(of: review.movement))
        let given = try parts.ledger.givenRefunds(of: review.movement)
        let left = given.left(of: review, disputed: disputed(of: review))
        let rest =
            left == review.amount ? "is due as a refund" : "of \(amount) is left to be refunded"
        let words = "Declined: \(Self.words(for: left, review)) \(rest)"
        guard let shown = await parts.refunds?.known(of: review.movement)?.shown else {
            return ReviewView.Done(
                words: words + (left > .zero ? " at Stripe." : "."), movement: name, tone: "",
                href: href)
        }
        return ReviewView.Done(
            words: "\(words). \(shown.words).", movement: name,
            tone: shown.tone == "ok" ? "" : shown.tone, href: href)
    }

    // MARK: The refund

    /// Asks Stripe for the refund of a declined payment, and notes what came of it.
    private func refund(_ asked: PageRequest) async throws -> Response {
        let movement = ReviewName.movement(asked.context.word("movement"))
        guard let review = try parts.ledger.review(of: movement), review.state == .declined else {
            throw Problem(.conflict, "only a payment that a person has declined is refunded here")
        }
        guard let keeper = parts.refunds, let caller = asked.context.caller else {
            throw Problem(
                .conflict, "no refund can be made from here: it takes stripe.api_key")
        }
        try await keeper.make(review, by: caller.name, from: asked.context.address)
        let path = CaseView.path(of: review.movement)
        return ConsolePages.sent(
            to: "\(path)?done=refund&of=\(PathText.escaped(movement.rawValue))")
    }

    // MARK: Deciding

    private func decide(_ asked: PageRequest) async throws -> Response {
        let id = asked.context.word("movement")
        let byAge = asked.query("by") != "amount"
        let note = asked.form?["note"] ?? ""
        guard let word = asked.form?["decision"],
            let decision = ReviewRequest.Decision(rawValue: word), let caller = asked.context.caller
        else { throw Problem(.badRequest, "the form must say approve or decline") }
        let movement = ReviewName.movement(id)
        let following = try queue(byAge: byAge).following(movement)
        do {
            let request = try ReviewRequest(decision, by: caller.name, note: note)
            let refunds = decision == .decline && asked.form?["refund"] == "yes"
                ? parts.refunds : nil
            let answer = try await take(request, on: movement, note, refunds, caller)
            if let refunds, answer.isBooked {
                await refunds.begin(answer.review, by: caller.name, from: asked.context.address)
            }
            let order = byAge ? "" : "&by=amount"
            let next = following.map { CaseView.path(of: $0.movement) } ?? "/review"
            let state = answer.isBooked ? "booked" : "written"
            return ConsolePages.sent(
                to: "\(next)?done=\(state)&of=\(PathText.escaped(movement.rawValue))\(order)")
        } catch let refusal as ReviewRefusal {
            return try await refused(
                refusal, movement, note: note, byAge: byAge, decision, asked)
        } catch let unkept as RefundUnkept {
            return try await respond(unkept, movement, note: note, byAge: byAge, asked)
        }
    }

    /// It cannot be kept now that a refund is wanted, and so nothing was decided.
    private struct RefundUnkept: Error {
        var why: String
    }

    /// The same page with that; the note is still there.
    private func respond(
        _ unkept: RefundUnkept, _ movement: MovementKey, note: String, byAge: Bool,
        _ asked: PageRequest
    ) async throws -> Response {
        let review = try parts.ledger.review(of: movement)
        var view = try await self.view(try queue(byAge: byAge), review, byAge: byAge, asked)
        view.openCase?.decision = CaseView.Decision(
            note: note,
            problem: "It cannot be kept now that a refund is wanted: \(unkept.why). Nothing was "
                + "recorded; decline without it, or ask again.", mayRefund: true)
        return respond(view, asked, .serviceUnavailable)
    }

    /// Decides. A refund is kept as wanted before that, so that it is made also where the decline
    /// is booked late, or after a restart.
    private func take(
        _ request: ReviewRequest, on movement: MovementKey, _ note: String,
        _ refunds: RefundKeeper?, _ caller: Caller
    ) async throws -> ReviewAnswer {
        let wish: RefundKeeper.Wish?
        do {
            wish = try await refunds?.want(movement, by: caller.name, note: note)
        } catch let failure as AccountsFailure {
            throw RefundUnkept(why: failure.description)
        }
        do {
            return try await parts.desk.decide(movement.rawValue, request)
        } catch let refusal as ReviewRefusal {
            // Another failure may have left the decision written: then the refund is, too.
            // Where it cannot be taken back, the decline that is not theirs drops it.
            if let wish { try? await refunds?.withdraw(wish) }
            throw refusal
        }
    }

    /// The same page with what kept the decision from being taken; the note is still there.
    private func refused(
        _ refusal: ReviewRefusal, _ movement: MovementKey, note: String, byAge: Bool,
        _ decision: ReviewRequest.Decision, _ asked: PageRequest
    ) async throws -> Response {
        guard let review = try parts.ledger.review(of: movement) else {
            throw Problem(.notFound, refusal.message, code: refusal.code)
        }
        var view = try await self.view(try queue(byAge: byAge), review, byAge: byAge, asked)
        let mayRefund = view.openCase?.decision?.mayRefund ?? false
        let own = decision == .approve ? "approval" : "decline"
        switch refusal {
        case .badRequest(let what):
            view.openCase?.decision = CaseView.Decision(
                note: note, problem: what.sentence, mayRefund: mayRefund)
            return respond(view, asked, .badRequest)
        case .closed(let closed):
            view.done = ReviewView.Done(
                words: "\(closed.closing). Your \(own) was not recorded.", movement: nil,
                tone: "wait")
            return respond(view, asked, .conflict)
        case .beingDecided:
            view.done = ReviewView.Done(
                words: "The review of \(refusal.message). Your \(own) was not recorded.",
                movement: nil, tone: "wait")
            return respond(view, asked, .conflict)
        case .beingTaken, .ledgerBehind, .unknown:
            view.openCase?.decision = CaseView.Decision(
                note: note, problem: "\(refusal.message.sentence). Nothing was recorded.",
                mayRefund: mayRefund)
            return respond(view, asked, .serviceUnavailable)
        }
    }

    // MARK: The sheet

    private struct Sheet {
        var openCase: CaseView
        var trail: [TrailView]
        var made: ShownMoment
        var by: String
        var hasFaults: Bool
        var faults: [String]
    }

    /// One case on one page, for an auditor: no menu, prints as it stands.
    private func sheet(_ asked: PageRequest) async throws -> Response {
        let id = asked.context.word("movement")
        let movement = ReviewName.movement(id)
        guard let review = try parts.ledger.review(of: movement) else {
            throw Problem(.notFound, ReviewRefusal.unknown(id).message, code: "review_unknown")
        }
        let explained = try parts.explainer().movement(movement)
        let sheet = Sheet(
            openCase: try await openCase(review, asked),
            trail: explained.transactions.map { TrailView($0) },
            made: ShownMoment(parts.now), by: ShownText.escaped(asked.context.caller?.name ?? ""),
            hasFaults: !explained.faults.isEmpty,
            faults: explained.faults.map(ShownText.escaped))
        return ConsolePages.html(
            "caseSheet", pages.shell("Case \(review.movement.rawValue)", .review, asked), sheet)
    }
}

extension [Review] {
    /// The case behind one in the queue, else the one before it.
    fileprivate func following(_ movement: MovementKey) -> Review? {
        guard let place = firstIndex(where: { $0.movement == movement }) else { return first }
        return place + 1 < count ? self[place + 1] : dropLast().last
    }
}
