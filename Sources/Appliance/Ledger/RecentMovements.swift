/// The movements that were booked last. Two or three of Stripe's events describe one payment and
/// come one after the other; what is remembered here spares each of the later ones its queries.
struct RecentMovements {
    struct Booked {
        var posting: Posting
        var standing: Standing
        var merchant: MerchantID
    }

    /// Above this many the memory starts anew, between batches. About 5 MB.
    static let countMax = 16_384

    private var booked: [MovementKey: Booked] = [:]

    subscript(movement: MovementKey) -> Booked? { booked[movement] }

    /// - Parameter standing: the best of a payment's scorings so far.
    mutating func add(_ posting: Posting, _ standing: Standing, _ merchant: MerchantID) {
        booked[posting.movement] = Booked(
            posting: posting, standing: standing, merchant: merchant)
    }

    mutating func remove(_ movement: MovementKey) { booked[movement] = nil }

    mutating func trim() {
        if booked.count > Self.countMax { forget() }
    }

    mutating func forget() { booked.removeAll(keepingCapacity: true) }
}
