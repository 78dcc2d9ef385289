import Bridges
import Foundation
import GRDB

/// Something that somebody did.
package struct AuditEntry: Hashable, Sendable {
    package var seq: Int64
    /// Milliseconds since 1970.
    package var at: Int64
    package var who: String
    package var what: String
    /// The address that it came from, or `command line`.
    package var place: String
    package var detail: String
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
    private static let genesis = [UInt8](repeating: 0, count: SHA256.byteCount)
    private static let pageCount = 1_000

    /// A text as an entry keeps it: ``AccessLimits/auditCharactersMax`` Unicode scalars at most.
    /// SQLite would end it at a NUL, and the entry would no longer have the hash that was made of
    /// it: U+FFFD stands for each.
    static func kept(_ text: String) -> String {
        let scalars = text.unicodeScalars.prefix(AccessLimits.auditCharactersMax)
        return String(String.UnicodeScalarView(scalars.map { $0 == "\0" ? "\u{FFFD}" : $0 }))
    }

    /// Appends an entry of texts as ``kept(_:)`` has them.
    package func note(
        who: String, what: String, place: String, detail: String, at now: Int64
    ) throws {
        try write { database in
            let last = try Row.fetchOne(
                database, sql: "SELECT * FROM audit ORDER BY seq DESC LIMIT 1"
            ).map { AuditEntry($0) }
            // The number that SQLite gives next, also where the last entries were taken away.
            let told = try Int64.fetchOne(
                database, sql: "SELECT seq FROM sqlite_sequence WHERE name = 'audit'") ?? 0
            var entry = AuditEntry(
                seq: max(told, last?.seq ?? 0) + 1, at: now, who: Self.kept(who),
                what: Self.kept(what), place: Self.kept(place), detail: Self.kept(detail), hash: [])
            entry.hash = entry.hash(after: last?.hash ?? Self.genesis)
            try database.execute(
                sql: """
                    INSERT INTO audit (seq, at, who, what, place, detail, hash)
                    VALUES (?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    entry.seq, entry.at, entry.who, entry.what, entry.place, entry.detail,
                    Data(entry.hash),
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
        try read {
            try Row.fetchAll(
                $0,
                sql: """
                    SELECT * FROM audit WHERE seq < :before
                    AND (:who = '' OR instr(lower(who), lower(:who)) > 0)
                    AND (:what = '' OR instr(lower(what), lower(:what)) > 0
                        OR instr(lower(detail), lower(:what)) > 0)
                    ORDER BY seq DESC LIMIT :limit
                    """,
                arguments: ["before": before ?? .max, "who": who, "what": what, "limit": limit])
        }.map { AuditEntry($0) }
    }

    /// The newest entry of a kind; nil where there is none.
    func lastAudit(of what: String) throws -> AuditEntry? {
        try read {
            try Row.fetchOne(
                $0, sql: "SELECT * FROM audit WHERE what = ? ORDER BY seq DESC LIMIT 1",
                arguments: [what])
        }.map { AuditEntry($0) }
    }

    /// Follows the whole chain, and that its end is the last entry that was ever written.
    ///
    /// - Returns: how many entries there are.
    /// - Throws: ``AuditBreak``, ``AccountsFailure``.
    package func verifyAudit() throws -> Int {
        try read { database in
            var (seq, hash) = (Int64(0), Self.genesis)
            while true {
                let rows = try Row.fetchAll(
                    database, sql: "SELECT * FROM audit WHERE seq > ? ORDER BY seq LIMIT ?",
                    arguments: [seq, Self.pageCount])
                for row in rows {
                    let entry = AuditEntry(row)
                    guard entry.seq == seq + 1, entry.hash == entry.hash(after: hash) else {
                        throw AuditBreak(seq: seq + 1)
                    }
                    (seq, hash) = (entry.seq, entry.hash)
                }
                guard rows.count == Self.pageCount else { break }
            }
            let told = try Int64.fetchOne(
                database, sql: "SELECT seq FROM sqlite_sequence WHERE name = 'audit'") ?? 0
            guard told == seq else { throw AuditBreak(seq: seq + 1) }
            return Int(seq)
        }
    }
}

extension AuditEntry {
    fileprivate init(_ row: Row) {
        self.init(
            seq: row["seq"], at: row["at"], who: row["who"], what: row["what"],
            place: row["place"], detail: row["detail"], hash: [UInt8](row["hash"] as Data))
    }
}
