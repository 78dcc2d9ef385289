package import Vocabulary

/// The embedded feature source: contracts §4 computed on the same record, event by event.
///
/// A value without clock, input or output: the same events in the same order give the same vectors
/// bit for bit, from the start or from a snapshot. Its memory is bounded by `FeatureLimits`.
/// Copies share memory until one of them changes, so a snapshot can be encoded from a copy on
/// another thread while the pipeline goes on.
package struct FeatureEngine: Sendable {
    /// What an event meant to the engine.
    package enum Observation: Hashable, Sendable {
        /// Score the payment with these features. `isRescore` if an event of the same movement had
        /// been observed for scoring before, and this one knows more.
        case score(FeatureVector, isRescore: Bool)
        /// The movement has been observed with at least as much knowledge: nothing to do.
        case alreadyScored
        /// Whatever there was to count is counted. The kind bears no risk.
        case counted
        /// A payment, but nobody to compare it with.
        case missing(MissingReason)
    }

    package enum MissingReason: Hashable, Sendable {
        /// Neither customer nor card is known.
        case noIdentity
    }

    let limits: FeatureLimits

    var customers: RecencyTable<CustomerState>
    var blocks = AttemptBlockPool()
    var merchants: RecencyTable<MerchantDays>
    var movements: RecencyTable<MovementState>
    /// What reading ahead found; kept, or the reading would be left out for having no effect.
    private var touched: UInt64 = 0

    package init(limits: FeatureLimits = .standard) {
        self.limits = limits
        customers = RecencyTable(capacity: limits.customersMax)
        merchants = RecencyTable(capacity: limits.merchantsMax)
        movements = RecencyTable(capacity: limits.movementsMax)
    }

    var customerCount: Int { customers.count }
    var merchantCount: Int { merchants.count }
    var movementCount: Int { movements.count }

    /// Takes in the next event of the log.
    package mutating func observe(_ event: PaymentEvent) -> Observation {
        let names = names(of: event)
        return observe(event, names, at: movements.find(names.movement))
    }

    /// - Parameter known: the slot of the event's movement; nil where it is not remembered.
    mutating func observe(
        _ event: PaymentEvent, _ names: EventNames, at known: Int?
    ) -> Observation {
        switch event.kind {
        case .payment:
            return observePayment(event, names, at: known)
        case .paymentFailed:
            observeFailure(event, names, at: known)
            return .counted
        case .disputeOpened:
            observeDispute(event, names, at: known)
            return .counted
        default:
            return .counted
        }
    }

    // MARK: Payments

    private mutating func observePayment(
        _ event: PaymentEvent, _ names: EventNames, at known: Int?
    ) -> Observation {
        let rank = event.informedness.rank
        if let known, rank <= movements[known].rank {
            movements.use(slot: known)
            return .alreadyScored
        }
        let slot = admitMovement(names, at: known, rank: rank)
        // Taken out and put back once: each access by slot looks for its piece again.
        var movement = movements[slot]
        if known == nil {
            movement.parties = event.partiesDigest
            movement.amount = event.amount.rawValue
        }
        let time = Self.time(of: event)
        let risk = merchantRisk(names, at: time, &movement)
        movement.rank = rank
        defer { movements[slot] = movement }

        guard event.identity != nil else {
            // A better informed event that still names nobody changes nothing.
            return known == nil ? .missing(.noIdentity) : .alreadyScored
        }
        let customer = admitCustomer(names)
        if movement.isCountedForIdentity {
            refine(&movement, with: event, customer: customer)
        } else {
            let history = customers[customer].add(event, at: time, pool: &blocks)
            movement.fill(event, history: history, risk: risk)
        }
        guard let vector = movement.vector else { return .missing(.noIdentity) }
        return .score(vector, isRescore: known != nil)
    }

    /// The merchant's risk on the event's day. The payment itself counts, once a movement.
    private mutating func merchantRisk(
        _ names: EventNames, at time: UInt32, _ movement: inout MovementState
    ) -> Double {
        let merchant = admitMerchant(names)
        let isCounted = movement.isCountedForMerchant
        movement.isCountedForMerchant = true
        return merchants[merchant].risk(
            on: MerchantDays.dayNumber(of: time), countingPayment: !isCounted)
    }

    /// Adds to a computed vector what a better informed event newly knows. What was drawn from the
    /// customer's history stays as it was when the movement was counted.
    private mutating func refine(
        _ movement: inout MovementState, with event: PaymentEvent, customer: Int
    ) {
        if !movement.knowsDevice, event.device.isKnown {
            let isSwitch = customers[customer].switches(to: NameKey(event.device ?? ""))
            movement[.deviceSwitch] = isSwitch ? 1 : 0
            movement.knowsDevice = true
        }
        if !movement.knowsCountries, event.knowsCountries {
            movement[.countryMismatch] = event.countryMismatch
            movement.knowsCountries = true
        }
    }

    // MARK: Failures and disputes

    private mutating func observeFailure(
        _ event: PaymentEvent, _ names: EventNames, at known: Int?
    ) {
        let slot = admitMovement(names, at: known, rank: 0)
        guard !movements[slot].isCountedForIdentity, event.identity != nil else { return }
        movements[slot].isCountedForIdentity = true
        let time = Self.time(of: event)
        let customer = admitCustomer(names)
        _ = customers[customer].attempts.add(time, isFailed: true, pool: &blocks)
        _ = customers[customer].logSecondsSinceLast(at: time)
        _ = customers[customer].switches(to: NameKey(event.device ?? ""))
    }

    private mutating func observeDispute(
        _ event: PaymentEvent, _ names: EventNames, at known: Int?
    ) {
        let slot = admitMovement(names, at: known, rank: 0)
        guard !movements[slot].isCountedForMerchant else { return }
        movements[slot].isCountedForMerchant = true
        let merchant = admitMerchant(names)
        merchants[merchant].countDispute(on: MerchantDays.dayNumber(of: Self.time(of: event)))
    }

    // MARK: Tellings

    /// How an event compares with what was told of its movement before.
    enum Telling: Hashable, Sendable {
        case first, repeated
        /// It tells of a larger amount than any before it.
        case larger
        /// It tells of another currency, merchant or Stripe account.
        case conflicting
    }

    /// Compares a payment, and remembers the larger amount. Ask before `observe`.
    ///
    /// - Parameter known: as `observe` is told.
    mutating func telling(of event: PaymentEvent, at known: Int?) -> Telling {
        guard let known else { return .first }
        guard movements[known].parties == event.partiesDigest else { return .conflicting }
        return movements[known].grow(to: event.amount.rawValue) ? .larger : .repeated
    }

    /// The vector that a movement was scored with; nil where there was none.
    func vector(at known: Int?) -> FeatureVector? { known.flatMap { movements[$0].vector } }

    // MARK: Small things

    private mutating func admitCustomer(_ names: EventNames) -> Int {
        customers.use(names.customer)
            ?? customers.insert(names.customer, CustomerState()) {
                $0.attempts.release(to: &blocks)
            }
    }

    private mutating func admitMerchant(_ names: EventNames) -> Int {
        merchants.use(names.merchant) ?? merchants.insert(names.merchant, MerchantDays())
    }

    private mutating func admitMovement(
        _ names: EventNames, at known: Int?, rank: UInt8
    ) -> Int {
        if let known {
            movements.use(slot: known)
            return known
        }
        return movements.insert(names.movement, MovementState(rank: rank))
    }

    /// The event's `created`, brought into the bounds that the state can hold.
    private static func time(of event: PaymentEvent) -> UInt32 {
        UInt32(min(max(event.created.seconds, 0), FeatureBounds.secondsMax))
    }
}

// MARK: - Reading ahead

/// An event's names in the engine's tables, hashed once.
struct EventNames: Sendable {
    var movement: RecencyTable<MovementState>.Address
    /// Of the empty name where neither customer nor card is known.
    var customer: RecencyTable<CustomerState>.Address
    var merchant: RecencyTable<MerchantDays>.Address
}

extension FeatureEngine {
    /// How many events are looked at ahead of the first of them.
    private static let aheadCount = 32

    func names(of event: PaymentEvent) -> EventNames {
        EventNames(
            movement: movements.address(of: NameKey(event.movement.rawValue)),
            customer: customers.address(of: event.identity.map(NameKey.init) ?? .none),
            merchant: merchants.address(of: NameKey(event.merchant.rawValue)))
    }

    /// Calls `body` for each event in turn, with what it is filed under.
    ///
    /// What a customer's state takes longest for is the way from memory, where it lies in a dozen
    /// places that nobody has read for long. So those of the next events are read together before
    /// the first of them is needed: the processor then waits for all of them at once.
    mutating func forEach(
        _ events: [PaymentEvent],
        _ body: (inout FeatureEngine, PaymentEvent, EventNames) -> Void
    ) {
        var names: ContiguousArray<EventNames> = []
        names.reserveCapacity(Self.aheadCount)
        var slots: ContiguousArray<Int> = []
        slots.reserveCapacity(Self.aheadCount)
        for start in stride(from: 0, to: events.count, by: Self.aheadCount) {
            let group = start..<min(start + Self.aheadCount, events.count)
            names.removeAll(keepingCapacity: true)
            for place in group { names.append(self.names(of: events[place])) }
            readAhead(names, &slots)
            for place in group { body(&self, events[place], names[place - start]) }
        }
    }

    private mutating func readAhead(
        _ names: ContiguousArray<EventNames>, _ slots: inout ContiguousArray<Int>
    ) {
        slots.removeAll(keepingCapacity: true)
        var found: UInt64 = 0
        for place in names.indices {
            found ^= UInt64(movements.likelySlot(of: names[place].movement) ?? 0)
            if let slot = customers.likelySlot(of: names[place].customer) { slots.append(slot) }
        }
        // Each loop reads what the one before it has found, and waits for nothing else.
        for slot in slots {
            found ^= customers[slot].readAhead
            let (older, newer) = customers.neighbours(of: slot)
            found ^= UInt64(older ^ newer)
        }
        for slot in slots {
            let (older, newer) = customers.neighbours(of: slot)
            found ^= UInt64(customers.link(of: older) ^ customers.link(of: newer))
        }
        touched ^= found
    }
}
