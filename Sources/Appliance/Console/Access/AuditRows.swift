import Bridges

/// Something that somebody did.
package struct AuditEntry: Hashable, Sendable {
    /// From 1, without a gap.
    package var seq: Int64
    /// Milliseconds since 1970.
    package var at: Int64
    /// A user's name, `token NAME`, `NAME (command line)`, or `daemon`; of a refused login the name
    /// that was typed.
    package var who: String
    /// `login`, `user add`, `configuration`; of a route its method and path.
    package var what: String
    /// The address that it came from, or `command line`; of what the daemon does by itself what it
    /// did it for, as `start`.
    package var place: String
    /// What a person should know of it; never a secret.
    package var detail: String
    /// The entry's link of the chain, SHA-256; see ``hash(after:)``.
    package var hash: [UInt8]

    /// The hash that the entry must have behind another: SHA-256 of that one's hash, of number and
    /// time as 8 bytes each, and of the four texts, each behind its length as 8 bytes. All numbers
    /// begin with their highest byte.
    func hash(after last: [UInt8]) -> [UInt8] {
        func bytes(_ number: Int64) -> [UInt8] {
            (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * $0)) }
        }
        var message = last + bytes(seq) + bytes(at)
        for text in [who, what, place, detail] {
            let letters = Array(text.utf8)
            message += bytes(Int64(letters.count)) + letters
        }
        return SHA256.digest(message[...])
    }
}

/// Where the audit log is not what was written.
package struct AuditBreak: Error, Hashable, CustomStringConvertible {
    /// The first entry that is not there, or does not follow from those before it.
    package var seq: Int64

    package var description: String {
        "the audit log was changed by another hand: entry \(seq) does not follow from those before"
    }
}

extension AccountStore {
    /// Bytes before the first entry.
    private static var genesis: [UInt8] { [UInt8](repeating: 0, count: SHA256.byteCount) }
    private static var pageCount: Int { 1_000 }
    private static var auditRows: String {
        "SELECT seq, at, who, what, place, detail, hash FROM audit"
    }

    /// Appends an entry of texts as ``AuditEntry/kept(_:)`` has them.
    package func note(
        who: String, what: String, place: String, detail: String, at now: Int64
    ) throws {
        try write { database in
            let last = try database.row(Self.auditRows + " ORDER BY seq DESC LIMIT 1")
                .map { try AuditEntry($0) }
            // Also where the last entries were taken away.
            let told = try database.lastAuditNumber()
            var entry = AuditEntry(
                seq: max(told, last?.seq ?? 0) + 1, at: now, who: AuditEntry.kept(who),
                what: AuditEntry.kept(what), place: AuditEntry.kept(place),
                detail: AuditEntry.kept(detail), hash: [])
            entry.hash = entry.hash(after: last?.hash ?? Self.genesis)
            try database.change(
                """
                INSERT INTO audit (seq, at, who, what, place, detail, hash)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                """,
                [
                    .integer(entry.seq), .integer(entry.at), .text(entry.who), .text(entry.what),
                    .text(entry.place), .text(entry.detail), .bytes(entry.hash),
                ])
        }
    }

    /// Entries, the newest first.
    ///
    /// - Parameters:
    ///   - before: the number that they are below; nil for the newest.
    ///   - who: letters that stand in who it was, of either case; empty for anybody.
    ///   - what: the same of what was done, or of its detail.
    package func auditEntries(
        before: Int64?, limit: Int, who: String = "", what: String = ""
    ) throws -> [AuditEntry] {
        let (who, what) = (Self.small(who), Self.small(what))
        // Where a text has the letters, it is another one without them.
        return try read {
            try $0.rows(
                Self.auditRows + """
                     WHERE seq < ?
                    AND (? = '' OR replace(lower(who), ?, '') <> lower(who))
                    AND (? = '' OR replace(lower(what), ?, '') <> lower(what)
                        OR replace(lower(detail), ?, '') <> lower(detail))
                    ORDER BY seq DESC LIMIT ?
                    """,
                [.integer(before ?? .max)] + [who, who, what, what, what].map { .text($0) }
                    + [.integer(Int64(limit))])
        }.map { try AuditEntry($0) }
    }

    /// As both databases' `lower` makes letters small: those of ASCII.
    private static func small(_ text: String) -> String {
        let letters = text.utf8.map { (0x41...0x5A).contains($0) ? $0 + 0x20 : $0 }
        return String(decoding: letters, as: UTF8.self)
    }

    /// The newest entry of a kind; nil where there is none.
    func lastAudit(of what: String) throws -> AuditEntry? {
        try read {
            try $0.row(
                Self.auditRows + " WHERE what = ? ORDER BY seq DESC LIMIT 1", [.text(what)])
        }.map { try AuditEntry($0) }
    }

    /// Follows the whole chain, and that its end is the last entry that was ever written.
    ///
    /// - Returns: how many entries there are.
    /// - Throws: ``AuditBreak``, ``AccountsFailure``.
    package func verifyAudit() throws -> Int {
        try read { database in
            var (seq, hash) = (Int64(0), Self.genesis)
            while true {
                let rows = try database.rows(
                    Self.auditRows + " WHERE seq > ? ORDER BY seq LIMIT ?",
                    [.integer(seq), .integer(Int64(Self.pageCount))])
                for row in rows {
                    let entry = try AuditEntry(row)
                    guard entry.seq == seq + 1, entry.hash == entry.hash(after: hash) else {
                        throw AuditBreak(seq: seq + 1)
                    }
                    (seq, hash) = (entry.seq, entry.hash)
                }
                guard rows.count == Self.pageCount else { break }
            }
            guard try database.lastAuditNumber() == seq else { throw AuditBreak(seq: seq + 1) }
            return Int(seq)
        }
    }
}

extension AuditEntry {
    /// A text as an entry keeps it: ``AccessLimits/auditCharactersMax`` Unicode scalars at most.
    /// SQLite would end it at a NUL, which Postgres does not take at all, and the entry would no
    /// longer have the hash that was made of it: U+FFFD stands for each.
    static func kept(_ text: String) -> String {
        let scalars = text.unicodeScalars.prefix(AccessLimits.auditCharactersMax)
        return String(String.UnicodeScalarView(scalars.map { $0 == "\0" ? "\u{FFFD}" : $0 }))
    }

    fileprivate init(_ row: AccountRow) throws {
        self.init(
            seq: try row.integer(0), at: try row.integer(1), who: try row.text(2),
            what: try row.text(3), place: try row.text(4), detail: try row.text(5),
            hash: try row.bytes(6))
    }
}
