import AppendLog
import Appliance
import Foundation
import Terminal
import Vocabulary

/// An explanation as people read it, line by line. Whatever came from outside is escaped.
struct ExplainText {
    private(set) var lines: [String] = []

    var text: String { lines.joined(separator: "\n") }

    init() {}

    init(_ explanation: AccountExplanation) {
        let (currency, count) = (explanation.currency, explanation.count)
        func amount(_ amount: MinorUnits) -> String {
            "\(currency.display(amount)) \(currency.code)"
        }
        let until = explanation.asOf.map { ", as of \($0.rfc3339)" } ?? ""
        lines.append("\(ShownText.escaped(explanation.account.rawValue)), \(currency.code)\(until)")
        lines.append("opening: nothing")
        if count.before.entries > 0 {
            let entries = Counted.words(count.before.entries, "entry", "entries")
            lines.append("\(entries) before: \(amount(count.before.amount))")
        }
        for entry in explanation.entries {
            lines.append("")
            add(
                entry.transaction,
                amounts: ["\(amount(entry.amount)), balance \(amount(entry.balance))"],
                numbers: entry.transaction.numbers(for: explanation.account))
        }
        lines.append("")
        if let next = explanation.next { lines.append("more: --after \(next)") }
        let entries = Counted.words(count.counted.entries, "entry", "entries")
        let sum = "sum of \(entries): \(amount(count.counted.amount))"
        guard explanation.sumFaults.isEmpty else {
            lines.append(sum)
            add(faults: explanation.sumFaults)
            return
        }
        lines.append(
            explanation.asOf == nil
                ? "\(sum); checked: the balance that the ledger keeps"
                : "\(sum); checked: with the \(count.all.entries - count.counted.entries) later "
                    + "ones it is \(amount(count.balance)), the balance that the ledger keeps")
    }

    init(_ explanation: MovementExplanation) {
        let count = explanation.transactions.count
        lines.append(
            "\(ShownText.escaped(explanation.name)): \(Counted.words(count, "transaction"))")
        for transaction in explanation.transactions {
            lines.append("")
            let entries = transaction.transaction.posting.entries
            add(
                transaction,
                amounts: entries.map {
                    "\(ShownText.escaped($0.account.rawValue)) "
                        + "\($0.currency.display($0.amount)) \($0.currency.code)"
                }, numbers: Self.numbers(of: transaction))
        }
        if explanation.isPayout { add(explanation.payout) }
        if let bank = explanation.bank { add(bank) }
    }

    /// Every number that an entry came from, once.
    private static func numbers(of transaction: ExplainedTransaction) -> [ToldNumber] {
        var numbers: [ToldNumber] = []
        for entry in transaction.transaction.posting.entries {
            for number in transaction.numbers(for: entry.account)
            where !numbers.contains(number) { numbers.append(number) }
        }
        return numbers
    }

    private mutating func add(_ label: String, _ value: String) {
        lines.append(
            "  " + label.padding(toLength: 11, withPad: " ", startingAt: 0)
                + ShownText.escaped(value))
    }

    private mutating func add(faults: [String]) {
        for fault in faults { lines.append("  DOES NOT FIT: \(ShownText.escaped(fault))") }
    }

    // MARK: One transaction

    private mutating func add(
        _ explained: ExplainedTransaction, amounts: [String], numbers: [ToldNumber]
    ) {
        let transaction = explained.transaction
        let posting = transaction.posting
        lines.append(
            "transaction \(transaction.id), \(posting.kind.name), "
                + ShownText.escaped(posting.movement.rawValue))
        for amount in amounts { lines.append("  \(amount)") }
        add("effective", posting.effectiveAt.rfc3339)
        add("posted", Timestamp(milliseconds: transaction.postedAtMilliseconds).rfc3339)
        add("hash", String(hex: transaction.hash))
        add("event", posting.eventID.rawValue)
        add("records", explained.records.map(Self.words).joined(separator: ", "))
        if let letter = explained.redrivenFrom { add("redriven", "from \(letter)") }
        if let webhook = explained.webhook {
            add(webhook, explained.origin, numbers, posting)
        } else {
            add("webhook", "not there to be shown; its amount is what the ledger has alone")
        }
        if let decision = explained.decision { add(decision) }
        for line in explained.statement {
            let (currency, amount) = (line.currency, line.amount)
            add(
                "statement",
                "\(line.id), \(line.type), \(currency.display(amount)) \(currency.code), fee "
                    + "\(currency.display(line.fee)), net \(currency.display(line.net))"
                    + (line.isRight ? "" : "; reconciliation finds it wrong"))
            if let payout = line.payout {
                add("paid out", "in \(payout.id) on \(payout.created.rfc3339.prefix(10))")
            }
        }
        add(faults: explained.faults)
    }

    private static func words(_ point: TrailPoint) -> String {
        let topic = point.topic.rawValue
        return switch point.state {
        case .at(let offset): "\(topic)/\(offset)"
        case .removed(let begins):
            "\(topic): removed by the log's retention (it begins at \(begins))"
        case .missing: "\(topic): missing"
        case .pending: "\(topic): still to be published"
        case .noLog: "\(topic): there is no such log here"
        }
    }

    private mutating func add(
        _ webhook: ExplainedWebhook, _ origin: AmountOrigin, _ numbers: [ToldNumber],
        _ posting: Posting
    ) {
        let endpoint = webhook.endpoint.isEmpty ? "" : ", endpoint \(webhook.endpoint)"
        add(
            "webhook",
            "\(webhook.type ?? "no type"), \(Counted.words(webhook.byteCount, "byte")), received "
                + "\(webhook.receivedAt.rfc3339)\(endpoint)")
        add("signature", webhook.signature.sentence)
        switch origin {
        case .told: break
        case .grown(let total):
            let currency = posting.entries.first?.currency
            add(
                "amount",
                "the event tells \(currency?.display(total) ?? "\(total.rawValue)") in all, and "
                    + "this is what was not booked before")
        case .moved:
            add("amount", "what the ledger held of it, moved to another account")
        case .unknown: add("amount", "told nowhere in these bytes")
        }
        for number in numbers {
            let (low, high) = (number.range.lowerBound, number.range.upperBound)
            add(
                "number",
                "\(number.isSubtracted ? "less " : "")\(number.value), bytes \(low)..<\(high), "
                    + number.path)
        }
        let shown = numbers.map(\.range).first { webhook.excerpt.range.contains($0.lowerBound) }
        lines.append("  bytes      " + Self.excerpt(webhook, marked: shown))
    }

    /// The bytes around an amount, which stands between two marks.
    private static func excerpt(_ webhook: ExplainedWebhook, marked: Range<Int>?) -> String {
        let (range, bytes) = (webhook.excerpt.range, webhook.excerpt.bytes)
        func text(_ part: Range<Int>) -> String {
            let part = part.clamped(to: range)
            let low = part.lowerBound - range.lowerBound
            return ShownText.escaped(
                String(decoding: bytes[low..<low + part.count], as: UTF8.self))
        }
        let before = range.lowerBound > 0 ? "…" : ""
        let after = range.upperBound < webhook.byteCount ? "…" : ""
        guard let marked else { return before + text(range) + after }
        return before + text(range.lowerBound..<marked.lowerBound) + "▸" + text(marked) + "◂"
            + text(min(marked.upperBound, range.upperBound)..<range.upperBound) + after
    }

    private mutating func add(_ decision: ExplainedDecision) {
        let record = decision.record
        let by = record.by.isEmpty ? "somebody" : record.by
        add(
            "decision",
            "\(record.state.rawValue) by \(by) at \(record.at.rfc3339), "
                + Self.words(decision.point))
        if let note = record.note { add("note", note) }
    }

    // MARK: Payouts

    private mutating func add(_ bank: BankSide) {
        lines += ["", "at the bank: \(ShownText.escaped(bank.sentence))"]
        if let entry = bank.entry { add("entry", ShownText.escaped(bank.place(of: entry))) }
        for entry in bank.former { add("before", ShownText.escaped(bank.sentence(of: entry))) }
    }

    private mutating func add(_ payout: PayoutParts?) {
        lines.append("")
        guard let payout else {
            lines.append(
                "what it is made of: no reconciliation has looked at it (it is not automatic, or "
                    + "younger than the last run; see `tillbox reconcile run`)")
            return
        }
        func amount(_ amount: MinorUnits) -> String {
            "\(payout.currency.display(amount)) \(payout.currency.code)"
        }
        lines.append(
            "made of \(Counted.words(payout.count, "balance transaction")) at Stripe, net "
                + "\(amount(payout.total)) (reconciliation run \(payout.run))")
        lines.append(
            payout.unexplained == .zero
                ? "unexplained: nothing" : "unexplained: \(amount(payout.unexplained))")
        for line in payout.lines {
            add(
                "line",
                "\(line.id), "
                    + (line.net.map { "\(line.type ?? ""), net \(amount($0))" } ?? "not read yet")
                    + (line.transaction.map { ", transaction \($0)" } ?? ""))
        }
        let left = payout.count - Int64(payout.lines.count)
        if payout.lines.isEmpty, left > 0 {
            lines.append("  which they are: not known yet; the next run asks Stripe for them")
        } else if left > 0 {
            lines.append("  and \(left) more")
        }
    }
}
