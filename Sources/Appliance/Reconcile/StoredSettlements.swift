import Appliance
import Vocabulary

/// A line of Stripe's statement as it is stored, and what was made of it.
extension StatementRows {
    static var settlementColumns: String {
        """
        created, id, type, source, category, currency, amount, fee, net, available_on, converted,
        transaction_id, finding, fee_state, booked_by, account, payment, booked_whole
        """
    }

    /// Whether what a run appended for a row is booked: its fee, or, where it has none, all of it.
    static var isBooked: String { "(fee_state = 1 OR (fee_state = 0 AND finding = 0))" }

    static func settlement(_ row: any LedgerQuery) throws -> Settlement {
        guard let finding = SettlementFinding(rawValue: row.integer(12)),
            let feeState = FeeState(rawValue: row.integer(13))
        else { throw LedgerError.corrupt(code: 0, detail: "settlements \(row.text(1))") }
        let statement = BalanceTransaction(
            id: row.text(1), type: row.text(2), source: row.text(3),
            reportingCategory: row.textOrNull(4), amount: MinorUnits(row.integer(6)),
            fee: MinorUnits(row.integer(7)), net: MinorUnits(row.integer(8)),
            currency: try currency(row.text(5)), created: Instant(seconds: row.integer(0)),
            availableOn: Instant(seconds: row.integer(9)), isConverted: row.integer(10) != 0,
            payment: row.textOrNull(16))
        return Settlement(
            statement: statement, account: StripeAccount(row.text(15)),
            transaction: row.integerOrNull(11), finding: finding, feeState: feeState,
            bookedBy: row.integerOrNull(14), isBookedWhole: row.integer(17) != 0)
    }

    static func currency(_ code: String) throws -> Currency {
        guard let currency = Currency(code) else {
            throw LedgerError.corrupt(code: 0, detail: "currency \(code)")
        }
        return currency
    }
}

/// Where a row stands in the order of open rows.
struct OpenPlace: Hashable, Sendable {
    var source = ""
    var created = Int64.min
    var id = ""
}
