import Vocabulary

/// Top-ups: money from the account owner's bank.
///
/// ```
/// pending ─▶ succeeded ─▶ reversed
///    ├─▶ canceled
///    └─▶ failed
/// ```
extension TwinBooks {
    mutating func topUp(_ topUp: TwinTopUp) -> Ref<TwinTopUp> {
        let ref = topUps.append(topUp)
        tell(.topUpCreated, snapshot(ref))
        agenda.add(.topUpArrives(ref), at: now + Self.bankSeconds)
        return ref
    }

    mutating func succeedTopUp(_ ref: Ref<TwinTopUp>) {
        guard topUps[ref].status == .pending else { return }
        topUps[ref].status = .succeeded
        let transaction = book(
            .topup, topUps[ref].amount, topUps[ref].currency, from: .topUp(ref))
        settle(transaction)
        topUps[ref].transaction = transaction
        tell(.topUpSucceeded, snapshot(ref)) { $0.member("status", "pending") }
    }

    mutating func failTopUp(_ ref: Ref<TwinTopUp>, code: String) {
        guard topUps[ref].status == .pending else { return }
        topUps[ref].status = .failed
        topUps[ref].failureCode = code
        tell(.topUpFailed, snapshot(ref)) { $0.member("status", "pending") }
    }

    mutating func cancelTopUp(_ ref: Ref<TwinTopUp>) {
        guard topUps[ref].status == .pending else { return }
        topUps[ref].status = .canceled
        tell(.topUpCanceled, snapshot(ref)) { $0.member("status", "pending") }
    }

    /// The bank takes the money back.
    mutating func reverseTopUp(_ ref: Ref<TwinTopUp>) {
        guard topUps[ref].status == .succeeded else { return }
        topUps[ref].status = .reversed
        let transaction = book(
            .topupReversal, -topUps[ref].amount, topUps[ref].currency, from: .topUp(ref))
        settle(transaction)
        topUps[ref].reversalTransaction = transaction
        tell(.topUpReversed, snapshot(ref)) { $0.member("status", "succeeded") }
    }
}
