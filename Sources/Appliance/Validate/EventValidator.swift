/// Turns one Stripe event into the movements it tells of (contracts §3).
///
/// Every answer is computed from the event alone, never from what came before, so any order and
/// any repetition of the same events gives the same movements. One validator for each thread: it
/// reuses its parser's buffers.
struct EventValidator {
    /// How much of an unknown event type is passed on, in characters: it becomes a counter's label.
    static let typeLengthMax = 100

    private let document: JSONDocument
    private let defaultMerchant: MerchantID

    /// - Parameter defaultMerchant: whose money it is where the event names no Connect account.
    init(defaultMerchant: MerchantID) {
        document = JSONDocument()
        self.defaultMerchant = defaultMerchant
    }

    /// - Parameter body: the raw body, the value of a `webhook.received` record.
    func validate(_ body: some Collection<UInt8>) -> ValidationOutcome {
        let root: JSONValue
        do {
            root = try document.parse(body)
        } catch {
            return .refused(ValidationRefusal(EventBodyRefusal(error)))
        }
        do {
            return try outcome(of: root)
        } catch {
            return .refused(error)
        }
    }

    private func outcome(of root: JSONValue) throws(ValidationRefusal) -> ValidationOutcome {
        let id: EventID
        do {
            id = try EventID(ofEvent: root)
        } catch {
            throw ValidationRefusal(error)
        }
        if root["object"]?.isString("v2.core.event") == true {
            throw ValidationRefusal(.thinEventUnsupported, "object")
        }
        guard let type = root["type"]?.string else { throw ValidationRefusal(.noEventType, "type") }
        guard let handledType = StripeEvent.HandledType(rawValue: type) else {
            let label = String((CardNumber.masked(in: type) ?? type).prefix(Self.typeLengthMax))
            return .ignored(type: label, .typeNotHandled)
        }
        let event = try StripeEvent(
            root, id: id, type: handledType, defaultMerchant: defaultMerchant)
        switch try event.movements() {
        case .none(let reason):
            return .ignored(type: type, reason)
        case .some(var movements):
            var masked = 0
            for index in movements.indices { masked += movements[index].maskCardNumbers() }
            return .movements(movements, cardNumbersMasked: masked)
        }
    }
}
