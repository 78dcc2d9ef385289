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

    private static func slot(of movement: MovementKey) -> Int {
        movement.hashValue & (slotCount - 1)
    }

    subscript(movement: MovementKey) -> Booked? {
        guard !slots.isEmpty, let booked = slots[Self.slot(of: movement)],
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
        if slots.isEmpty { slots = Array(repeating: nil, count: Self.slotCount) }
        slots[Self.slot(of: posting.movement)] = Booked(
            posting: posting, standing: standing, merchant: merchant,
            amount: amount ?? posting.entries.first?.amount ?? .zero)
    }

    mutating func remove(_ movement: MovementKey) {
        guard self[movement] != nil else { return }
        slots[Self.slot(of: movement)] = nil
    }

    mutating func forget() { slots = [] }
}
