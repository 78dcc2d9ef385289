package import Vocabulary

/// What a bank says of a payout, in words for people and in JSON for programs.
extension BankSide {
    /// Whether it arrived, and when; or why not.
    package var sentence: String {
        let day = Self.day(due)
        let told = toldUntil.map { "not in the statements, which tell up to \(Self.day($0))" }
            ?? "no statement of the bank was imported"
        switch state {
        case .arrived, .different:
            guard let entry else { return "not known" }
            let late =
                lateDays > 0 ? ", \(Counted.words(lateDays, "day")) after it was due" : ""
            let arrived = "arrived on \(Self.day(entry.day)), \(shown(entry.amount))\(late)"
            // Both are within a movement's bounds.
            let kept = sent.rawValue - entry.amount.rawValue
            guard kept != 0 else { return arrived }
            return "\(arrived); \(shown(MinorUnits(abs(kept)))) \(kept > 0 ? "less" : "more") than "
                + "was sent, booked as charges:bank"
        case .inTransit where toldUntil == nil: return "not known: \(told); it was due on \(day)"
        case .inTransit: return "on its way, due on \(day); \(told)"
        case .late: return "late, due on \(day); \(told)"
        case .missing:
            return "missing since \(day); \(told); ask Stripe for the payout's trace id"
        case .returned: return "never, since Stripe took it back before"
        case .earlier: return "not known: due on \(day), before the first statement begins"
        }
    }

    /// Where an entry stands.
    package func place(of entry: Entry) -> String {
        "statement \(entry.name.map { "\($0) " } ?? "")of \(entry.account), "
            + "\(Self.day(entry.from)) to \(Self.day(entry.to)), number \(entry.statement), "
            + "imported on \(Self.day(entry.importedAt))"
            + (entry.file.isEmpty ? "" : " from \(entry.file)") + ": \(entry.text)"
    }

    /// What an entry said that the bank has corrected since.
    package func sentence(of former: Entry) -> String {
        "\(shown(former.amount)) on \(Self.day(former.day)), until the bank corrected it; "
            + place(of: former)
    }

    private func shown(_ amount: MinorUnits) -> String {
        "\(currency.display(amount)) \(currency.code)"
    }

    private static func day(_ moment: Instant) -> String { String(moment.rfc3339.prefix(10)) }

    package func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("state", state.rawValue)
        writer.member("currency", currency.code)
        writer.member("minor_units", sent.rawValue)
        writer.member("due", Self.day(due))
        writer.member("late_days", lateDays)
        writer.member("told_until", toldUntil.map(Self.day))
        writer.key("entry")
        if let entry { entry.encode(into: &writer) } else { writer.null() }
        writer.key("former")
        writer.beginArray()
        for entry in former { entry.encode(into: &writer) }
        writer.endArray()
        writer.endObject()
    }
}

extension BankSide.Entry {
    fileprivate func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("day", String(day.rfc3339.prefix(10)))
        writer.member("minor_units", amount.rawValue)
        writer.member("text", text)
        writer.member("statement", statement)
        writer.member("name", name)
        writer.member("account", account)
        writer.member("from", String(from.rfc3339.prefix(10)))
        writer.member("to", String(to.rfc3339.prefix(10)))
        writer.member("file", file)
        writer.member("imported_at", importedAt.seconds)
        writer.endObject()
    }
}
