import AppendLog
import Appliance
import Vocabulary

/// What became of the events that were sent of one payment.
struct SentView {
    struct Step {
        var words: String
        /// In a second line.
        var second: String?
        var dot: String
        var isStop: Bool
        /// Where its record is.
        var href: String?
        var record: String
        /// The balanced pair, where this step booked one.
        var lines: [TrailView.Line]
        var hasLines: Bool
        var reasons: [String]

        init(
            _ words: String, _ second: String? = nil, dot: String = "",
            lines: [TrailView.Line] = [], reasons: [String] = []
        ) {
            (self.words, self.second, self.dot) = (words, second, dot)
            isStop = dot == "stop"
            record = ""
            (self.lines, hasLines) = (lines, !lines.isEmpty)
            self.reasons = reasons
        }

        func at(_ topic: TopicID, _ offset: Offset) -> Step {
            var step = self
            step.href = "/log/\(topic.rawValue)?from=\(offset)"
            step.record = "\(topic.rawValue) @ \(ShownAmount.grouped(offset.rawValue))"
            return step
        }
    }

    struct Event {
        var type, id, size: String
        var moment: ShownMoment
        var steps: [Step]
        var isDone: Bool
    }

    /// The address of this page.
    var here: String
    var name, what, customer, card, device, country: String
    var paid: ShownAmount
    var events: [Event]
    /// Nothing more will come of any of them.
    var isDone: Bool
    var state: ShownState
    /// Of the payment itself; nil where the ledger has nothing of it.
    var story, explanation: String?
    var mayGoBack: Bool
    var fields: [Field]
    var token = ""
    var maySend = false

    /// What a further order about this payment repeats.
    struct Field { var key, value: String }

    static func path(of id: String) -> String { "/send/\(PathText.escaped(id))" }

    init(_ id: String, _ followed: [SentBoard.Followed], _ outcome: SentOutcome) throws {
        let order = followed[0].sent.order
        here = Self.path(of: id)
        name = ShownText.escaped(id)
        paid = ShownAmount(order.amount, order.currency)
        what = followed.map(\.sent.order.kind.words).joined(separator: ", then ")
        customer = "\(order.customer)"
        (card, device, country) = (order.card.words, order.device.words, order.country)
        var reading = SentReading(outcome)
        events = try followed.flatMap { order in
            try order.sent.events.map { try reading.event($0, order.found) }
        }
        isDone = events.allSatisfy(\.isDone)
        state =
            isDone
            ? ShownState("Nothing more comes of it", "ok")
            : ShownState("On its way", "", dot: "act")
        let isBooked = reading.hasBooked
        story = reading.isKnown ? "/payments/\(PathText.escaped(id))" : nil
        explanation = isBooked ? AccountPath.explain("charge:\(id)") : nil
        mayGoBack = isBooked && order.kind != .fraudBurst
        fields = [
            ("payment", id), ("amount", order.currency.display(order.amount)),
            ("currency", order.currency.code), ("country", order.country),
            ("customer", "\(order.customer)"),
        ].map { Field(key: $0.0, value: ShownText.escaped($0.1)) }
    }
}

/// Reads what came of single events, in the words of the stages.
private struct SentReading {
    typealias Step = SentView.Step

    let outcome: SentOutcome
    private let document = JSONDocument()
    /// Some movement was read, so that there is a payment to show.
    private(set) var isKnown = false
    private(set) var hasBooked = false

    init(_ outcome: SentOutcome) { self.outcome = outcome }

    mutating func event(
        _ event: SentEvent, _ found: [SentBoard.Found]
    ) throws -> SentView.Event {
        var (steps, isDone) = answer(event)
        if event.isTaken, !event.isDuplicate {
            let records = found.filter { $0.eventID == event.eventID.rawValue }
            isDone = try tell(records, &steps)
        }
        return SentView.Event(
            type: ShownText.escaped(event.type), id: ShownText.escaped(event.eventID.rawValue),
            size: ShownNumber.bytes(Int64(event.byteCount)), moment: ShownMoment(event.at),
            steps: steps, isDone: isDone)
    }

    /// What the webhook port said.
    private func answer(_ event: SentEvent) -> (steps: [Step], isDone: Bool) {
        let sent = "Sent to the webhook port, answered in \(event.milliseconds) ms"
        switch event.answer {
        case .none(let reason):
            return (
                [
                    Step(
                        "No answer from the webhook port", ShownText.escaped(reason), dot: "stop")
                ], true
            )
        case .answered(200, _):
            let verified = Step("Signature valid", "\(sent): 200")
            guard event.isDuplicate else { return ([verified], false) }
            return (
                [
                    verified,
                    Step(
                        "Sent again, blocked",
                        "the event’s id is known: answered, and nothing stored", dot: "o"),
                ], true
            )
        case .answered(let status, let body):
            return (
                [
                    Step(
                        status == 400 ? "Refused: nothing of it is stored" : "Not taken",
                        "\(sent): \(status) \(ShownText.escaped(body))", dot: "stop")
                ], true
            )
        }
    }

    /// - Returns: whether nothing more will come.
    private mutating func tell(
        _ records: [SentBoard.Found], _ steps: inout [Step]
    ) throws -> Bool {
        func of(_ topic: TopicID) -> [StoredRecord] {
            records.filter { $0.topic == topic }.map(\.stored)
        }
        guard let received = of(.webhookReceived).first else {
            steps.append(Step("Being stored", dot: "o"))
            return false
        }
        steps.append(
            Step("New: stored before it was answered").at(.webhookReceived, received.offset))
        let letters = of(.deadLetter)
        steps += letters.map { Self.refused($0) }
        let validated = of(.paymentValidated)
        guard !validated.isEmpty else {
            let isRead = outcome.isRead(received.offset)
            if letters.isEmpty {
                steps.append(
                    isRead
                        ? Step("Moves no money: nothing to book", dot: "o")
                        : Step("Being read", dot: "o"))
            }
            return isRead || !letters.isEmpty
        }
        isKnown = true
        for stored in validated { steps.append(read(stored)) }
        for stored in of(.paymentFeatures) { steps.append(features(stored)) }
        let scored = of(.paymentScored)
        var isDone = scored.count >= validated.count || !letters.isEmpty
        for stored in scored {
            guard let payment = try? ScoredPayment(stored.record.value ?? [], using: document)
            else { continue }
            steps.append(score(payment).at(.paymentScored, stored.offset))
            guard outcome.isConsidered(stored.offset) else {
                steps.append(Step("Being booked", dot: "o"))
                isDone = false
                continue
            }
            steps += try booked(payment.event)
        }
        if scored.isEmpty, letters.isEmpty { steps.append(Step("Being scored", dot: "o")) }
        return isDone
    }

    // MARK: Stages

    private static func refused(_ letter: StoredRecord) -> Step {
        let words = letter.record.text("reason") ?? ""
        let detail = letter.record.text("detail") ?? ""
        return Step(
            "Dead letter: \(ShownText.escaped(words))", ShownText.escaped(detail), dot: "stop"
        ).at(.deadLetter, letter.offset)
    }

    private func read(_ stored: StoredRecord) -> Step {
        guard let event = try? PaymentEvent(stored.record.value ?? [], using: document) else {
            return Step("Read").at(.paymentValidated, stored.offset)
        }
        let kind = event.kind.rawValue.replacing("_", with: " ")
        return Step(
            "Read as \(kind)",
            "\(ShownAmount(event.amount, event.currency).words), "
                + ShownText.escaped(event.movement.rawValue)
        ).at(.paymentValidated, stored.offset)
    }

    private func features(_ stored: StoredRecord) -> Step {
        let record = try? FeaturesRecord(stored.record.value ?? [], using: document)
        let words = record.map { record -> String in
            let values = Feature.names.enumerated().map { ($1, Double(record.vector[$0])) }
            // Before a customer's first payment nothing can be usual.
            let isFirst = values.contains { $0.0 == "log_seconds_since_last" && $0.1 < 0 }
            return values.map {
                FeatureWords.words($0.0, $0.1, hasUsual: isFirst ? false : nil)
            }.joined(separator: ", ")
        }
        return Step("Eight features from the customer’s history", words)
            .at(.paymentFeatures, stored.offset)
    }

    private func score(_ payment: ScoredPayment) -> Step {
        guard let score = payment.score else {
            let reasons = payment.reasons.map { $0.words(amount: payment.event.amount).sentence }
            let isHeld = payment.verdict == .manualReview
            return Step(
                isHeld ? "In review without a score" : "Passed on: only payments are scored",
                dot: isHeld ? "wait" : "", reasons: reasons)
        }
        let state = ShownState(payment.verdict)
        return Step(
            "Scored \(ShownNumber.decimal(score, 2)): \(state.words.lowercased())",
            payment.reasons.isEmpty ? "by its score alone" : nil, dot: state.dot,
            reasons: payment.reasons.map { $0.words(amount: payment.event.amount).sentence })
    }

    private mutating func booked(_ event: PaymentEvent) throws -> [Step] {
        let all = try outcome.booked(event.movement)
        let own = all.filter { $0.posting.eventID == event.eventID }
        if !all.isEmpty { hasBooked = true }
        guard !own.isEmpty else {
            return [
                all.isEmpty
                    ? Step("Noted: it moves no money by itself", dot: "o")
                    : Step("Told before: it is booked once, for ever", dot: "o")
            ]
        }
        return own.map { transaction in
            let posting = transaction.posting
            var step = Step(
                "Booked: \(posting.kind.words.lowercased())",
                "the pair sums to zero", dot: "ok",
                lines: posting.entries.map { line in
                    TrailView.Line(
                        account: ShownText.escaped(line.account.rawValue),
                        href: AccountPath.href(line.account, line.currency),
                        amount: ShownAmount(line.amount, line.currency))
                })
            step.href = "/ledger/transactions/\(transaction.id)"
            step.record = "transaction \(transaction.id)"
            return step
        }
    }
}
