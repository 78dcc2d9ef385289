import Reconcile
import Terminal
import Vocabulary

/// A run as a person reads it.
enum ReconcileText {
    static func moment(_ instant: Instant) -> String {
        guard instant.seconds > 0 else { return "the beginning" }
        return instant.rfc3339
    }

    /// Commands in it stand in backticks, see ``PastedCommand``.
    ///
    /// - Parameter root: the document of the API's `GET reconciliations/{id}`.
    static func of(_ root: JSONValue) -> String {
        guard let run = root["reconciliation"] else { return "" }
        // What a run that failed has not come to is not told as if it had found nothing.
        let hasFailed = run["state"]?.isString("failed") ?? false
        let currencies = run["currencies"]?.array.map { Array($0) } ?? []
        var parts: [String] = []
        if !hasFailed || !currencies.isEmpty {
            let isConnected = (run["accounts"]?.int64 ?? 1) > 1
            parts.append(balances(currencies, isConnected: isConnected))
        }
        parts += findings(of: root, run)
        for payout in run["unexplained_payouts"]?.array.map(Array.init) ?? [] {
            parts.append(
                "payout \(payout["payout"]?.string ?? "") is not explained by its balance "
                    + "transactions")
        }
        for reading in run["unread_accounts"]?.array.map(Array.init) ?? [] {
            parts.append(
                "account \(reading["account"]?.string ?? "") cannot be read: "
                    + (reading["failure"]?.string ?? ""))
        }
        if !hasFailed { parts.append(sweep(run["missed_events_until"]?.int64)) }
        parts.append("run \(run["id"]?.string ?? ""): \(hasFailed ? "failed" : verdict(run))")
        return parts.joined(separator: "\n\n")
    }

    private static func balances(_ currencies: [JSONValue], isConnected: Bool) -> String {
        Table(
            columns: (isConnected ? ["account"] : []) + [
                "currency", "transactions", "matched", "share", "of amount", "net", "booked",
                "ledger", "stripe", "unexplained",
            ], rows: currencies.map(currency)
        ).text()
    }

    /// The findings that are shown, where the others are, and what may be done about each kind.
    private static func findings(of root: JSONValue, _ run: JSONValue) -> [String] {
        let all = root["findings"]?.array.map { Array($0) } ?? []
        guard !all.isEmpty else { return [] }
        let isDry = run["dry_run"]?.bool ?? false
        var parts = [
            Table(
                columns: ["kind", "status", "subject", "stripe", "ledger", "age"],
                rows: all.map { finding($0, isDry: isDry) }
            ).text()
        ]
        if let next = root["next"], !next.isNull {
            let command = isDry
                ? "reconcile run --dry-run --json"
                : "reconcile show \(run["id"]?.string ?? "last") --csv"
            let shown = Counted.noun(
                all.count, "this is the first finding",
                "these are the first \(all.count) findings")
            parts.append("\(shown); more: `tillbox \(command)`")
        }
        let advice = isDry ? [] : advice(on: all)
        if !advice.isEmpty { parts.append(advice.joined(separator: "\n")) }
        return parts
    }

    /// What to do about the first open finding of each kind; the others' are in the CSV.
    private static func advice(on findings: [JSONValue]) -> [String] {
        var kinds: Set<String> = []
        return findings.compactMap { finding in
            guard let kind = finding["kind"]?.string, kind != BreakKind.late.rawValue,
                let suggestion = finding["suggestion"]?.string, kinds.insert(kind).inserted
            else { return nil }
            return "\(kind): \(suggestion)"
        }
    }

    /// `clean` is said of what agrees. What is late is no break yet, but neither does it agree, and
    /// a ledger that holds nothing of the statement is worth a look at once.
    private static func verdict(_ run: JSONValue) -> String {
        guard run["clean"]?.bool == true else { return "not clean" }
        let late = run["late"]?.array.map { Array($0) } ?? []
        let count = late.reduce(0) { $0 + ($1["count"]?.int64 ?? 0) }
        guard count > 0 else { return "clean" }
        let sums = late.map { sum in
            let code = sum["currency"]?.string ?? ""
            return "\(display(sum["amount"]?.int64, code)) \(code)"
        }
        let words = "clean so far, \(count) late (\(sums.joined(separator: ", ")))"
        let currencies = run["currencies"]?.array.map { Array($0) } ?? []
        guard currencies.allSatisfy({ $0["matched"]?.int64 ?? 0 == 0 }) else { return words }
        return words + "; the ledger holds nothing of the statement: if webhooks should have come, "
            + "the log of who takes them says why they were not booked"
    }

    private static func sweep(_ until: Int64?) -> String {
        guard let until else {
            return "missed events have not been looked for in every account yet; "
                + "see: `tillbox reconcile sweep`"
        }
        return "missed events were looked for until \(moment(Instant(seconds: until)))"
    }

    static func percent(_ share: Double?) -> Table.Cell {
        guard let share else { return .none }
        let hundredths = Int64((share * 10_000).rounded())
        let digits = String(hundredths % 100)
        return .text(
            "\(hundredths / 100).\(digits.count == 1 ? "0" : "")\(digits) %")
    }

    private static func currency(_ json: JSONValue) -> [String: Table.Cell] {
        let code = json["currency"]?.string ?? ""
        func money(_ key: StaticString) -> Table.Cell { .amount(display(json[key]?.int64, code)) }
        return [
            "account": .text(json["account"]?.string ?? "own"), "currency": .text(code),
            "share": percent(json["share"]?.double),
            "of amount": percent(json["share_of_turnover"]?.double),
            "transactions": .number(json["transactions"]?.int64 ?? 0),
            "matched": .number(json["matched"]?.int64 ?? 0), "net": money("net"),
            "booked": .number(json["booked"]?.int64 ?? 0), "ledger": money("ledger"),
            "stripe": money("stripe"), "unexplained": money("unexplained"),
        ]
    }

    private static func finding(_ json: JSONValue, isDry: Bool) -> [String: Table.Cell] {
        func side(_ amount: StaticString, _ currency: StaticString) -> Table.Cell {
            guard let code = json[currency]?.string else { return .none }
            return .amount("\(display(json[amount]?.int64, code)) \(code)")
        }
        return [
            "kind": .text(json["kind"]?.string ?? ""),
            "status": .text(status(json, isDry: isDry)),
            "subject": .text(json["subject"]?.string ?? ""),
            "stripe": side("stripe_amount", "stripe_currency"),
            "ledger": side("ledger_amount", "ledger_currency"),
            "age": .text(age(json["age_seconds"]?.int64 ?? 0)),
        ]
    }

    /// `fee_unbooked` stands for all that a run books, refunds too: here it says so.
    private static func status(_ json: JSONValue, isDry: Bool) -> String {
        let status = json["status"]?.string ?? ""
        guard json["kind"]?.isString("fee_unbooked") == true else { return status }
        if status == "resolved" { return "booked" }
        return isDry ? "to be booked" : status
    }

    private static func display(_ amount: Int64?, _ code: String) -> String {
        guard let amount else { return "-" }
        return Currency(code)?.display(MinorUnits(amount)) ?? String(amount)
    }

    private static func age(_ seconds: Int64) -> String {
        seconds >= 86_400
            ? "\(seconds / 86_400) d"
            : seconds >= 3600 ? "\(seconds / 3600) h" : "\(seconds / 60) min"
    }
}
