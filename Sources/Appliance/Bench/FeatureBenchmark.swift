import AppendLog
import Appliance
import Vocabulary

/// Events a second through a feature engine, by number of customers (`tillbox bench features`).
///
/// Events are made outside the measured time, in blocks; customers and merchants are drawn evenly,
/// which is the worst case for a cache.
struct FeatureBenchmark: Sendable {
    struct Report: Sendable {
        var customers: Int
        var events: Int
        var seconds: Double
        var eventsPerSecond: Double { Double(events) / seconds }
    }

    /// Payments in one block, and of them in one run, as the stage gets them under load.
    static let blockEvents = 20_000
    static let runEvents = 200

    let customers: Int
    private(set) var source: EmbeddedFeatures
    private var sequence: UInt64 = 0
    private var random = SeededGenerator(seed: 1)

    init(customers: Int, limits: FeatureLimits = .standard) {
        self.customers = customers
        source = EmbeddedFeatures(FeatureEngine(limits: limits))
    }

    /// Every customer's first payment, so that the memory is as large as it gets.
    mutating func fill() -> Report {
        measure(blocks: (customers + Self.blockEvents - 1) / Self.blockEvents) { number, _ in
            number
        }
    }

    /// Payments of customers drawn at random.
    mutating func run(events: Int) -> Report {
        let customers = UInt64(customers)
        return measure(blocks: (events + Self.blockEvents - 1) / Self.blockEvents) { _, draw in
            draw % customers
        }
    }

    private mutating func measure(
        blocks: Int, customer: (_ number: UInt64, _ draw: UInt64) -> UInt64
    ) -> Report {
        let clock = ContinuousClock()
        var spent = Duration.zero
        for block in 0..<blocks {
            let runs = self.block(block, customer: customer)
            let start = clock.now
            observe(runs)
            spent += clock.now - start
        }
        let (seconds, attoseconds) = spent.components
        return Report(
            customers: customers, events: blocks * Self.blockEvents,
            seconds: Double(seconds) + Double(attoseconds) / 1e18)
    }

    /// The runs of one block, made beforehand.
    mutating func block(
        _ block: Int, customer: (_ number: UInt64, _ draw: UInt64) -> UInt64
    ) -> [[PaymentEvent]] {
        let first = UInt64(block * Self.blockEvents)
        return stride(from: 0, to: UInt64(Self.blockEvents), by: Self.runEvents).map { start in
            (start..<start + UInt64(Self.runEvents)).map { place in
                event(of: customer((first + place) % UInt64(customers), random.next()))
            }
        }
    }

    /// The part that is measured: all that the stage asks of the source.
    mutating func observe(_ runs: [[PaymentEvent]]) {
        for run in runs { _ = source.readings(for: run) }
    }

    private mutating func event(of customer: UInt64) -> PaymentEvent {
        sequence += 1
        let charge = "ch_" + Self.padded(sequence, length: 24)
        let merchant = "acct_" + Self.padded(customer % 100, length: 16)
        return PaymentEvent(
            eventID: EventID("evt_" + Self.padded(sequence, length: 24)), kind: .payment,
            objectID: charge, movement: MovementKey("charge:" + charge),
            amount: MinorUnits(Int64(1_000 + random.next() % 9_000)), currency: Self.euro,
            created: Instant(seconds: 1_760_000_000 + Int64(sequence / 20)), livemode: false,
            account: merchant, merchant: MerchantID(merchant),
            customer: "cus_" + Self.padded(customer, length: 14), card: "fingerprint00000",
            cardCountry: "DE", country: "DE",
            device: Self.padded(customer &* 0x9E37_79B9, length: 16), outcome: "authorized",
            balanceTransaction: nil, related: nil, fee: .zero)
    }

    private static let euro: Currency = {
        guard let euro = Currency("eur") else { preconditionFailure("eur is no currency") }
        return euro
    }()

    private static func padded(_ number: UInt64, length: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, length - digits.count)) + digits
    }
}
