import AppendLog
package import Vocabulary

/// The form in which explanations leave: JSON with stable keys, the same on the command line and
/// for who serves them. Times are Unix seconds, where a key ends in `_ms` milliseconds; amounts are
/// minor units, with decimals besides.
extension AccountExplanation {
    /// The document that answers for an account: one explanation a currency.
    package static func encode(_ accounts: [Self], into writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("accounts")
        writer.beginArray()
        for explanation in accounts { explanation.encode(into: &writer) }
        writer.endArray()
        writer.endObject()
    }

    package func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("account", account.rawValue)
        writer.member("currency", currency.code)
        writer.member("as_of", asOf?.seconds)
        writer.key("opening")
        encode(MinorUnits.zero, 0, into: &writer)
        writer.key("before")
        encode(count.before.amount, count.before.entries, into: &writer)
        writer.key("entries")
        writer.beginArray()
        for entry in entries {
            writer.beginObject()
            writer.member("minor_units", entry.amount.rawValue)
            writer.member("amount", currency.display(entry.amount))
            writer.member("balance", entry.balance.rawValue)
            writer.key("numbers")
            writer.numbers(entry.transaction.numbers(for: account))
            writer.key("transaction")
            entry.transaction.encode(into: &writer)
            writer.endObject()
        }
        writer.endArray()
        writer.member("next", next?.rawValue)
        writer.key("sum")
        encode(count.counted.amount, count.counted.entries, into: &writer)
        writer.member("stored_balance", count.balance.rawValue)
        writer.member("balance_checked", sumFaults.isEmpty)
        writer.key("faults")
        writer.strings(faults)
        writer.endObject()
    }

    private func encode(
        _ amount: MinorUnits, _ entries: Int64, into writer: inout JSONWriter
    ) {
        writer.beginObject()
        writer.member("entries", entries)
        writer.member("minor_units", amount.rawValue)
        writer.member("amount", currency.display(amount))
        writer.endObject()
    }
}

extension MovementExplanation {
    /// The document that answers for a movement.
    package func encodeDocument(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("movement")
        encode(into: &writer)
        writer.endObject()
    }

    package func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("name", name)
        writer.key("transactions")
        writer.beginArray()
        for transaction in transactions { transaction.encode(into: &writer) }
        writer.endArray()
        writer.key("payout")
        if let payout { payout.encode(into: &writer) } else { writer.null() }
        writer.key("bank")
        if let bank { bank.encode(into: &writer) } else { writer.null() }
        writer.key("faults")
        writer.strings(faults)
        writer.endObject()
    }
}

extension PayoutParts {
    fileprivate func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("currency", currency.code)
        writer.member("minor_units", amount.rawValue)
        writer.member("balance_transactions", count)
        writer.member("total", total.rawValue)
        writer.member("unexplained", unexplained.rawValue)
        writer.member("created", created.seconds)
        writer.member("run", run)
        writer.key("lines")
        writer.beginArray()
        for line in lines { line.encode(into: &writer) }
        writer.endArray()
        writer.endObject()
    }
}

extension PayoutLine {
    fileprivate func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("id", id)
        writer.member("type", type)
        writer.member("net", net?.rawValue)
        writer.member("created", created.seconds)
        writer.member("transaction", transaction?.rawValue)
        writer.endObject()
    }
}

extension ExplainedTransaction {
    package func encode(into writer: inout JSONWriter) {
        let posting = transaction.posting
        writer.beginObject()
        writer.member("id", transaction.id.rawValue)
        writer.member("hash", String(hex: transaction.hash))
        writer.member("movement", posting.movement.rawValue)
        writer.member("kind", posting.kind.name)
        writer.member("event_id", posting.eventID.rawValue)
        writer.member("effective_at", posting.effectiveAt.seconds)
        writer.member("posted_at_ms", transaction.postedAtMilliseconds)
        writer.key("entries")
        writer.beginArray()
        for entry in posting.entries {
            writer.beginObject()
            writer.member("account", entry.account.rawValue)
            writer.member("currency", entry.currency.code)
            writer.member("minor_units", entry.amount.rawValue)
            writer.member("amount", entry.currency.display(entry.amount))
            writer.key("numbers")
            writer.numbers(numbers(for: entry.account))
            writer.endObject()
        }
        writer.endArray()
        writer.member("amount_is", origin.word)
        if case .grown(let total) = origin { writer.member("total", total.rawValue) }
        writer.key("records")
        writer.beginArray()
        for point in records { point.encode(into: &writer) }
        writer.endArray()
        writer.member("redriven_from", redrivenFrom?.description)
        writer.key("webhook")
        if let webhook { webhook.encode(into: &writer) } else { writer.null() }
        writer.key("decision")
        if let decision { decision.encode(into: &writer) } else { writer.null() }
        writer.key("statement")
        writer.beginArray()
        for line in statement { line.encode(into: &writer) }
        writer.endArray()
        writer.key("faults")
        writer.strings(faults)
        writer.endObject()
    }
}

extension TrailPoint {
    fileprivate func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("topic", topic.rawValue)
        if let partition { writer.member("partition", Int64(partition)) }
        writer.member("offset", offset?.rawValue)
        writer.member("state", word)
        if case .removed(let begins) = state { writer.member("begins", begins.rawValue) }
        writer.endObject()
    }

    private var word: String {
        switch state {
        case .at: "found"
        case .removed: "removed"
        case .missing: "missing"
        case .pending: "pending"
        case .noLog: "no_log"
        }
    }
}

extension AmountOrigin {
    fileprivate var word: String {
        switch self {
        case .told: "told"
        case .grown: "grown"
        case .moved: "moved"
        case .unknown: "unknown"
        }
    }
}

extension ExplainedWebhook {
    fileprivate func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        if let partition { writer.member("partition", Int64(partition)) }
        writer.member("offset", offset.rawValue)
        writer.member("bytes", Int64(byteCount))
        writer.member("type", type)
        writer.member("endpoint", endpoint)
        writer.member("received_at_ms", receivedAt.milliseconds)
        writer.key("signature")
        writer.beginObject()
        writer.member("state", signature.code)
        writer.member("detail", signature.sentence)
        if case .valid(let signedAt) = signature {
            writer.member("signed_at", signedAt.seconds)
        }
        writer.endObject()
        writer.key("excerpt")
        writer.beginObject()
        writer.member("from", Int64(excerpt.range.lowerBound))
        writer.member("to", Int64(excerpt.range.upperBound))
        writer.member("text", String(decoding: excerpt.bytes, as: UTF8.self))
        writer.endObject()
        writer.endObject()
    }
}

extension ExplainedDecision {
    fileprivate func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("state", record.state.rawValue)
        writer.member("by", record.by)
        writer.member("at", record.at.seconds)
        writer.member("note", record.note)
        writer.key("record")
        point.encode(into: &writer)
        writer.endObject()
    }
}

extension StatementLine {
    fileprivate func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("id", id)
        writer.member("type", type)
        writer.member("currency", currency.code)
        writer.member("minor_units", amount.rawValue)
        writer.member("fee", fee.rawValue)
        writer.member("net", net.rawValue)
        writer.member("created", created.seconds)
        writer.member("agrees", isRight)
        writer.member("payout", payout?.id)
        writer.member("paid_out", payout?.created.seconds)
        writer.endObject()
    }
}

extension SignatureFinding {
    /// Stable, for programs.
    package var code: String {
        switch self {
        case .valid: "valid"
        case .noMatch: "no_match"
        case .secretUnknown: "secret_unknown"
        case .unreadable: "unreadable"
        case .unsigned: "not_signed"
        }
    }

    /// For people.
    package var sentence: String {
        switch self {
        case .valid(let signedAt): "valid, signed at \(signedAt.rfc3339)"
        case .noMatch:
            "no longer verifiable: no secret that is known here made it over these bytes; the "
                + "secret was rolled since, or the bytes are others"
        case .secretUnknown: "no longer verifiable: secret unknown"
        case .unreadable(let refusal): "no longer verifiable: \(refusal.message)"
        case .unsigned(.sweep): "not signed: fetched by the sweep"
        case .unsigned(.reconciliation): "not signed: made by reconciliation of Stripe's statement"
        case .unsigned(.redrive):
            "not signed: it came back from a dead letter, which keeps no signature"
        case .unsigned(.unknown): "not signed"
        }
    }
}

extension JSONWriter {
    fileprivate mutating func strings(_ strings: [String]) {
        beginArray()
        for text in strings { string(text) }
        endArray()
    }

    fileprivate mutating func numbers(_ numbers: [ToldNumber]) {
        beginArray()
        for number in numbers {
            beginObject()
            member("path", number.path)
            member("from", Int64(number.range.lowerBound))
            member("to", Int64(number.range.upperBound))
            member("value", number.value)
            member("subtracted", number.isSubtracted)
            endObject()
        }
        endArray()
    }
}
