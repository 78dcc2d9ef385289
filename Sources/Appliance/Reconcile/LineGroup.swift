import Vocabulary

/// Lines of the statement that name one movement of the ledger: the captures of a payment, or what
/// was listed twice. Pure.
enum LineGroup {
    /// One of them.
    struct Line: Hashable, Sendable {
        var created: Int64
        var id: String
        var amount: MinorUnits
        /// What is wrong with it, taken alone.
        var finding: SettlementFinding
    }

    /// What is wrong with each line, taken together. Their sum counts. Where that of the oldest is
    /// what the ledger holds, and the others repeat amounts of these, the others are duplicates.
    ///
    /// - Parameters:
    ///   - lines: oldest first.
    ///   - held: what the ledger holds of the movement.
    static func findings(of lines: [Line], held: MinorUnits) -> [SettlementFinding] {
        // In another currency a sum says nothing: the oldest settles it.
        guard lines.allSatisfy({ $0.finding != .otherCurrency && $0.finding != .unconverted })
        else {
            return lines.indices.map { $0 == 0 ? lines[0].finding : .duplicate }
        }
        var sums: [MinorUnits] = []
        for line in lines { sums.append((sums.last ?? .zero) &+ line.amount) }
        guard sums.last != held else { return lines.map { _ in .none } }
        guard let last = sums.firstIndex(of: held) else { return lines.map { _ in .otherAmount } }
        let settled = lines[...last].map(\.amount)
        let isRepetition = lines[(last + 1)...].allSatisfy { settled.contains($0.amount) }
        return lines.indices.map {
            guard isRepetition else { return .otherAmount }
            return $0 <= last ? .none : .duplicate
        }
    }
}
