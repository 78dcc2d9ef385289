package import Vocabulary

/// One event to be delivered, whoever told it.
package struct StreamedEvent: Sendable {
    /// The truth about it.
    package enum Truth: Sendable {
        /// What the world made, spelt out when asked for.
        case made(ScenarioEvent)
        /// What stands in a twin's books.
        case booked([ExpectedMovement])
    }

    package let id: EventID
    /// Stripe's name of the type.
    package let type: String
    /// The raw JSON.
    package let body: [UInt8]
    /// It tells of a payment, or of one that failed, that a fraudster attempted.
    package let isFraudulentAttempt: Bool
    package let truth: Truth

    package init(
        id: EventID, type: String, body: [UInt8], isFraudulentAttempt: Bool, truth: Truth
    ) {
        self.id = id
        self.type = type
        self.body = body
        self.isFraudulentAttempt = isFraudulentAttempt
        self.truth = truth
    }

    /// What a ledger must book when it has seen this event.
    package var movements: [ExpectedMovement] {
        switch truth {
        case .made(let event): event.movements
        case .booked(let movements): movements
        }
    }
}

/// An endless stream of events, the same for the same settings.
package protocol EventStream: Sendable {
    mutating func nextEvent() -> StreamedEvent
}

extension TrafficScenario: EventStream {
    package mutating func nextEvent() -> StreamedEvent {
        let event = next()
        let isAttempt = event.type == .chargeSucceeded || event.type == .chargeFailed
        return StreamedEvent(
            id: event.id, type: event.type.rawValue, body: event.body,
            isFraudulentAttempt: isAttempt && event.fraud != nil, truth: .made(event))
    }
}
