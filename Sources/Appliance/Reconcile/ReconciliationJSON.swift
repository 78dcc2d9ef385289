package import Vocabulary

/// The forms in which runs, findings and sweeps leave: JSON with stable keys, the same in the API
/// and on the command line. Times are Unix seconds, amounts minor units.
extension RunReport {
    package func encode(into writer: inout JSONWriter, name: RunName, progress: Double?) {
        writer.beginObject()
        writer.member("id", name.description)
        writer.member("state", run.state.rawValue)
        writer.member("dry_run", isDryRun)
        writer.member("cause", run.cause.rawValue)
        writer.member("from", run.from.seconds)
        writer.member("to", run.to.seconds)
        writer.member("started_at", run.startedAt.seconds)
        writer.member("finished_at", run.finishedAt?.seconds)
        writer.member("progress", run.state.isOver ? 1 : progress ?? 0)
        writer.member("pages", run.pages)
        writer.member("transactions", run.transactions)
        writer.member("clean", isClean)
        writer.member("failure", run.failure)
        writer.member("missed_events_until", run.sweptTo?.seconds)
        writer.member("accounts", accounts)
        writer.key("unread_accounts")
        writer.beginArray()
        for reading in unreadAccounts {
            writer.beginObject()
            writer.member("account", reading.account.id)
            writer.member("failure", reading.failure)
            writer.endObject()
        }
        writer.endArray()
        writer.key("breaks")
        writer.beginObject()
        for count in breaks {
            writer.key(named: count.kind.rawValue)
            writer.int(count.count)
        }
        writer.endObject()
        writer.key("late")
        writer.beginArray()
        for sum in late {
            writer.beginObject()
            writer.member("currency", sum.currency.code)
            writer.member("count", sum.count)
            writer.member("amount", sum.amount)
            writer.endObject()
        }
        writer.endArray()
        writer.key("currencies")
        writer.beginArray()
        for currency in currencies { currency.encode(into: &writer) }
        writer.endArray()
        writer.member("payouts", payouts)
        writer.key("unexplained_payouts")
        writer.beginArray()
        for payout in unexplainedPayouts { payout.encode(into: &writer) }
        writer.endArray()
        writer.endObject()
    }
}

extension RunReport {
    /// What a status says of it.
    package func encodeShort(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("id", RunName(number: run.id, isDry: false).description)
        writer.member("state", run.state.rawValue)
        writer.member("finished_at", run.finishedAt?.seconds)
        writer.member("clean", isClean)
        writer.member("share", share)
        writer.member("missed_events_until", run.sweptTo?.seconds)
        writer.member("accounts", accounts)
        writer.key("currencies")
        writer.beginArray()
        for currency in currencies.prefix(Self.statusCurrenciesMax) {
            writer.beginObject()
            writer.member("account", currency.account.id)
            writer.member("currency", currency.currency.code)
            writer.member("share", currency.share)
            writer.member("share_of_turnover", currency.shareOfTurnover)
            writer.member("unexplained", currency.unexplained)
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
    }

    /// Accounts and currencies that a status lists; the run itself has all of them.
    private static let statusCurrenciesMax = 100
}

extension CurrencySummary {
    fileprivate func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("account", account.id)
        writer.member("currency", currency.code)
        writer.member("transactions", transactions)
        writer.member("matched", matched)
        writer.member("turnover", turnover)
        writer.member("matched_turnover", matchedTurnover)
        writer.member("share", share)
        writer.member("share_of_turnover", shareOfTurnover)
        writer.member("gross", gross)
        writer.member("fees", fees)
        writer.member("net", net)
        writer.member("booked", booked)
        writer.member("booked_amount", bookedAmount)
        writer.member("ledger", ledger)
        writer.member("stripe", stripe)
        writer.member("explained", explained)
        writer.member("unexplained", unexplained)
        writer.endObject()
    }
}

extension PayoutSummary {
    fileprivate func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("account", account.id)
        writer.member("payout", payout)
        writer.member("currency", currency.code)
        writer.member("amount", amount)
        writer.member("created", created.seconds)
        writer.member("transactions", transactions)
        writer.member("total", total)
        writer.endObject()
    }
}

extension StoredBreak {
    package func encode(into writer: inout JSONWriter, now: Instant) {
        writer.beginObject()
        writer.member("kind", found.kind.rawValue)
        writer.member("status", resolvedRun == nil ? "open" : "resolved")
        writer.member("account", found.account.id)
        writer.member("subject", found.subject)
        writer.member("movement", found.movement)
        writer.member("balance_transaction", found.balanceTransaction)
        writer.member("type", found.type)
        writer.member("stripe_amount", found.stripe?.amount.rawValue)
        writer.member("stripe_currency", found.stripe?.currency.code)
        writer.member("ledger_amount", found.ledger?.amount.rawValue)
        writer.member("ledger_currency", found.ledger?.currency.code)
        writer.member("occurred_at", found.occurredAt.seconds)
        writer.member("age_seconds", ageSeconds(at: now))
        writer.member("first_run", firstRun)
        writer.member("resolved_run", resolvedRun)
        writer.member("suggestion", suggestion)
        writer.endObject()
    }

    /// The first line of a CSV export (RFC 4180, but lines end with LF).
    package static let csvHeader = [
        "run", "kind", "status", "subject", "movement", "balance_transaction", "type",
        "stripe_minor_units", "stripe_currency", "ledger_minor_units", "ledger_currency",
        "occurred_at", "age_seconds", "first_run", "resolved_run", "suggestion", "account",
    ].joined(separator: ",")

    package func csvLine(run: RunName, now: Instant) -> String {
        let number = { (value: Int64?) in value.map { String($0) } ?? "" }
        let fields = [
            run.description, found.kind.rawValue, resolvedRun == nil ? "open" : "resolved",
            found.subject, found.movement ?? "", found.balanceTransaction ?? "", found.type ?? "",
            number(found.stripe?.amount.rawValue), found.stripe?.currency.code ?? "",
            number(found.ledger?.amount.rawValue), found.ledger?.currency.code ?? "",
            String(found.occurredAt.seconds), String(ageSeconds(at: now)), String(firstRun),
            number(resolvedRun), suggestion ?? "",
            found.account.rawValue,
        ]
        return fields.map(Self.quoted).joined(separator: ",")
    }

    /// Quoted where it must be. What a spreadsheet would take for a formula gets an apostrophe.
    private static func quoted(_ field: String) -> String {
        var field = field
        if let first = field.first, "=+@\t\r".contains(first) { field = "'" + field }
        guard field.contains(where: { ",\"\n\r".contains($0) }) else { return field }
        return "\"" + field.replacing("\"", with: "\"\"") + "\""
    }
}

extension SweepRecord {
    package func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("id", id)
        writer.member("state", state.rawValue)
        writer.member("from", from.seconds)
        writer.member("to", to.seconds)
        writer.member("started_at", startedAt.seconds)
        writer.member("finished_at", finishedAt?.seconds)
        writer.member("unread_accounts", unsweptAccounts)
        writer.member("events", events)
        writer.member("missed", missed)
        writer.member("oldest_missed", oldestMissed?.seconds)
        writer.member("failure", failure)
        writer.endObject()
    }
}
