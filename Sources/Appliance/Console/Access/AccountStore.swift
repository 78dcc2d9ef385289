/// A value of the accounts' tables, or of a statement on them.
package enum AccountValue: Hashable, Sendable {
    case null
    case integer(Int64)
    /// Without a NUL: neither database keeps one.
    case text(String)
    case bytes([UInt8])

    init(_ number: Int64?) { self = number.map { .integer($0) } ?? .null }
    init(_ bytes: [UInt8]?) { self = bytes.map { .bytes($0) } ?? .null }
}

/// A row of the accounts' tables, by the places of its columns.
package struct AccountRow: Sendable {
    let values: [AccountValue]

    package init(_ values: [AccountValue]) { self.values = values }

    /// - Throws: ``AccountsFailure`` for this and for every value that is of another type.
    func integer(_ column: Int) throws -> Int64 {
        guard case .integer(let number) = values[column] else { throw Self.strange(column) }
        return number
    }

    func integerOrNull(_ column: Int) throws -> Int64? {
        values[column] == .null ? nil : try integer(column)
    }

    func text(_ column: Int) throws -> String {
        guard case .text(let text) = values[column] else { throw Self.strange(column) }
        return text
    }

    func textOrNull(_ column: Int) throws -> String? {
        values[column] == .null ? nil : try text(column)
    }

    func bytes(_ column: Int) throws -> [UInt8] {
        switch values[column] {
        case .bytes(let bytes): return bytes
        default: throw Self.strange(column)
        }
    }

    func bytesOrNull(_ column: Int) throws -> [UInt8]? {
        values[column] == .null ? nil : try bytes(column)
    }

    private static func strange(_ column: Int) -> AccountsFailure {
        AccountsFailure(
            description: "the accounts have a value of another type in column \(column)")
    }
}

/// The accounts' tables within one transaction. A statement is in the words that SQLite and
/// Postgres have in common, with `?` for each value in its order.
package protocol AccountTables {
    /// All rows that a query has, in its order.
    func rows(_ sql: String, _ values: [AccountValue]) throws -> [AccountRow]
    /// - Returns: how many rows it was about.
    @discardableResult
    func change(_ sql: String, _ values: [AccountValue]) throws -> Int
    /// The number of the last entry that the audit log ever had, also where that was taken away.
    func lastAuditNumber() throws -> Int64
}

extension AccountTables {
    func row(_ sql: String, _ values: [AccountValue] = []) throws -> AccountRow? {
        try rows(sql, values).first
    }

    func count(_ sql: String, _ values: [AccountValue] = []) throws -> Int64 {
        try row(sql, values)?.integer(0) ?? 0
    }
}

/// Users, tokens, sessions, the audit log and refunds that are wanted, wherever they are kept: in a
/// file of the data folder (`FolderAccounts`) or beside the ledger in Postgres
/// (`PostgresAccounts`), where all instances of the console have the same ones.
///
/// Blocking: call it from a queue of its own. Everything throws ``AccountsFailure`` where the store
/// cannot be used.
package protocol AccountStore: Sendable {
    /// Why nobody can sign in; nil where the store could be opened.
    var trouble: String? { get }
    /// What an operator does about it.
    var remedy: String { get }
    /// Makes guesses slow, for all who ask this store.
    var throttle: any LoginThrottling { get }

    /// One transaction that sees one moment and changes nothing.
    func read<Value>(_ body: (any AccountTables) throws -> Value) throws -> Value
    /// One transaction, and the only one of its time that changes something.
    func write<Value>(_ body: (any AccountTables) throws -> Value) throws -> Value
    /// The same for what may be lost, such as when a session was seen last: where somebody else
    /// changes something now it is not done, and nobody is waited for.
    func writeAtOnce(_ body: (any AccountTables) throws -> Void) throws
    /// Lets go of the file or the connection. To be called once nobody asks any more.
    func close()

    // MARK: The first person

    /// Offers a code by which the first person comes in.
    ///
    /// - Parameter hash: of the code.
    /// - Returns: whether it is good from now on; false where somebody else has offered one.
    func offerSetup(_ hash: [UInt8], at now: Int64) throws -> Bool
    /// Whether a code is the one, and was not used yet.
    func knowsSetup(_ hash: [UInt8], at now: Int64) throws -> Bool
    /// Uses the code up together with what `body` changes: both are stored, or neither.
    ///
    /// - Returns: false where it is not the one, or somebody was first; `body` is not run then.
    func useSetup(
        _ hash: [UInt8], at now: Int64, _ body: (any AccountTables) throws -> Void
    ) throws -> Bool
}
