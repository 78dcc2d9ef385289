import Vocabulary

/// What the engine remembers of one movement, so that it is counted once and scored again only by
/// a better informed event.
struct MovementState: Sendable {
    /// `Informedness.rank` of the event that was scored, or last tried.
    var rank: UInt8
    /// The attempt, the amount and the gap have gone into a customer's state.
    var isCountedForIdentity = false
    /// The payment or the dispute has gone into the merchant's days.
    var isCountedForMerchant = false
    var knowsDevice = false
    var knowsCountries = false
    /// The largest amount that any event has told of it.
    var amount: Int64 = 0
    /// A digest of what no second telling may change; see `PaymentEvent.partiesDigest`.
    var parties: UInt64 = 0
    var asOf: Int64 = 0
    var values = InlineArray<8, Float>(repeating: 0)

    init(rank: UInt8) { self.rank = rank }

    /// The vector that was computed; nil where there was no identity.
    var vector: FeatureVector? {
        guard isCountedForIdentity else { return nil }
        return FeatureVector(values, asOf: Instant(seconds: asOf))
    }

    /// Keeps the vector of a payment that has now been counted for its customer.
    mutating func fill(_ event: PaymentEvent, history: CustomerState.History, risk: Double) {
        self[.velocity1m] = Float(history.counts.lastMinute)
        self[.velocity1h] = Float(history.counts.lastHour)
        self[.amountZScore] = Float(history.amountZScore)
        self[.merchantRisk] = Float(risk)
        self[.deviceSwitch] = history.isDeviceSwitch ? 1 : 0
        self[.countryMismatch] = event.countryMismatch
        self[.failedAttempts1h] = Float(history.counts.failedLastHour)
        self[.logSecondsSinceLast] = Float(history.logSecondsSinceLast)
        asOf = event.created.seconds
        isCountedForIdentity = true
        knowsDevice = event.device.isKnown
        knowsCountries = event.knowsCountries
    }

    /// Keeps the larger amount.
    /// - Returns: whether this telling is larger than all before it.
    mutating func grow(to told: Int64) -> Bool {
        guard told > amount else { return false }
        amount = told
        return true
    }

    subscript(feature: Feature) -> Float {
        get { values[feature.rawValue] }
        set { values[feature.rawValue] = newValue }
    }
}
