import Appliance
import Vocabulary

/// What is wrong with a balance transaction. The codes are stored: never reuse one.
enum SettlementFinding: Int64, Sendable {
    case none = 0
    /// The ledger lacks its movement.
    case missing = 1
    case otherAmount = 2
    case otherCurrency = 3
    /// Older balance transactions settle the same movement without it.
    case duplicate = 4
    case unknownType = 5
    /// The run has to book it, or has and waits for the ledger.
    case unbooked = 6
    /// The conversion is not booked.
    case unconverted = 7
}

/// Where the fee of a balance transaction stands. The codes are stored: never reuse one.
enum FeeState: Int64, Sendable {
    case none = 0
    case booked = 1
    case unbooked = 2
    case otherAmount = 3
}

/// A balance transaction beside what the ledger holds of it: a row of `settlements`.
struct Settlement: Hashable, Sendable {
    var statement: BalanceTransaction
    /// Whose statement it stands in.
    var account = StripeAccount.own
    /// The ledger's transaction that it settles, alone or with other rows.
    var transaction: Int64?
    var finding = SettlementFinding.none
    var feeState = FeeState.none
    /// The run that appended what books its fee, or all of it.
    var bookedBy: Int64?
    /// Whether that run booked all of it.
    var isBookedWhole = false
    /// What the ledger holds of the movement, and in which currency; not stored.
    var held: MinorUnits?
    var heldCurrency: Currency?

    /// The payment whose failure this is; nil for every other row.
    var failedPayment: String? {
        if case .failedPayment(let key, _) = statement.meaning { return key }
        return nil
    }

    /// Whether this is the same judgement.
    func agrees(with other: Settlement) -> Bool {
        transaction == other.transaction && finding == other.finding
            && feeState == other.feeState && statement == other.statement
    }
}

/// Compares one balance transaction with the ledger. Pure: it is told what the ledger holds.
struct SettlementMatcher {
    /// The ledger's movements by key.
    var booked: [String: LedgerMovement]
    /// Whose statement is compared.
    var account = StripeAccount.own
    /// What the run may book and is older than this it does book; no webhook is waited for.
    var dueBefore = Instant(seconds: .max)

    /// The keys of the movements that it settles: without that of the payment which it takes back.
    static func settledKeys(of statement: BalanceTransaction) -> [String] {
        guard case .failedPayment(let payment, _) = statement.meaning else {
            return keys(of: statement)
        }
        return keys(of: statement).filter { $0 != payment }
    }

    /// The keys of every movement that the ledger may hold of it.
    static func keys(of statement: BalanceTransaction) -> [String] {
        var keys = [ReconciledRecord.feeKey(statement.id)]
        switch statement.meaning {
        case .movement(let key, _, _), .told(let key, _, _): keys.append(key)
        case .failedPayment(let key, _):
            keys += (key.map { [$0] } ?? []) + reversalKeys(of: statement, key)
        case .own, .unknown: break
        }
        for key in statement.otherKeys where !keys.contains(key) { keys.append(key) }
        if statement.isConverted {
            keys.append(ReconciledRecord.exchangeInKey(statement.id))
            keys.append(ReconciledRecord.exchangeOutKey(statement.id))
        }
        return keys
    }

    /// The keys under which a payment may have been taken back, by the run or by an event.
    private static func reversalKeys(
        of statement: BalanceTransaction, _ payment: String?
    ) -> [String] {
        let own = ReconciledRecord.reversalKey(of: statement)
        let told = payment.map(ReconciledRecord.reversalKey(ofPayment:))
        return told.map { $0 == own ? [own] : [own, $0] } ?? [own]
    }

    /// What the ledger holds under a key of this account.
    private func held(_ key: String) -> LedgerMovement? {
        booked[key].flatMap { $0.account == account ? $0 : nil }
    }

    /// The movement that fits best of those under several keys: to the cent, else by its
    /// direction, else the first.
    private func held(_ keys: [String], fitting amount: MinorUnits) -> LedgerMovement? {
        let found = keys.compactMap(held)
        guard found.count > 1 else { return found.first }
        return found.first { $0.amount == amount }
            ?? found.first { ($0.amount < .zero) == (amount < .zero) } ?? found.first
    }

    /// - Parameter earlier: what was known of it before.
    func match(_ statement: BalanceTransaction, earlier: Settlement? = nil) -> Settlement {
        var settlement = Settlement(
            statement: statement, account: account, bookedBy: earlier?.bookedBy,
            isBookedWhole: earlier?.isBookedWhole ?? false)
        switch statement.meaning {
        case .movement(let key, let processor, let fee):
            judge([key] + statement.otherKeys, processor, &settlement)
            // The run has appended what books it.
            if settlement.finding == .missing, settlement.isBookedWhole {
                settlement.finding = .unbooked
            }
            settlement.feeState = feeState(statement, fee)
        case .told(let key, let processor, let fee):
            judge([key] + statement.otherKeys, processor, &settlement)
            if settlement.finding == .missing, statement.created < dueBefore {
                settlement.finding = .unbooked
            }
            settlement.feeState = feeState(statement, fee)
        case .failedPayment(let key, let fee):
            judgeFailure(of: key, &settlement)
            settlement.feeState = feeState(statement, fee)
        case .own:
            judgeOwn(&settlement)
        case .unknown:
            settlement.finding = .unknownType
        }
        return settlement
    }

    private func judge(_ keys: [String], _ processor: MinorUnits, _ settlement: inout Settlement) {
        guard let movement = held(keys, fitting: processor) else {
            settlement.finding = processor == .zero ? .none : .missing
            return
        }
        settlement.transaction = movement.transaction
        (settlement.held, settlement.heldCurrency) = (movement.amount, movement.currency)
        let statement = settlement.statement
        if movement.currency != statement.currency {
            guard statement.isConverted else { return settlement.finding = .otherCurrency }
            let converted = held(ReconciledRecord.exchangeInKey(statement.id))
            if converted?.amount != processor { settlement.finding = .unconverted }
        } else if movement.amount != processor {
            settlement.finding = .otherAmount
        }
    }

    /// A payment that the ledger holds is taken back by the run, where no webhook has done so. One
    /// that it does not know is missing, until its own balance transaction is seen to be so too.
    private func judgeFailure(of payment: String?, _ settlement: inout Settlement) {
        let statement = settlement.statement
        let keys = Self.reversalKeys(of: statement, payment) + statement.otherKeys
        guard let reversal = held(keys, fitting: statement.amount) else {
            let isHeld = payment.flatMap(held).map {
                $0.currency == statement.currency && statement.amount < .zero
                    && -statement.amount <= $0.amount
            }
            return settlement.finding = isHeld == true ? .unbooked : .missing
        }
        settlement.transaction = reversal.transaction
        settlement.held = reversal.amount
        if reversal.currency != statement.currency {
            settlement.finding = .otherCurrency
        } else if reversal.amount != statement.amount {
            settlement.finding = .otherAmount
        }
    }

    private func judgeOwn(_ settlement: inout Settlement) {
        let statement = settlement.statement
        guard statement.net != .zero else { return }
        guard let movement = held(ReconciledRecord.feeKey(statement.id)) else {
            return settlement.finding = .unbooked
        }
        settlement.transaction = movement.transaction
        settlement.held = movement.amount
        if movement.currency != statement.currency {
            settlement.finding = .otherCurrency
        } else if movement.amount != statement.net {
            settlement.finding = .otherAmount
        }
    }

    private func feeState(_ statement: BalanceTransaction, _ fee: MinorUnits) -> FeeState {
        let key = ReconciledRecord.feeKey(statement.id)
        guard let movement = held(key) else { return fee == .zero ? .none : .unbooked }
        // An earlier version booked under this key all of what webhooks tell of since.
        if fee == .zero, statement.otherKeys.contains(key) { return .none }
        let agrees = movement.amount == -fee && movement.currency == statement.currency
        return agrees ? .booked : .otherAmount
    }
}
