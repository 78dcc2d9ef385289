import AppendLog
import Vocabulary

/// The objects of Stripe's that one webhook tells of, each as a row of its table.
///
/// An event tells of its own object, and of those that stand in it whole: the refunds of a charge,
/// the charge of a payment intent, the payment method and the customer that a charge names.
struct StripeObjects {
    /// Of one mode: the package that reads these tables keeps no two apart.
    let livemode: Bool
    /// Objects that could not be laid out.
    private(set) var unreadable: Int64 = 0
    private(set) var told: [ToldObject] = []
    /// Automatic payouts, whose parts Stripe lists.
    private(set) var payouts: [AutomaticPayout] = []

    /// For what charges name.
    private let named = JSONDocument(bytesMax: 1 << 16)

    struct AutomaticPayout: Hashable {
        var id: String
        /// Empty for the own.
        var account: String
        var created: Instant
    }

    private struct Telling {
        var event: String
        var created: Instant
        var context: TellingContext
    }

    init(livemode: Bool) { self.livemode = livemode }

    mutating func removeAll() {
        told.removeAll(keepingCapacity: true)
        payouts.removeAll(keepingCapacity: true)
    }

    /// Takes a record of `webhook.received`; what is no event of this mode says nothing.
    mutating func take(_ record: Record, _ document: JSONDocument) {
        guard let value = record.value, let event = try? document.parse(value),
            let object = event["data"]?["object"], let id = event["id"]?.string, !id.isEmpty,
            let created = event["created"]?.int64.flatMap(Instant.init(named:)),
            event["livemode"]?.bool ?? livemode == livemode
        else { return }
        let type = event["type"]?.string ?? ""
        let telling = Telling(
            event: id, created: created,
            context: TellingContext(
                account: event["account"]?.string.flatMap { $0.isEmpty ? nil : $0 },
                isDeleted: type == "customer.deleted",
                synced: UTCText.millisecond(max(0, record.timestamp.milliseconds))))
        take(object, telling)
    }

    private mutating func take(_ object: JSONValue, _ telling: Telling) {
        switch object["object"]?.string {
        case "charge": takeCharge(object, telling)
        case "refund": add(.refund, object, telling, Self.rank(object, Self.refundStates))
        case "dispute": add(.dispute, object, telling, Self.rank(object, Self.disputeStates))
        case "payout": add(.payout, object, telling, Self.rank(object, Self.payoutStates))
        case "transfer" where ["bank_account", "card"].contains(object["type"]?.string ?? ""):
            // A payout as API versions before 2017-04-06 told it, without when it arrives.
            unreadable += 1
        case "transfer": add(.transfer, object, telling, object["amount_reversed"]?.int64 ?? 0)
        case "customer": add(.customer, object, telling, telling.context.isDeleted ? 1 : 0)
        case "payment_intent": takeIntent(object, telling)
        case "payment_method": takeMethod(object, telling)
        case "account" where telling.context.account == nil: add(.account, object, telling, 0)
        default: break
        }
    }

    // MARK: How far an object has come

    private static let refundStates = [
        "pending", "requires_action", "succeeded", "failed", "canceled",
    ]
    private static let disputeStates = [
        "warning_needs_response", "needs_response", "warning_under_review", "under_review",
        "warning_closed", "lost", "won",
    ]
    private static let payoutStates = ["pending", "in_transit", "paid", "failed", "canceled"]
    private static let intentStates = [
        "requires_payment_method", "requires_confirmation", "requires_action", "processing",
        "requires_capture", "canceled", "succeeded",
    ]

    /// - Parameter states: Stripe's words in the order in which an object takes them.
    private static func rank(_ object: JSONValue, _ states: [String]) -> Int64 {
        Int64(object["status"]?.string.flatMap(states.firstIndex) ?? -1)
    }

    // MARK: One object

    private mutating func takeCharge(_ charge: JSONValue, _ telling: Telling) {
        let captured = charge["captured"]?.bool == true ? 1 : 0 as Int64
        let refunded = charge["amount_refunded"]?.int64 ?? 0
        // Far below where the sum of two amounts would overflow; more is no money.
        let progress = min(refunded, MinorUnits.movementMax.rawValue) * 2 + captured
        add(.charge, charge, telling, progress)
        if let refunds = charge["refunds"]?["data"]?.array {
            for refund in refunds { take(refund, telling) }
        }
        guard let created = charge["created"]?.int64.flatMap(Instant.init(named:)) else { return }
        nameCustomer(charge["customer"], created, telling)
        nameMethod(of: charge, created, telling)
    }

    private mutating func takeIntent(_ intent: JSONValue, _ telling: Telling) {
        add(.paymentIntent, intent, telling, Self.rank(intent, Self.intentStates))
        if let charge = intent["latest_charge"], charge.object != nil { take(charge, telling) }
        if let charges = intent["charges"]?["data"]?.array {
            for charge in charges { take(charge, telling) }
        }
    }

    private mutating func takeMethod(_ method: JSONValue, _ telling: Telling) {
        add(.paymentMethod, method, telling, 0)
        guard method["type"]?.string == "card" else { return }
        add(.paymentMethodCard, method, telling, 0)
    }

    private mutating func add(
        _ table: WarehouseTable, _ object: JSONValue, _ telling: Telling, _ progress: Int64
    ) {
        let created =
            table.day == "created"
            ? object["created"]?.int64.flatMap(Instant.init(named:)) : Instant(seconds: 0)
        guard let id = object["id"]?.string, (1...255).contains(id.utf8.count), let created,
            let row = ObjectRow(table, telling.context).row(of: object, created: created)
        else {
            unreadable += 1
            return
        }
        told.append(
            ToldObject(
                table: table, id: id, created: created, told: telling.created.seconds,
                progress: progress, event: telling.event, row: row))
        guard table.name == WarehouseTable.payout.name, object["automatic"]?.bool == true else {
            return
        }
        payouts.append(
            AutomaticPayout(id: id, account: telling.context.account ?? "", created: created))
    }

    // MARK: What a charge names

    /// The row of something that a charge names; what tells of itself stands above it, and of two
    /// charges the earlier.
    private mutating func name(
        _ table: WarehouseTable, _ id: String, _ created: Instant, _ telling: Telling,
        _ object: String
    ) {
        guard let value = try? named.parse(Array(object.utf8)),
            let row = ObjectRow(table, telling.context).row(of: value, created: created)
        else {
            unreadable += 1
            return
        }
        told.append(
            ToldObject(
                table: table, id: id, created: created, told: -1 - created.seconds, progress: 0,
                event: telling.event, row: row))
    }

    private mutating func nameCustomer(
        _ customer: JSONValue?, _ created: Instant, _ telling: Telling
    ) {
        if let customer, customer.object != nil { return take(customer, telling) }
        guard let id = customer?.string, (1...255).contains(id.utf8.count) else { return }
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("id", id)
        writer.member("livemode", livemode)
        writer.endObject()
        name(.customer, id, created, telling, String(decoding: writer.bytes, as: UTF8.self))
    }

    private mutating func nameMethod(
        of charge: JSONValue, _ created: Instant, _ telling: Telling
    ) {
        let details = charge["payment_method_details"]
        guard let id = charge["payment_method"]?.string, (1...255).contains(id.utf8.count),
            let type = details?["type"]?.string
        else { return }
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("id", id)
        writer.member("type", type)
        writer.member("livemode", livemode)
        writer.member("customer", charge["customer"]?.string)
        if let card = details?["card"], card.object != nil {
            writer.key("card")
            writer.beginObject()
            for key in ["brand", "funding", "country", "last4"] {
                writer.key(named: key)
                if let text = card.member(named: key)?.string {
                    writer.string(text)
                } else {
                    writer.null()
                }
            }
            writer.key("wallet")
            writer.beginObject()
            writer.member("type", card["wallet"]?["type"]?.string)
            writer.endObject()
            writer.endObject()
        }
        writer.endObject()
        let object = String(decoding: writer.bytes, as: UTF8.self)
        name(.paymentMethod, id, created, telling, object)
        if type == "card" { name(.paymentMethodCard, id, created, telling, object) }
    }
}
