import Bridges
package import Vocabulary

/// The ways in which a delivery can fail to be Stripe's.
package enum Forgery: String, CaseIterable, Sendable {
    case wrongSecret = "wrong_secret"
    case stale
    case fromTheFuture = "from_the_future"
    case missing
    case malformed
    /// Signed well, then an amount was changed on the way.
    case tamperedBody = "tampered_body"
}

/// Signs deliveries to one endpoint, well or in one of the ways of ``Forgery``.
package struct WebhookSigner: Sendable {
    /// How far from now a stale signature, or one from the future, says that it was made. More
    /// than any sensible tolerance.
    static let staleSeconds: Int64 = 3_600

    private let keys: [HMACSHA256]
    private let unknownKey: HMACSHA256

    /// - Parameter secrets: the endpoint's active secrets, each the whole `whsec_…`; at least one.
    package init(secrets: [String]) {
        precondition(!secrets.isEmpty, "an endpoint has no secret")
        keys = secrets.map { HMACSHA256(key: Array($0.utf8)) }
        unknownKey = HMACSHA256(key: Array("\(secrets[0])?".utf8))
    }

    /// The value of `Stripe-Signature` for a delivery made now.
    ///
    /// - Parameters:
    ///   - forgery: what is wrong with it, if anything.
    ///   - isRotating: a secret that the endpoint does not know signs before its own, as happens
    ///     while a secret is being rolled and the receiver still has the old one.
    /// - Returns: nil where the header is to be left out.
    package func header(
        for body: [UInt8], at now: Instant, forgery: Forgery? = nil, isRotating: Bool = false
    ) -> String? {
        let keys = isRotating ? [unknownKey] + keys : keys
        return switch forgery {
        case nil, .tamperedBody: StripeSignature.header(signing: body[...], at: now, keys: keys)
        case .wrongSecret: StripeSignature.header(signing: body[...], at: now, keys: [unknownKey])
        case .stale: header(for: body, at: now.seconds - Self.staleSeconds, by: keys)
        case .fromTheFuture: header(for: body, at: now.seconds + Self.staleSeconds, by: keys)
        case .malformed: "t=,v1"
        case .missing: nil
        }
    }

    private func header(for body: [UInt8], at seconds: Int64, by keys: [HMACSHA256]) -> String {
        StripeSignature.header(signing: body[...], at: Instant(seconds: seconds), keys: keys)
    }
}
