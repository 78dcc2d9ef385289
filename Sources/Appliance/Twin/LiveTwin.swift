package import Hummingbird
package import Logging
package import Traffic
import Vocabulary

/// A twin whose events are delivered, and on which a world may be played.
package final class LiveTwin: Sendable {
    package let twin: Twin
    package let sender: WebhookSender

    /// Who looks on.
    package struct Listener: Sendable {
        package var onAnswer: TwinRoutes.Listener
        package var onAttempt: WebhookSender.Listener

        package init(
            onAnswer: @escaping TwinRoutes.Listener, onAttempt: @escaping WebhookSender.Listener
        ) {
            self.onAnswer = onAnswer
            self.onAttempt = onAttempt
        }
    }

    private let onAnswer: TwinRoutes.Listener?
    private let settings: TwinSettings
    private let world: TrafficWorld.Settings?
    private let clock: ScenarioClock?

    /// Longer than the world lets any dispute wait, so that its banks decide them all.
    static let disputeDays: Int64 = 60

    /// - Parameters:
    ///   - folder: keeps the twin's state; nil keeps it in memory only.
    ///   - world: a world to be played, whose clock is then the twin's; nil for none, and the
    ///     machine's clock.
    ///   - listener: told of every call over HTTP and every delivery.
    /// - Throws: where the folder cannot be used.
    package init(
        _ settings: TwinSettings, folder: String? = nil, delivery: DeliverySettings,
        playing world: TrafficWorld.Settings? = nil, listener: Listener? = nil, logger: Logger
    ) throws(TwinError) {
        var settings = settings
        if world != nil { settings.disputeDays = Self.disputeDays }
        self.settings = settings
        self.world = world
        let clock = world.map { ScenarioClock(start: $0.start) }
        self.clock = clock
        onAnswer = listener?.onAnswer
        let deliveries = folder.map { DeliveryJournal(folder: $0) }
        let sender = WebhookSender(
            settings: delivery, journal: deliveries, logger: logger,
            onAttempt: listener?.onAttempt)
        self.sender = sender
        let reading = clock?.reading ?? Twin.systemClock
        let offer = { @Sendable (event: TwinEvent) in sender.offer(event) }
        if let folder {
            twin = try Twin(
                settings: settings, folder: folder, deliveries: deliveries, clock: reading,
                onEvent: offer)
        } else {
            twin = Twin(settings: settings, clock: reading, onEvent: offer)
        }
        sender.follow { [weak twin] in twin?.endpoints ?? [] }
    }

    /// What happens in the world at this rate of events; nil without a world.
    ///
    /// - Parameter count: events after which it ends; nil for never.
    package func traffic(rate: Double, count: Int? = nil) throws(APIRefusal) -> TwinTraffic? {
        guard let scenario = try scenario() else { return nil }
        return TwinTraffic(scenario: scenario, sender: sender, rate: rate, count: count)
    }

    /// The world, to be played step by step; nil without one.
    func scenario() throws(APIRefusal) -> TwinScenario? {
        guard var world, let clock, let apiKey = settings.apiKeys.first else { return nil }
        // A twin that was kept in a folder goes on where its time had come to.
        world.start = Instant(seconds: twin.now)
        clock.move(to: twin.now)
        return try TwinScenario(world, on: twin, apiKey: apiKey, clock: clock)
    }

    /// The API, the twin's own controls and those of its deliveries.
    package func router() -> Router<BasicRequestContext> {
        let router = TwinRoutes(twin, onAnswer: onAnswer).router()
        DeliveryRoutes(sender: sender).add(to: router.group("twin"))
        return router
    }
}
