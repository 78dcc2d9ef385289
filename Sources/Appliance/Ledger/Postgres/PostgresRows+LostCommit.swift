internal import Bridges
internal import Foundation
import Vocabulary

/// A commit whose answer was lost.
extension PostgresRows {
    /// How long new questions are begun before they are left to the caller: a role that is to stop
    /// has seconds, and each question may wait for a connect and for the lock.
    private static let patience = Duration.seconds(1)

    /// Connects anew and looks whether the batch is stored. The head is locked first: the process
    /// of the lost connection may still be at its commit.
    ///
    /// - Throws: what was lost, if the batch is not stored, or if nobody answered.
    func findOut(_ lost: PostgresError) throws {
        link.close()
        committed = nil
        var reconnection = PostgresReconnection()
        let giveUpAt = ContinuousClock.now + Self.patience
        repeat {
            do {
                if try isStored() { return }
                throw LedgerError.server(
                    state: lost.sqlState,
                    detail: "the connection to Postgres was lost before the commit, and nothing "
                        + "of the batch is stored", isRetryable: true)
            } catch let error as PostgresError {
                link.close()
                let next = reconnection.didFail(error, dice: .random(in: 0..<1_024))
                guard case .connect(let wait) = next else { break }
                Thread.sleep(forTimeInterval: wait / .seconds(1))
            }
        } while .now < giveUpAt
        throw lost
    }

    private func isStored() throws -> Bool {
        let connection = try link.connection()
        try connection.begin()
        defer { connection.rollBack() }
        _ = try connection.query("SELECT 1 FROM head FOR UPDATE")
        if let last = batch.newTransactions.last {
            let rows = try connection.query(
                "SELECT hash FROM transactions WHERE id = $1", [.integer(last.id)])
            return try rows.count == 1 && rows.bytes(0, 0) == last.hash
        }
        // A review may be renewed without a transaction.
        if let last = batch.newReviews.last {
            let rows = try connection.query(
                "SELECT transaction_id, event_id FROM reviews WHERE id = $1",
                [.integer(last.change.id)])
            return try rows.count == 1 && rows.integer(0, 0) == last.transaction
                && rows.text(0, 1) == last.change.eventID.rawValue
        }
        // Of what books nothing, the position is what was stored with it.
        batch.positions = nil
        guard let moved = batch.moved.first(where: { $0.from != $0.position.nextOffset }) else {
            return false
        }
        let position = try position(of: moved.position.topic, moved.position.partition)
        return (position ?? 0) >= moved.position.nextOffset
    }
}
