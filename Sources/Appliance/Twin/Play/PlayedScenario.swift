import DequeModule
import Synchronization
package import Traffic
import Vocabulary

/// The events of a world that is played on a twin of its own, as the twin tells them.
package struct PlayedScenario: EventStream {
    private let twin: Twin
    private var scenario: TwinScenario
    private let inbox: EventInbox

    /// The twin looks back on no more events than this: only the stream wants them. A step of the
    /// world tells far fewer.
    private static let eventCountMax = 10_000

    package init(_ world: TrafficWorld.Settings) throws(APIRefusal) {
        var settings = TwinSettings()
        settings.seed = world.seed
        settings.eventCountMax = Self.eventCountMax
        settings.disputeDays = LiveTwin.disputeDays
        let clock = ScenarioClock(start: world.start)
        let inbox = EventInbox()
        let twin = Twin(settings: settings, clock: clock.reading) { inbox.append($0) }
        self.twin = twin
        self.inbox = inbox
        scenario = try TwinScenario(
            world, on: twin, apiKey: settings.apiKeys[0], clock: clock)
    }

    package mutating func nextEvent() -> StreamedEvent {
        while true {
            if let event = inbox.popFirst() { return stream(event) }
            scenario.step()
        }
    }

    private func stream(_ event: TwinEvent) -> StreamedEvent {
        let isAttempt = event.type == "charge.succeeded" || event.type == "charge.failed"
        return StreamedEvent(
            id: EventID(event.id), type: event.type, body: event.body,
            isFraudulentAttempt: isAttempt && scenario.lastAttemptIsFraud,
            truth: .booked(twin.movements(of: event)))
    }
}

/// What the twin told and nobody has taken yet.
private final class EventInbox: Sendable {
    private let events = Mutex<Deque<TwinEvent>>([])

    func append(_ event: TwinEvent) { events.withLock { $0.append(event) } }

    func popFirst() -> TwinEvent? { events.withLock { $0.popFirst() } }
}
