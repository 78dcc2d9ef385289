/// What may be a secret, and what was put in its place by mistake.
///
/// A wrong secret refuses every webhook with a 400, hours after the start and on another machine's
/// screen; so what can be told by looking is told at the start. No refusal repeats the secret.
package enum SecretText {
    package enum Refusal: Hashable {
        case empty
        case quoted
        case blankInside
        case apiKey(prefix: String)
        case publishableKey
        case signingSecret
        case otherForm(expected: String)
        case several

        /// Follows "configuration key … ".
        var sentence: String {
            switch self {
            case .empty: "is set but empty; set it to the secret, or remove it"
            case .quoted: "has quotation marks around the secret; write it without them"
            case .blankInside:
                "has a blank within the secret; separate secrets by a comma or a line's end"
            case .apiKey(let prefix):
                "is an API key (\(prefix)…); give the endpoint's signing secret (whsec_…) instead, "
                    + "from the endpoint's page in Stripe's dashboard"
            case .publishableKey:
                "is a publishable key (pk_…), which can read nothing; "
                    + "give a restricted or secret key"
            case .signingSecret:
                "is a webhook's signing secret (whsec_…); give an API key (rk_… or sk_…) instead"
            case .otherForm(let expected): "does not begin with \(expected); copy it once more"
            case .several: "holds more than one key; give one"
            }
        }
    }

    /// The signing secrets in a value: one a line or separated by commas.
    static func signingSecrets(in value: String) -> Result<[String], RefusalError> {
        var secrets: [String] = []
        for item in items(in: value) {
            if let refusal = refusal(ofSigningSecret: item) { return .failure(.init(refusal)) }
            secrets.append(item)
        }
        return secrets.isEmpty ? .failure(.init(.empty)) : .success(secrets)
    }

    /// The API key in a value.
    static func apiKey(in value: String) -> Result<String, RefusalError> {
        let items = items(in: value)
        guard let key = items.first, !key.isEmpty else { return .failure(.init(.empty)) }
        if let refusal = commonRefusal(of: key) { return .failure(.init(refusal)) }
        guard items.count == 1 else { return .failure(.init(.several)) }
        if key.hasPrefix("whsec_") { return .failure(.init(.signingSecret)) }
        if key.hasPrefix("pk_") { return .failure(.init(.publishableKey)) }
        guard StripeKeyMode(of: key) != nil else {
            return .failure(.init(.otherForm(expected: "sk_test_, sk_live_, rk_test_ or rk_live_")))
        }
        return .success(key)
    }

    struct RefusalError: Error, Hashable {
        let refusal: Refusal
        init(_ refusal: Refusal) { self.refusal = refusal }
    }

    /// Empty lines are layout; nothing between two commas is a variable that was not set.
    private static func items(in value: String) -> [String] {
        value.split(whereSeparator: \.isNewline).map { trimmed($0) }.filter { !$0.isEmpty }
            .flatMap { line in
                line.split(separator: ",", omittingEmptySubsequences: false).map { trimmed($0) }
            }
    }

    private static func trimmed(_ text: some StringProtocol) -> String {
        var text = text.drop { $0.isWhitespace }
        while text.last?.isWhitespace == true { text = text.dropLast() }
        return String(text)
    }

    private static func commonRefusal(of item: String) -> Refusal? {
        if item.isEmpty { return .empty }
        if let first = item.first, "\"'`“”‘’".contains(first) { return .quoted }
        return item.contains { $0.isWhitespace } ? .blankInside : nil
    }

    private static func refusal(ofSigningSecret item: String) -> Refusal? {
        if let refusal = commonRefusal(of: item) { return refusal }
        for prefix in ["sk_", "rk_", "pk_"] where item.hasPrefix(prefix) {
            return .apiKey(prefix: prefix)
        }
        let isWhole =
            item.hasPrefix("whsec_") && item.count > "whsec_".count
            && item.unicodeScalars.allSatisfy { (0x21...0x7E).contains($0.value) }
        return isWhole ? nil : .otherForm(expected: "whsec_")
    }

    /// Anything in `text` that looks like a secret, shortened to its prefix.
    package static func masked(_ text: String) -> String {
        AddressSecret.masked(
            text.replacing(/(whsec_|[srp]k_(live|test)_)[A-Za-z0-9+\/=_-]+/) {
                "\($0.output.1)…"
            })
    }
}

/// Passwords within addresses (`redis://user:password@host`, `postgres://host/db?password=…`).
enum AddressSecret {
    static func isWithin(_ address: String) -> Bool { masked(address) != address }

    /// The text with every such password taken out. A password may have an `@` in it, so that it
    /// ends at the last one.
    static func masked(_ text: String) -> String {
        text.replacing(/([A-Za-z][A-Za-z0-9+.-]*:\/\/[^:\/@\s]*):\S+@/) {
            "\($0.output.1):…@"
        }.replacing(/([?&](ssl)?password=)[^&\s]+/) { "\($0.output.1)…" }
    }
}

/// Whose data a Stripe key reads.
enum StripeKeyMode: String, Sendable {
    case test, live

    /// - Returns: nil for what is no secret or restricted key.
    init?(of key: String) {
        let isTest = key.hasPrefix("sk_test_") || key.hasPrefix("rk_test_")
        guard isTest || key.hasPrefix("sk_live_") || key.hasPrefix("rk_live_") else { return nil }
        self = isTest ? .test : .live
    }
}
