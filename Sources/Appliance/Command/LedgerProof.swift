import Appliance
import Daemon
import Foundation
import Synchronization
import Terminal
import Traffic
import Vocabulary

/// Whether a ledger holds what the delivered events tell: each movement that moves money, and what
/// it does to `processor:stripe` of its Stripe account, to the cent.
struct LedgerProof: Hashable, Sendable, Codable {
    /// Movements that must be booked.
    var movements = 0
    /// Of these, what the ledger had not booked when it had come to rest.
    var missing = 0
    /// Of these, what is booked with another amount or currency.
    var different = 0
    /// Some of the missing and the different ones, by their keys.
    var examples: [String] = []
    /// What all of them together do to what Stripe holds in all accounts, by currency, in minor
    /// units.
    var processor: [String: Int64] = [:]

    static let exampleCountMax = 5

    var holds: Bool { missing == 0 && different == 0 }
}

/// Compares what events told with a ledger that another process may still be writing.
struct LedgerProver: Sendable {
    let open: @Sendable () throws -> any LedgerReading
    /// How long the ledger may book nothing before what is missing is called so.
    let quietFor: Duration
    let lookEvery: Duration

    /// The ledger in a data folder.
    static func folder(_ folder: String) -> LedgerProver {
        LedgerProver(
            open: {
                let path = "\(folder)/ledger.sqlite"
                guard FileManager.default.fileExists(atPath: path) else {
                    throw CommandFailure.cannotRun(
                        "there is no ledger in \(folder); name the daemon's data folder with "
                            + "--prove")
                }
                return try SQLiteLedgerReader.open(path: path)
            }, quietFor: .seconds(5), lookEvery: .milliseconds(20))
    }

    /// The ledger of the profile cloud, whose roles wait 10 s and more for a group that loses
    /// members, one after the other.
    static func cloud(_ settings: Settings) -> LedgerProver {
        LedgerProver(
            open: {
                try settings.requirePostgres(for: "--prove-cloud")
                return try settings.quietPlane().ledger()
            }, quietFor: .seconds(40), lookEvery: .milliseconds(500))
    }

    /// Waits until the ledger has booked all of it, or books nothing more. While it cannot be read
    /// for a reason that passes, as a database that restarts, it is asked again for as long.
    ///
    /// - Throws: `CommandFailure` where there is no ledger, `LedgerError` where it cannot be read.
    func prove(_ truth: ScenarioTruth) async throws -> LedgerProof {
        var proof = LedgerProof()
        var open = Self.expected(of: truth, &proof)
        var ledger: (any LedgerReading)?
        var (head, changedAt) = (Int64(-1), ContinuousClock.now)
        while true {
            do {
                let reading = try ledger ?? self.open()
                ledger = reading
                let now = try reading.point().head
                if now != head { (head, changedAt) = (now, .now) }
                var looked = proof
                open = try open.filter { try !isBooked($0, in: reading, &looked) }
                proof = looked
                if open.isEmpty || ContinuousClock.now - changedAt > quietFor { break }
            } catch let error as any PassingFailure
                where error.isRetryable && ContinuousClock.now - changedAt <= quietFor
            {
                try? ledger?.close()
                ledger = nil
            }
            try await Task.sleep(for: lookEvery)
        }
        proof.missing = open.count
        for movement in open { proof.note(movement, "missing") }
        try ledger?.close()
        return proof
    }

    /// What moves money, in the order of the keys, so that the examples are always the same.
    private static func expected(
        of truth: ScenarioTruth, _ proof: inout LedgerProof
    ) -> [ExpectedMovement] {
        let expected = truth.movements.values.filter { $0.processorChange != nil }
            .sorted { $0.key.rawValue < $1.key.rawValue }
        proof.movements = expected.count
        for movement in expected {
            proof.processor[movement.currency.code, default: 0] +=
                movement.processorChange?.rawValue ?? 0
        }
        return expected
    }

    private func isBooked(
        _ movement: ExpectedMovement, in ledger: any LedgerReading, _ proof: inout LedgerProof
    ) throws -> Bool {
        let booked = try ledger.transactions(of: movement.key).first {
            $0.posting.movement == movement.key
        }
        guard let booked else { return false }
        let entries = booked.posting.entries.filter {
            $0.account == .processor(of: movement.account)
        }
        let isRight =
            entries.count == 1 && entries[0].currency == movement.currency
            && entries[0].amount == movement.processorChange
        if !isRight {
            proof.different += 1
            proof.note(movement, "different")
        }
        return true
    }
}

extension LedgerProof {
    fileprivate mutating func note(_ movement: ExpectedMovement, _ what: String) {
        guard examples.count < Self.exampleCountMax else { return }
        examples.append("\(what) \(movement.key.rawValue)")
    }
}

/// Gathers what acknowledged events tell, from the load client's thread.
final class TruthNotes: Sendable {
    private let notes = Mutex(ScenarioTruth())

    var truth: ScenarioTruth { notes.withLock { $0 } }

    func note(_ event: StreamedEvent) {
        let movements = event.movements
        notes.withLock { $0.note(movements) }
    }
}
