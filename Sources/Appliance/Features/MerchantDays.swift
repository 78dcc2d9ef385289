/// A merchant's disputes and successful payments by UTC day.
///
/// A day's place is its number modulo 33. A place that a later day has taken is not given back, so
/// an event that is more than 33 days late is not counted.
struct MerchantDays: Sendable {
    struct Day: Sendable {
        /// Days since 1970-01-01, or −1 for an unused place.
        var number: Int32 = -1
        var disputes: UInt32 = 0
        var payments: UInt32 = 0
    }

    fileprivate var days = InlineArray<33, Day>(repeating: Day())

    static func dayNumber(of time: UInt32) -> Int32 { Int32(time / 86_400) }

    private static func place(of day: Int32) -> Int { Int(day) % FeatureBounds.merchantDaysKept }

    /// The risk on this day, after this payment unless it has been counted before.
    mutating func risk(on day: Int32, countingPayment: Bool) -> Double {
        if countingPayment, let place = openPlace(for: day) { days[place].payments &+= 1 }
        return risk(on: day)
    }

    mutating func countDispute(on day: Int32) {
        guard let place = openPlace(for: day) else { return }
        days[place].disputes &+= 1
    }

    private mutating func openPlace(for day: Int32) -> Int? {
        let place = Self.place(of: day)
        if days[place].number > day { return nil }
        if days[place].number < day { days[place] = Day(number: day) }
        return place
    }

    /// (1 + D) / (200 + N) over the 30 days that end with this one.
    private func risk(on day: Int32) -> Double {
        var disputes = 0
        var payments = 0
        // A subscript of the array would copy all of it at every step; the span does not.
        let held = days.span
        for step in 0..<FeatureBounds.merchantDaysKept {
            let age = Int(day) - Int(held[step].number)
            // An unused place has no counts, so its number does not matter.
            guard age >= 0, age < FeatureBounds.merchantDays else { continue }
            disputes += Int(held[step].disputes)
            payments += Int(held[step].payments)
        }
        return (FeatureBounds.disputePrior + Double(disputes))
            / (FeatureBounds.paymentPrior + Double(payments))
    }

    /// The days in use.
    func forEach(_ body: (Day) -> Void) {
        for place in 0..<FeatureBounds.merchantDaysKept where days[place].number >= 0 {
            body(days[place])
        }
    }

    /// Puts back what `forEach` gave.
    mutating func restore(_ day: Day) { days[Self.place(of: day.number)] = day }
}
