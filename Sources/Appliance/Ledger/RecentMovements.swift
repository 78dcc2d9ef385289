import Vocabulary

/// The movements that were booked last. Two or three of Stripe's events describe one payment and
/// come one after the other; what is remembered here spares each of the later ones its queries.
///
/// Each movement has one slot, which the next with that slot takes over: nothing need ever be
/// swept, and what is forgotten early costs its queries.
struct RecentMovements {
    struct Booked {
        var posting: Posting
        var standing: Standing
        var merchant: MerchantID
        /// Of a payment, all that is captured so far.
        var amount: MinorUnits
    }

    /// A power of two. About 5 MB.
    static let slotCount = 16_384

    private var slots: [Booked?] = []
    /// The whole hash of what is in each slot: most look-ups are of new movements, and need not
    /// touch what is in their slot.
    private var hashes: [Int] = []

    private static func slot(of hash: Int) -> Int { hash & (slotCount - 1) }

    subscript(movement: MovementKey) -> Booked? {
        guard !slots.isEmpty else { return nil }
        let hash = movement.hashValue
        guard hashes[Self.slot(of: hash)] == hash, let booked = slots[Self.slot(of: hash)],
            booked.posting.movement == movement
        else { return nil }
        return booked
    }

    /// - Parameters:
    ///   - standing: the best of a payment's scorings so far.
    ///   - amount: all that is captured; nil where it is what `posting` books.
    mutating func add(
        _ posting: Posting, _ standing: Standing, _ merchant: MerchantID, amount: MinorUnits? = nil
    ) {
        if slots.isEmpty {
            slots = Array(repeating: nil, count: Self.slotCount)
            hashes = Array(repeating: 0, count: Self.slotCount)
        }
        let hash = posting.movement.hashValue
        hashes[Self.slot(of: hash)] = hash
        slots[Self.slot(of: hash)] = Booked(
            posting: posting, standing: standing, merchant: merchant,
            amount: amount ?? posting.entries.first?.amount ?? .zero)
    }

    mutating func remove(_ movement: MovementKey) {
        guard self[movement] != nil else { return }
        slots[Self.slot(of: movement.hashValue)] = nil
    }

    mutating func forget() { (slots, hashes) = ([], []) }
}
