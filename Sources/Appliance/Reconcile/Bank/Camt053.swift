import Vocabulary

/// Reads `camt.053`, the statement of ISO 20022 (BankToCustomerStatement, versions 02 to 13), of
/// which only the parts that all versions share are read:
///
/// | element of `Stmt` | what it says |
/// | --- | --- |
/// | `Acct/Id/IBAN`, else `Acct/Id/Othr/Id`; `Acct/Ccy` | the account and its currency |
/// | `Id`, `ElctrncSeqNb` or else `LglSeqNb`, `StmtPgntn/PgNb` | what the bank calls it |
/// | `FrToDt/FrDtTm`, `/ToDtTm` | the days |
/// | `Bal` with `Tp/CdOrPrtry/Cd` `OPBD`, else `PRCD` | the opening balance and `CdtDbtInd` |
/// | `Bal` with `CLBD` | the closing balance |
/// | `Ntry` with `Sts` `BOOK` (or `Sts/Cd`) | an entry: `Amt`, `CdtDbtInd`, `BookgDt` … |
/// | `Ntry/NtryDtls/TxDtls` | its parts, where several were booked as one |
///
/// An entry that is only announced (`PDNG`, `INFO`) is left out.
struct Camt053 {
    private var statements: [BankStatement] = []
    private var path: [String] = []
    private var text = ""
    private var draft = Draft()
    private var entry = EntryDraft()
    private var part = PartDraft()
    private var balance = BalanceDraft()

    /// What is known of a `Stmt` so far.
    private struct Draft {
        var account: String?
        var currency: String?
        var from: BankDay?
        var to: BankDay?
        var opening, closing: BalanceDraft?
        /// Whether it goes on in another message.
        var isPart = false
        var id, sequence, legalSequence, page: String?

        /// `S1 7`, with its page where it is one of several.
        var number: String? {
            let parts = [id, sequence ?? legalSequence, isPart ? page.map { "page \($0)" } : nil]
            let text = parts.compactMap(\.self).joined(separator: " ")
            return text.isEmpty ? nil : text.oneLine(upTo: BankLimits.numberMax)
        }
        var entries: [EntryDraft] = []
    }

    private struct BalanceDraft {
        var code, amount, currency, sign: String?
        var day: BankDay?
    }

    private struct PartDraft {
        var amount, currency, reference: String?
        var words: [String] = []
    }

    private struct EntryDraft {
        var amount, currency, sign, status, reference: String?
        var booked, value: BankDay?
        var words: [String] = []
        var parts: [PartDraft] = []
    }

    /// - Parameter bytes: UTF-8.
    static func statements(in bytes: [UInt8]) throws(BankFileRefusal) -> [BankStatement] {
        var reader = XMLReader(bytes)
        var reading = Camt053()
        while let event = try reader.next() {
            switch event {
            case .start(let name, let attributes): try reading.begin(name, attributes)
            case .text(let text): reading.text += text
            case .end(let name): try reading.end(name)
            }
        }
        guard !reading.statements.isEmpty else {
            throw BankFileRefusal(
                "the file has no statement (<Stmt>) in it; export camt.053, not camt.052 or .054")
        }
        return reading.statements
    }

    private mutating func begin(
        _ name: String, _ attributes: [String: String]
    ) throws(BankFileRefusal) {
        path.append(name)
        text = ""
        if path.count == 2, name == "BkToCstmrAcctRpt" || name == "BkToCstmrDbtCdtNtfctn" {
            throw BankFileRefusal(
                "this is no statement but a report within the day or an advice (camt.052, .054); "
                    + "export camt.053")
        }
        switch name {
        case "Stmt": draft = Draft()
        case "Bal": balance = BalanceDraft()
        case "Ntry": entry = EntryDraft()
        case "TxDtls": part = PartDraft()
        case "Amt":
            switch path.dropLast().last {
            case "Ntry": entry.currency = attributes["Ccy"]
            case "TxDtls": part.currency = attributes["Ccy"]
            case "Bal": balance.currency = attributes["Ccy"]
            default: break
            }
        default: break
        }
    }

    private mutating func end(_ name: String) throws(BankFileRefusal) {
        let value = text.trimmed
        path.removeLast()
        text = ""
        guard path.contains("Stmt") || name == "Stmt" else { return }
        if path.contains("Ntry") {
            if path.contains("TxDtls") {
                endInPart(name, value)
            } else {
                try endInEntry(name, value)
            }
        } else if path.contains("Bal") {
            try endInBalance(name, value)
        } else {
            try endInStatement(name, value)
        }
    }

    private mutating func endInStatement(
        _ name: String, _ value: String
    ) throws(BankFileRefusal) {
        switch name {
        case "IBAN" where path.suffix(2) == ["Acct", "Id"]: draft.account = value
        case "Id" where path.suffix(3) == ["Acct", "Id", "Othr"]: draft.account = value
        case "Ccy" where path.last == "Acct": draft.currency = value
        case "FrDtTm": draft.from = try Self.day(value)
        case "ToDtTm": draft.to = try Self.day(value)
        case "LastPgInd": draft.isPart = draft.isPart || value == "false"
        case "PgNb":
            draft.isPart = draft.isPart || value != "1"
            draft.page = value
        case "Id" where path.last == "Stmt": draft.id = value
        case "ElctrncSeqNb": draft.sequence = value
        case "LglSeqNb": draft.legalSequence = value
        case "Bal":
            switch balance.code {
            case "OPBD": draft.opening = balance
            case "PRCD": draft.opening = draft.opening ?? balance
            case "CLBD": draft.closing = balance
            default: break
            }
        case "Ntry": draft.entries.append(entry)
        case "Stmt":
            guard statements.count < BankLimits.statementsMax else {
                throw BankFileRefusal(
                    "the file has more than \(BankLimits.statementsMax) statements; split it")
            }
            statements.append(try statement())
        default: break
        }
    }

    private mutating func endInBalance(_ name: String, _ value: String) throws(BankFileRefusal) {
        switch name {
        case "Cd" where path.suffix(2) == ["Tp", "CdOrPrtry"]: balance.code = value
        case "Amt" where path.last == "Bal": balance.amount = value
        case "CdtDbtInd" where path.last == "Bal": balance.sign = value
        case "Dt", "DtTm": if !value.isEmpty { balance.day = try Self.day(value) }
        default: break
        }
    }

    private mutating func endInEntry(_ name: String, _ value: String) throws(BankFileRefusal) {
        switch name {
        case "Amt" where path.last == "Ntry": entry.amount = value
        case "CdtDbtInd" where path.last == "Ntry": entry.sign = value
        case "Sts" where path.last == "Ntry" && !value.isEmpty: entry.status = value
        case "Cd" where path.last == "Sts": entry.status = value
        case "Dt" where path.last == "BookgDt", "DtTm" where path.last == "BookgDt":
            entry.booked = try Self.day(value)
        case "Dt" where path.last == "ValDt", "DtTm" where path.last == "ValDt":
            entry.value = try Self.day(value)
        case "AcctSvcrRef" where path.last == "Ntry": entry.reference = value
        case "AddtlNtryInf": entry.words.append(value)
        case "TxDtls": entry.parts.append(part)
        default: break
        }
    }

    private mutating func endInPart(_ name: String, _ value: String) {
        switch name {
        case "Amt" where path.last == "TxDtls": part.amount = value
        case "AcctSvcrRef" where path.last == "Refs": part.reference = value
        case "EndToEndId" where path.last == "Refs" && value != "NOTPROVIDED":
            part.words.append(value)
        case "Ustrd", "AddtlTxInf", "AddtlRmtInf": part.words.append(value)
        case "Nm" where path.contains("RltdPties"): part.words.append(value)
        // The creditor's reference itself; its type is deeper.
        case _ where path.last == "CdtrRefInf" && !value.isEmpty: part.words.append(value)
        default: break
        }
    }

    // MARK: What it comes to

    private func statement() throws(BankFileRefusal) -> BankStatement {
        guard let account = draft.account else {
            throw BankFileRefusal("a statement names no account (Acct/Id); ask the bank for it")
        }
        let code = draft.currency ?? draft.closing?.currency ?? draft.entries.first?.currency
        guard let currency = code.flatMap({ Currency($0.lowercased()) }) else {
            throw BankFileRefusal("the statement of \(account) names no currency (Acct/Ccy)")
        }
        var entries: [BankEntry] = []
        for entry in draft.entries where entry.status == nil || entry.status == "BOOK" {
            entries += try Self.entries(of: entry, currency)
        }
        let days = entries.map(\.day)
        guard let first = draft.from ?? draft.opening?.day ?? days.min() ?? draft.closing?.day,
            let last = draft.to ?? draft.closing?.day ?? days.max()
        else { throw BankFileRefusal("the statement of \(account) does not say of which days") }
        let span = ([first, last] + days)
        let bounds = (span.min() ?? first)...(span.max() ?? last)
        return try BankStatement(
            format: "camt.053", number: draft.number, account: account, currency: currency,
            days: bounds, opening: draft.isPart ? nil : try Self.signed(draft.opening, currency),
            closing: draft.isPart ? nil : try Self.signed(draft.closing, currency),
            entries: entries
        ).checked()
    }

    /// One entry, or its parts where each has its amount and together they come to all of it.
    private static func entries(
        of draft: EntryDraft, _ currency: Currency
    ) throws(BankFileRefusal) -> [BankEntry] {
        guard draft.currency?.lowercased() == currency.code else {
            throw BankFileRefusal(
                "an entry is in \(draft.currency ?? "no currency"), its account in "
                    + currency.code)
        }
        guard let day = draft.booked ?? draft.value else {
            throw BankFileRefusal("an entry has no day on which it was booked (BookgDt)")
        }
        let whole = try signed(draft.amount, draft.sign, currency)
        func entry(_ amount: MinorUnits, _ words: [String], _ reference: String?) -> BankEntry {
            BankEntry(
                day: day, amount: amount,
                text: words.joined(separator: " ").oneLine(upTo: BankLimits.textMax),
                reference: reference.map { String($0.prefix(BankLimits.referenceMax)) })
        }
        if draft.parts.count > 1 {
            var parts: [BankEntry] = []
            for part in draft.parts where part.currency?.lowercased() == currency.code {
                let amount = try signed(part.amount, draft.sign, currency)
                parts.append(entry(amount, part.words, part.reference ?? draft.reference))
            }
            let sum = parts.reduce(Int64(0)) { $0 + $1.amount.rawValue }
            if parts.count == draft.parts.count, sum == whole.rawValue { return parts }
        }
        let words = draft.parts.flatMap(\.words) + draft.words
        return [entry(whole, words, draft.reference ?? draft.parts.first?.reference)]
    }

    private static func signed(
        _ balance: BalanceDraft?, _ currency: Currency
    ) throws(BankFileRefusal) -> MinorUnits? {
        guard let balance else { return nil }
        return try signed(balance.amount, balance.sign, currency)
    }

    private static func signed(
        _ amount: String?, _ sign: String?, _ currency: Currency
    ) throws(BankFileRefusal) -> MinorUnits {
        guard let amount, let units = BankAmount.parse(amount, decimal: ".", currency),
            units >= .zero
        else {
            throw BankFileRefusal(
                "\(amount ?? "nothing") is no amount in \(currency.code)")
        }
        switch sign {
        case "CRDT": return units
        case "DBIT": return -units
        default: throw BankFileRefusal("an amount is neither CRDT nor DBIT")
        }
    }

    /// The day that the bank wrote: it books by its own clock.
    private static func day(_ text: String) throws(BankFileRefusal) -> BankDay {
        guard let day = BankDay(text.prefix(10)) else {
            throw BankFileRefusal("\(text.prefix(30)) is no day such as 2026-10-31")
        }
        return day
    }
}
