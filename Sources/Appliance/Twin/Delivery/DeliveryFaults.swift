import AppendLog

/// What can go wrong on the way from the twin to an endpoint, on demand.
package enum DeliveryFault: String, CaseIterable, Sendable {
    /// The event is delivered twice, at once or a little later.
    case duplicate
    /// Later events overtake it.
    case reorder
    /// It waits before its first attempt.
    case delay
    /// It is never delivered, though the API lists it.
    case loss
    /// A second signature, by a secret that the endpoint does not have, stands in the header.
    case twoSecrets = "two_secrets"
    /// The first attempt says that it was signed long ago.
    case staleTimestamp = "stale_timestamp"
    /// The first attempt is signed with the wrong secret.
    case wrongSignature = "wrong_signature"
    /// A second Event object, with an id of its own, tells of the same fact.
    case secondEvent = "second_event"
}

/// How often each fault strikes. By share it depends on the seed, the endpoint and the event's id
/// alone, so that it is the same in every run, however the deliveries race.
package struct DeliveryFaults: Hashable, Sendable {
    /// How often one fault strikes.
    package struct Dose: Hashable, Sendable {
        /// The share of all events, 0 ... 1.
        package var share = 0.0
        /// Strikes each of so many events to come, at every endpoint.
        var next = 0
    }

    private var doses: [DeliveryFault: Dose] = [:]
    /// How long `delay` holds an event back, and at most a later duplicate; at least 1.
    var delayMilliseconds: Int64 = Self.delayMillisecondsDefault

    package init() {}

    package static let delayMillisecondsDefault: Int64 = 2_000
    /// The longest that may be asked for: an hour.
    static let delayMillisecondsMax: Int64 = 3_600_000

    /// Nothing for a fault that has not been set.
    package subscript(fault: DeliveryFault) -> Dose {
        get { doses[fault] ?? Dose() }
        set {
            precondition((0...1).contains(newValue.share), "share \(newValue.share)")
            precondition(newValue.next >= 0, "the next \(newValue.next) events")
            doses[fault] = newValue == Dose() ? nil : newValue
        }
    }

    /// Whether the fault strikes this event; uses up one of `next`.
    /// - Parameter chance: the event's own chance at this endpoint.
    mutating func strikes(_ fault: DeliveryFault, _ chance: DeliveryChance) -> Bool {
        guard let dose = doses[fault] else { return false }
        if dose.next > 0 {
            self[fault].next -= 1
            return true
        }
        return chance.unit(salt: fault.rawValue) < dose.share
    }
}

/// Numbers that look like chance and belong to one event at one endpoint: the same in every run.
struct DeliveryChance: Sendable {
    private let key: UInt64

    init(seed: UInt64, endpoint: String, event: String) {
        key = Self.mix(event, Self.mix(endpoint, seed))
    }

    /// Uniform in 0 ..< 1 over all events, independent for each salt.
    func unit(salt: String) -> Double { Double(bits(salt: salt) >> 11) * 0x1p-53 }

    /// 64 bits.
    func bits(salt: String) -> UInt64 { Self.mix(salt, key) }

    /// FNV-1a over the text, then SplitMix64's finaliser, which spreads short texts over all bits.
    private static func mix(_ text: String, _ start: UInt64) -> UInt64 {
        var hash = FNV1a(key: start)
        hash.add(text.utf8)
        return SeededGenerator.scramble(hash.digest)
    }
}
