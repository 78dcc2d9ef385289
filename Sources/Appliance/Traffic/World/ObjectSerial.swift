/// A number that names one object of a scenario; `StripeIDs` turns it into Stripe's spelling.
package struct ObjectSerial: Hashable, Sendable {
    package let rawValue: UInt64
    package init(_ rawValue: UInt64) { self.rawValue = rawValue }
}
