import Hummingbird
import Logging

/// A twin whose events are delivered, and on which a world may be played.
final class LiveTwin: Sendable {
    let twin: Twin
    let sender: WebhookSender

    private let settings: TwinSettings
    private let world: TrafficWorld.Settings?
    private let clock: ScenarioClock?

    /// Longer than the world lets any dispute wait, so that its banks decide them all.
    static let disputeDays: Int64 = 60

    /// - Parameter world: a world to be played, whose clock is then the twin's; nil for none, and
    ///   the machine's clock.
    init(
        _ settings: TwinSettings, delivery: DeliverySettings,
        playing world: TrafficWorld.Settings? = nil, logger: Logger
    ) {
        var settings = settings
        if world != nil { settings.disputeDays = Self.disputeDays }
        self.settings = settings
        self.world = world
        let clock = world.map { ScenarioClock(start: $0.start) }
        self.clock = clock
        let sender = WebhookSender(settings: delivery, logger: logger)
        self.sender = sender
        twin = Twin(settings: settings, clock: clock?.reading ?? Twin.systemClock) { event in
            sender.offer(event)
        }
        sender.follow { [weak twin] in twin?.endpoints ?? [] }
    }

    /// What happens in the world at this rate of events; nil without a world.
    ///
    /// - Parameter count: events after which it ends; nil for never.
    func traffic(rate: Double, count: Int? = nil) throws(APIRefusal) -> TwinTraffic? {
        guard let scenario = try scenario() else { return nil }
        return TwinTraffic(scenario: scenario, sender: sender, rate: rate, count: count)
    }

    /// The world, to be played step by step; nil without one.
    func scenario() throws(APIRefusal) -> TwinScenario? {
        guard let world, let clock, let apiKey = settings.apiKeys.first else { return nil }
        return try TwinScenario(world, on: twin, apiKey: apiKey, clock: clock)
    }

    /// The API, the twin's own controls and those of its deliveries.
    func router() -> Router<BasicRequestContext> {
        let router = TwinRoutes(twin).router()
        DeliveryRoutes(sender: sender).add(to: router.group("twin"))
        return router
    }
}
