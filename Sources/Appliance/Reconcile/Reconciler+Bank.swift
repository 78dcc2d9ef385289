import AppendLog
package import Appliance
import Logging
import Synchronization
import Vocabulary

/// Why a bank's statements are not taken now.
package enum BankRefusal: Error, Hashable, Sendable {
    /// Another import is under way.
    case busy

    package var message: String {
        "another import of a bank's statements is under way; ask again when it has ended"
    }
}

/// What an import did.
package struct BankImport: Hashable, Sendable {
    package var statements, entries: Int
    /// Entries that no earlier file had.
    package var new: Int
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
    /// - Throws: ``BankRefusal``; `LedgerError` or `StoreFailure` where nothing can be written.
    package func importBank(
        _ statements: [BankStatement], file: String
    ) async throws -> BankImport {
        let isFirst = state.withLock { state in
            defer { state.isImporting = true }
            return !state.isImporting
        }
        guard isFirst else { throw BankRefusal.busy }
        defer { state.withLock { $0.isImporting = false } }
        let machine = Instant(seconds: clock.now().milliseconds / 1000)
        let (added, entries, matches) = try await Self.bankQueue.run {
            [store] () throws(LedgerError) in
            let added = try store.add(statements, file: file, at: machine)
            let entries = try store.openBankEntries()
            let open = try store.bankMovements().filter { $0.entry == nil }.map(\.movement)
            let through = Dictionary(
                try store.bankStatements().map { ($0.currency, $0.days.upperBound) },
                uniquingKeysWith: max)
            return (added, entries, BankMatcher.matches(entries, open, through: through))
        }
        let days = Dictionary(entries.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        let livemode = accepts(true)
        let drafts = matches.compactMap { match in
            days[match.entry].flatMap { OwnRecords.bankDifference(match, $0, livemode: livemode) }
        }
        // First what has to be booked: matched again after a crash, it is the same event again.
        try await records.append(drafts)
        try await Self.bankQueue.run { [store] () throws(LedgerError) in
            try store.settle(matches)
        }
        let keys = matches.filter { $0.kept != .zero }
            .map { ReconciledRecord.bankKey(of: $0.movement.key) }
        return BankImport(
            statements: added.statements, entries: added.entries, new: added.new,
            settled: matches.count, differences: keys.count, booked: try await booked(keys))
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
    /// The bank beside the ledger. Blocking.
    package func bankReport() throws(LedgerError) -> BankReport {
        try checkKeepsBank()
        return BankReport(
            try bankMovements(), open: try openBankEntries(with: "stripe"), try bankStatements(),
            try bankBalances())
    }
}
