internal import Foundation
import Vocabulary

/// What the engine remembers of one customer: attempts, amounts by currency, device, last time.
///
/// 200 bytes without a pointer.
struct CustomerState: Sendable {
    /// No attempt has been seen yet.
    static let never = UInt32.max

    var device = NameKey.none
    var amounts = CurrencyAmounts()
    var attempts = AttemptRing()
    /// The `created` of the latest attempt in log order, in seconds, or `never`.
    var lastTime = Self.never

    /// What a customer's memory says of one payment.
    struct History: Sendable {
        var counts: AttemptRing.Counts
        var logSecondsSinceLast: Double
        var amountZScore: Double
        var isDeviceSwitch: Bool
    }

    /// Reads a word of each of the state's cache lines.
    var readAhead: UInt64 {
        device.word(5) ^ amounts.readAhead ^ UInt64(attempts.count) ^ UInt64(lastTime)
    }

    /// Takes in a successful payment.
    mutating func add(
        _ event: PaymentEvent, at time: UInt32, pool: inout AttemptBlockPool
    ) -> History {
        History(
            counts: attempts.add(time, isFailed: false, pool: &pool),
            logSecondsSinceLast: logSecondsSinceLast(at: time),
            amountZScore: amounts.zScoreThenAdd(event.amount, in: event.currency),
            isDeviceSwitch: switches(to: NameKey(event.device ?? "")))
    }

    /// Whether a known device differs from the last known one. It becomes the last known one.
    mutating func switches(to device: NameKey) -> Bool {
        if device.isNone { return false }
        let isSwitch = !self.device.isNone && self.device != device
        self.device = device
        return isSwitch
    }

    /// ln(1 + seconds since the previous attempt), a negative gap as 0; −1 if there is none.
    mutating func logSecondsSinceLast(at time: UInt32) -> Double {
        defer { lastTime = time }
        if lastTime == Self.never { return -1 }
        return log(1 + Double(max(0, Int64(time) - Int64(lastTime))))
    }
}

/// Mean and spread of the successful payments in one currency, by Welford's method (B. P. Welford,
/// Technometrics 4, 1962): exact enough for amounts of any size, one step a payment.
struct AmountSpread: Sendable {
    /// The three letters of the currency, the first one lowest; 0 for an unused place.
    var currency: UInt32 = 0
    var count: UInt32 = 0
    var mean = 0.0
    /// The sum of squared distances from the mean.
    var squares = 0.0

    init() {}

    init(currency: UInt32) { self.currency = currency }

    /// (amount − mean) / population std of the payments so far; 0 where that means nothing.
    func zScore(_ amount: Double) -> Double {
        guard count >= FeatureBounds.amountsMin else { return 0 }
        let deviation = (squares / Double(count)).squareRoot()
        guard deviation > 0 else { return 0 }
        let score = (amount - mean) / deviation
        return min(max(score, -FeatureBounds.zScoreMax), FeatureBounds.zScoreMax)
    }

    mutating func add(_ amount: Double) {
        // Beyond four thousand million payments the count stands still rather than overflow.
        if count < .max { count += 1 }
        let distance = amount - mean
        mean += distance / Double(count)
        squares += distance * (amount - mean)
    }
}

/// The amounts of up to four currencies, the one paid in last first.
struct CurrencyAmounts: Sendable {
    fileprivate var places = InlineArray<4, AmountSpread>(repeating: AmountSpread())

    fileprivate var readAhead: UInt64 { UInt64(places[1].count) }

    static func code(of currency: Currency) -> UInt32 {
        var code: UInt32 = 0
        var shift: UInt32 = 0
        for byte in currency.code.utf8 {
            code |= UInt32(byte) << shift
            shift += 8
        }
        return code
    }

    /// How far the amount lies from the earlier ones in its currency; then it counts among them.
    mutating func zScoreThenAdd(_ amount: MinorUnits, in currency: Currency) -> Double {
        bringToFront(Self.code(of: currency))
        let score = places[0].zScore(Double(amount.rawValue))
        places[0].add(Double(amount.rawValue))
        return score
    }

    /// Makes the currency the first one. A new one pushes the last one out.
    private mutating func bringToFront(_ code: UInt32) {
        if places[0].currency == code { return }
        var found = FeatureBounds.currenciesMax - 1
        var spread = AmountSpread(currency: code)
        for place in 1..<FeatureBounds.currenciesMax where places[place].currency == code {
            found = place
            spread = places[place]
        }
        for place in stride(from: found, to: 0, by: -1) { places[place] = places[place - 1] }
        places[0] = spread
    }

    /// The currencies in use, the one paid in last first.
    func forEach(_ body: (AmountSpread) -> Void) {
        for place in 0..<FeatureBounds.currenciesMax where places[place].currency != 0 {
            body(places[place])
        }
    }

    var count: Int {
        var count = 0
        forEach { _ in count += 1 }
        return count
    }

    /// Puts back what `forEach` gave at that place.
    mutating func restore(_ spread: AmountSpread, at place: Int) { places[place] = spread }
}
