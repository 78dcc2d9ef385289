package import Vocabulary

/// Turns one Stripe event into the movements it tells of (contracts §3).
///
/// Every answer is computed from the event alone, never from what came before, so any order and
/// any repetition of the same events gives the same movements. One validator for each thread: it
/// reuses its parser's buffers.
package struct EventValidator {
    /// How much of an unknown event type is passed on, in characters: it becomes a counter's label.
    static let typeLengthMax = 100

    private let document: JSONDocument
    private let shapes = LastShape()
    private let defaultMerchant: MerchantID

    /// - Parameter defaultMerchant: whose money it is where the event names no Connect account.
    package init(defaultMerchant: MerchantID) {
        document = JSONDocument()
        self.defaultMerchant = defaultMerchant
    }

    /// What became of an event, and what shape it had.
    struct Reading: Hashable, Sendable {
        var outcome: ValidationOutcome
        /// Nil where the body is no event.
        var shape: EventShape?
        /// What a refused event says of money, for people: its object, amounts and currency.
        var subject: String?

        /// Where in the event, what was expected there, and what the event says of money.
        func detail(of refusal: ValidationRefusal) -> String {
            var text = refusal.detail
            if let expectation = refusal.expectation { text += ": expected \(expectation)" }
            if let subject { text += "; found \(subject)" }
            return text
        }
    }

    /// - Parameter body: the raw body, the value of a `webhook.received` record.
    package func validate(_ body: some Collection<UInt8>) -> ValidationOutcome {
        read(body, isOwn: true).outcome
    }

    /// - Parameter isOwn: whether Tillbox itself may have made the event; see `reserved_type`.
    func read(_ body: some Collection<UInt8>, isOwn: Bool) -> Reading {
        let root: JSONValue
        do {
            root = try document.parse(body)
        } catch {
            return Reading(outcome: .refused(ValidationRefusal(EventBodyRefusal(error))))
        }
        let shape = shapes.shape(of: root)
        do {
            return Reading(outcome: try outcome(of: root, shape, isOwn: isOwn), shape: shape)
        } catch {
            return Reading(
                outcome: .refused(error), shape: shape, subject: RefusedSubject.text(of: root))
        }
    }

    private func outcome(
        of root: JSONValue, _ shape: EventShape, isOwn: Bool
    ) throws(ValidationRefusal) -> ValidationOutcome {
        let id: EventID
        do {
            id = try EventID(ofEvent: root)
        } catch {
            throw ValidationRefusal(error)
        }
        if root["object"]?.isString("v2.core.event") == true {
            throw ValidationRefusal(.thinEventUnsupported, "object")
        }
        guard let type = shape.type else { throw ValidationRefusal(.noEventType, "type") }
        if !isOwn, ReconciledRecord.isReserved(type: type) || ReconciledRecord.isReserved(id: id) {
            throw ValidationRefusal(.reservedType, "type")
        }
        guard let handledType = StripeEvent.HandledType(rawValue: type) else {
            let label = String((CardNumber.masked(in: type) ?? type).prefix(Self.typeLengthMax))
            return .ignored(type: label, .typeNotHandled)
        }
        let event = try StripeEvent(
            root, id: id, type: handledType, apiVersion: shape.apiVersion,
            defaultMerchant: defaultMerchant)
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

/// The texts of the last event's shape. Nearly every event has the same ones as the one before it,
/// and both are just too long to be strings without an allocation.
private final class LastShape {
    private var last = EventShape()

    func shape(of root: JSONValue) -> EventShape {
        last = EventShape(
            apiVersion: root["api_version"]?.string(like: last.apiVersion),
            type: root["type"]?.string(like: last.type))
        return last
    }
}
