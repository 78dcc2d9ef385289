import Vocabulary

/// Payments whose first webhook was kept at or behind a moment, counted once each, however often
/// each was told, scored or booked. What the overview counts, and what the lists have that its
/// figures lead to: both are made of the same rows of the index.
package struct PaymentTally: Hashable, Sendable {
    /// Milliseconds since 1970: from when on payments count.
    package let since: Int64
    /// Payments that the ledger has booked.
    private(set) var bookedCount: Int64 = 0
    /// What they came to, in minor units; 0 where all that was counted is gone again.
    private(set) var volume: [Currency: Int64] = [:]
    /// Payments by the verdict that stands.
    private var verdicts: [Verdict: Int64] = [:]

    package init(since: Int64) { self.since = since }

    func count(_ verdict: Verdict) -> Int64 { verdicts[verdict] ?? 0 }

    /// Where the money of a payment is once it is booked.
    static let bookedPlaces = MoneyPlace.allCases.filter { ![.failed, .unbooked].contains($0) }

    /// A payment as it is now, in place of what it was.
    mutating func replace(_ before: PaymentRow, by row: PaymentRow) {
        add(before, -1)
        add(row, 1)
    }

    private mutating func add(_ row: PaymentRow, _ count: Int64) {
        guard let told = row.told, told.firstSeen >= since else { return }
        if let verdict = row.verdict { verdicts[verdict, default: 0] += count }
        guard Self.bookedPlaces.contains(row.place) else { return }
        bookedCount += count
        volume[told.currency, default: 0] &+= count &* told.amount
    }
}

extension PaymentTally {
    /// The list of what is counted, narrowed by further filters.
    func path(_ filters: [(name: String, value: String)]) -> String {
        let all = filters + [("seen_from", "\(since)")]
        return "/payments?" + all.map { "\($0.0)=\($0.1)" }.joined(separator: "&")
    }

    static let bookedFilter =
        (name: "place", value: bookedPlaces.map(\.rawValue).joined(separator: ","))
    /// What the model did not let through.
    static let flagged = [Verdict.manualReview, .block]
    static let flaggedFilter =
        (name: "verdict", value: flagged.map(\.rawValue).joined(separator: ","))
}
