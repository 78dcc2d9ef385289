package import Vocabulary

/// The forms in which a month leaves: JSON with stable keys, a CSV for whoever keeps the books, and
/// one page for printing.
extension MonthReport {
    package func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("month", month.description)
        writer.member("read_until", readUntil?.seconds)
        writer.member("in_transit_by", basis.rawValue)
        writer.member("right", isRight)
        writer.key("balances")
        writer.beginArray()
        for balance in balances { balance.encode(into: &writer) }
        writer.endArray()
        writer.endObject()
    }

    // MARK: CSV

    package static let csvHeader = "month,account,currency,line,count,minor_units,amount"

    /// A line for every amount, with a header; amounts in minor units and as people write them,
    /// with a point.
    package var csv: String {
        var lines = [Self.csvHeader]
        for balance in balances {
            func line(_ name: String, _ count: Int64?, _ amount: Int64) {
                let shown = balance.currency.display(MinorUnits(amount))
                lines.append(
                    "\(month),\(balance.account.rawValue),\(balance.currency.code),\(name),"
                        + "\(count.map { "\($0)" } ?? ""),\(amount),\(shown)")
            }
            line("opening", nil, balance.opening)
            for activity in balance.activities {
                line("activity:\(activity.kind)", activity.count, activity.amount)
            }
            line("closing", nil, balance.closing)
            if let statement = balance.statement {
                line("stripe:opening", nil, statement.opening)
                line("stripe:activity", nil, statement.activity)
                line("stripe:payouts", nil, statement.payouts)
                line("stripe:closing", statement.lines, statement.closing)
            }
            if let inTransit = balance.inTransit {
                line("in_transit", balance.inTransitCount, inTransit)
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    // MARK: Words

    /// What stands behind the name of a kind: `Dispute withdrawn`.
    package static func title(of kind: String) -> String {
        switch kind {
        case "fees": return "Stripe’s fees"
        case "income": return "Application fees"
        case "capture_grown": return "Captured later"
        default:
            let words = kind.replacing("_", with: " ")
            return words.prefix(1).uppercased() + words.dropFirst()
        }
    }

    /// One sentence on what the report was held against.
    package var verdict: String {
        guard isCompared else {
            return "Not compared with Stripe: no reconciliation has read its statement from the "
                + "beginning to the end of \(month)."
        }
        let wrong = balances.filter { $0.agrees == false }
        guard !wrong.isEmpty else {
            return "Equal to Stripe’s statement in every balance, to the cent."
        }
        let names = wrong.map { $0.currency.code.uppercased() }.joined(separator: ", ")
        return "Not equal to Stripe’s statement in \(names): see what reconciliation has open."
    }

    /// What the amounts in transit are judged by.
    package var transitWords: String {
        basis == .bank
            ? "by the bank’s statements"
            : "by the day that Stripe said; import the bank’s statement"
    }
}

extension MonthReport.Balance {
    fileprivate func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("account", account.id)
        writer.member("currency", currency.code)
        writer.member("opening", opening)
        writer.key("activities")
        writer.beginArray()
        for activity in activities {
            writer.beginObject()
            writer.member("kind", activity.kind)
            writer.member("count", activity.count)
            writer.member("amount", activity.amount)
            writer.endObject()
        }
        writer.endArray()
        writer.member("activity", activity)
        writer.member("payouts", payouts)
        writer.member("closing", closing)
        writer.key("stripe")
        if let statement {
            writer.beginObject()
            writer.member("opening", statement.opening)
            writer.member("activity", statement.activity)
            writer.member("payouts", statement.payouts)
            writer.member("closing", statement.closing)
            writer.member("lines", statement.lines)
            writer.endObject()
        } else {
            writer.null()
        }
        writer.member("in_transit", inTransit)
        writer.member("in_transit_count", inTransitCount)
        writer.endObject()
    }
}

/// A month as one page for printing (A4 or Letter), complete in itself: no script, nothing fetched.
package enum MonthPage {
    private static let style = """
        @page{margin:18mm}
        body{font:11pt/1.45 Georgia,serif;color:#111;max-width:180mm;margin:2em auto}
        h1{font-size:18pt;margin:0}h2{font-size:12pt;margin:1.6em 0 .3em;break-after:avoid}
        p{margin:.3em 0;color:#444}table{width:100%;border-collapse:collapse;break-inside:avoid;
        font-variant-numeric:tabular-nums}th{text-align:left;font-weight:normal}
        td{text-align:right;white-space:nowrap}td,th{padding:.15em 0 .15em 1em}
        th:first-child{padding-left:0}
        thead th{font-size:9pt;color:#444;border-bottom:1px solid #999}
        thead th+th{text-align:right}tr.sum>*{border-top:1px solid #111;font-weight:bold}
        tr.proof td:last-child{border-bottom:3px double #111}
        """

    package static func html(_ report: MonthReport, writtenAt: Instant) -> String {
        let month = escaped(report.month.description)
        var out = """
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8"><title>Stripe in \(month)</title>
            <style>\(style)</style></head><body>
            <h1>Stripe in \(month)</h1>
            <p>\(escaped(report.verdict))</p>

            """
        for balance in report.balances { out += section(balance, report) }
        if report.balances.isEmpty { out += "<p>No money had moved by then.</p>\n" }
        return out + "<p>UTC; dated as Stripe dates its balance transactions. Written by Tillbox "
            + "at \(escaped(writtenAt.rfc3339)).</p>\n</body></html>\n"
    }

    private static func section(
        _ balance: MonthReport.Balance, _ report: MonthReport
    ) -> String {
        let code = escaped(balance.currency.code.uppercased())
        let name = balance.account.id.map { "\(code), account \(escaped($0))" } ?? code
        func row(
            _ title: String, _ count: Int64?, _ amount: Int64, _ stripe: Int64?,
            _ style: String = ""
        ) -> String {
            let shown = [amount, stripe].map {
                "<td>\($0.map { escaped(balance.currency.display(MinorUnits($0))) } ?? "")</td>"
            }.joined()
            return "<tr\(style)><th>\(escaped(title))</th><td>\(count.map { "\($0)" } ?? "")</td>"
                + "\(shown)</tr>\n"
        }
        let statement = balance.statement
        var out = "<h2>\(name)</h2>\n<table><thead><tr><th></th><th>Number</th><th>Ledger</th>"
            + "<th>Stripe</th></tr></thead><tbody>\n"
        out += row("Opening", nil, balance.opening, statement?.opening, " class=\"sum\"")
        for activity in balance.activities where !MonthReport.isPayout(activity.kind) {
            out += row(
                MonthReport.title(of: activity.kind), activity.count, activity.amount, nil)
        }
        out += row("Activity", nil, balance.activity, statement?.activity, " class=\"sum\"")
        for activity in balance.activities where MonthReport.isPayout(activity.kind) {
            out += row(
                MonthReport.title(of: activity.kind), activity.count, activity.amount, nil)
        }
        out += row("Payouts", nil, balance.payouts, statement?.payouts, " class=\"sum\"")
        let proof = balance.agrees == true ? "sum proof" : "sum"
        out += row("Closing", nil, balance.closing, statement?.closing, " class=\"\(proof)\"")
        out += "</tbody></table>\n"
        if let inTransit = balance.inTransit {
            let amount = escaped(balance.currency.display(MinorUnits(inTransit)))
            out += "<p>In transit to the bank at the end: \(amount) \(code) in "
                + "\(Counted.words(balance.inTransitCount, "movement")), "
                + "\(escaped(report.transitWords)).</p>\n"
        }
        return out
    }

    private static func escaped(_ text: String) -> String {
        ShownText.escaped(text).replacing("&", with: "&amp;").replacing("<", with: "&lt;")
            .replacing(">", with: "&gt;").replacing("\"", with: "&quot;")
    }
}
