internal import Bridges

/// What `verify` asks Postgres itself.
enum PostgresVerification {
    /// For one statement of it.
    static let patience = Duration.seconds(3_600)

    /// What the migrations make, as their own text says: rules are compared by name, functions by
    /// their body.
    struct Rules {
        /// `trigger kept on entries`, `constraint …`
        var names: Set<String> = []
        var bodies: [String: String] = [:]

        init(_ migrations: [String]) {
            for sql in migrations {
                let trigger = /CREATE (?:CONSTRAINT )?TRIGGER (\w+)[^;]*? ON (\w+)/
                for found in sql.matches(of: trigger) {
                    names.insert("trigger \(found.1) on \(found.2)")
                }
                let functions = sql.matches(
                    of: /CREATE FUNCTION (\w+)\(\)(?:[^$]|\$(?!\$))*\$\$((?:[^$]|\$(?!\$))*)\$\$/)
                for found in functions { bodies[String(found.1)] = String(found.2) }
            }
        }
    }

    static let rules = Rules(PostgresSchema.migrations)
}

extension PostgresSnapshot {
    func schemaFault(triggersToo: Bool) throws -> LedgerVerification.Fault? {
        let rules = PostgresVerification.rules
        let kinds = try first(
            "SELECT string_agg(code || ' ' || name, ',' ORDER BY code) FROM kinds")
        let due = PostingKind.allCases.sorted { $0.rawValue < $1.rawValue }
            .map { "\($0.rawValue) \($0.name)" }.joined(separator: ",")
        if kinds != due {
            return fault("schema", "kinds", due, kinds ?? "none")
        }
        // A unique index holds the movements apart.
        let unique = try first(
            """
            SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_attribute a
                ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
            WHERE i.indrelid = 'tillbox.transactions'::regclass AND i.indisunique AND i.indisvalid
                AND i.indnatts = 1 AND i.indpred IS NULL AND a.attname = 'movement'
            """)
        if unique == nil {
            return fault("schema", "transactions", "a unique index of movements", "none")
        }
        guard triggersToo else { return nil }
        return try triggerFault(rules.names) ?? functionFault(rules.bodies)
    }

    private func triggerFault(_ due: Set<String>) throws -> LedgerVerification.Fault? {
        let rows = query(
            """
            SELECT 'trigger ' || t.tgname || ' on ' || c.relname, t.tgenabled = 'O'
            FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
            JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = 'tillbox' AND NOT t.tgisinternal ORDER BY 1
            """)
        var found: Set<String> = []
        while try rows.step() {
            let name = rows.text(0)
            guard due.contains(name) else {
                return fault(
                    "schema", name, "nothing that migrations/postgres does not make", "it")
            }
            if rows.integer(1) == 0 {
                return fault("schema", name, "as migrations/postgres makes it", "disabled")
            }
            found.insert(name)
        }
        return due.subtracting(found).min().map {
            fault("schema", $0, "as migrations/postgres makes it", "none")
        }
    }

    private func functionFault(_ due: [String: String]) throws -> LedgerVerification.Fault? {
        let rows = query(
            """
            SELECT p.proname::text, p.prosrc FROM pg_proc p
            JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'tillbox' ORDER BY 1
            """)
        var found: [String: String] = [:]
        while try rows.step() { found[rows.text(0)] = rows.text(1) }
        return due.keys.sorted().first { due[$0] != found[$0] }.map {
            fault(
                "schema", "function \($0)", "as migrations/postgres makes it",
                found[$0] == nil ? "none" : "another")
        }
    }

    /// The head says what the transactions do, and all of them are in the balances.
    func linkFault() throws -> LedgerVerification.Fault? {
        let wrong = try first(
            """
            SELECT 'last ' || last || ', sealed ' || sealed FROM head
            WHERE last <> sealed OR last <> (SELECT coalesce(max(id), 0) FROM transactions)
                OR hash <> coalesce((SELECT hash FROM transactions ORDER BY id DESC LIMIT 1),
                    decode(repeat('00', 32), 'hex'))
            """)
        return wrong.map { fault("head", "head 1", "the last transaction", $0) }
    }

    /// Page checksums are the server's, which refuses a damaged page when it is read.
    func fileFault() -> LedgerVerification.Fault? { nil }

    private func first(_ sql: String) throws -> String? {
        let rows = query(sql)
        return try rows.step() ? rows.textOrNull(0) : nil
    }

    private func fault(
        _ check: String, _ row: String, _ expected: String, _ found: String
    ) -> LedgerVerification.Fault {
        LedgerVerification.Fault(check: check, row: row, expected: expected, found: found)
    }
}
