import ServiceLifecycle

/// Plays a scenario at a rate of events and lets the sender keep up with it.
package struct TwinTraffic: Service {
    let scenario: TwinScenario
    let sender: WebhookSender
    /// Events a second, above 0.
    let rate: Double
    /// Ends when so many events were told and delivered; nil goes on for ever.
    package let count: Int?

    /// Deliveries on their way beyond which nothing new happens in the world.
    private static let backlogMax = 5_000
    private static let tick: Duration = .milliseconds(10)

    package func run() async throws {
        do {
            try await cancelWhenGracefulShutdown {
                try await play()
                while count != nil, sender.backlog > 0 { try await Task.sleep(for: Self.tick) }
                scenario.letTimePass()
            }
        } catch is CancellationError {
            // A world ends well at any moment.
        }
    }

    private func play() async throws {
        var scenario = scenario
        let began = ContinuousClock.now
        let before = sender.taken
        while true {
            let seconds = (ContinuousClock.now - began) / .seconds(1)
            let due = min(Int(seconds * rate), count ?? .max)
            while sender.taken - before < due, sender.backlog < Self.backlogMax {
                scenario.step()
            }
            if let count, sender.taken - before >= count { return }
            try await Task.sleep(for: Self.tick)
        }
    }
}
