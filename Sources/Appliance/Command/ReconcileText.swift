import Vocabulary

/// A run as a person reads it.
enum ReconcileText {
    static func moment(_ instant: Instant) -> String {
        guard instant.seconds > 0 else { return "the beginning" }
        return instant.rfc3339
    }

    /// - Parameter root: the document of the API's `GET reconciliations/{id}`.
    static func of(_ root: JSONValue) -> String {
        guard let run = root["reconciliation"] else { return "" }
        let currencies = run["currencies"]?.array.map { Array($0).map(currency) } ?? []
        let isConnected = (run["accounts"]?.int64 ?? 1) > 1
        var parts = [
            Table(
                columns: (isConnected ? ["account"] : []) + [
                    "currency", "transactions", "matched", "share", "of amount", "net", "booked",
                    "ledger", "stripe", "unexplained",
                ], rows: currencies
            ).text()
        ]
        let findings = root["findings"]?.array.map { Array($0).map(finding) } ?? []
        if !findings.isEmpty {
            parts.append(
                Table(
                    columns: ["kind", "status", "subject", "stripe", "ledger", "age"],
                    rows: findings
                ).text())
        }
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
        parts.append(sweep(run["missed_events_until"]?.int64))
        let isClean = run["clean"]?.bool ?? false
        parts.append("run \(run["id"]?.string ?? ""): \(isClean ? "clean" : "not clean")")
        return parts.joined(separator: "\n\n")
    }

    private static func sweep(_ until: Int64?) -> String {
        guard let until else {
            return "missed events have not been looked for in every account yet; "
                + "see: tillbox reconcile sweep"
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

    private static func finding(_ json: JSONValue) -> [String: Table.Cell] {
        func side(_ amount: StaticString, _ currency: StaticString) -> Table.Cell {
            guard let code = json[currency]?.string else { return .none }
            return .amount("\(display(json[amount]?.int64, code)) \(code)")
        }
        return [
            "kind": .text(json["kind"]?.string ?? ""),
            "status": .text(json["status"]?.string ?? ""),
            "subject": .text(json["subject"]?.string ?? ""),
            "stripe": side("stripe_amount", "stripe_currency"),
            "ledger": side("ledger_amount", "ledger_currency"),
            "age": .text(age(json["age_seconds"]?.int64 ?? 0)),
        ]
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
