import Vocabulary

/// Reads a call's parameters by name and type, refusing what is wrong in Stripe's words.
///
/// An empty text is Stripe's way to unset: the readers here give nil for it.
struct APIParameters {
    let tree: FormTree

    init(_ tree: FormTree) { self.tree = tree }

    init(_ fields: [FormField]) throws(APIRefusal) { tree = try FormTree(fields) }

    func name(_ key: String) -> String { tree.name.isEmpty ? key : "\(tree.name)[\(key)]" }

    func has(_ key: String) -> Bool { tree[key] != nil }

    /// Parameters that Stripe knows and that make no difference here.
    func ignore(_ keys: String...) {
        for key in keys { tree[key]?.markRead() }
    }

    /// - Throws: `parameter_unknown` for what nobody has read.
    func finish() throws(APIRefusal) {
        let unread = tree.unread
        guard let first = unread.first else { return }
        let names = unread.joined(separator: ", ")
        throw APIRefusal(
            code: "parameter_unknown",
            message: "Received unknown parameter\(unread.count > 1 ? "s" : ""): \(names)",
            parameter: first)
    }

    // MARK: By type

    func text(_ key: String) throws(APIRefusal) -> String? {
        guard let node = tree[key] else { return nil }
        node.markRead()
        guard node.children.isEmpty else {
            throw APIRefusal(message: "Invalid string: \(node.name)", parameter: node.name)
        }
        guard let text = node.text, !text.isEmpty else { return nil }
        return text
    }

    func requiredText(_ key: String) throws(APIRefusal) -> String {
        guard let text = try text(key) else { throw missing(key) }
        return text
    }

    func integer(_ key: String) throws(APIRefusal) -> Int64? {
        guard let text = try text(key) else { return nil }
        guard let value = Int64(text) else {
            throw APIRefusal(
                code: "parameter_invalid_integer", message: "Invalid integer: \(text)",
                parameter: name(key))
        }
        return value
    }

    /// Python's spelling too: Stripe's library for it sent `True` and `False` until April 2025.
    func bool(_ key: String) throws(APIRefusal) -> Bool? {
        guard let text = try text(key) else { return nil }
        switch text {
        case "true", "True": return true
        case "false", "False": return false
        default:
            throw APIRefusal(message: "Invalid boolean: \(text)", parameter: name(key))
        }
    }

    func word<Word: RawRepresentable<String>>(
        _ key: String, of type: Word.Type = Word.self
    ) throws(APIRefusal) -> Word? {
        guard let text = try text(key) else { return nil }
        guard let word = Word(rawValue: text) else { throw invalid(key, text) }
        return word
    }

    /// The parameters below a name.
    func below(_ key: String) -> APIParameters? { tree[key].map { APIParameters($0) } }

    /// The texts of `key[]` or `key[0]`.
    func texts(_ key: String) throws(APIRefusal) -> [String] {
        guard let node = tree[key] else { return [] }
        node.markRead()
        if node.children.isEmpty { return node.text.flatMap { $0.isEmpty ? nil : [$0] } ?? [] }
        return node.children.compactMap { $0.node.text }
    }

    /// `metadata[…]`, as it is to be after this call. An empty value takes one away, an empty
    /// `metadata` all of them.
    func metadata(_ before: [FormField] = []) throws(APIRefusal) -> [FormField] {
        guard let node = tree["metadata"] else { return before }
        node.markRead()
        if node.children.isEmpty { return [] }
        var after = before
        for (key, value) in node.children {
            guard key.count <= 40, value.text?.count ?? 0 <= 500 else {
                throw APIRefusal(
                    message: "Metadata keys have up to 40 characters and values up to 500.",
                    parameter: value.name)
            }
            after.removeAll { $0.name == key }
            if let text = value.text, !text.isEmpty { after.append(FormField(key, text)) }
        }
        guard after.count <= 50 else {
            throw APIRefusal(message: "Metadata has up to 50 keys.", parameter: "metadata")
        }
        return after
    }

    func created() throws(APIRefusal) -> CreatedFilter { try times("created") }

    /// `created=…`, or `created[gt|gte|lt|lte]=…`, for `created` or any other time.
    func times(_ key: String) throws(APIRefusal) -> CreatedFilter {
        guard let range = below(key) else { return CreatedFilter() }
        guard !range.tree.children.isEmpty else {
            let second = try integer(key) ?? 0
            return CreatedFilter(first: second, end: Self.next(second))
        }
        var filter = CreatedFilter()
        if let bound = try range.integer("gte") { filter.first = bound }
        if let bound = try range.integer("gt") {
            filter.first = max(filter.first, Self.next(bound))
        }
        if let bound = try range.integer("lt") { filter.end = bound }
        if let bound = try range.integer("lte") { filter.end = min(filter.end, Self.next(bound)) }
        return filter
    }

    private static func next(_ value: Int64) -> Int64 { value == .max ? value : value + 1 }

    // MARK: Refusals

    func missing(_ key: String) -> APIRefusal {
        APIRefusal(
            code: "parameter_missing", message: "Missing required param: \(name(key)).",
            parameter: name(key))
    }

    func invalid(_ key: String, _ value: String) -> APIRefusal {
        APIRefusal(message: "Invalid \(name(key)): \(value)", parameter: name(key))
    }
}

// MARK: Money

extension APIParameters {
    /// Stripe's greatest amount: eight digits (docs.stripe.com/currencies).
    static let amountMax: Int64 = 99_999_999
    /// Currencies with twelve digits, whose units are worth little.
    private static let wideCurrencies: Set<String> = ["idr", "lbp", "cop", "huf", "jpy"]

    func currency() throws(APIRefusal) -> Currency {
        let text = try requiredText("currency").lowercased()
        guard let currency = Currency(text), currency.isStripes else {
            throw APIRefusal(message: "Invalid currency: \(text)", parameter: name("currency"))
        }
        return currency
    }

    /// An amount above nothing that the currency can be paid in.
    func amount(_ key: String, in currency: Currency) throws(APIRefusal) -> Int64? {
        guard let amount = try integer(key) else { return nil }
        guard amount >= 1 else {
            throw APIRefusal(
                code: "parameter_invalid_integer",
                message: "This value must be greater than or equal to 1.", parameter: name(key))
        }
        let most = Self.wideCurrencies.contains(currency.code) ? 999_999_999_999 : Self.amountMax
        guard amount <= most else {
            throw APIRefusal(
                code: "amount_too_large",
                message: "Amount must be no more than \(currency.display(MinorUnits(most))) "
                    + currency.code, parameter: name(key))
        }
        guard amount.isMultiple(of: currency.chargeStep) else {
            throw APIRefusal(
                code: "parameter_invalid_integer",
                message: "Invalid amount: \(amount). Amounts in \(currency.code) must be "
                    + "divisible by \(currency.chargeStep).", parameter: name(key))
        }
        return amount
    }

    /// What a payment must come to at least.
    func payment(_ key: String, in currency: Currency) throws(APIRefusal) -> Int64 {
        guard let amount = try amount(key, in: currency) else { throw missing(key) }
        guard amount >= currency.chargeMin else {
            let least = currency.display(MinorUnits(currency.chargeMin))
            throw APIRefusal(
                code: "amount_too_small",
                message: "Amount must be at least \(least) \(currency.code)", parameter: name(key))
        }
        return amount
    }
}

extension Currency {
    /// The least that Stripe charges, one step where it names none
    /// (docs.stripe.com/currencies#minimum-and-maximum-charge-amounts).
    var chargeMin: Int64 { Self.chargeMins[code] ?? chargeStep }

    private static let chargeMins: [String: Int64] = [
        "usd": 50, "aed": 200, "aud": 50, "bgn": 100, "brl": 50, "cad": 50, "chf": 50,
        "czk": 1_500, "dkk": 250, "eur": 50, "gbp": 30, "hkd": 400, "huf": 17_500, "inr": 50,
        "jpy": 50, "mxn": 1_000, "myr": 200, "nok": 300, "nzd": 50, "pln": 200, "ron": 200,
        "sek": 300, "sgd": 50, "thb": 1_000,
    ]

    /// Whether Stripe takes payments in it.
    var isStripes: Bool { Self.stripes.contains(code) }

    private static let stripes: Set<String> = Set(
        """
        usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd \
        bwp byn bzd cad cdf chf clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp \
        gel gip gmd gnf gtq gyd hkd hnl hrk htg huf idr ils inr isk jmd jod jpy kes kgs khr kmf \
        krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mur mvr mwk mxn myr mzn \
        nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr \
        sek sgd shp sle sos srd std szl thb tjs tnd top try ttd twd tzs uah ugx uyu uzs vnd vuv \
        wst xaf xcd xof xpf yer zar zmw
        """.split(separator: " ").map(String.init))
}
