internal import GRDB
import Vocabulary

/// The accounts that the writer has met, with their ids and balances, so that an entry costs no
/// query and a balance that would overflow is seen before the database is touched.
final class AccountCache {
    private struct Name: Hashable {
        var account: AccountName
        var currency: Currency
    }
    private struct Account {
        var id: Int64
        var balance: Int64
    }
    /// Above this many accounts the cache starts anew, between batches.
    static let accountsMax = 65_536

    private var indexes: [Name: Int] = [:]
    private var accounts: [Account] = []
    private let find: LedgerStatement
    private let insert: LedgerStatement
    private let nextID: LedgerStatement

    init(_ database: Database) throws {
        find = try LedgerStatement(
            database, "SELECT id, balance FROM accounts WHERE name = ? AND currency = ?")
        insert = try LedgerStatement(
            database, "INSERT INTO accounts (id, name, currency) VALUES (?, ?, ?)")
        nextID = try LedgerStatement(database, "SELECT coalesce(max(id), 0) + 1 FROM accounts")
    }

    func forget() {
        indexes.removeAll(keepingCapacity: true)
        accounts.removeAll(keepingCapacity: true)
    }

    func trim() {
        if accounts.count > Self.accountsMax { forget() }
    }

    /// Adds the entries to the balances; `take(back:)` undoes it.
    /// - Returns: each entry's account in this cache's numbering; nil, with nothing added, when a
    ///   balance would leave the range of Int64.
    func add(_ entries: [Entry]) throws -> [Int]? {
        var indexes: [Int] = []
        indexes.reserveCapacity(entries.count)
        for entry in entries {
            let index = try index(of: entry)
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
    func take(back entries: [Entry], _ indexes: [Int]) {
        for (entry, index) in zip(entries, indexes) {
            accounts[index].balance -= entry.amount.rawValue
        }
    }

    /// The account's row, which is made when there is none. The gate must be open for that.
    func id(at index: Int, of entry: Entry) throws -> Int64 {
        if accounts[index].id == 0 { accounts[index].id = try make(entry) }
        return accounts[index].id
    }

    private func index(of entry: Entry) throws -> Int {
        let name = Name(account: entry.account, currency: entry.currency)
        if let index = indexes[name] { return index }
        find.bind(1, entry.account.rawValue)
        find.bind(2, entry.currency.code)
        let isStored = try find.step()
        accounts.append(
            isStored
                ? Account(id: find.integer(0), balance: find.integer(1))
                : Account(id: 0, balance: 0))
        find.reset()
        indexes[name] = accounts.count - 1
        return accounts.count - 1
    }

    private func make(_ entry: Entry) throws -> Int64 {
        _ = try nextID.step()
        let id = nextID.integer(0)
        nextID.reset()
        insert.bind(1, id)
        insert.bind(2, entry.account.rawValue)
        insert.bind(3, entry.currency.code)
        try insert.run()
        return id
    }
}
