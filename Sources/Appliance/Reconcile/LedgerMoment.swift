import Appliance
import Vocabulary

/// The ledger as it stands, or stood when one transaction was its last: what a run compares with
/// the statement, however fast money moves meanwhile. Blocking.
struct LedgerMoment: Sendable {
    private let ledger: any LedgerReading
    /// What was booked after this transaction is not seen.
    private var last = Int64.max

    /// The ledger with whatever is booked when it is asked.
    init(_ ledger: any LedgerReading) { self.ledger = ledger }

    /// The same ledger from now on: what is booked later is not seen.
    func standingStill() throws(LedgerError) -> Self {
        var still = self
        still.last = try head()
        return still
    }

    func head() throws(LedgerError) -> Int64 { min(last, try ledger.head()) }

    func movements(_ keys: [String]) throws(LedgerError) -> [String: LedgerMovement] {
        try ledger.movements(keys, through: last)
    }

    func movements(
        after: Int64, from: Instant, to: Instant, limit: Int
    ) throws(LedgerError) -> [LedgerMovement] {
        try ledger.movements(after: after, from: from, to: to, limit: limit, through: last)
    }

    func lastTransaction(before moment: Instant) throws(LedgerError) -> Int64 {
        try ledger.lastTransaction(before: moment)
    }

    func processorBalance(of account: StripeAccount) throws(LedgerError) -> [Currency: Int64] {
        try ledger.processorBalance(of: account, through: last)
    }

    func waiting() throws(LedgerError) -> [WaitingMovement] { try ledger.waiting() }

    func connectedAccounts() throws(LedgerError) -> [StripeAccount] {
        try ledger.connectedAccounts()
    }
}
