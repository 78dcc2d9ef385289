package import Bridges
internal import Foundation
import Vocabulary

/// The ledger in a Postgres database, with the rules of docs/formats/ledger.md kept by the database
/// itself. Several processes may have it open: the first statement of each batch locks the chain's
/// head, so that one of them writes at a time.
///
/// Blocking: call it from a thread of its own. It has one connection, made when it is needed, and
/// made anew after it was lost.
package final class PostgresLedger: Ledger, LedgerSQL, @unchecked Sendable {
    // `@unchecked Sendable`: `link` and `booking` are touched only under `lock`.
    private let lock = NSLock()
    private let link: PostgresLink
    private let booking: Booking<PostgresRows>

    private init(
        _ link: PostgresLink, original: (any LedgerOriginal)?,
        clockMilliseconds: @escaping @Sendable () -> Int64
    ) {
        self.link = link
        booking = Booking(
            PostgresRows(link), original: original, clockMilliseconds: clockMilliseconds)
    }

    /// Opens a ledger that `PostgresSchema.migrate` has made.
    ///
    /// - Parameters:
    ///   - original: the ledger that this one is a copy of.
    ///   - clockMilliseconds: the wall clock, milliseconds since 1970, for `posted_at` alone.
    ///   - sharesSilence: for many who read at once: those who wait behind a call that the server
    ///     does not answer fail as that one does, instead of waiting as long again.
    ///   - onWait: for who can wait: told what is in the way where that passes by itself. The
    ///     server is then connected to, and its schema looked at, at the first call.
    package static func open(
        _ configuration: PostgresConfiguration, original: (any LedgerOriginal)? = nil,
        sharesSilence: Bool = false, clockMilliseconds: @escaping @Sendable () -> Int64,
        onWait: ((LedgerError) -> Void)? = nil
    ) throws(LedgerError) -> PostgresLedger {
        let link = PostgresLink(
            configuration, madeBy: original == nil ? .command : .bridge,
            sharesSilence: sharesSilence)
        do {
            _ = try link.connection()
        } catch {
            let error = LedgerError(postgres: error)
            guard let onWait, error.isRetryable else { throw error }
            onWait(error)
        }
        return PostgresLedger(
            link, original: original, clockMilliseconds: clockMilliseconds)
    }

    package func close() { lock.withLock { link.close() } }

    /// How often the server was asked over the connection that is open.
    var roundTrips: Int { lock.withLock { link.roundTrips } }

    // MARK: Booking

    package func post(
        _ inputs: [LedgerInput], positions: [ConsumerPosition], places: [Int: DecisionPlace]
    ) throws(LedgerError) -> PostOutcome {
        try locked { try booking.post(inputs, positions, places) }
    }

    package func adopt(log: String) throws(LedgerError) {
        let point = try point()
        guard !point.logs.contains(log) || point.next == nil else { return }
        try locked { try booking.adopt { _ in log } }
    }

    /// Notes what it is booked from, as `choose` says while nobody else writes.
    ///
    /// - Parameter choose: told what is noted, and whether nothing was ever booked or read; nil
    ///   notes nothing.
    package func adopt(
        choosing choose: (_ notes: [String], _ isEmpty: Bool) -> String?
    ) throws(LedgerError) {
        try locked { try booking.adopt { choose(try $0.logs(), try $0.isEmpty()) } }
    }

    package func inherit(renewalsAfter transaction: Int64) throws(LedgerError) {
        try locked { try booking.inherit(renewalsAfter: transaction) }
    }

    private func locked<Value>(_ body: () throws -> Value) throws(LedgerError) -> Value {
        do {
            return try lock.withLock {
                do {
                    return try body()
                } catch {
                    link.didFail(error)
                    throw link.explained(error)
                }
            }
        } catch {
            throw LedgerError(postgres: error)
        }
    }

    // MARK: Reading

    /// Begins to read. A connection that was lost while nobody used it is made anew.
    private func begun() throws -> PostgresConnection {
        let wasOpen = link.isOpen
        do {
            return try begin()
        } catch PostgresError.connectionLost(_, _) where wasOpen {
            return try begin()
        }
    }

    private func begin() throws -> PostgresConnection {
        let connection = try link.connection()
        do {
            try connection.execute(
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; "
                    + "SET LOCAL cursor_tuple_fraction = 1; SET LOCAL enable_seqscan = on")
            return connection
        } catch {
            link.rollBack()
            throw error
        }
    }

    package func reading<Value>(
        _ body: (any LedgerSnapshot) throws -> Value
    ) throws(LedgerError) -> Value {
        try locked {
            let connection = try begun()
            do {
                let value = try body(PostgresSnapshot(connection))
                link.rollBack()
                return value
            } catch {
                link.rollBack()
                throw error
            }
        }
    }

    package func damage(in error: any Error) -> String? {
        guard let error = error as? PostgresError, ["XX001", "XX002"].contains(error.sqlState)
        else { return nil }
        return "\(error)"
    }

    package func position(topic: String, partition: Int32) throws(LedgerError) -> Int64? {
        try reading { database in
            let rows = try database.query(
                "SELECT next_offset FROM positions WHERE topic = ? AND partition = ?")
            rows.bind(1, topic)
            rows.bind(2, Int64(partition))
            return try rows.step() ? rows.integer(0) : nil
        }
    }

    package func point() throws(LedgerError) -> LedgerPoint {
        try reading { database in
            var point = LedgerPoint(
                positions: [:], places: [:], head: 0, hash: CanonicalBytes.genesis)
            func rows(_ sql: String, _ read: (any LedgerQuery) -> Void) throws {
                let rows = try database.query(sql)
                while try rows.step() { read(rows) }
            }
            try rows("SELECT topic, next_offset FROM positions WHERE partition = 0") {
                point.positions[$0.text(0)] = $0.integer(1)
            }
            try rows("SELECT place, scored_next FROM decisions WHERE partition = 0") {
                point.places[$0.integer(0)] = $0.integer(1)
            }
            try rows("SELECT identity FROM logs") { point.logs.append($0.text(0)) }
            try rows("SELECT last FROM ends WHERE name = 'transactions'") {
                point.next = $0.integer(0) + 1
            }
            try rows("SELECT coalesce(max(id), 0) FROM reviews") {
                point.lastReview = $0.integer(0)
            }
            try rows("SELECT last, hash FROM head") {
                (point.head, point.hash) = ($0.integer(0), $0.blob(1))
            }
            return point
        }
    }

    /// As every ledger's; its statements may take as long as they need.
    package func verify(
        progress: (LedgerVerification.Progress) -> Void
    ) throws(LedgerError) -> LedgerVerification {
        try verification { run in
            try (run.database as? PostgresSnapshot)?.connection.wait(
                atMost: PostgresVerification.patience)
            try run.walk(progress)
            try run.checkAccounts()
            try run.checkRest()
        }
    }
}
