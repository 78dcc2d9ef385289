import AppendLog
import Vocabulary

/// What would become of a dead letter that is redriven now.
enum RedriveForecast: Hashable, Sendable {
    /// It can be understood now; `says` is for a person.
    case passes(to: TopicID, says: String)
    /// A delivery that can be understood now: it goes through the admission, as at the gate.
    case admits(EventIdentity)
    /// It would fail again, so it stays where it is.
    case staysRefused(reason: String, detail: String)
}

/// Foretells from a letter's bytes alone; asks neither the ledger nor the features, so a record
/// that passes may still be refused further on.
///
/// One for each thread: it reuses its parser's buffers.
struct RedriveForecaster {
    private let validator: EventValidator
    private let scanner = EventScanner()
    private let document = JSONDocument()
    private let livemodes: [WebhookEndpoint.Livemode]
    private let targets: [TopicID]

    /// - Parameters:
    ///   - livemodes: what the endpoints accept now. A dead letter of the gate does not say where
    ///     it arrived, so any of them will do.
    ///   - targets: topics that a step of this plane reads.
    init(
        defaultMerchant: MerchantID, livemodes: [WebhookEndpoint.Livemode], targets: [TopicID]
    ) {
        validator = EventValidator(defaultMerchant: defaultMerchant)
        self.livemodes = livemodes
        self.targets = targets
    }

    /// What would become of a letter that goes back with another value.
    ///
    /// - Parameter letter: with that value.
    func forecast(_ letter: StoredLetter, edited original: StoredLetter) -> RedriveForecast {
        do throws(EditRefusal) {
            try check(letter, original)
        } catch {
            return .staysRefused(reason: error.code, detail: error.detail)
        }
        return forecast(letter, isEdited: true)
    }

    func forecast(_ letter: StoredLetter) -> RedriveForecast {
        forecast(letter, isEdited: false)
    }

    private func forecast(_ letter: StoredLetter, isEdited: Bool) -> RedriveForecast {
        if letter.topic == RedriveOrder.gate { return delivery(letter) }
        guard let topic = TopicID(rawValue: letter.topic), targets.contains(topic) else {
            return .staysRefused(
                reason: "unknown_topic", detail: "nothing reads the topic \(letter.topic)")
        }
        if topic == .webhookReceived { return event(letter, isEdited: isEdited) }
        do throws(RecordCodecError) {
            try decode(letter.value, as: topic)
            return .passes(to: topic, says: "is offered to \(topic.rawValue) again")
        } catch {
            return .staysRefused(reason: "record_malformed", detail: error.sentence)
        }
    }

    // MARK: Edits

    /// A delivery that the gate refused has no event yet: its edit is judged by the admission.
    private func check(
        _ letter: StoredLetter, _ original: StoredLetter
    ) throws(EditRefusal) {
        switch TopicID(rawValue: letter.topic) {
        case .paymentReview: throw .decision
        case .paymentFeatures: throw .features
        case .paymentScored:
            try checkEvent(try? ScoredPayment(letter.value, using: document).event.eventID, letter)
            if verdict(of: letter) == .approve, verdict(of: original) != .approve {
                throw .approval
            }
        case .paymentValidated:
            try checkEvent(try? PaymentEvent(letter.value, using: document).eventID, letter)
        case .webhookReceived:
            try checkEvent(try? scanner.scan(letter.value).id, letter)
        case .ledgerPosted, .deadLetter, nil: break
        }
    }

    private func verdict(of letter: StoredLetter) -> Verdict? {
        try? ScoredPayment(letter.value, using: document).verdict
    }

    /// - Parameter id: of the edited value; nil where that cannot be read, which is told later.
    private func checkEvent(_ id: EventID?, _ letter: StoredLetter) throws(EditRefusal) {
        guard let own = letter.eventID.map({ EventID($0) }), let id, id != own else { return }
        throw .otherEvent(own)
    }

    // MARK: Reading

    /// Reads a record of a derived topic as the step does that it is for.
    private func decode(
        _ value: ArraySlice<UInt8>, as topic: TopicID
    ) throws(RecordCodecError) {
        switch topic {
        case .paymentValidated: _ = try PaymentEvent(value, using: document)
        case .paymentFeatures: _ = try FeaturesRecord(value, using: document)
        case .paymentScored: _ = try ScoredPayment(value, using: document)
        case .paymentReview: _ = try ReviewRecord(value, using: document)
        case .webhookReceived, .ledgerPosted, .deadLetter:
            preconditionFailure("\(topic) is no topic that a step derives for another")
        }
    }

    private func delivery(_ letter: StoredLetter) -> RedriveForecast {
        let event: ScannedEvent
        do throws(EventBodyRefusal) {
            event = try scanner.scan(letter.value)
        } catch {
            return .staysRefused(reason: error.code, detail: error.detail)
        }
        let type = event.type ?? ""
        if ReconciledRecord.isReserved(type: type) || ReconciledRecord.isReserved(id: event.id) {
            return .staysRefused(
                reason: "reserved_type", detail: "such a type or id is this daemon's own")
        }
        if let livemode = event.livemode, !livemodes.contains(where: { $0.accepts(livemode) }) {
            return .staysRefused(
                reason: "livemode_mismatch",
                detail: "the event's livemode is \(livemode), and no endpoint takes that")
        }
        return .admits(event.identity)
    }

    private func event(_ letter: StoredLetter, isEdited: Bool) -> RedriveForecast {
        // Who may have made the event is known of the original alone, which need not be there. What
        // somebody has edited was made by nobody but them.
        let isOwn = !isEdited && letter.reason != ValidationRefusal.Code.reservedType.rawValue
        let reading = validator.read(letter.value, isOwn: isOwn)
        switch reading.outcome {
        case .movements(let events, cardNumbersMasked: _):
            let keys = events.map(\.movement.rawValue).joined(separator: ", ")
            return .passes(to: .webhookReceived, says: "tells of \(keys)")
        case .ignored(let type, let reason):
            return .passes(
                to: .webhookReceived, says: "\(type) is ignored (\(reason.rawValue))")
        case .refused(let refusal):
            return .staysRefused(reason: refusal.code.rawValue, detail: reading.detail(of: refusal))
        }
    }
}
