import Bridges
import Vocabulary

/// Counts guesses in Postgres, so that they are as slow at several instances as at one. By the
/// rules of ``LoginThrottle``; of names and addresses hashes are kept.
struct PostgresThrottle: LoginThrottling {
    let store: PostgresAccounts

    private enum Kind: String {
        case account, address

        var waitMax: Int64 {
            switch self {
            case .account: LoginThrottle.accountWaitMax
            case .address: LoginThrottle.addressWaitMax
            }
        }
    }

    func begin(_ attempt: LoginThrottle.Attempt, atMilliseconds now: Int64) throws -> Int64? {
        let names = Self.names(attempt)
        return try store.write { tables in
            let isKnown = try names.place.map { place in
                try tables.count(
                    "SELECT count(*) FROM known_places WHERE name = ?", [.text(place)]) > 0
            } ?? false
            let account = try names.account.map { try Self.entry(.account, $0, tables) } ?? nil
            let address = try Self.entry(.address, names.address, tables)
            let until = max(isKnown ? 0 : account?.until ?? 0, address?.until ?? 0)
            guard until <= now else { return (until - now + 999) / 1_000 }
            if let name = names.account {
                try Self.put(.account, name, account, now, tables)
            }
            try Self.put(.address, names.address, address, now, tables)
            return nil
        }
    }

    func succeeded(_ attempt: LoginThrottle.Attempt, atMilliseconds now: Int64) throws {
        let names = Self.names(attempt)
        try store.write { tables in
            if let name = names.account { try Self.keep(.account, name, nil, tables) }
            if let entry = try Self.entry(.address, names.address, tables) {
                let left = LoginThrottle.discounted(entry)
                try Self.keep(.address, names.address, left, tables)
            }
            guard let place = names.place else { return }
            try tables.change(
                """
                INSERT INTO known_places (name, at) VALUES (?, ?)
                ON CONFLICT (name) DO UPDATE SET at = excluded.at
                """, [.text(place), .integer(now)])
            try tables.change(
                """
                DELETE FROM known_places WHERE name IN (
                    SELECT name FROM known_places ORDER BY at DESC OFFSET ?)
                """, [.integer(Int64(LoginThrottle.entryCountMax))])
        }
    }

    private static func entry(
        _ kind: Kind, _ name: String, _ tables: any AccountTables
    ) throws -> LoginThrottle.Entry? {
        let row = try tables.row(
            """
            SELECT failures, last, until, before_last, before_until FROM attempts
            WHERE kind = ? AND name = ?
            """, [.text(kind.rawValue), .text(name)])
        guard let row else { return nil }
        var entry = LoginThrottle.Entry(
            failures: Int(clamping: try row.integer(0)), last: try row.integer(1),
            until: try row.integer(2))
        if let last = try row.integerOrNull(3), let until = try row.integerOrNull(4) {
            entry.before = (last, until)
        }
        return entry
    }

    private static func put(
        _ kind: Kind, _ name: String, _ known: LoginThrottle.Entry?, _ now: Int64,
        _ tables: any AccountTables
    ) throws {
        let entry = LoginThrottle.counted(known, now, waitMax: kind.waitMax)
        try keep(kind, name, entry, tables)
        guard known == nil else { return }
        // What is old goes first, and then whatever is beyond the bound.
        try tables.change(
            """
            DELETE FROM attempts WHERE kind = ? AND (last < ? OR name IN (
                SELECT name FROM attempts WHERE kind = ? ORDER BY last DESC OFFSET ?))
            """,
            [
                .text(kind.rawValue), .integer(now - LoginThrottle.memoryMilliseconds),
                .text(kind.rawValue), .integer(Int64(LoginThrottle.entryCountMax)),
            ])
    }

    /// - Parameter entry: nil forgets it.
    private static func keep(
        _ kind: Kind, _ name: String, _ entry: LoginThrottle.Entry?, _ tables: any AccountTables
    ) throws {
        guard let entry else {
            try tables.change(
                "DELETE FROM attempts WHERE kind = ? AND name = ?",
                [.text(kind.rawValue), .text(name)])
            return
        }
        try tables.change(
            """
            INSERT INTO attempts (kind, name, failures, last, until, before_last, before_until)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (kind, name) DO UPDATE
            SET failures = excluded.failures, last = excluded.last, until = excluded.until,
                before_last = excluded.before_last, before_until = excluded.before_until
            """,
            [
                .text(kind.rawValue), .text(name), .integer(Int64(entry.failures)),
                .integer(entry.last), .integer(entry.until), AccountValue(entry.before?.last),
                AccountValue(entry.before?.until),
            ])
    }

    /// What is kept of an attempt; no place for a setup code, which is nobody's.
    private static func names(
        _ attempt: LoginThrottle.Attempt
    ) -> (account: String?, address: String, place: String?) {
        let account = attempt.account?.lowercased()
        func hash(_ text: String) -> String { String(hex: SHA256.digest(Array(text.utf8)[...])) }
        return (
            account.map(hash), hash(attempt.address),
            account.map { hash("\(hash($0)) \(attempt.address)") }
        )
    }
}
