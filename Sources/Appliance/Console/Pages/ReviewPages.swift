import AppendLog
import Appliance
import HTTPTypes
import Hummingbird
import Vocabulary

/// What waits for a person: `/review`, `/review/{movement}`, its sheet for an auditor, and the form
/// that decides.
///
///     GET /review ──▶ the first case of the queue
///     POST /review/{movement}
///        booked ──▶ 303 to the next case, which tells what was decided
///        somebody was first ──▶ 409: who, when and what; the note is kept
///        bad note ──▶ 400 on the same page; the note is kept
///        not yet ──▶ 503 on the same page; the note is kept
struct ReviewPages: Sendable {
    let pages: ConsolePages

    private var parts: ConsoleParts { pages.parts }
    /// Cases that the queue holds at most.
    private static let queueMax = 200
    private static let decidedMax = 12
    /// Records of `payment.review` that are looked through for them.
    private static let decidedWindow: Int64 = 2_000

    func add(to routes: inout AdminRoutes) {
        pages.page(&routes, .get, "/review", .viewer) { try page(nil, $0) }
        pages.page(&routes, .get, "/review/:movement", .viewer) { asked in
            try page(asked.context.word("movement"), asked)
        }
        pages.page(&routes, .get, "/review/:movement/sheet", .viewer) { try sheet($0) }
        pages.page(&routes, .post, "/review/:movement", .reviewer) { try await decide($0) }
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

    private func page(_ id: String?, _ asked: PageRequest) throws -> Response {
        let byAge = asked.query("by") != "amount"
        let open = try queue(byAge: byAge)
        var review = open.first
        if let id {
            review = try parts.ledger.review(of: ReviewName.movement(id))
            guard review != nil else {
                throw Problem(.notFound, ReviewRefusal.unknown(id).message, code: "review_unknown")
            }
        }
        var view = try self.view(open, review, byAge: byAge, asked)
        if let state = asked.query("done"), let movement = asked.query("of") {
            view.done = try done(state, ReviewName.movement(movement))
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
    ) throws -> ReviewView {
        let now = parts.now
        let order = byAge ? "" : "?by=amount"
        let oldest = open.map(\.effectiveAt).min()
        let decided = try decisions()
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
            }, isEmpty: open.isEmpty, held: Self.held(open),
            openCase: try review.map { try openCase($0, asked) }, decided: decided,
            hasDecided: !decided.isEmpty, done: nil)
    }

    private func openCase(_ review: Review, _ asked: PageRequest) throws -> CaseView {
        CaseView(
            review, try history(of: review), now: parts.now, role: asked.role,
            token: pages.shell("", .review, asked).token)
    }

    private func history(of review: Review) throws -> CaseHistory {
        let booked = try parts.ledger.transaction(review.payment)
        let explained = try booked.map { try parts.sources.explainer.explain($0) }
        let place = explained?.records.first { $0.topic == .paymentScored }?.offset
        return try CaseHistory(of: review, scoredAt: place, topic: parts.topic)
    }

    private static func held(_ open: [Review]) -> [ShownAmount] {
        Dictionary(grouping: open, by: \.currency)
            .sorted { $0.key.code < $1.key.code }
            .map { currency, reviews in
                ShownAmount(reviews.reduce(.zero) { $0 &+ $1.amount }, currency)
            }
    }

    /// People's last decisions, the newest first.
    private func decisions() throws -> [ReviewView.Decided] {
        let topic = parts.topic(.paymentReview)
        let document = JSONDocument()
        let first = max(topic.start, Offset(max(0, topic.end.rawValue - Self.decidedWindow)))
        var records: [ReviewRecord] = []
        try topic.scan(from: first) { stored in
            guard let record = try? ReviewRecord(stored.record.value ?? [], using: document),
                [.approved, .declined].contains(record.state), record.by != "scoring"
            else { return true }
            records.append(record)
            return true
        }
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
    private func done(_ state: String, _ movement: MovementKey) throws -> ReviewView.Done? {
        guard let review = try parts.ledger.review(of: movement) else { return nil }
        let amount = ShownAmount(review.amount, review.currency).words
        let name = review.movement.rawValue
        switch review.state {
        case .approved:
            return ReviewView.Done(
                words: "Approved: \(amount) moved from held to payable.", movement: name, tone: "")
        case .declined:
            return ReviewView.Done(
                words: "Declined: \(amount) is due as a refund. Make it at Stripe.",
                movement: name, tone: "")
        case .open where state == "written":
            return ReviewView.Done(
                words: "Your decision is on disk; the ledger books it next.", movement: name,
                tone: "wait")
        case .open, .expired, .released: return nil
        }
    }

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
            let answer = try await parts.desk.decide(id, request)
            let order = byAge ? "" : "&by=amount"
            let next = following.map { CaseView.path(of: $0.movement) } ?? "/review"
            let state = answer.isBooked ? "booked" : "written"
            return ConsolePages.sent(
                to: "\(next)?done=\(state)&of=\(PathText.escaped(movement.rawValue))\(order)")
        } catch let refusal as ReviewRefusal {
            return try refused(refusal, movement, note: note, byAge: byAge, decision, asked)
        }
    }

    /// The same page with what kept the decision from being taken; the note is still there.
    private func refused(
        _ refusal: ReviewRefusal, _ movement: MovementKey, note: String, byAge: Bool,
        _ decision: ReviewRequest.Decision, _ asked: PageRequest
    ) throws -> Response {
        guard let review = try parts.ledger.review(of: movement) else {
            throw Problem(.notFound, refusal.message, code: refusal.code)
        }
        var view = try self.view(try queue(byAge: byAge), review, byAge: byAge, asked)
        let own = decision == .approve ? "approval" : "decline"
        switch refusal {
        case .badRequest(let what):
            view.openCase?.decision = CaseView.Decision(note: note, problem: what.sentence)
            return respond(view, asked, .badRequest)
        case .closed(let closed):
            view.done = ReviewView.Done(
                words: "\(closed.closing). Your \(own) was not recorded.", movement: nil,
                tone: "wait")
            return respond(view, asked, .conflict)
        case .beingDecided:
            view.done = ReviewView.Done(
                words: "\(refusal.message.sentence). Your \(own) was not recorded.", movement: nil,
                tone: "wait")
            return respond(view, asked, .conflict)
        case .beingTaken, .ledgerBehind, .unknown:
            view.openCase?.decision = CaseView.Decision(
                note: note, problem: "\(refusal.message.sentence). Nothing was recorded.")
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
    private func sheet(_ asked: PageRequest) throws -> Response {
        let id = asked.context.word("movement")
        let movement = ReviewName.movement(id)
        guard let review = try parts.ledger.review(of: movement) else {
            throw Problem(.notFound, ReviewRefusal.unknown(id).message, code: "review_unknown")
        }
        let explained = try parts.sources.explainer.movement(movement)
        let sheet = Sheet(
            openCase: try openCase(review, asked),
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
