import AppendLog
import Appliance
import HTTPTypes
import Vocabulary

/// The form of what can be sent, with what was typed last, and what was sent lately.
struct SendView {
    struct Choice {
        var value, words: String
        var isChosen: Bool
    }

    struct Recent {
        var href, name, what: String
        var moment: ShownMoment
        var amount: ShownAmount
    }

    var kinds, currencies, cards, devices, countries: [Choice]
    var amount, customer: String
    var customerMax: Int
    /// The payment that a refund or a dispute is to be of; empty for a new one.
    var payment: String
    var recent: [Recent]
    var hasRecent: Bool
    var problem: String?
    var maySend = false
    var token = ""

    init(_ form: PostedForm?, _ board: SentBoard, _ asked: PageRequest) {
        let sender = board.sender
        func field(_ name: String) -> String? { form?[name] ?? asked.query(name) }
        kinds = Self.choices(field("kind"), PaymentOrder.Kind.self) { $0.words }
        cards = Self.choices(field("card"), PaymentOrder.Card.self) { $0.words }
        devices = Self.choices(field("device"), PaymentOrder.Device.self) { $0.words }
        currencies = Self.choices(field("currency"), sender.currencies.map(\.code)) {
            $0.uppercased()
        }
        countries = Self.choices(field("country"), sender.countries) { $0 }
        amount = ShownText.escaped(field("amount") ?? "42.00")
        customer = ShownText.escaped(field("customer") ?? "\(sender.customers.lowerBound)")
        customerMax = sender.customers.upperBound
        payment = ShownText.escaped(field("payment") ?? "")
        recent = board.recent.prefix(Self.recentMax).compactMap { sent in
            sent.events.first.map { first in
                Recent(
                    href: SentView.path(of: sent.id), name: ShownText.escaped(sent.id),
                    what: sent.order.kind.words, moment: ShownMoment(first.at),
                    amount: ShownAmount(sent.order.amount, sent.order.currency))
            }
        }
        hasRecent = !recent.isEmpty
    }

    private static let recentMax = 8

    private static func choices<Word: RawRepresentable<String> & CaseIterable>(
        _ chosen: String?, _ words: Word.Type, _ name: (Word) -> String
    ) -> [Choice] {
        let first = chosen.flatMap { Word(rawValue: $0) }?.rawValue
        return Word.allCases.enumerated().map { place, word in
            Choice(
                value: word.rawValue, words: name(word),
                isChosen: first.map { $0 == word.rawValue } ?? (place == 0))
        }
    }

    private static func choices(
        _ chosen: String?, _ words: [String], _ name: (String) -> String
    ) -> [Choice] {
        words.map { Choice(value: $0, words: name($0), isChosen: $0 == chosen) }
    }

    /// What the form orders.
    static func order(
        _ form: PostedForm?, _ sender: any PaymentSending
    ) throws(Problem) -> PaymentOrder {
        guard let form, let currency = form["currency"].flatMap(Currency.init) else {
            throw Problem(.badRequest, "choose a currency")
        }
        var order = PaymentOrder(
            amount: try PaymentOrder.amount(form["amount"]?.trimmed ?? "", currency),
            currency: currency, country: form["country"] ?? "")
        order.kind = try word(form, "kind") ?? order.kind
        order.card = try word(form, "card") ?? order.card
        order.device = try word(form, "device") ?? order.device
        guard let customer = Int(form["customer"]?.trimmed ?? "1"),
            sender.customers.contains(customer)
        else {
            throw Problem(
                .badRequest,
                "customer is a number from \(sender.customers.lowerBound) to "
                    + "\(sender.customers.upperBound)")
        }
        order.customer = customer
        let payment = form["payment"]?.trimmed ?? ""
        order.payment = payment.isEmpty ? nil : payment
        return order
    }

    private static func word<Word: RawRepresentable<String>>(
        _ form: PostedForm, _ name: String
    ) throws(Problem) -> Word? {
        guard let text = form[name] else { return nil }
        guard let word = Word(rawValue: text) else {
            throw Problem(.badRequest, "choose one of the \(name)s")
        }
        return word
    }
}

extension PaymentOrder.Kind {
    var words: String {
        switch self {
        case .payment: "Payment"
        case .twice: "Send it twice"
        case .badSignature: "Bad signature"
        case .fraudBurst: "Fraud burst"
        case .refund: "Refund"
        case .dispute: "Dispute"
        case .void: "Void an authorisation"
        }
    }
}

extension PaymentOrder.Card {
    var words: String {
        switch self {
        case .own: "The customer’s own"
        case .stolen: "Another one, from abroad, on another device"
        case .declined: "The customer’s own, and the bank declines"
        }
    }
}

extension PaymentOrder.Device {
    var words: String {
        switch self {
        case .usual: "The usual one"
        case .other: "Another one"
        }
    }
}
