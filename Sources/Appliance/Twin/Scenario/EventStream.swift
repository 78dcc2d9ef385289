import DequeModule
import Synchronization

/// One event to be delivered, whoever told it.
struct StreamedEvent: Sendable {
    let id: EventID
    /// Stripe's name of the type.
    let type: String
    /// The raw JSON.
    let body: [UInt8]
    /// It tells of a payment, or of one that failed, that a fraudster attempted.
    let isFraudulentAttempt: Bool
    /// The truth about it; nil of a twin's events, whose truth is the twin.
    let scenario: ScenarioEvent?

    func isOne(of types: Set<StripeEventType>) -> Bool {
        if let scenario { return types.contains(scenario.type) }
        return types.contains { $0.rawValue == type }
    }

    /// What a ledger must book when it has seen this event; empty of a twin's.
    var movements: [ExpectedMovement] { scenario?.movements ?? [] }
}

/// An endless stream of events, the same for the same settings.
protocol EventStream: Sendable {
    mutating func nextEvent() -> StreamedEvent
}

extension TrafficScenario: EventStream {
    mutating func nextEvent() -> StreamedEvent {
        let event = next()
        let isAttempt = event.type == .chargeSucceeded || event.type == .chargeFailed
        return StreamedEvent(
            id: event.id, type: event.type.rawValue, body: event.body,
            isFraudulentAttempt: isAttempt && event.fraud != nil, scenario: event)
    }
}

/// The events of a world that is played on a twin of its own, as the twin tells them.
struct PlayedScenario: EventStream {
    private var scenario: TwinScenario
    private let inbox: EventInbox

    /// The twin looks back on no more events than this: only the stream wants them.
    private static let eventCountMax = 1_000

    init(_ world: TrafficWorld.Settings) throws(APIRefusal) {
        var settings = TwinSettings()
        settings.seed = world.seed
        settings.eventCountMax = Self.eventCountMax
        settings.disputeDays = LiveTwin.disputeDays
        let clock = ScenarioClock(start: world.start)
        let inbox = EventInbox()
        let twin = Twin(settings: settings, clock: clock.reading) { inbox.append($0) }
        self.inbox = inbox
        scenario = try TwinScenario(
            world, on: twin, apiKey: settings.apiKeys[0], clock: clock)
    }

    mutating func nextEvent() -> StreamedEvent {
        while true {
            if let event = inbox.popFirst() { return stream(event) }
            scenario.step()
        }
    }

    private func stream(_ event: TwinEvent) -> StreamedEvent {
        let isAttempt = event.type == "charge.succeeded" || event.type == "charge.failed"
        return StreamedEvent(
            id: EventID(event.id), type: event.type, body: event.body,
            isFraudulentAttempt: isAttempt && scenario.lastAttemptIsFraud, scenario: nil)
    }
}

/// What the twin told and nobody has taken yet.
private final class EventInbox: Sendable {
    private let events = Mutex<Deque<TwinEvent>>([])

    func append(_ event: TwinEvent) { events.withLock { $0.append(event) } }

    func popFirst() -> TwinEvent? { events.withLock { $0.popFirst() } }
}
