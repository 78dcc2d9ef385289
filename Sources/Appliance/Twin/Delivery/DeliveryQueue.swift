import HeapModule
import Traffic

/// The bounds of what one endpoint may keep waiting.
package struct DeliveryLimits: Hashable, Sendable {
    /// Deliveries that wait for an attempt or an answer. Past it, events are not delivered and are
    /// counted as `overflowed`; the API lists them like any that was lost.
    var pendingMax = 50_000
    /// The bytes of their bodies, copies counted again.
    var pendingByteCountMax = 128 << 20
    /// Requests without an answer yet.
    var inFlightMax = 16
    /// An event that later ones may overtake lets at most this many pass, and waits no longer.
    var reorderWindow = 16
    var reorderMillisecondsMax: Int64 = 2_000

    package init() {}
}

/// One delivery of one event on its way to one endpoint.
package struct Shipment: Sendable {
    package let event: TwinEvent
    /// How the first attempt is signed wrongly, if it is.
    let firstForgery: Forgery?
    let isRotating: Bool
    /// Attempts begun, and when the first was, by the monotonic clock in milliseconds.
    package fileprivate(set) var attempts = 0
    fileprivate(set) var firstAttemptAt: Int64 = 0
    /// When the next attempt is due, and the order in which it was put there.
    fileprivate var due: Int64
    fileprivate var sequence: UInt64

    var forgery: Forgery? { attempts <= 1 ? firstForgery : nil }
}

extension Shipment: Comparable {
    package static func == (left: Self, right: Self) -> Bool { left.sequence == right.sequence }
    package static func < (left: Self, right: Self) -> Bool {
        left.due != right.due ? left.due < right.due : left.sequence < right.sequence
    }
}

/// What came of an attempt.
package enum DeliveryOutcome: Hashable, Sendable {
    /// The endpoint's HTTP status; 2xx is what counts as delivered.
    case answered(status: Int)
    /// No answer, and why: `timeout`, `refused` and so on.
    case unanswered(reason: String)

    var isDelivered: Bool {
        if case .answered(let status) = self { (200..<300).contains(status) } else { false }
    }
}

/// What is on its way to one endpoint: decides when which event is tried, how it is signed and what
/// becomes of it. Pure: it is told the time and keeps none of its own.
///
/// ```
///           ┌── loss, overflow ──▶ never sent
///  offer ───┤                    due             2xx
///           └──▶ held ──▶ waiting ───▶ in flight ───▶ delivered
///             (reorder)      ▲            │ anything else
///                            └────────────┴──▶ given up, when the schedule is used up
/// ```
struct DeliveryQueue: Sendable {
    private(set) var endpoint: TwinEndpoint
    private(set) var tally = DeliveryTally()
    private(set) var faults = DeliveryFaults()
    private(set) var inFlight = 0

    private let seed: UInt64
    private let schedule: RetrySchedule
    private let limits: DeliveryLimits
    private var waiting = Heap<Shipment>()
    /// Until so many events were offered, or their time has come.
    private var held: [(untilOffered: Int, shipment: Shipment)] = []
    private var pendingByteCount = 0
    /// Events that were delivered, given up or lost since somebody last took note.
    private var settled: [String] = []
    private var lastSequence: UInt64 = 0

    init(
        endpoint: TwinEndpoint, seed: UInt64, schedule: RetrySchedule, limits: DeliveryLimits
    ) {
        self.endpoint = endpoint
        self.seed = seed
        self.schedule = schedule
        self.limits = limits
    }

    /// Deliveries that are neither made nor given up.
    var pending: Int { waiting.count + held.count + inFlight }

    /// Takes over another address, secrets or types; what is on its way goes there from now on.
    mutating func update(_ endpoint: TwinEndpoint) {
        precondition(endpoint.id == self.endpoint.id, "\(endpoint.id) is not \(self.endpoint.id)")
        self.endpoint = endpoint
    }

    /// Sets one fault for all events to come, and leaves the others and their counts alone.
    mutating func set(_ fault: DeliveryFault, _ dose: DeliveryFaults.Dose) { faults[fault] = dose }

    /// Sets all faults for all events to come.
    mutating func set(_ faults: DeliveryFaults) { self.faults = faults }

    /// - Parameter delayMilliseconds: see ``DeliveryFaults/delayMilliseconds``.
    mutating func set(delayMilliseconds: Int64) { faults.delayMilliseconds = delayMilliseconds }

    // MARK: In

    /// Puts an event on its way, if the endpoint wants its type.
    /// - Parameter now: the monotonic clock in milliseconds, as everywhere here.
    mutating func offer(_ event: TwinEvent, at now: Int64) {
        guard event.onlyTo ?? endpoint.id == endpoint.id,
            endpoint.wants(event.type, account: event.account)
        else { return }
        // Its version does not tell of this: there is nothing to deliver.
        guard let body = event.body(in: endpoint.apiVersion) else {
            return settled.append(event.id)
        }
        var event = event
        event.body = body
        event.bodies = [:]
        tally.add(.offered)
        let chance = chance(of: event)
        if event.onlyTo == nil, strikes(.loss, chance, .lost) {
            settled.append(event.id)
        } else {
            ship(event, chance, at: now)
            shipCopies(of: event, chance, at: now)
        }
        // After the event that overtakes them, so that it does.
        releaseHeld(at: now)
    }

    private mutating func shipCopies(
        of event: TwinEvent, _ chance: DeliveryChance, at now: Int64
    ) {
        if strikes(.duplicate, chance, .duplicated) {
            // Half of the copies race with the first delivery, the others come later.
            let bits = chance.bits(salt: "copy")
            let wait = bits & 1 == 0 ? 0 : Int64(bits >> 1) % faults.delayMilliseconds
            add(event, forgery: nil, isRotating: false, due: now + wait)
        }
        // Every endpoint of an account sees the second event, so its chance is not the endpoint's.
        let common = DeliveryChance(seed: seed, endpoint: "", event: event.id)
        if strikes(.secondEvent, common, .toldTwice) {
            add(event.toldAgain(common), forgery: nil, isRotating: false, due: now)
        }
    }

    /// Takes note of what was settled: each delivery once, be it made or not.
    mutating func takeSettled() -> [String] {
        defer { settled.removeAll(keepingCapacity: true) }
        return settled
    }

    private mutating func ship(_ event: TwinEvent, _ chance: DeliveryChance, at now: Int64) {
        let forgery: Forgery? =
            if strikes(.wrongSignature, chance, .missigned) {
                .wrongSecret
            } else if strikes(.staleTimestamp, chance, .stale) {
                .stale
            } else {
                nil
            }
        let isRotating = strikes(.twoSecrets, chance, .signedTwice)
        let isDelayed = strikes(.delay, chance, .delayed)
        let due = now + (isDelayed ? faults.delayMilliseconds : 0)
        if !isDelayed, held.count < limits.reorderWindow, strikes(.reorder, chance, .reordered) {
            let behind = 1 + Int(chance.bits(salt: "behind") % UInt64(limits.reorderWindow))
            guard
                let shipment = admit(
                    event, forgery: forgery, isRotating: isRotating,
                    due: now + limits.reorderMillisecondsMax)
            else { return settled.append(event.id) }
            held.append((untilOffered: tally[.offered] + behind, shipment: shipment))
        } else if !add(event, forgery: forgery, isRotating: isRotating, due: due) {
            settled.append(event.id)
        }
    }

    /// - Returns: whether there is room for it.
    @discardableResult private mutating func add(
        _ event: TwinEvent, forgery: Forgery?, isRotating: Bool, due: Int64
    ) -> Bool {
        guard
            let shipment = admit(event, forgery: forgery, isRotating: isRotating, due: due)
        else { return false }
        waiting.insert(shipment)
        return true
    }

    /// A shipment, or nil where there is no room for it.
    private mutating func admit(
        _ event: TwinEvent, forgery: Forgery?, isRotating: Bool, due: Int64
    ) -> Shipment? {
        guard pending < limits.pendingMax,
            pendingByteCount + event.body.count <= limits.pendingByteCountMax
        else {
            tally.add(.overflowed)
            return nil
        }
        pendingByteCount += event.body.count
        lastSequence += 1
        return Shipment(
            event: event, firstForgery: forgery, isRotating: isRotating, due: due,
            sequence: lastSequence)
    }

    private mutating func releaseHeld(at now: Int64) {
        let offered = tally[.offered]
        for entry in held where entry.untilOffered <= offered {
            lastSequence += 1
            var shipment = entry.shipment
            shipment.sequence = lastSequence
            shipment.due = now
            waiting.insert(shipment)
        }
        held.removeAll { $0.untilOffered <= offered }
    }

    private mutating func strikes(
        _ fault: DeliveryFault, _ chance: DeliveryChance, _ name: DeliveryTally.Name
    ) -> Bool {
        guard faults.strikes(fault, chance) else { return false }
        tally.add(name)
        return true
    }

    private func chance(of event: TwinEvent) -> DeliveryChance {
        DeliveryChance(seed: seed, endpoint: endpoint.id, event: event.id)
    }

    // MARK: Out

    /// The next attempt that is due, if any is and there is room for it; every one is to be
    /// followed by ``finish(_:_:at:)``.
    mutating func takeDue(at now: Int64) -> Shipment? {
        for entry in held where entry.shipment.due <= now { waiting.insert(entry.shipment) }
        held.removeAll { $0.shipment.due <= now }
        guard inFlight < limits.inFlightMax, let first = waiting.min, first.due <= now else {
            return nil
        }
        var shipment = waiting.removeMin()
        if shipment.attempts == 0 { shipment.firstAttemptAt = now } else { tally.add(.retries) }
        shipment.attempts += 1
        inFlight += 1
        tally.add(.attempts)
        return shipment
    }

    /// When the next attempt is due; nil when nothing waits, or there is no room for it.
    var nextDue: Int64? {
        guard inFlight < limits.inFlightMax else { return nil }
        let others = held.map(\.shipment.due).min()
        guard let first = waiting.min?.due else { return others }
        return min(first, others ?? first)
    }

    /// Takes note of what came of an attempt and plans the next one, if there is one.
    mutating func finish(_ shipment: Shipment, _ outcome: DeliveryOutcome, at now: Int64) {
        precondition(inFlight > 0, "an attempt ended that never began")
        inFlight -= 1
        tally.note(outcome, of: shipment.event.id)
        if outcome.isDelivered {
            tally.add(.delivered)
            settled.append(shipment.event.id)
            return forget(shipment)
        }
        let unit = chance(of: shipment.event).unit(salt: "wait \(shipment.attempts)")
        let wait = schedule.wait(
            afterAttempts: shipment.attempts, elapsed: now - shipment.firstAttemptAt, unit: unit)
        // As at Stripe: nobody delivers to an endpoint that has been disabled meanwhile.
        guard let wait, endpoint.isEnabled else {
            tally.add(.givenUp)
            settled.append(shipment.event.id)
            return forget(shipment)
        }
        var shipment = shipment
        shipment.due = now + wait
        waiting.insert(shipment)
    }

    private mutating func forget(_ shipment: Shipment) {
        pendingByteCount -= shipment.event.body.count
    }
}

extension TwinEvent {
    /// The same fact in another Event object: an id of its own, all else the same.
    fileprivate func toldAgain(_ chance: DeliveryChance) -> TwinEvent {
        let alphabet = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
        var bits = chance.bits(salt: "second event")
        var newID = Array(id.utf8)
        // Eleven digits to the base of 62 hold all 64 bits.
        for place in newID.indices.suffix(11) {
            newID[place] = alphabet[Int(bits % 62)]
            bits /= 62
        }
        var copy = self
        copy.id = String(decoding: newID, as: UTF8.self)
        if let found = body.firstRange(of: Array(id.utf8)) {
            copy.body.replaceSubrange(found, with: newID)
        }
        return copy
    }
}
