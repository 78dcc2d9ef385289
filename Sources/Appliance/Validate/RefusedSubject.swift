import Vocabulary

/// What a refused event says of money, so that a person need not open the bytes: the object with
/// its id, every amount, the currency. Free text is left out.
enum RefusedSubject {
    /// - Returns: nil where the event holds no object.
    static func text(of root: JSONValue) -> String? {
        guard let object = root["data"]?["object"], object.kind == .object,
            let members = object.object
        else { return nil }
        var words: [String] = []
        if let name = object.text("object"), name.isStripeID { words.append(name) }
        if let id = object.text("id"), id.isStripeID { words.append(id) }
        for (key, value) in members {
            guard let name = key.string, name == "fee" || name.hasPrefix("amount"),
                value.kind == .number
            else { continue }
            let number = value.int64.map(String.init) ?? value.double.map { "\($0)" }
            if let number, name.isStripeID { words.append("\(name)=\(number)") }
        }
        if let currency = object.text("currency"), currency.isStripeID {
            words.append("currency=\(currency.prefix(8))")
        }
        if let account = root.text("account"), account.isStripeID {
            words.append("account=\(account)")
        }
        return words.isEmpty ? nil : words.joined(separator: " ")
    }
}
