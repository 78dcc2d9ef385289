package import Vocabulary

/// The forms in which statements come and the report leaves: JSON with stable keys, the same in the
/// API and on the command line. Days are texts (`2026-10-31`), amounts minor units.
extension BankStatement {
    package func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("format", format)
        writer.member("number", number)
        writer.member("account", account)
        writer.member("currency", currency.code)
        writer.member("from", days.lowerBound.description)
        writer.member("to", days.upperBound.description)
        writer.member("opening", opening?.rawValue)
        writer.member("closing", closing?.rawValue)
        writer.objects("entries", entries) { entry, writer in
            writer.member("day", entry.day.description)
            writer.member("amount", entry.amount.rawValue)
            writer.member("text", entry.text)
            writer.member("reference", entry.reference)
        }
        writer.endObject()
    }

    /// Reads what ``encode(into:)`` writes, and checks it.
    package init(json: JSONValue) throws(BankFileRefusal) {
        func day(_ key: StaticString, of value: JSONValue) throws(BankFileRefusal) -> BankDay {
            guard let day = value[key]?.string.flatMap({ BankDay($0) }) else {
                throw BankFileRefusal("\(key) must be a day such as 2026-10-31")
            }
            return day
        }
        func amount(_ key: StaticString) throws(BankFileRefusal) -> MinorUnits? {
            guard let value = json[key], !value.isNull else { return nil }
            guard let amount = value.int64 else {
                throw BankFileRefusal("\(key) must be a whole number of minor units")
            }
            return MinorUnits(amount)
        }
        guard let account = json["account"]?.string,
            let currency = json["currency"]?.string.flatMap(Currency.init)
        else {
            throw BankFileRefusal(
                "a statement must have an account and a currency of three small letters")
        }
        let (from, to) = (try day("from", of: json), try day("to", of: json))
        guard from <= to else { throw BankFileRefusal("a statement's from lies behind its to") }
        guard let listed = json["entries"]?.array else {
            throw BankFileRefusal("a statement must have a list of entries")
        }
        var entries: [BankEntry] = []
        for entry in listed {
            guard let amount = entry["amount"]?.int64 else {
                throw BankFileRefusal("an entry's amount must be a whole number of minor units")
            }
            let text = entry["text"]?.string ?? ""
            entries.append(
                BankEntry(
                    day: try day("day", of: entry), amount: MinorUnits(amount),
                    text: text.oneLine(upTo: BankLimits.textMax),
                    reference: entry["reference"]?.string.map {
                        String($0.prefix(BankLimits.referenceMax))
                    }))
        }
        let format = String((json["format"]?.string ?? "API").prefix(20))
        let number = (json["number"]?.string ?? "").oneLine(upTo: BankLimits.numberMax)
        self = try BankStatement(
            format: format, number: number.isEmpty ? nil : number, account: account,
            currency: currency, days: from...to, opening: try amount("opening"),
            closing: try amount("closing"), entries: entries
        ).checked()
    }
}

extension BankReport {
    /// - Parameter all: with every movement; else only those that are not there to the cent.
    package func encode(into writer: inout JSONWriter, all: Bool) {
        writer.member("clean", isClean)
        writer.list("currencies", sums) { $0.encode(into: &$1) }
        writer.list("movements", lines.lazy.filter { all || !$0.isQuiet }) {
            $0.encode(into: &$1)
        }
        writer.objects("unknown", unknown) { entry, writer in
            writer.member("day", entry.day.description)
            writer.member("currency", entry.currency.code)
            writer.member("amount", entry.amount.rawValue)
            writer.member("text", entry.text)
        }
        writer.objects("gaps", gaps) { gap, writer in
            writer.member("account", gap.account)
            writer.member("currency", gap.currency.code)
            writer.member("from", gap.days.lowerBound.description)
            writer.member("to", gap.days.upperBound.description)
        }
    }
}

extension BankReport.Line {
    /// Whether nobody has to look at it.
    package var isQuiet: Bool {
        switch state {
        case .arrived: lateDays == 0
        case .returned, .earlier: true
        case .different, .inTransit, .late, .missing: false
        }
    }

    fileprivate func encode(into writer: inout JSONWriter) {
        let movement = settled.movement
        writer.beginObject()
        writer.member("movement", movement.key)
        writer.member("transaction", movement.transaction)
        writer.member("state", state.rawValue)
        writer.member("currency", movement.currency.code)
        writer.member("amount", movement.amount.rawValue)
        writer.member("sent", movement.sent.description)
        writer.member("due", movement.due.description)
        writer.member("booked", settled.entry?.day.description)
        writer.member("booked_amount", settled.entry?.amount.rawValue)
        writer.member("text", settled.entry?.text)
        writer.member("late_days", lateDays)
        writer.endObject()
    }
}

extension BankReport.Sum {
    fileprivate func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("currency", currency.code)
        writer.member("from", days?.lowerBound.description)
        writer.member("to", days?.upperBound.description)
        writer.member("ledger", ledger)
        writer.member("not_arrived", notArrived)
        writer.member("untold", untold)
        writer.member("expected", expected)
        writer.member("bank", bank)
        writer.member("unknown", unknown)
        writer.member("difference", difference)
        writer.key("counts")
        writer.beginObject()
        for state in BankState.allCases {
            writer.key(named: state.rawValue)
            writer.int(count(state))
        }
        writer.endObject()
        writer.endObject()
    }
}
