import AppendLog
import Vocabulary

/// One POST to be made, and what a correct gate answers.
///
/// A class, because it is handed on many times between plan and answer and is large.
package final class Delivery: Sendable {
    enum Expectation: Hashable, Sendable {
        /// 200. The gate says `duplicate` for every copy but one; copies may overtake each other,
        /// so which one it is stays open.
        case acknowledged(isCopy: Bool)
        /// 400 with a code that begins with `signature_`; nothing is stored.
        case refused(Forgery)
    }

    package let event: StreamedEvent
    /// The event's, or a tampered copy of it.
    let body: [UInt8]
    let expectation: Expectation

    init(event: StreamedEvent, body: [UInt8], expectation: Expectation) {
        self.event = event
        self.body = body
        self.expectation = expectation
    }

    var forgery: Forgery? {
        if case .refused(let forgery) = expectation { forgery } else { nil }
    }

    /// The `Stripe-Signature` value, fresh for every attempt; nil where it is left out.
    func signatureHeader(at now: Instant, by signer: WebhookSigner) -> String? {
        signer.header(
            for: forgery == .tamperedBody ? event.body : body, at: now, forgery: forgery)
    }
}

/// Turns a scenario into deliveries as a network makes them: some twice, some out of order, some
/// forged. Deterministic from the scenario's seed.
package struct DeliveryPlan: Sendable {
    /// Shares of all deliveries, each 0 ... 1 and together less than 1.
    package struct Settings: Hashable, Sendable {
        package var world: TrafficWorld.Settings
        /// Deliveries in all.
        package var count: Int
        package var duplicates = 0.0
        /// The share of deliveries held back behind later ones.
        package var reorder = 0.0
        /// Forged copies come on top of the true event, so no event is lost by them.
        package var badSignatures = 0.0
        /// The event types that the endpoint is subscribed to, by Stripe's names; nil for all.
        package var enabledEvents: Set<String>?

        package init(
            world: TrafficWorld.Settings, count: Int, duplicates: Double = 0.0,
            reorder: Double = 0.0, badSignatures: Double = 0.0, enabledEvents: Set<String>? = nil
        ) {
            self.world = world
            self.count = count
            self.duplicates = duplicates
            self.reorder = reorder
            self.badSignatures = badSignatures
            self.enabledEvents = enabledEvents
        }
    }

    /// A delivery that is held back is overtaken by at most this many others.
    static let reorderWindow = 64
    /// A late duplicate is of one of this many latest events.
    static let duplicateWindow = 512

    private let settings: Settings
    private var stream: any EventStream
    private var random: TwinRandom
    private var recent: [StreamedEvent] = []
    private var nextRecent = 0
    private var held: [(dueAfter: Int, delivery: Delivery)] = []
    private var planned = 0
    private var made = 0
    /// Deliveries made ahead of time, the next one last.
    private var prepared: [Delivery]?

    /// The events of a world that is written without a twin, which is fast.
    package init(_ settings: Settings) { self.init(settings, of: TrafficScenario(settings.world)) }

    /// - Parameter stream: where the events come from.
    package init(_ settings: Settings, of stream: some EventStream) {
        precondition(
            settings.duplicates + settings.badSignatures < 1, "no room for first deliveries")
        self.settings = settings
        self.stream = stream
        var mixer = SeededGenerator(seed: settings.world.seed ^ 0xDE11)
        random = TwinRandom(seed: mixer.next())
    }

    /// Makes all deliveries now, so that whoever measures a server does not measure their making.
    package mutating func prepare() {
        var all: [Delivery] = []
        while let delivery = next() { all.append(delivery) }
        all.reverse()
        prepared = all
    }

    /// - Returns: nil when all deliveries have been made.
    package mutating func next() -> Delivery? {
        if prepared != nil { return prepared?.popLast() }
        return make()
    }

    private mutating func make() -> Delivery? {
        while true {
            let isLast = planned == settings.count
            if let due = held.firstIndex(where: { isLast || $0.dueAfter <= made }) {
                made += 1
                return held.remove(at: due).delivery
            }
            guard planned < settings.count else { return nil }
            planned += 1
            let delivery = plan()
            if random.chance(settings.reorder), held.count < Self.reorderWindow {
                let behind = 1 + random.index(below: Self.reorderWindow)
                held.append((dueAfter: made + behind, delivery: delivery))
            } else {
                made += 1
                return delivery
            }
        }
    }

    private mutating func plan() -> Delivery {
        let drawn = random.unit()
        if drawn < settings.duplicates, !recent.isEmpty {
            // Half of the copies race with the event they copy.
            let event =
                random.chance(0.5)
                ? recent[(nextRecent + recent.count - 1) % recent.count]
                : recent[random.index(below: recent.count)]
            return Delivery(
                event: event, body: event.body, expectation: .acknowledged(isCopy: true))
        }
        if drawn < settings.duplicates + settings.badSignatures, !recent.isEmpty {
            return forge(recent[random.index(below: recent.count)])
        }
        var event = stream.nextEvent()
        while let enabled = settings.enabledEvents, !enabled.contains(event.type) {
            event = stream.nextEvent()
        }
        remember(event)
        return Delivery(event: event, body: event.body, expectation: .acknowledged(isCopy: false))
    }

    private mutating func forge(_ event: StreamedEvent) -> Delivery {
        let forgery = Forgery.allCases[random.index(below: Forgery.allCases.count)]
        var body = event.body
        if forgery == .tamperedBody {
            // The first digit after the first "amount"; where there is none, the last brace.
            let amount = ByteSearch.range(of: "\"amount\":", in: body[...])
            let digit =
                amount.flatMap { amount in
                    body[amount.upperBound...].firstIndex { (0x30...0x39).contains($0) }
                } ?? body.count - 1
            body[digit] = body[digit] == UInt8(ascii: "9") ? UInt8(ascii: "8") : UInt8(ascii: "9")
        }
        return Delivery(event: event, body: body, expectation: .refused(forgery))
    }

    private mutating func remember(_ event: StreamedEvent) {
        guard settings.duplicates > 0 || settings.badSignatures > 0 else { return }
        if recent.count < Self.duplicateWindow {
            recent.append(event)
            nextRecent = 0
        } else {
            recent[nextRecent] = event
            nextRecent = (nextRecent + 1) % recent.count
        }
    }
}
