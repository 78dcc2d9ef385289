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
        switch event.kind {
        case .payment:
            return observePayment(event)
        case .paymentFailed:
            observeFailure(event)
            return .counted
        case .disputeOpened:
            observeDispute(event)
            return .counted
        default:
            return .counted
        }
    }

    // MARK: Payments

    private mutating func observePayment(_ event: PaymentEvent) -> Observation {
        let rank = event.informedness.rank
        let (slot, isNew) = admitMovement(event.movement, rank: rank)
        if isNew {
            movements[slot].parties = event.partiesDigest
            movements[slot].amount = event.amount.rawValue
        }
        if !isNew, rank <= movements[slot].rank { return .alreadyScored }
        let time = Self.time(of: event)
        let risk = merchantRisk(event, at: time, movement: slot)
        movements[slot].rank = rank

        guard let identity = event.identity else {
            // A better informed event that still names nobody changes nothing.
            return isNew ? .missing(.noIdentity) : .alreadyScored
        }
        let customer = admitCustomer(identity)
        if movements[slot].isCountedForIdentity {
            refine(movement: slot, with: event, customer: customer)
        } else {
            compute(movement: slot, for: event, at: time, customer: customer, risk: risk)
        }
        guard let vector = movements[slot].vector else { return .missing(.noIdentity) }
        return .score(vector, isRescore: !isNew)
    }

    /// The merchant's risk on the event's day. The payment itself counts, once a movement.
    private mutating func merchantRisk(
        _ event: PaymentEvent, at time: UInt32, movement: Int
    ) -> Double {
        let day = MerchantDays.dayNumber(of: time)
        let merchant = admitMerchant(event.merchant)
        let isCounted = movements[movement].isCountedForMerchant
        if !isCounted { movements[movement].isCountedForMerchant = true }
        return merchants[merchant].risk(on: day, countingPayment: !isCounted)
    }

    private mutating func compute(
        movement: Int, for event: PaymentEvent, at time: UInt32, customer: Int, risk: Double
    ) {
        let history = customers[customer].add(event, at: time, pool: &blocks)
        movements[movement].fill(event, history: history, risk: risk)
    }

    /// Adds to a computed vector what a better informed event newly knows. What was drawn from the
    /// customer's history stays as it was when the movement was counted.
    private mutating func refine(movement: Int, with event: PaymentEvent, customer: Int) {
        if !movements[movement].knowsDevice, event.device.isKnown {
            let isSwitch = customers[customer].switches(to: NameKey(event.device ?? ""))
            movements[movement][.deviceSwitch] = isSwitch ? 1 : 0
            movements[movement].knowsDevice = true
        }
        if !movements[movement].knowsCountries, event.knowsCountries {
            movements[movement][.countryMismatch] = event.countryMismatch
            movements[movement].knowsCountries = true
        }
    }

    // MARK: Failures and disputes

    private mutating func observeFailure(_ event: PaymentEvent) {
        let (slot, _) = admitMovement(event.movement, rank: 0)
        guard !movements[slot].isCountedForIdentity, let identity = event.identity else { return }
        movements[slot].isCountedForIdentity = true
        let time = Self.time(of: event)
        let customer = admitCustomer(identity)
        _ = customers[customer].attempts.add(time, isFailed: true, pool: &blocks)
        _ = customers[customer].logSecondsSinceLast(at: time)
        _ = customers[customer].switches(to: NameKey(event.device ?? ""))
    }

    private mutating func observeDispute(_ event: PaymentEvent) {
        let (slot, _) = admitMovement(event.movement, rank: 0)
        guard !movements[slot].isCountedForMerchant else { return }
        movements[slot].isCountedForMerchant = true
        let merchant = admitMerchant(event.merchant)
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
    mutating func telling(of event: PaymentEvent) -> Telling {
        guard let slot = movements.find(NameKey(event.movement.rawValue)) else { return .first }
        guard movements[slot].parties == event.partiesDigest else { return .conflicting }
        return movements[slot].grow(to: event.amount.rawValue) ? .larger : .repeated
    }

    /// The vector that a movement was scored with; nil where there was none.
    func vector(of movement: MovementKey) -> FeatureVector? {
        movements.find(NameKey(movement.rawValue)).flatMap { movements[$0].vector }
    }

    // MARK: Small things

    private mutating func admitCustomer(_ identity: String) -> Int {
        let key = NameKey(identity)
        if let slot = customers.use(key) { return slot }
        return customers.insert(key, CustomerState()) { $0.attempts.release(to: &blocks) }
    }

    private mutating func admitMerchant(_ merchant: MerchantID) -> Int {
        let key = NameKey(merchant.rawValue)
        return merchants.use(key) ?? merchants.insert(key, MerchantDays())
    }

    private mutating func admitMovement(
        _ movement: MovementKey, rank: UInt8
    ) -> (slot: Int, isNew: Bool) {
        let key = NameKey(movement.rawValue)
        if let slot = movements.use(key) { return (slot, false) }
        return (movements.insert(key, MovementState(rank: rank)), true)
    }

    /// The event's `created`, brought into the bounds that the state can hold.
    private static func time(of event: PaymentEvent) -> UInt32 {
        UInt32(min(max(event.created.seconds, 0), FeatureBounds.secondsMax))
    }
}
