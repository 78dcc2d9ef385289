import Vocabulary

/// The movements that were booked last. Two or three of Stripe's events describe one payment and
/// come one after the other; what is remembered here spares each of the later ones its queries.
struct RecentMovements {
    struct Booked {
        var posting: Posting
        var standing: Standing
        var merchant: MerchantID
        /// Of a payment, all that is captured so far.
        var amount: MinorUnits
    }

    /// Above this many the memory starts anew, between batches. About 5 MB.
    static let countMax = 16_384

    private var booked: [MovementKey: Booked] = [:]

    subscript(movement: MovementKey) -> Booked? { booked[movement] }

    /// - Parameters:
    ///   - standing: the best of a payment's scorings so far.
    ///   - amount: all that is captured; nil where it is what `posting` books.
    mutating func add(
        _ posting: Posting, _ standing: Standing, _ merchant: MerchantID, amount: MinorUnits? = nil
    ) {
        booked[posting.movement] = Booked(
            posting: posting, standing: standing, merchant: merchant,
            amount: amount ?? posting.entries.first?.amount ?? .zero)
    }

    mutating func remove(_ movement: MovementKey) { booked[movement] = nil }

    mutating func trim() {
        if booked.count > Self.countMax { forget() }
    }

    mutating func forget() { booked.removeAll(keepingCapacity: true) }
}
