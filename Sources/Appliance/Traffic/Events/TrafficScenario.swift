package import Vocabulary

/// One Stripe event as it would be delivered, with the truth about it.
package struct ScenarioEvent: Sendable {
    package let id: EventID
    package let type: StripeEventType
    /// The world's clock.
    package let created: Instant
    /// The raw JSON, 1.5 to 5 KB.
    package let body: [UInt8]
    /// What the event is about.
    let occurrence: Occurrence
    fileprivate let context: ScenarioContext

    /// What a ledger must book when it has seen this event; computed when asked for.
    var movements: [ExpectedMovement] {
        TrafficScenario.movements(
            of: occurrence, ids: context.ids, merchants: context.merchants)
    }

    /// Set on the payments and failed payments that a fraudster made.
    var fraud: FraudPattern? {
        switch occurrence.subject {
        case .charge(let charge), .paymentIntent(let charge): charge.fraud
        default: nil
        }
    }
}

/// What all events of a scenario share.
private final class ScenarioContext: Sendable {
    let ids: StripeIDs
    let merchants: [TrafficWorld.Merchant]

    init(ids: StripeIDs, merchants: [TrafficWorld.Merchant]) {
        self.ids = ids
        self.merchants = merchants
    }
}

/// An endless stream of Stripe events from a simulated world. The same settings give the same
/// bytes, event by event.
package struct TrafficScenario: Sendable {
    private var world: TrafficWorld
    private var occurrences: [Occurrence] = []
    private var nextOccurrence = 0
    private let writer: EventWriter
    private let context: ScenarioContext
    private var eventCount: UInt64 = 0

    package init(_ settings: TrafficWorld.Settings) {
        let ids = StripeIDs(seed: settings.seed)
        world = TrafficWorld(settings)
        context = ScenarioContext(ids: ids, merchants: world.merchants)
        writer = EventWriter(ids: ids, merchants: world.merchants)
    }

    package mutating func next() -> ScenarioEvent {
        if nextOccurrence == occurrences.count {
            occurrences.removeAll(keepingCapacity: true)
            nextOccurrence = 0
            while occurrences.isEmpty { world.advance(into: &occurrences) }
        }
        let occurrence = occurrences[nextOccurrence]
        nextOccurrence += 1
        eventCount += 1
        let serial = ObjectSerial(eventCount)
        return ScenarioEvent(
            id: EventID(context.ids.string(.event, serial)), type: occurrence.type,
            created: Instant(seconds: occurrence.at),
            body: writer.body(of: occurrence, serial: serial), occurrence: occurrence,
            context: context)
    }
}

/// Writes the Event object around an occurrence's subject.
struct EventWriter: Sendable {
    enum Slot: String, Sendable {
        case event, account, apiVersion, created, object, previousAttributes, request
        case idempotencyKey, type
    }

    private let ids: StripeIDs
    private let merchants: [TrafficWorld.Merchant]
    private let text: SlottedText<Slot>
    private let objects: ObjectWriter

    /// Room for all but the largest bodies, so that most are allocated once.
    private static let bodyBytesUsual = 4_600

    init(ids: StripeIDs, merchants: [TrafficWorld.Merchant]) {
        self.ids = ids
        self.merchants = merchants
        text = SlottedText(ObjectTemplateText.event)
        objects = ObjectWriter(ids: ids, merchants: merchants, indentation: 4)
    }

    /// The webhook's body for this occurrence as the event with this serial.
    func body(of occurrence: Occurrence, serial: ObjectSerial) -> [UInt8] {
        var out = JSONBytes()
        out.bytes.reserveCapacity(Self.bodyBytesUsual)
        text.write(into: &out) { slot, out in
            switch slot {
            case .event: objects.quoteID(.event, serial, into: &out)
            case .account:
                guard let account = merchants[occurrence.merchant].account else { return }
                out.append(raw: "  \"account\": ")
                objects.quoteID(.account, account, into: &out)
                out.append(raw: ",\n")
            case .apiVersion:
                out.append(quoted: merchants[occurrence.merchant].shop.apiVersion)
            case .created: out.append(occurrence.at)
            case .object: objects.write(occurrence.subject, into: &out)
            case .previousAttributes: writePreviousAttributes(of: occurrence, into: &out)
            case .request:
                guard occurrence.type.followsRequest else { return out.appendNull() }
                objects.quoteID(.request, serial, into: &out)
            case .idempotencyKey:
                guard occurrence.type.followsRequest else { return out.appendNull() }
                writeIdempotencyKey(serial, into: &out)
            case .type: out.append(quoted: Array(occurrence.type.rawValue.utf8))
            }
        }
        return out.bytes
    }

    /// What an update changed, as Stripe tells it beside the object.
    private func writePreviousAttributes(of occurrence: Occurrence, into out: inout JSONBytes) {
        switch (occurrence.type, occurrence.subject) {
        case (.chargeRefunded, .charge(let charge)):
            let newest = charge.secondRefund ?? charge.firstRefund
            out.append(raw: ",\n    \"previous_attributes\": {\n      \"amount_refunded\": ")
            out.append(charge.amountRefunded - (newest?.amount ?? 0))
            out.append(raw: ",\n      \"receipt_url\": null\n    }")
        case (.refundUpdated, _), (.chargeRefundUpdated, _):
            out.append(raw: ",\n    \"previous_attributes\": {\n      \"destination_details\": {")
            out.append(raw: "\n        \"card\": {\n          \"reference\": null,\n          ")
            out.append(raw: "\"reference_status\": \"pending\"\n        }\n      }\n    }")
        case (.disputeClosed, _):
            out.append(raw: ",\n    \"previous_attributes\": {\n      \"status\": ")
            out.append(raw: "\"under_review\"\n    }")
        default: return
        }
    }

    /// A version-4-like UUID that belongs to the event.
    private func writeIdempotencyKey(_ serial: ObjectSerial, into out: inout JSONBytes) {
        let digits = Array("0123456789abcdef".utf8)
        out.quote {
            for part in 0..<2 as Range<UInt64> {
                var rest = ids.noise(serial, salt: 20 + part)
                for digit in 0..<16 {
                    if part == 0 ? digit == 8 || digit == 12 : digit == 0 || digit == 4 {
                        $0.bytes.append(UInt8(ascii: "-"))
                    }
                    $0.bytes.append(digits[Int(rest & 15)])
                    rest >>= 4
                }
            }
        }
    }
}

extension StripeEventType {
    /// Somebody's API call caused it; banks and schedules cause the others.
    fileprivate var followsRequest: Bool {
        switch self {
        case .chargeSucceeded, .chargeFailed, .chargeCaptured, .paymentIntentSucceeded,
            .paymentIntentFailed, .refundCreated, .chargeRefunded:
            true
        default: false
        }
    }
}
