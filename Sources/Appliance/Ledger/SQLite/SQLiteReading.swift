package import GRDB
import Vocabulary

/// Either of the two that have the ledger's file open.
package protocol SQLiteReading: LedgerSQL {
    var queue: DatabaseQueue { get }
}

extension SQLiteReading {
    package func reading<Value>(
        _ body: (any LedgerSnapshot) throws -> Value
    ) throws(LedgerError) -> Value {
        try reading { (database: Database) in try body(database) }
    }

    /// Runs `body` on one snapshot of the database.
    func reading<Value>(
        _ body: (Database) throws -> Value
    ) throws(LedgerError) -> Value {
        do {
            return try queue.inTransaction(.snapshot, body)
        } catch {
            throw LedgerError(error, path: queue.path)
        }
    }

    package func position(topic: String, partition: Int32) throws(LedgerError) -> Int64? {
        guard partition == 0 else { return nil }
        return try reading { (database: Database) in
            let statement = try LedgerStatement(
                database,
                // Here a topic has the one partition; earlier schemas have no column for it.
                "SELECT next_offset FROM positions WHERE topic = ?")
            defer { statement.reset() }
            statement.bind(1, topic)
            return try statement.step() ? statement.integer(0) : nil
        }
    }

    /// Where the ledger stands now.
    package func point() throws(LedgerError) -> LedgerPoint {
        try reading { (database: Database) in
            var point = LedgerPoint(
                positions: [:], places: [:], head: 0, hash: CanonicalBytes.genesis)
            // A start looks at a ledger before it brings it to this schema.
            let version = try SQLiteFile.storedVersion(database)
            if version < LedgerSchema.reviewVersion {
                try Self.readMixedPositions(database, into: &point)
            } else {
                try Self.readPositions(database, into: &point)
            }
            if version >= LedgerSchema.checksumVersion {
                try Self.rows(
                    database,
                    """
                    SELECT topic, checksum FROM positions
                    WHERE partition = 0 AND checksum IS NOT NULL
                    """
                ) { point.checksums[$0.text(0)] = UInt32(truncatingIfNeeded: $0.integer(1)) }
            }
            try Self.rows(
                database, "SELECT id, hash FROM transactions ORDER BY id DESC LIMIT 1"
            ) { (point.head, point.hash) = ($0.integer(0), $0.blob(1)) }
            return point
        }
    }

    private static func readPositions(
        _ database: Database, into point: inout LedgerPoint
    ) throws {
        try rows(database, "SELECT topic, next_offset FROM positions WHERE partition = 0") {
            point.positions[$0.text(0)] = $0.integer(1)
        }
        try rows(database, "SELECT place, scored_next FROM decisions WHERE partition = 0") {
            point.places[$0.integer(0)] = $0.integer(1)
        }
        try rows(database, "SELECT identity FROM logs") { point.logs.append($0.text(0)) }
        try rows(database, "SELECT last FROM ends WHERE name = 'transactions'") {
            point.next = $0.integer(0) + 1
        }
        try rows(database, "SELECT coalesce(max(id), 0) FROM reviews") {
            point.lastReview = $0.integer(0)
        }
    }

    /// Until schema 4 all of it stood among the positions.
    private static func readMixedPositions(
        _ database: Database, into point: inout LedgerPoint
    ) throws {
        let (decision, log) = ("payment.review/", "log/")
        try rows(database, "SELECT topic, next_offset FROM positions") { row in
            let (topic, next) = (row.text(0), row.integer(1))
            if topic == "ledger.posted" {
                point.next = next
            } else if topic.hasPrefix(log) {
                point.logs.append(String(topic.dropFirst(log.count)))
            } else if topic.hasPrefix(decision),
                let place = Int64(topic.dropFirst(decision.count))
            {
                point.places[place] = next
            } else {
                point.positions[topic] = next
            }
        }
    }

    private static func rows(
        _ database: Database, _ sql: String, _ read: (LedgerStatement) -> Void
    ) throws {
        let statement = try LedgerStatement(database, sql)
        defer { statement.reset() }
        while try statement.step() { read(statement) }
    }

    package func damage(in error: any Error) -> String? {
        switch error {
        case let error as DatabaseError where error.resultCode == .SQLITE_CORRUPT:
            error.message ?? "damage"
        case let failure as SQLiteFailure:
            if case .corrupt(_, let detail) = failure.ledgerError { detail } else { nil }
        default: nil
        }
    }
}
