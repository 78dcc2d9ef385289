import Bridges
import Vocabulary

/// Who paid, with what, from where: what scoring and ordering want to know besides the money.
extension PaymentEvent {
    /// Everything a charge says of its payment.
    ///
    /// - Throws: `bad_id` where the charge refers to something by an id that cannot be one.
    mutating func describe(_ charge: StripeObject) throws(ValidationRefusal) {
        outcome =
            kind == .paymentFailed
            ? charge.json.text("failure_code") ?? charge["outcome"]?.text("type")
            : charge["outcome"]?.text("type")
        outcome = outcome ?? charge.json.text("status")
        if kind == .payment { balanceTransaction = try charge.reference("balance_transaction") }
        related = try charge.reference("payment_intent")
        describePayer(charge)
    }

    /// Everything a payment intent says, after what its charge says better, if that is there.
    mutating func describe(
        intent: StripeObject, charge: StripeObject?
    ) throws(ValidationRefusal) {
        if let charge { try describe(charge) }
        related = try intent.id()
        describePayer(intent)
    }

    /// Fills in what is still unknown of the payer from a charge or a payment intent. What cannot
    /// be read stays unknown: none of it moves money.
    mutating func describePayer(_ object: StripeObject) {
        customer = customer ?? object["customer"]?.reference
        if let details = object["payment_method_details"] {
            describeCard(of: details)
        } else if let method = object["payment_method"] {
            describeCard(of: method)
        }
        // Charges before API version 2019-02-11 hold a card or a source instead.
        if card == nil, let source = object["source"] { describeCard(of: source) }
        country =
            country ?? object["billing_details"]?.present("address")?.country("country")
            ?? object["shipping"]?.present("address")?.country("country")
        device = device ?? object["metadata"].flatMap(Self.device)
    }

    /// Fills in what is still unknown of the card from the details of a payment, a payment method,
    /// a source, or a card.
    mutating func describeCard(of method: JSONValue) {
        let isCard = method["object"]?.isString("card") == true
        let details =
            isCard
            ? method
            : method.present("card") ?? method.present("card_present")
                ?? method.present("interac_present")
        card = card ?? details?.text("fingerprint")
        cardCountry = cardCountry ?? details?.country("country")
        country =
            country ?? method.present("billing_details")?.present("address")?.country("country")
            ?? method.present("owner")?.present("address")?.country("country")
            ?? (isCard ? method.country("address_country") : nil)
    }

    /// `metadata.device_id`, else a digest of the payer's address and user agent (contracts §4).
    private static func device(in metadata: JSONValue) -> String? {
        if let device = metadata.text("device_id") { return device }
        guard let address = metadata.text("ip"), let agent = metadata.text("user_agent") else {
            return nil
        }
        let digest = SHA256.digest(Array("\(address)|\(agent)".utf8)[...])
        return String(hex: digest.prefix(8))
    }
}

extension JSONValue {
    /// The id of a customer, given as such or expanded. Customers may bear ids of the merchant's
    /// own making, so nearly any text will do.
    fileprivate var reference: String? {
        guard let id = (self["id"] ?? self).string, !id.isEmpty,
            id.utf8.count <= EventID.bytesMax, !id.hasControlCharacter
        else { return nil }
        return id
    }

    /// An ISO 3166 alpha-2 code in upper case; older objects may hold a country's name instead,
    /// which is passed over.
    fileprivate func country(_ key: StaticString) -> String? {
        guard let text = self[key]?.string, text.utf8.count == 2,
            text.utf8.allSatisfy({ (0x41...0x5A).contains($0 & 0xDF) })
        else { return nil }
        return text.uppercased()
    }
}
