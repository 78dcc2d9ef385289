import Appliance
import Reconcile
import Vocabulary

/// A refund that somebody wants made when, or after, a payment is declined, and how far it has
/// come.
///
///     wanted ──(the ledger has booked the decline)──▶ asking ──▶ made, refused, unknown
///       └──(it ends otherwise)──▶ dropped      ▲                          │
///                                              └────(somebody asks again)─┘
///
/// Whoever asks again where no answer came asks with the same key, so that Stripe makes one. Where
/// it has failed Stripe would answer that key with the same failure for a day: the key then names
/// what it comes after.
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
    /// See `RefundOrder`: the attempt that it comes after. Empty once it is made.
    var behind = ""
    /// While it is wanted: others who want one with a decline of theirs that nobody has booked or
    /// refused yet. Which of them declines the payment, the ledger says.
    var others: [Wanter] = []

    /// Somebody who wants a refund with their decline.
    struct Wanter: Hashable, Sendable {
        var by: String
        var note: String
    }

    /// What the next attempt comes after. Behind one without an answer it comes after the same:
    /// Stripe may have made that one.
    ///
    /// - Parameter hasFailed: whether what Stripe has made is known to have failed since.
    func nextBehind(hasFailed: Bool = false) -> String {
        switch state {
        case .ended(.made(let id, let status)):
            hasFailed || RefundOutcome.made(id: id, status: status).hasFailed ? id : behind
        case .ended(.refused): "\(changedAt)"
        case .ended(.unknown), .wanted, .asking, .dropped: behind
        }
    }

    var wanter: Wanter { Wanter(by: by, note: note) }

    /// Whether somebody's decline comes with one.
    func isWanted(by decision: Review.Decision?) -> Bool {
        guard let decision else { return false }
        return ([wanter] + others).contains(Wanter(by: decision.by, note: decision.note ?? ""))
    }
}

extension AccountStore {
    /// Keeps a refund as it now stands, in the place of what was known of the payment's before.
    func keep(_ refund: AskedRefund) throws {
        try write { try Self.keep(refund, in: $0) }
    }

    private static func keep(_ refund: AskedRefund, in database: any AccountTables) throws {
        let (word, detail, status) = refund.words
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

    /// Keeps that one is wanted, for a decline that is about to be written. One that was made, or
    /// is being made, stays as it is; others who want one go on wanting it.
    ///
    /// - Returns: what is kept now, and what was known of the payment's before, which
    ///   ``withdraw(_:for:)`` puts back.
    func want(
        _ refund: AskedRefund
    ) throws -> (kept: AskedRefund, earlier: AskedRefund?) {
        try write { database in
            let earlier = try Self.refund(of: refund.movement, in: database)
            var kept = refund
            switch earlier?.state {
            case .ended(.made), .asking: return (refund, earlier)
            case .wanted:
                kept.behind = earlier?.behind ?? ""
                // As many as could decide at one moment, and far more. Who wants one twice is
                // there twice, so that each decline that is refused takes back its own.
                let others = [earlier?.wanter].compactMap { $0 } + (earlier?.others ?? [])
                kept.others = Array(others.prefix(16))
            case .ended, .dropped: kept.behind = earlier?.nextBehind() ?? ""
            case nil: break
            }
            try Self.keep(kept, in: database)
            return (kept, earlier)
        }
    }

    /// Takes back one that is wanted and whose decline was not taken. Whoever else wants one goes
    /// on wanting theirs; where nobody does, what was known before is known again.
    func withdraw(_ refund: AskedRefund, for earlier: AskedRefund?) throws {
        try write { database in
            // Who was first may have gone on with their own meanwhile.
            guard var now = try Self.refund(of: refund.movement, in: database),
                now.state == .wanted
            else { return }
            if let place = now.others.firstIndex(of: refund.wanter), now.wanter != refund.wanter {
                now.others.remove(at: place)
            } else if now.wanter != refund.wanter {
                return
            } else if let next = now.others.first {
                (now.by, now.note) = (next.by, next.note)
                now.others.removeFirst()
            } else if let earlier, earlier.state != .wanted {
                now = earlier
            } else {
                _ = try database.change(
                    "DELETE FROM refunds WHERE movement = ?", [.text(refund.movement.rawValue)])
                return
            }
            try Self.keep(now, in: database)
        }
    }

    /// Keeps a refund as it now stands, where it still is what somebody has read: of several who go
    /// on with one, in one process or in others, one does.
    ///
    /// - Parameter seen: nil for none.
    /// - Returns: whether it was kept.
    func replace(_ seen: AskedRefund?, by refund: AskedRefund) throws -> Bool {
        try write { database in
            guard try Self.refund(of: refund.movement, in: database) == seen else { return false }
            try Self.keep(refund, in: database)
            return true
        }
    }

    /// Keeps what came of asking Stripe, beside whoever went on with the same refund meanwhile:
    /// that it was made stands whoever says so, and nothing else takes the place of what others
    /// say.
    ///
    /// - Parameter asking: as it was kept before Stripe was asked.
    func end(_ asking: AskedRefund, as refund: AskedRefund) throws {
        try write { database in
            let now = try Self.refund(of: refund.movement, in: database)
            if now != asking {
                guard case .ended(.made) = refund.state else { return }
                if case .ended(.made) = now?.state { return }
            }
            try Self.keep(refund, in: database)
        }
    }
}

extension AskedRefund {
    /// As the table has it: the state, what is said of it, and Stripe's own word of a refund that
    /// is made, else what it comes after.
    fileprivate var words: (word: String, detail: String, status: String) {
        switch state {
        case .wanted: ("wanted", Self.encode(others), behind)
        case .asking: ("asking", "", behind)
        case .ended(.made(let id, let status)): ("made", id, status)
        case .ended(.refused(let why)): ("refused", why, behind)
        case .ended(.unknown(let why)): ("unknown", why, behind)
        case .dropped(let why): ("dropped", why, behind)
        }
    }

    /// `[["ada","the note"],…]`; empty for none.
    private static func encode(_ others: [Wanter]) -> String {
        guard !others.isEmpty else { return "" }
        var writer = JSONWriter()
        writer.beginArray()
        for other in others {
            writer.beginArray()
            writer.string(other.by)
            writer.string(other.note)
            writer.endArray()
        }
        writer.endArray()
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    private static func wanters(in detail: String) -> [Wanter] {
        guard !detail.isEmpty else { return [] }
        let document = JSONDocument(bytesMax: detail.utf8.count)
        return withExtendedLifetime(document) {
            guard let list = (try? document.parse(Array(detail.utf8)))?.array else { return [] }
            return list.compactMap { one in
                let words = one.array?.compactMap(\.string) ?? []
                return words.count == 2 ? Wanter(by: words[0], note: words[1]) : nil
            }
        }
    }

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
            wantedAt: try row.integer(3), changedAt: try row.integer(4), state: state,
            behind: word == "made" ? "" : status,
            others: state == .wanted ? Self.wanters(in: detail) : [])
    }
}
