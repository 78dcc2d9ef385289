import Vocabulary

/// The accounts that a ledger has met, with their numbers and balances, so that an entry costs no
/// look-up and a balance that would overflow is seen before the store is touched.
struct AccountBook {
    private struct Name: Hashable {
        var account: AccountName
        var currency: Currency

        // An account has few currencies.
        func hash(into hasher: inout Hasher) { hasher.combine(account) }
    }
    /// Above this many accounts the book starts anew, between batches.
    static let accountsMax = 65_536

    private var indexes: [Name: Int] = [:]
    /// An account that is not in the store yet has the number 0.
    private var accounts: [StoredAccount] = []
    /// The account of the last posting's first entry: one of two entries is the processor's.
    private var last: (name: Name, index: Int)?

    mutating func forget() {
        last = nil
        indexes.removeAll(keepingCapacity: true)
        accounts.removeAll(keepingCapacity: true)
    }

    mutating func trim() {
        if accounts.count > Self.accountsMax { forget() }
    }

    /// Adds the entries to the balances; `take(back:)` undoes it.
    /// - Returns: each entry's account in this book's numbering; nil, with nothing added, when a
    ///   balance would leave the range of Int64.
    mutating func add(_ entries: [Entry], in rows: some LedgerRows) throws -> [Int]? {
        var indexes: [Int] = []
        indexes.reserveCapacity(entries.count)
        for entry in entries {
            let index = try index(of: entry, isFirst: indexes.isEmpty, in: rows)
            let (sum, overflow) = accounts[index].balance.addingReportingOverflow(
                entry.amount.rawValue)
            if overflow {
                take(back: entries, indexes)
                return nil
            }
            accounts[index].balance = sum
            indexes.append(index)
        }
        return indexes
    }

    /// Undoes `add`, as far as it came.
    mutating func take(back entries: [Entry], _ indexes: [Int]) {
        for (entry, index) in zip(entries, indexes) {
            accounts[index].balance -= entry.amount.rawValue
        }
    }

    /// The account's number in the store, which makes it when there is none.
    mutating func id(at index: Int, of entry: Entry, in rows: some LedgerRows) throws -> Int64 {
        if accounts[index].id == 0 {
            accounts[index].id = try rows.makeAccount(entry.account, entry.currency)
        }
        return accounts[index].id
    }

    private mutating func index(
        of entry: Entry, isFirst: Bool, in rows: some LedgerRows
    ) throws -> Int {
        let name = Name(account: entry.account, currency: entry.currency)
        if isFirst, let last, last.name == name { return last.index }
        let index = try index(of: name, in: rows)
        if isFirst { last = (name, index) }
        return index
    }

    private mutating func index(of name: Name, in rows: some LedgerRows) throws -> Int {
        if let index = indexes[name] { return index }
        let stored = try rows.account(name.account, name.currency)
        accounts.append(stored ?? StoredAccount(id: 0, balance: 0))
        indexes[name] = accounts.count - 1
        return accounts.count - 1
    }
}
