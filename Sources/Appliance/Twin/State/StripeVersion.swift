/// A version of Stripe's API: a date, and since 2024 the name of its release behind it.
struct StripeVersion: Hashable, Sendable {
    /// `2025-09-30.clover`, `2022-11-15`.
    let text: String

    /// The version whose object shapes the twin speaks by itself.
    static let twin = StripeVersion(unchecked: TwinSettings.apiVersion)

    /// Nil for what is no version at all; a beta's tail (`;feature=v1`) belongs to it.
    init?(_ text: String) {
        guard text.wholeMatch(of: #/\d{4}-\d{2}-\d{2}(\.[a-z_]+)?(;.*)?/#) != nil else {
            return nil
        }
        self.text = text
    }

    /// The version of this day, to compare others with.
    init(year: Int, month: Int, day: Int) {
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        text = "\(year)-\(two(month))-\(two(day))"
    }

    private init(unchecked text: String) { self.text = text }
}

/// In the order of their dates: which of Stripe's changes a version has, the date decides.
extension StripeVersion: Comparable {
    private var date: Substring { text.prefix(10) }

    static func == (left: Self, right: Self) -> Bool { left.text == right.text }
    static func < (left: Self, right: Self) -> Bool { left.date < right.date }
}
