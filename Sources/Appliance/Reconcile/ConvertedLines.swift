import Appliance
import Vocabulary

/// Lines in another currency than the movement that they settle together: the captures of a
/// payment, each converted for itself.
///
/// Each takes a part of the movement out of its currency (`fx_out:{txn}`) and brings its own amount
/// in (`fx_in:{txn}`). The statement tells no part but by the rate, rounded; so the last line takes
/// what is left, and the sum is exact. A line for which nothing is left is a duplicate.
enum ConvertedLines {
    /// The share of what is left by which a rate, and an amount that was rounded, may be wrong.
    private static let tolerance = 0.02

    /// What the lines have not taken out of the movement yet.
    ///
    /// - Parameters:
    ///   - lines: ids of the lines that settle it.
    ///   - parts: what was given to lines of them, and the ledger need not have booked yet.
    static func left(
        of movement: LedgerMovement, lines: [String], parts: [String: MinorUnits] = [:],
        _ ledger: LedgerMoment
    ) throws(LedgerError) -> MinorUnits {
        let taken = try ledger.movements(lines.map(ReconciledRecord.exchangeOutKey))
        return lines.reduce(movement.amount) { left, line in
            let booked = taken[ReconciledRecord.exchangeOutKey(line)]?.amount
            return left &+ (booked ?? -(parts[line] ?? .zero))
        }
    }

    /// The exchange rate of a line, as Stripe writes it; nil where it has none.
    static func rate(in body: ArraySlice<UInt8>) -> Double? {
        let document = JSONDocument(bytesMax: max(body.count, 1))
        return withExtendedLifetime(document) {
            (try? document.parse(Array(body)))?["exchange_rate"]?.double
        }
    }

    /// The part of a movement that a line stands for.
    ///
    /// - Parameter left: what the lines before it have not taken.
    static func part(
        of line: BalanceTransaction, rate: Double?, _ left: MinorUnits,
        of movement: LedgerMovement
    ) -> MinorUnits {
        part(
            of: line.amount, rate: rate, left: left,
            exponents: (movement.currency.displayExponent, line.currency.displayExponent))
    }

    /// The same by numbers alone.
    ///
    /// Rates are of major units, or of minor ones: of the two readings the one that comes closer to
    /// all that is left is meant. What comes close enough takes all of it. A floating-point number
    /// splits the movement, and no more: what one line takes too much the last takes less.
    ///
    /// - Parameters:
    ///   - left: what the lines before it have not taken.
    ///   - exponents: digits below the major unit of the movement's currency, and of the line's.
    static func part(
        of line: MinorUnits, rate: Double?, left: MinorUnits, exponents: (Int, Int)
    ) -> MinorUnits {
        guard left != .zero, (line < .zero) == (left < .zero) else { return .zero }
        guard let rate, rate.isFinite, rate > 0 else { return left }
        let whole = Double(left.rawValue.magnitude)
        let plain = Double(line.rawValue.magnitude) / rate
        var scaled = plain
        for _ in exponents.1..<max(exponents.0, exponents.1) { scaled *= 10 }
        for _ in exponents.0..<max(exponents.0, exponents.1) { scaled /= 10 }
        func distance(_ part: Double) -> Double { max(part / whole, whole / part) }
        let part = distance(plain) <= distance(scaled) ? plain : scaled
        guard part >= 1, part < whole - max(2, whole * tolerance) else { return left }
        let units = Int64(part.rounded())
        return MinorUnits(left < .zero ? -units : units)
    }
}

extension ReconciliationRun {
    /// Whether other lines settle the movement of a line that has to be converted: then it takes a
    /// part of it, and has to be told from a duplicate.
    static func isOneOfSeveral(
        _ settlement: Settlement, among page: [BalanceTransaction], _ store: StatementStore
    ) throws(LedgerError) -> Bool {
        guard settlement.finding == .unconverted, let transaction = settlement.transaction else {
            return false
        }
        let own = settlement.statement
        if page.contains(where: { $0.source == own.source && $0.id != own.id && $0.isConverted }) {
            return true
        }
        return try store.lines(of: transaction).contains { $0.id != own.id }
    }

    /// Whether the other lines of its movement have converted all of it.
    static func isConvertedWithout(
        _ settlement: Settlement, _ booked: [String: LedgerMovement], _ store: StatementStore,
        _ ledger: LedgerMoment
    ) throws(LedgerError) -> Bool {
        guard settlement.finding == .unconverted, let transaction = settlement.transaction,
            let movement = booked.values.first(where: { $0.transaction == transaction })
        else { return false }
        let others = try store.lines(of: transaction).map(\.id)
            .filter { $0 != settlement.statement.id }
        guard !others.isEmpty else { return false }
        return try ConvertedLines.left(of: movement, lines: others, ledger) == .zero
    }
}
