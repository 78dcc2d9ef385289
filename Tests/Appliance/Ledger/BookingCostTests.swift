import Foundation
import GRDB
import GRDBSQLite
import Testing

@testable import Appliance
@testable import Vocabulary

/// What a movement costs in counts, which are the same on every machine: an index more, a look-up
/// that comes back, or a statement a row shows here, however fast the disk is.
///
/// The bounds stand about a tenth above what was counted with SQLite 3.40.
@Suite("What a booking costs")
struct BookingCostTests {
    struct Bound: Sendable {
        var batch: Int
        /// Statements and triggers that are run, a batch.
        var programs: Double
        /// Instructions of SQLite's machine, a movement.
        var steps: Double
        /// Bytes of the write-ahead log, a movement.
        var logBytes: Double
    }

    @Test(
        "is bounded, a movement and a batch",
        arguments: [
            Bound(batch: 1, programs: 28, steps: 940, logBytes: 33_200),
            Bound(batch: 64, programs: 290, steps: 375, logBytes: 1_260),
            Bound(batch: 100, programs: 420, steps: 350, logBytes: 880),
        ])
    func counts(bound: Bound) throws {
        let folder = try LedgerFolder()
        let ledger = try folder.open()
        var next = 0
        func post(_ batches: Int) throws {
            for _ in 0..<batches {
                let inputs = (next..<next + bound.batch).map {
                    Given.payment("ch_3\(1_000_000 + $0)LkdIwHu7", merchant: "acct_\($0 % 50)")
                }
                next += bound.batch
                let position = ConsumerPosition(
                    topic: "payment.scored", nextOffset: Int64(next))
                let outcome = try ledger.post(inputs, positions: [position])
                #expect(outcome.posted.count == bound.batch)
            }
        }
        // The accounts are made, and met.
        try post(max(1, 200 / bound.batch))
        try Self.keepWholeLog(ledger)
        #expect(try folder.logByteCount() == 0)
        let before = (count: Self.count(ledger), next: next)
        let batches = max(10, 100 / bound.batch)
        try post(batches)
        let after = (count: Self.count(ledger), next: next)
        let movements = Double(after.next - before.next)
        let programs = Double(after.count.runs - before.count.runs) / Double(batches)
        let steps = Double(after.count.steps - before.count.steps) / movements
        let bytes = Double(try folder.logByteCount()) / movements
        let text = "\(bound.batch): \(programs) programs, \(steps) steps, \(bytes) bytes"
        #expect(programs <= bound.programs, "\(text)")
        #expect(steps <= bound.steps, "\(text)")
        #expect(bytes <= bound.logBytes, "\(text)")
        // The counting itself works.
        #expect(programs > 5 && steps > 100 && bytes > 100, "\(text)")
        try ledger.close()
    }

    @Test("verification of a ledger eight times as large takes some eight times the steps")
    func verified() throws {
        func steps(rounds: Int) throws -> Int {
            let ledger = try LedgerFolder().open()
            for round in 0..<rounds { try StateTamperingTests.fill(ledger, round: round) }
            let steps = StepCount()
            ledger.queue.writeWithoutTransaction { steps.follow($0) }
            #expect(try ledger.verify().fault == nil)
            ledger.queue.writeWithoutTransaction { steps.leave($0) }
            try ledger.close()
            return steps.count
        }
        let (few, many) = (try steps(rounds: 50), try steps(rounds: 400))
        // A join without an index would take 64 times as many.
        #expect(few > 1_000 && many < 12 * few, "\(few), \(many)")
    }

    /// Counts the instructions of SQLite's machine by its progress handler, in hundreds.
    private final class StepCount {
        private(set) var count = 0

        func follow(_ database: Database) {
            sqlite3_progress_handler(
                database.sqliteConnection, 100,
                { context in
                    // SAFETY: `self` outlives the verification that is followed.
                    Unmanaged<StepCount>.fromOpaque(context!).takeUnretainedValue().count += 1
                    return 0
                }, Unmanaged.passUnretained(self).toOpaque())
        }

        func leave(_ database: Database) {
            sqlite3_progress_handler(database.sqliteConnection, 0, nil, nil)
        }
    }

    /// Empties the write-ahead log and lets it grow from here on: one that were copied back in
    /// between would begin again at its front, and its size would hide what was written before.
    private static func keepWholeLog(_ ledger: SQLiteLedger) throws {
        try ledger.queue.writeWithoutTransaction { database in
            try database.execute(
                sql: "PRAGMA wal_autocheckpoint = 0; PRAGMA wal_checkpoint(TRUNCATE)")
        }
    }

    /// All that the ledger's statements have done so far.
    private static func count(_ ledger: SQLiteLedger) -> (runs: Int, steps: Int) {
        ledger.queue.writeWithoutTransaction { database in
            var (runs, steps) = (0, 0)
            var statement = sqlite3_next_stmt(database.sqliteConnection, nil)
            while let one = statement {
                runs += Int(sqlite3_stmt_status(one, SQLITE_STMTSTATUS_RUN, 0))
                steps += Int(sqlite3_stmt_status(one, SQLITE_STMTSTATUS_VM_STEP, 0))
                statement = sqlite3_next_stmt(database.sqliteConnection, one)
            }
            return (runs, steps)
        }
    }
}

extension LedgerFolder {
    fileprivate func logByteCount() throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: file + "-wal")
        return (attributes[.size] as? Int) ?? 0
    }
}
