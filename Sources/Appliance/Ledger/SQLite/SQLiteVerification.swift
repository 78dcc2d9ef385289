package import GRDB

/// What `verify` asks SQLite itself.
extension Database {
    /// The gate, the foreign keys, and the index of movements.
    package func linkFault() throws -> LedgerVerification.Fault? {
        if let fault = try gateFault() { return fault }
        if let dangling = try first("PRAGMA foreign_key_check", { "\($0.text(0)) \($0.text(1))" }) {
            return LedgerVerification.Fault(
                check: "foreign_key", row: dangling, expected: "its parent row", found: "none")
        }
        // NOT INDEXED: the index is what is being checked.
        return try first(
            """
            SELECT max(id), movement FROM transactions NOT INDEXED
            GROUP BY movement HAVING count(*) > 1
            """
        ) {
            LedgerVerification.Fault(
                check: "movement", row: "transactions \($0.integer(0))",
                expected: "a new movement", found: $0.text(1))
        }
    }

    private func gateFault() throws -> LedgerVerification.Fault? {
        let gate = try first("SELECT state FROM gate") { $0.integer(0) }
        guard gate != 0 else { return nil }
        return LedgerVerification.Fault(
            check: "gate", row: "gate 1", expected: "0", found: gate.map(String.init) ?? "none")
    }

    package func fileFault() throws -> LedgerVerification.Fault? {
        try fault(of: "integrity_check(1)")
    }

    private func fault(of check: String) throws -> LedgerVerification.Fault? {
        let answer = try first("PRAGMA \(check)") { $0.text(0) } ?? "nothing"
        guard answer != "ok" else { return nil }
        // SQLite's answers have several lines, and a fault is told in one.
        return LedgerVerification.Fault(
            check: "file", row: "ledger.sqlite", expected: "ok",
            found: answer.replacing("\n", with: " "))
    }

    /// - Returns: whether all of the file was looked at.
    fileprivate func checkQuickly(wholeFile: Bool) throws -> Bool {
        let byteCount =
            try first("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size") {
                $0.integer(0)
            } ?? 0
        let isSmall = wholeFile || byteCount <= LedgerVerification.wholeFileBytesMax
        let checks =
            isSmall
            ? ["integrity_check(1)"]
            : ["gate", "zero", "kinds", "positions", "accounts"].map { "quick_check(\($0))" }
        for check in checks {
            if let fault = try fault(of: check) { throw fault }
        }
        if let fault = try gateFault() { throw fault }
        return isSmall
    }

    private func first<Value>(
        _ sql: String, _ read: (LedgerStatement) -> Value
    ) throws -> Value? {
        let statement = try LedgerStatement(self, sql)
        defer { statement.reset() }
        return try statement.step() ? read(statement) : nil
    }

    /// The rules themselves: as the migrations make them up to the file's own version, no others.
    ///
    /// - Parameter triggersToo: whether the triggers are looked at as well as what holds the rows.
    package func schemaFault(triggersToo: Bool) throws -> LedgerVerification.Fault? {
        func isLookedAt(_ name: String) -> Bool { triggersToo || !name.hasPrefix("trigger ") }
        let fresh = try DatabaseQueue()
        let version = try SQLiteFile.storedVersion(self)
        let migrations = LedgerSchema.migrations.prefix(Int(clamping: version))
        let (expected, contents) = try fresh.writeWithoutTransaction { database in
            for migration in migrations { try database.execute(sql: migration) }
            return (try Self.schema(database), try Self.contents(database))
        }
        let stored = Dictionary(
            try Self.schema(self), uniquingKeysWith: { first, _ in first })
        for (name, sql) in expected where stored[name] != sql && isLookedAt(name) {
            return LedgerVerification.Fault(
                check: "schema", row: name, expected: "as migrations/sqlite makes it",
                found: stored[name] == nil ? "none" : "another")
        }
        let known = Set(expected.map(\.0))
        if let extra = stored.keys.filter({ !known.contains($0) && isLookedAt($0) }).min() {
            return LedgerVerification.Fault(
                check: "schema", row: extra,
                expected: "nothing that migrations/sqlite does not make", found: "it")
        }
        // Only now the tables are sure to be there.
        for (due, found) in zip(contents, try Self.contents(self)) {
            guard due.rows != found.rows else { continue }
            let missing = due.rows.filter { !found.rows.contains($0) }
            let strange = found.rows.filter { !due.rows.contains($0) }
            return LedgerVerification.Fault(
                check: "schema", row: due.table, expected: missing.first ?? "no other row",
                found: strange.first ?? (missing.isEmpty ? "\(found.rows.count) rows" : "none"))
        }
        return nil
    }

    /// The rows that the migrations themselves have made, and nobody changes.
    private static func contents(_ database: Database) throws -> [(table: String, rows: [String])] {
        func rows(_ sql: String) throws -> [String] {
            let statement = try LedgerStatement(database, sql)
            defer { statement.reset() }
            var rows: [String] = []
            while try statement.step() { rows.append(statement.text(0)) }
            return rows
        }
        return [
            ("schema_version", try rows("SELECT version FROM schema_version ORDER BY 1")),
            ("zero", try rows("SELECT value FROM zero ORDER BY 1")),
            ("kinds", try rows("SELECT code || ' ' || name FROM kinds ORDER BY code")),
        ]
    }

    /// With the indexes that SQLite makes by itself for UNIQUE, which have no SQL of their own.
    /// Tables come first: what is missing elsewhere may follow from what is wrong with one.
    private static func schema(_ database: Database) throws -> [(String, String)] {
        let statement = try LedgerStatement(
            database,
            "SELECT type || ' ' || name, coalesce(sql, '') FROM sqlite_schema "
                + "WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' OR name LIKE 'sqlite\\_autoindex%' "
                + "ESCAPE '\\' ORDER BY type <> 'table', name")
        defer { statement.reset() }
        var rows: [(String, String)] = []
        while try statement.step() { rows.append((statement.text(0), statement.text(1))) }
        return rows
    }
}

extension SQLiteReading {
    /// What a start can afford to look at, however long the ledger is: the rules, the small tables
    /// and the last transactions. Of a file of up to 64 MiB all pages, and everything that is kept
    /// beside the chain: balances, payments' states, captures, refunds, notes, decisions, reviews.
    /// Nothing is written.
    /// - Parameter wholeFile: has a larger file checked as a whole too.
    func quickFault(wholeFile: Bool = false) throws(LedgerError) -> LedgerVerification.Fault? {
        try verification { run in
            guard let database = run.database as? Database else { return }
            if let fault = try database.schemaFault(triggersToo: true) { throw fault }
            if try database.checkQuickly(wholeFile: wholeFile) {
                try run.checkBalances()
                try run.checkKept()
            }
            try run.walk(last: LedgerVerification.quickCount) { _ in }
            try run.checkTail()
        }.fault
    }
}
