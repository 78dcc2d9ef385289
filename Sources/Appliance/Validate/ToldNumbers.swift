package import Vocabulary

/// A number that stands in an event's bytes.
package struct ToldNumber: Hashable, Sendable {
    /// `data.object.amount_captured`
    package var path: String
    /// Its bytes, counted from the body's first.
    package var range: Range<Int>
    package var value: Int64
    /// Whether it is taken away from those before it.
    package var isSubtracted = false
}

/// One movement that an event tells of, and the numbers in its bytes that say how much it moved.
package struct ToldMovement: Hashable, Sendable {
    package var event: PaymentEvent
    /// What `event.amount` was read from: one number, or one less another, of whatever sign. Empty
    /// where the amount stands nowhere as such.
    package var amount: [ToldNumber]
    /// The same for `event.fee`, where it is of its own.
    package var fee: [ToldNumber]
}

/// Reads an event again, for who wants to know where in its bytes an amount came from.
///
/// What it tells is the validator's own reading. Where it stands is looked up in the same bytes by
/// the rules of `PaymentMovements.swift` and its neighbours, and shown only where the two agree.
package struct ToldNumbers {
    private let validator: EventValidator
    private let document = JSONDocument()

    package init() {
        // Whose money it is says nothing of where its amount stands.
        validator = EventValidator(defaultMerchant: MerchantID("default"))
    }

    /// Every movement that the event tells of; none where it is no event that does.
    package func movements(in body: ArraySlice<UInt8>) -> [ToldMovement] {
        guard case .movements(let events, _) = validator.validate(body),
            let root = try? document.parse(body)
        else { return [] }
        return withExtendedLifetime(document) {
            events.map { event in
                let places = AmountPlaces(of: event, in: root)
                return ToldMovement(
                    event: event,
                    amount: numbers(at: places.amount, event.amount, in: root, body),
                    fee: places.fee.map { numbers(at: [$0], event.fee, in: root, body) } ?? [])
            }
        }
    }

    /// - Returns: nothing unless the numbers come to the amount.
    private func numbers(
        at places: [AmountPlaces.Path], _ amount: MinorUnits, in root: JSONValue,
        _ body: ArraySlice<UInt8>
    ) -> [ToldNumber] {
        var numbers: [ToldNumber] = []
        var sum: Int64 = 0
        for (number, path) in places.enumerated() {
            guard let value = root.value(at: path)?.int64,
                value.magnitude <= MinorUnits.movementMax.rawValue,
                let range = JSONText.range(of: path, in: body)
            else { return [] }
            sum += number == 0 ? value : -value
            numbers.append(
                ToldNumber(
                    path: JSONText.words(path), range: range, value: value,
                    isSubtracted: number > 0))
        }
        return sum.magnitude == amount.rawValue.magnitude ? numbers : []
    }
}

/// Where in an event the amount of one of its movements stands.
private struct AmountPlaces {
    typealias Path = [JSONText.Step]

    /// The number, or one and another that is taken away from it.
    var amount: [Path] = []
    /// Of a dispute's balance transaction.
    var fee: Path?

    private static let object: Path = [.member("data"), .member("object")]

    init(of event: PaymentEvent, in root: JSONValue) {
        let type = root["type"]?.string ?? ""
        guard let object = root["data"]?["object"] else { return }
        if type == ReconciledRecord.eventType {
            if let place = Self.place(ofOwn: event, object) { amount = [place] }
            return
        }
        if type == ReconciledRecord.bankType {
            // What the bank kept: what was sent, less what it booked.
            amount = ["expected", "booked"].map { Self.object + [.member($0)] }
            return
        }
        switch event.kind {
        case .payment, .transferPayment:
            amount = Self.places(ofPayment: event, type, object)
        case .disputeWithdrawn, .disputeReinstated:
            guard let id = event.balanceTransaction, let path = Self.path(to: id, in: object)
            else { return }
            let place = Self.object + path
            amount = [place + [.member("amount")]]
            if event.fee != .zero { fee = place + [.member("fee")] }
        case .refundsTold: amount = [Self.object + [.member("amount_refunded")]]
        case .releaseTold: break
        default:
            guard let path = Self.path(to: event.objectID, in: object) else { return }
            amount = [Self.object + path + [.member("amount")]]
        }
    }

    private static func places(
        ofPayment event: PaymentEvent, _ type: String, _ object: JSONValue
    ) -> [Path] {
        if object["object"]?.isString("payment_intent") == true {
            return [Self.object + [.member("amount_received")]]
        }
        guard let path = path(to: event.objectID, in: object) else { return [] }
        let place = Self.object + path
        func member(_ name: String) -> Path { place + [.member(name)] }
        let charge = object.value(at: path)
        if type == "charge.failed" { return [member("amount")] }
        if charge?.present("amount_captured") != nil { return [member("amount_captured")] }
        guard type == "charge.captured", charge?.present("amount_refunded") != nil else {
            return [member("amount")]
        }
        return [member("amount"), member("amount_refunded")]
    }

    /// Of what reconciliation made of a line of the statement.
    private static func place(ofOwn event: PaymentEvent, _ object: JSONValue) -> Path? {
        let key = event.movement.rawValue
        if key.hasPrefix("fx_out:") {
            return [.member("data"), .member("booked"), .member("amount")]
        }
        guard event.kind == .fee, !key.hasPrefix("fx_in:") else {
            return Self.object + [.member("amount")]
        }
        guard let line = try? BalanceTransaction(json: object) else { return nil }
        if case .own = line.meaning { return Self.object + [.member("net")] }
        return Self.object + [.member(line.fee == .zero ? "net" : "fee")]
    }

    /// The way to the first object that calls itself `id`, from `value` on.
    private static func path(to id: String, in value: JSONValue) -> Path? {
        if let members = value.object {
            if value["id"]?.string == id { return [] }
            for (key, member) in members {
                if let name = key.string, let path = path(to: id, in: member) {
                    return [.member(name)] + path
                }
            }
        } else if let elements = value.array {
            for (number, element) in elements.enumerated() {
                if let path = path(to: id, in: element) { return [.element(number)] + path }
            }
        }
        return nil
    }
}

extension JSONValue {
    /// The value that a path leads to from here.
    fileprivate func value(at path: [JSONText.Step]) -> JSONValue? {
        var value = self
        for step in path {
            switch step {
            case .member(let name):
                guard let member = value.member(named: name) else { return nil }
                value = member
            case .element(let number):
                guard let elements = value.array,
                    let element = elements.enumerated().first(where: { $0.offset == number })
                else { return nil }
                value = element.element
            }
        }
        return value
    }
}
