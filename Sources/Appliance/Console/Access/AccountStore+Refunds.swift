import Reconcile
import Vocabulary

/// A refund that somebody wants made when, or after, a payment is declined, and how far it has
/// come.
///
///     wanted ──(the ledger has booked the decline)──▶ asking ──▶ made, refused, unknown
///       └──(it ends otherwise)──▶ dropped      ▲                          │
///                                              └────(somebody asks again)─┘
struct AskedRefund: Hashable, Sendable {
    enum State: Hashable, Sendable {
        /// Its decline is not booked yet.
        case wanted
        /// Stripe is being asked.
        case asking
        /// What Stripe has answered, or that it has not.
        case ended(RefundOutcome)
        /// It was not made, and Stripe was not asked: why.
        case dropped(String)
    }

    var movement: MovementKey
    /// Who wants it, and the note of their decision.
    var by: String
    var note: String
    /// Milliseconds since 1970: when it was wanted, and when the state changed last.
    var wantedAt: Int64
    var changedAt: Int64
    var state: State
}

extension AccountStore {
    /// Keeps a refund as it now stands, in the place of what was known of the payment's before.
    func keep(_ refund: AskedRefund) throws {
        try write { try Self.keep(refund, in: $0) }
    }

    private static func keep(_ refund: AskedRefund, in database: any AccountTables) throws {
        let (word, detail, status) = refund.state.words
        _ = try database.change(
            """
            INSERT INTO refunds
                (movement, by, note, wanted_at, changed_at, state, detail, status)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (movement) DO UPDATE SET
                by = excluded.by, note = excluded.note, wanted_at = excluded.wanted_at,
                changed_at = excluded.changed_at, state = excluded.state,
                detail = excluded.detail, status = excluded.status
            """,
            [
                .text(refund.movement.rawValue), .text(refund.by), .text(refund.note),
                .integer(refund.wantedAt), .integer(refund.changedAt), .text(word),
                .text(detail), .text(status),
            ])
    }

    private static var refundRows: String {
        "SELECT movement, by, note, wanted_at, changed_at, state, detail, status FROM refunds"
    }

    /// nil where nobody ever wanted one.
    func refund(of movement: MovementKey) throws -> AskedRefund? {
        try read { try Self.refund(of: movement, in: $0) }
    }

    private static func refund(
        of movement: MovementKey, in database: any AccountTables
    ) throws -> AskedRefund? {
        try database.row(refundRows + " WHERE movement = ?", [.text(movement.rawValue)])
            .flatMap { try AskedRefund($0) }
    }

    /// Those that are neither made nor given up, oldest first.
    func openRefunds(limit: Int) throws -> [AskedRefund] {
        try read {
            try $0.rows(
                Self.refundRows + """
                     WHERE state IN ('wanted', 'asking') ORDER BY wanted_at, movement LIMIT ?
                    """,
                [.integer(Int64(limit))])
        }.compactMap { try AskedRefund($0) }
    }

    /// Keeps that one is wanted, for a decline that is about to be written.
    ///
    /// - Returns: what was known of the payment's before, which ``withdraw(_:for:)`` puts back; one
    ///   that was made stays as it is.
    func want(_ refund: AskedRefund) throws -> AskedRefund? {
        try write { database in
            let earlier = try Self.refund(of: refund.movement, in: database)
            if case .ended(.made) = earlier?.state { return earlier }
            try Self.keep(refund, in: database)
            return earlier
        }
    }

    /// Takes back one that is wanted and whose decline was not taken: what was known before it is
    /// known again, also that somebody's, whose decline was, is still wanted.
    func withdraw(_ refund: AskedRefund, for earlier: AskedRefund?) throws {
        try write { database in
            // Who was first may have gone on with their own meanwhile.
            guard try Self.refund(of: refund.movement, in: database) == refund else { return }
            if let earlier { return try Self.keep(earlier, in: database) }
            _ = try database.change(
                "DELETE FROM refunds WHERE movement = ?", [.text(refund.movement.rawValue)])
        }
    }
}

extension AskedRefund.State {
    /// As the table has it: the state, what is said of it, and Stripe's own word.
    fileprivate var words: (word: String, detail: String, status: String) {
        switch self {
        case .wanted: ("wanted", "", "")
        case .asking: ("asking", "", "")
        case .ended(.made(let id, let status)): ("made", id, status)
        case .ended(.refused(let why)): ("refused", why, "")
        case .ended(.unknown(let why)): ("unknown", why, "")
        case .dropped(let why): ("dropped", why, "")
        }
    }
}

extension AskedRefund {
    /// - Returns: nil for a state that a later release wrote.
    fileprivate init?(_ row: AccountRow) throws {
        let (word, detail, status) = (try row.text(5), try row.text(6), try row.text(7))
        let state: State
        switch word {
        case "wanted": state = .wanted
        case "asking": state = .asking
        case "made": state = .ended(.made(id: detail, status: status))
        case "refused": state = .ended(.refused(detail))
        case "unknown": state = .ended(.unknown(detail))
        case "dropped": state = .dropped(detail)
        default: return nil
        }
        self.init(
            movement: MovementKey(try row.text(0)), by: try row.text(1), note: try row.text(2),
            wantedAt: try row.integer(3), changedAt: try row.integer(4), state: state)
    }
}
