internal import GRDB
import Vocabulary

/// Keeps reviews and people's decisions.
final class ReviewRows {
    private let last, find, put, open, renew, close, putDecision: LedgerStatement

    init(_ database: Database) throws {
        func make(_ sql: String) throws -> LedgerStatement { try LedgerStatement(database, sql) }
        last = try make("SELECT coalesce(max(id), 0) FROM reviews")
        find = try make(
            """
            SELECT score, reasons FROM reviews WHERE id =
                (SELECT max(id) FROM reviews WHERE state = 'opened' AND transaction_id =
                    (SELECT id FROM transactions WHERE movement = ?
                        AND id > (SELECT after_transaction FROM renewals)))
            """)
        // Never REPLACE, nor an upsert: the guards must see every row as what it is.
        put = try make(
            """
            INSERT INTO reviews SELECT ?1, id, ?3, ?4, ?5, ?6, ?7, ?8, ?9
            FROM transactions WHERE movement = ?2
            """)
        open = try make(
            "INSERT INTO open_reviews SELECT transaction_id, id FROM reviews WHERE id = ?")
        renew = try make(
            """
            UPDATE open_reviews SET review = ?1
            WHERE transaction_id = (SELECT transaction_id FROM reviews WHERE id = ?1)
            """)
        close = try make(
            """
            DELETE FROM open_reviews
            WHERE transaction_id = (SELECT id FROM transactions WHERE movement = ?)
            """)
        putDecision = try make("INSERT INTO decisions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
    }

    func lastReview() throws -> Int64 {
        defer { last.reset() }
        return try last.step() ? last.integer(0) : 0
    }

    func finding(of payment: MovementKey) throws -> ReviewFinding? {
        find.bind(1, payment.rawValue)
        defer { find.reset() }
        guard try find.step() else { return nil }
        return ReviewFinding(
            score: find.isNull(0) ? nil : find.double(0),
            reasons: try ReviewReasons.reasons(find.text(1)))
    }

    /// The gate must be open.
    func keep(_ change: ReviewChange, of payment: MovementKey) throws {
        try append(change, of: payment)
        guard change.record.state == .opened else { return try closeReview(of: payment) }
        open.bind(1, change.id)
        try open.run()
    }

    /// The gate must be open.
    func renew(_ change: ReviewChange, of payment: MovementKey) throws {
        try append(change, of: payment)
        renew.bind(1, change.id)
        guard try renew.run() == 1 else {
            throw LedgerError.invariant(code: 0, detail: "no open review of \(payment) to renew")
        }
    }

    private func append(_ change: ReviewChange, of payment: MovementKey) throws {
        let record = change.record
        put.bind(1, change.id)
        put.bind(2, payment.rawValue)
        put.bind(3, record.state.rawValue)
        put.bind(4, change.eventID.rawValue)
        put.bind(5, record.at.seconds)
        put.bind(6, change.postedAtMilliseconds)
        put.bind(7, orNull: record.score)
        put.bind(8, ReviewReasons.text(record.reasons))
        put.bind(9, orNull: record.note)
        guard try put.run() == 1 else {
            throw LedgerError.invariant(
                code: 0, detail: "a review of \(payment), which is not booked")
        }
    }

    /// The gate must be open.
    func closeReview(of payment: MovementKey) throws {
        close.bind(1, payment.rawValue)
        guard try close.run() == 1 else {
            throw LedgerError.invariant(code: 0, detail: "no open review of \(payment) to close")
        }
    }

    func keep(_ decision: PlacedDecision) throws {
        let (place, record) = (decision.place, decision.record)
        putDecision.bind(1, Int64(place.partition))
        putDecision.bind(2, place.decision)
        putDecision.bind(3, place.scoredNext)
        putDecision.bind(4, record.movement.rawValue)
        putDecision.bind(5, record.state.rawValue)
        putDecision.bind(6, record.by)
        putDecision.bind(7, record.at.seconds)
        putDecision.bind(8, orNull: record.note)
        putDecision.bind(9, decision.tookEffect ? 1 : 0)
        try putDecision.run()
    }
}

/// Reasons as the table keeps them: the JSON that a record has.
enum ReviewReasons {
    static func text(_ reasons: [VerdictReason]) -> String {
        var writer = JSONWriter()
        reasons.encode(into: &writer)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    static func reasons(_ text: String) throws -> [VerdictReason] {
        let document = JSONDocument()
        do {
            return try [VerdictReason](
                json: try document.parse("{\"reasons\":\(text)}".utf8), key: "reasons")
        } catch {
            throw LedgerError.corrupt(code: 0, detail: "reasons of a review: \(error)")
        }
    }
}
