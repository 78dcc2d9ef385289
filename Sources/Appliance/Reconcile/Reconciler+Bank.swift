import AppendLog
package import Appliance
import Logging
import Synchronization
import Vocabulary

/// Why a bank's statements are not taken now.
package enum BankRefusal: Error, Hashable, Sendable {
    /// Another import is under way.
    case busy
    /// Statements that were imported before come again and tell otherwise: a sentence for each.
    case differs([String])
    /// A file has one statement twice, which tell otherwise: a sentence.
    case contradicts(String)
    /// A statement that is to be replaced is not of the account and the days of the file.
    case replacesOther(Int64)

    /// Statements that are named: all that is said must fit into one answer.
    private static let namedMax = 2

    package var message: String {
        switch self {
        case .busy:
            return "another import of a bank's statements is under way; ask again when it has ended"
        case .differs(let sentences):
            let rest = sentences.count - Self.namedMax
            return sentences.prefix(Self.namedMax).joined(separator: ". ")
                + (rest > 0 ? ". \(rest) more of them" : "")
                + ". Nothing was taken; if the bank has corrected it, import the file again with "
                + "--replaces and that number, once for each"
        case .contradicts(let sentence):
            return sentence + ". Nothing was taken; import the one that the bank calls right "
                + "without the other"
        case .replacesOther(let id):
            return "no statement number \(id) was imported of the account and the days of this file"
        }
    }
}

/// What an import did.
package struct BankImport: Hashable, Sendable {
    package var statements, entries: Int
    /// Entries that no earlier file had.
    package var new: Int
    /// Entries that count no more, since the bank corrected their statement.
    package var superseded: Int
    /// Entries that settle a movement since.
    package var settled: Int
    /// Differences that were appended to be booked, and of these the ones that the ledger holds.
    package var differences, booked: Int
}

extension Reconciler {
    /// How long the ledger is waited for.
    private static let bookingAttempts = 100
    private static let bookingPauseMilliseconds = 100
    /// Reading and matching a year of entries takes longer than a task may.
    private static let bankQueue = BlockingQueue("tillbox.reconcile.bank")

    /// Stores statements, finds which entries are which movements, and books what the bank kept.
    /// Repeatable: the same file changes nothing, and a crash between any two steps is made up for
    /// by the next import.
    ///
    /// - Parameter replaced: numbers of statements in the record that these correct.
    /// - Throws: ``BankRefusal``; `LedgerError` or `StoreFailure` where nothing can be written.
    package func importBank(
        _ statements: [BankStatement], replacing replaced: Set<Int64> = [], file: String
    ) async throws -> BankImport {
        let isFirst = state.withLock { state in
            defer { state.isImporting = true }
            return !state.isImporting
        }
        guard isFirst else { throw BankRefusal.busy }
        defer { state.withLock { $0.isImporting = false } }
        let machine = Instant(seconds: clock.now().milliseconds / 1000)
        let taking = try await Self.bankQueue.run { [store] () throws(LedgerError) in
            try store.take(statements, replacing: replaced, file: file, at: machine)
        }
        let added: AddedEntries
        switch taking {
        case .taken(let entries): added = entries
        case .refused(let refusal): throw refusal
        }
        let (settled, charges) = try await Self.bankQueue.run { [store] () throws(LedgerError) in
            (try store.settleBank(), try store.bankCharges())
        }
        // What the record says and the ledger does not have: after a crash it is found again, and
        // is the same event again.
        let livemode = accepts(true)
        try await records.append(
            charges.flatMap { OwnRecords.bankDifferences($0, livemode: livemode) })
        let keys = charges.flatMap { charge in
            charge.differences.map {
                ReconciledRecord.bankKey(of: charge.movement, number: $0.number)
            }
        }
        return BankImport(
            statements: added.statements, entries: added.entries, new: added.new,
            superseded: added.superseded, settled: settled, differences: keys.count,
            booked: try await booked(keys))
    }

    /// Looks again whether entries that were imported settle what was booked since.
    func matchBank() async {
        do {
            guard try store.hasBankStatements() else { return }
            let done = try await importBank([], file: "")
            guard done.settled > 0 else { return }
            logger.info(
                "entries of the bank settle what was open", metadata: ["count": "\(done.settled)"])
        } catch {
            logger.warning(
                "the bank's entries could not be looked at; the next run or import does it",
                metadata: ["error": "\(error)"])
        }
    }

    /// Waits until the ledger holds these movements, within bounds.
    private func booked(_ keys: [String]) async throws -> Int {
        var count = 0
        for attempt in 0...Self.bookingAttempts {
            count = try await Self.bankQueue.run { [store] () throws(LedgerError) in
                try store.bookedCount(of: keys)
            }
            guard count < keys.count, attempt < Self.bookingAttempts else { break }
            try await Task.sleep(for: .milliseconds(Self.bookingPauseMilliseconds))
        }
        return count
    }

    /// The bank beside the ledger. Blocking.
    package func bankReport() throws(LedgerError) -> BankReport { try seen.bankReport() }
}

extension StatementStore {
    /// Finds which entries are which movements, and notes it. Blocking.
    ///
    /// - Returns: how many are settled since.
    fileprivate func settleBank() throws(LedgerError) -> Int {
        let entries = try openBankEntries()
        let movements = try bankMovements()
        let open = movements.filter { $0.entry == nil }.map(\.movement)
        let settled = Set(movements.filter { $0.entry != nil }.map(\.movement.id))
        let through = Dictionary(
            try bankStatements().map { ($0.currency, $0.days.upperBound) }, uniquingKeysWith: max)
        let matches = BankMatcher.matches(
            entries, open, settled: settled, through: through)
        try settle(matches)
        return matches.count
    }

    /// The bank beside the ledger. Blocking.
    package func bankReport() throws(LedgerError) -> BankReport {
        try checkKeepsBank()
        return BankReport(
            try bankMovements(), open: try openBankEntries(with: "stripe"), try bankStatements(),
            try bankBalances())
    }
}
