import Appliance
import Reconcile
import Vocabulary

extension ScoredPayment {
    /// The row of `payments` that this scoring gives, in the pieces that are kept; nil for what is
    /// no charge.
    ///
    /// - Parameter received: milliseconds, when its record was kept.
    func kept(receivedAt received: Int64) -> KeptPayment? {
        guard event.kind == .payment || event.kind == .paymentFailed else { return nil }
        var writer = JSONWriter(capacity: 512)
        writer.beginObject()
        writer.member("charge_id", event.objectID)
        writer.member("kind", event.kind.rawValue)
        writer.member("event_id", event.eventID.rawValue)
        let front = writer.bytes.dropFirst()
        let start = writer.bytes.count
        writer.member("livemode", event.livemode)
        writer.member("stripe_account", event.account)
        writer.member("merchant", event.merchant.rawValue)
        writer.member("customer", event.customer)
        writer.member("card", event.card)
        writer.member("card_country", event.cardCountry)
        writer.member("country", event.country)
        writer.member("device", event.device)
        writer.member("outcome", event.outcome)
        writer.member("balance_transaction", event.balanceTransaction)
        writer.member("verdict", verdict.rawValue)
        writer.member("score", score)
        var why = JSONWriter()
        reasons.encode(into: &why)
        writer.member("reasons", String(decoding: why.bytes, as: UTF8.self))
        writer.member("model", model)
        writer.member("features_as_of", featuresAsOf.map(UTCText.second))
        writer.endObject()
        return KeptPayment(
            created: event.created.seconds, received: max(0, received),
            amount: event.amount.rawValue, currency: event.currency.code,
            standing: Standing(self).rawValue, event: event.eventID.rawValue,
            front: String(decoding: front, as: UTF8.self),
            back: String(decoding: writer.bytes[start...], as: UTF8.self))
    }
}

extension KeptPayment {
    /// The whole row.
    func line(of movement: String) -> String {
        var head = JSONWriter(capacity: 128)
        head.beginObject()
        head.member("dt", UTCText.day(day))
        head.member("movement", movement)
        var middle = JSONWriter(capacity: 128)
        middle.beginObject()
        middle.member("amount", amount)
        middle.member("currency", currency)
        middle.member("created", UTCText.second(Instant(seconds: created)))
        middle.member("received_at", UTCText.millisecond(received))
        return String(decoding: head.bytes, as: UTF8.self) + "," + front + ","
            + String(decoding: middle.bytes.dropFirst(), as: UTF8.self) + back
    }
}

/// What an account of the ledger is, by its name.
struct AccountParts: Hashable {
    /// `processor`, `payable` and so on; `other` for what this version does not know.
    var kind: String
    var merchant: String?
    var stripeAccount: String?

    private static let places: Set<String> = ["payable", "held", "refund_due", "disputed"]
    private static let withAccount: Set<String> = [
        "processor", "fees", "charges", "adjustments", "reserves", "transfers", "exchange",
    ]

    init(of name: String) {
        let parts = name.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        switch parts.first {
        case "merchant" where parts.count >= 3 && Self.places.contains(parts[parts.count - 1]):
            self.init(
                kind: parts[parts.count - 1],
                merchant: parts[1..<(parts.count - 1)].joined(separator: ":"))
        case "bank" where parts.count >= 2:
            self.init(kind: "bank", stripeAccount: parts.count > 2 ? parts[2] : nil)
        case "connect" where parts.count == 3:
            self.init(kind: parts[2], stripeAccount: parts[1])
        case "income": self.init(kind: "income")
        case let first? where Self.withAccount.contains(first) && parts.count >= 2:
            self.init(kind: first, stripeAccount: parts.count > 2 ? parts[2] : nil)
        default: self.init(kind: "other")
        }
    }

    private init(kind: String, merchant: String? = nil, stripeAccount: String? = nil) {
        (self.kind, self.merchant, self.stripeAccount) = (kind, merchant, stripeAccount)
    }
}

/// Writes the rows of the tables that no object of Stripe's gives. Keeps its buffer.
struct RowWriter {
    private var writer = JSONWriter(capacity: 1024)

    private mutating func begin(_ day: Int64) {
        writer.removeAll()
        writer.beginObject()
        writer.member("dt", UTCText.day(day))
    }

    private mutating func end(_ sink: RowSink, _ amounts: [RowAmount] = []) throws {
        writer.endObject()
        try sink.add(writer.bytes, amounts)
    }

    /// The entries of one transaction.
    mutating func add(
        _ transaction: PostedTransaction, _ day: Int64, to sink: RowSink
    ) throws {
        let posting = transaction.posting
        for (place, entry) in posting.entries.enumerated() {
            let parts = AccountParts(of: entry.account.rawValue)
            begin(day)
            writer.member("transaction_id", transaction.id.rawValue)
            writer.member("seq", Int64(place))
            writer.member("movement", posting.movement.rawValue)
            writer.member("kind", posting.kind.name)
            writer.member("event_id", posting.eventID.rawValue)
            writer.member("account", entry.account.rawValue)
            writer.member("account_class", parts.kind)
            writer.member("merchant", parts.merchant)
            writer.member("stripe_account", parts.stripeAccount)
            writer.member("currency", entry.currency.code)
            writer.member("amount", entry.amount.rawValue)
            writer.member("effective_at", UTCText.second(posting.effectiveAt))
            writer.member("posted_at", UTCText.millisecond(transaction.postedAtMilliseconds))
            writer.member("hash", String(hex: transaction.hash))
            try end(
                sink,
                [
                    RowAmount(
                        place: 0, currency: entry.currency.code, amount: entry.amount.rawValue)
                ])
        }
    }

    /// A line of the statement as a row of `settlements`.
    mutating func addSettlement(_ line: ExportedLine, _ day: Int64, to sink: RowSink) throws {
        let statement = line.statement
        begin(day)
        writer.member("id", statement.id)
        writer.member("type", statement.type)
        writer.member("reporting_category", statement.reportingCategory)
        writer.member("source", statement.source.nonEmpty)
        writer.member("payment", statement.payment)
        writer.member("stripe_account", line.account.id)
        writer.member("currency", statement.currency.code)
        writer.member("amount", statement.amount.rawValue)
        writer.member("fee", statement.fee.rawValue)
        writer.member("net", statement.net.rawValue)
        writer.member("converted", statement.isConverted)
        writer.member("created", UTCText.second(statement.created))
        writer.member("available_on", UTCText.second(statement.availableOn))
        writer.member("transaction_id", line.transaction)
        writer.member("finding", line.finding)
        writer.member("fee_state", line.feeState)
        writer.member("booked_by_run", line.bookedBy)
        try end(sink, Self.amounts(of: statement))
    }

    private static func amounts(of statement: BalanceTransaction) -> [RowAmount] {
        [statement.amount, statement.fee, statement.net].enumerated().map { place, amount in
            RowAmount(place: place, currency: statement.currency.code, amount: amount.rawValue)
        }
    }

    /// The same line as Stripe's object.
    mutating func addBalanceTransaction(
        _ line: ExportedLine, _ day: Int64, to sink: RowSink
    ) throws {
        let statement = line.statement
        begin(day)
        writer.member("id", statement.id)
        writer.member("amount", statement.amount.rawValue)
        writer.member("fee", statement.fee.rawValue)
        writer.member("net", statement.net.rawValue)
        writer.member("currency", statement.currency.code)
        writer.member("created", UTCText.second(statement.created))
        writer.member("available_on", UTCText.second(statement.availableOn))
        writer.member("type", statement.type)
        writer.member("reporting_category", statement.reportingCategory)
        writer.member("source", statement.source.nonEmpty)
        writer.member("description", nil as String?)
        writer.member("connected_account_id", line.account.id)
        writer.member("exchange_rate", nil as Double?)
        writer.member("status", nil as String?)
        writer.member("_fivetran_synced", UTCText.second(statement.created))
        try end(sink, Self.amounts(of: statement))
    }

    /// What Stripe kept of the same line, where it kept anything.
    mutating func addFee(_ line: ExportedLine, _ day: Int64, to sink: RowSink) throws {
        let statement = line.statement
        guard statement.fee != .zero else { return }
        begin(day)
        writer.member("balance_transaction_id", statement.id)
        writer.member("index", 0 as Int64)
        writer.member("amount", statement.fee.rawValue)
        writer.member("currency", statement.currency.code)
        writer.member("type", "stripe_fee")
        writer.member("application", nil as String?)
        writer.member("description", nil as String?)
        writer.member("_fivetran_synced", UTCText.second(statement.created))
        try end(
            sink,
            [
                RowAmount(
                    place: 0, currency: statement.currency.code, amount: statement.fee.rawValue)
            ])
    }

    mutating func add(_ found: ExportedBreak, _ day: Int64, to sink: RowSink) throws {
        let item = found.found
        begin(day)
        writer.member("id", found.id)
        writer.member("kind", item.kind.rawValue)
        writer.member("subject", item.subject)
        writer.member("movement", item.movement)
        writer.member("balance_transaction", item.balanceTransaction)
        writer.member("type", item.type)
        writer.member("stripe_account", item.account.id)
        writer.member("stripe_currency", item.stripe?.currency.code)
        writer.member("stripe_amount", item.stripe?.amount.rawValue)
        writer.member("ledger_currency", item.ledger?.currency.code)
        writer.member("ledger_amount", item.ledger?.amount.rawValue)
        writer.member("occurred_at", UTCText.second(item.occurredAt))
        writer.member("first_run", found.firstRun)
        writer.member("first_seen_at", found.firstSeenAt.map(UTCText.second))
        writer.member("is_open", found.resolvedRun == nil)
        writer.member("resolved_run", found.resolvedRun)
        writer.member("resolved_at", found.resolvedAt.map(UTCText.second))
        let sides = [item.stripe, item.ledger].enumerated().compactMap { place, side in
            side.map {
                RowAmount(place: place, currency: $0.currency.code, amount: $0.amount.rawValue)
            }
        }
        try end(sink, sides)
    }

    mutating func add(_ entry: ReviewEntry, _ day: Int64, to sink: RowSink) throws {
        begin(day)
        switch entry.name {
        case .change(let number): writer.member("id", "review:\(number)")
        case .decision(let partition, let offset):
            writer.member("id", "decision:\(partition):\(offset)")
        }
        writer.member("movement", entry.movement)
        writer.member("state", entry.state)
        writer.member("by", entry.by)
        if case .decision = entry.name {
            writer.member("is_decision", true)
        } else {
            writer.member("is_decision", false)
        }
        writer.member("took_effect", entry.tookEffect)
        writer.member("score", entry.score)
        writer.member("reasons", entry.reasons)
        writer.member("note", entry.note)
        writer.member("event_id", entry.eventID)
        writer.member("at", UTCText.second(entry.at))
        try end(sink)
    }

    mutating func addPart(
        of payout: String, _ line: String, synced: String, _ day: Int64, to sink: RowSink
    ) throws {
        begin(day)
        writer.member("payout_id", payout)
        writer.member("balance_transaction_id", line)
        writer.member("_fivetran_synced", synced)
        try end(sink)
    }

    /// The own account, of which no event told.
    mutating func addOwnAccount(to sink: RowSink) throws {
        begin(0)
        writer.member("id", "acct_own")
        for column in WarehouseTable.account.columns.dropFirst(2) {
            writer.key(named: column.name)
            switch column.name {
            case "is_deleted": writer.bool(false)
            case "_fivetran_synced": writer.string(UTCText.second(Instant(seconds: 0)))
            default: writer.null()
            }
        }
        try end(sink)
    }
}

extension String {
    /// nil for an empty text.
    fileprivate var nonEmpty: String? { isEmpty ? nil : self }
}
