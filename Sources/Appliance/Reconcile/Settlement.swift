/// What the ledger holds of one movement on `processor:stripe`.
struct LedgerMovement: Hashable, Sendable {
    /// The ledger's transaction.
    var transaction: Int64
    var key: String
    var effectiveAt: Instant
    var currency: Currency
    /// The change of `processor:stripe`.
    var amount: MinorUnits
}

/// What is wrong with a balance transaction. The codes are stored: never reuse one.
enum SettlementFinding: Int64, Sendable {
    case none = 0
    /// The ledger lacks its movement.
    case missing = 1
    case otherAmount = 2
    case otherCurrency = 3
    /// An older balance transaction settles the same movement.
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
    var transaction: Int64?
    var finding = SettlementFinding.none
    var feeState = FeeState.none
    /// The run that appended what books its fee, or all of it.
    var bookedBy: Int64?

    /// The key of the payment whose failure this is; nil for every other row.
    var failedPayment: String? {
        if case .failedPayment(let key, _) = statement.meaning { return key }
        return nil
    }

    var isOpen: Bool {
        finding != .none || feeState == .unbooked || feeState == .otherAmount
    }
}

/// Compares one balance transaction with the ledger. Pure: it is told what the ledger holds.
struct SettlementMatcher {
    /// The ledger's movements by key.
    var booked: [String: LedgerMovement]

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
        case .movement(let key, _, _): keys.append(key)
        case .failedPayment(let key, _):
            keys += [key, ReconciledRecord.reversalKey(of: statement)]
        case .own, .unknown: break
        }
        if statement.isConverted {
            keys.append(ReconciledRecord.exchangeInKey(statement.id))
            keys.append(ReconciledRecord.exchangeOutKey(statement.id))
        }
        return keys
    }

    /// - Parameter bookedBy: what was known of it before.
    func match(_ statement: BalanceTransaction, bookedBy: Int64? = nil) -> Settlement {
        var settlement = Settlement(statement: statement, bookedBy: bookedBy)
        switch statement.meaning {
        case .movement(let key, let processor, let fee):
            judge(key, processor, &settlement)
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

    private func judge(_ key: String, _ processor: MinorUnits, _ settlement: inout Settlement) {
        guard let movement = booked[key] else {
            settlement.finding = processor == .zero ? .none : .missing
            return
        }
        settlement.transaction = movement.transaction
        let statement = settlement.statement
        if movement.currency != statement.currency {
            guard statement.isConverted else { return settlement.finding = .otherCurrency }
            let converted = booked[ReconciledRecord.exchangeInKey(statement.id)]
            if converted?.amount != processor { settlement.finding = .unconverted }
        } else if movement.amount != processor {
            settlement.finding = .otherAmount
        }
    }

    /// A payment that the ledger holds is taken back by the run. One that it does not know is
    /// missing, until its own balance transaction is seen to be so too.
    private func judgeFailure(of key: String, _ settlement: inout Settlement) {
        let statement = settlement.statement
        guard let reversal = booked[ReconciledRecord.reversalKey(of: statement)] else {
            let isHeld = booked[key].map {
                $0.currency == statement.currency && statement.amount < .zero
                    && -statement.amount <= $0.amount
            }
            return settlement.finding = isHeld == true ? .unbooked : .missing
        }
        settlement.transaction = reversal.transaction
        if reversal.currency != statement.currency {
            settlement.finding = .otherCurrency
        } else if reversal.amount != statement.amount {
            settlement.finding = .otherAmount
        }
    }

    private func judgeOwn(_ settlement: inout Settlement) {
        let statement = settlement.statement
        guard statement.net != .zero else { return }
        guard let movement = booked[ReconciledRecord.feeKey(statement.id)] else {
            return settlement.finding = .unbooked
        }
        settlement.transaction = movement.transaction
        if movement.currency != statement.currency {
            settlement.finding = .otherCurrency
        } else if movement.amount != statement.net {
            settlement.finding = .otherAmount
        }
    }

    private func feeState(_ statement: BalanceTransaction, _ fee: MinorUnits) -> FeeState {
        guard let movement = booked[ReconciledRecord.feeKey(statement.id)] else {
            return fee == .zero ? .none : .unbooked
        }
        let agrees = movement.amount == -fee && movement.currency == statement.currency
        return agrees ? .booked : .otherAmount
    }
}
