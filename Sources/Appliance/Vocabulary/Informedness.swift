import AppendLog

/// How much an event says about who paid with what, so that two events of one movement compare.
///
/// `payment_intent.succeeded` has no card; the `charge.succeeded` of the same movement has. The
/// verdict that stands is the one given to the better informed of the two (`Standing`).
package struct Informedness: Hashable, Comparable, Sendable {
    /// How many of customer, card, card country, country and device are known: 0…5.
    package let knownFields: UInt8
    /// Whether the event is about a charge. It settles a tie, because the charge is what moved.
    package let isFromCharge: Bool

    /// The highest ``rank``.
    package static let rankMax: UInt8 = 11

    /// One number that orders as `<` does: 0…11.
    package var rank: UInt8 { knownFields << 1 | (isFromCharge ? 1 : 0) }

    package static func < (left: Self, right: Self) -> Bool { left.rank < right.rank }
}

extension String? {
    /// Neither absent nor empty.
    package var isKnown: Bool { self?.isEmpty == false }
}

extension PaymentEvent {
    /// How much this event says, from the event alone.
    package var informedness: Informedness {
        var known: UInt8 = customer.isKnown ? 1 : 0
        known += card.isKnown ? 1 : 0
        known += cardCountry.isKnown ? 1 : 0
        known += country.isKnown ? 1 : 0
        known += device.isKnown ? 1 : 0
        return Informedness(knownFields: known, isFromCharge: isFromCharge)
    }

    /// Whether the object is a charge, `ch_…` or `py_…`. Read byte by byte: every payment asks it
    /// more than once.
    private var isFromCharge: Bool {
        var bytes = objectID.utf8.makeIterator()
        let letters = (bytes.next(), bytes.next(), bytes.next())
        return letters == (UInt8(ascii: "c"), UInt8(ascii: "h"), UInt8(ascii: "_"))
            || letters == (UInt8(ascii: "p"), UInt8(ascii: "y"), UInt8(ascii: "_"))
    }

    /// FNV-1a over the currency, the Stripe account and the merchant: what all tellings of a
    /// movement agree on. Two that differ do so here too, but for one in 2^64, which the ledger
    /// would see.
    package var partiesDigest: UInt64 {
        var hash = FNV1a()
        func add(_ text: String) {
            // Byte by byte: across the rooms' wall a sequence would stay an abstract one.
            for byte in text.utf8 { hash.add(byte) }
            hash.add(0xFF)
        }
        add(currency.code)
        add(account ?? "")
        add(merchant.rawValue)
        return hash.digest
    }

    /// Whose habits the features describe: the customer, else the card; nil when neither is known.
    package var identity: String? {
        if customer.isKnown { return customer }
        return card.isKnown ? card : nil
    }

    /// Whether the card's country can be compared with the customer's.
    package var knowsCountries: Bool { cardCountry.isKnown && country.isKnown }

    /// Feature 5: 1 if both countries are known and differ, else 0.
    package var countryMismatch: Float { knowsCountries && cardCountry != country ? 1 : 0 }
}
