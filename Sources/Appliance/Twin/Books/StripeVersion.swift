/// A version of Stripe's API: a date, and since 2024 the name of its release behind it.
package struct StripeVersion: Hashable, Sendable {
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
    /// Payments are told by `latest_charge` and no longer list `charges`; charges no longer list
    /// their refunds (docs.stripe.com/changelog/2022-11-15).
    static let listsAreLeftOut = StripeVersion(unchecked: "2022-11-15")
    /// What an authorisation releases is no refund any more (…/changelog/basil/2025-03-31).
    static let releasesAreNoRefunds = StripeVersion(unchecked: "2025-03-31.basil")
    /// Charges say what was captured of them. The member came with no version of its own, in the
    /// spring of 2020; nothing older is replayed with it.
    static let capturesAreTold = StripeVersion(unchecked: "2020-03-02")

    private init(unchecked text: String) { self.text = text }
}

/// In the order of their dates: which of Stripe's changes a version has, the date decides.
extension StripeVersion: Comparable {
    private var date: Substring { text.prefix(10) }

    package static func == (left: Self, right: Self) -> Bool { left.text == right.text }
    package static func < (left: Self, right: Self) -> Bool { left.date < right.date }
}
