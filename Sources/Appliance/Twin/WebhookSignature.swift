import Bridges

/// Signs bodies as Stripe does (docs.stripe.com/webhooks#verify-manually): HMAC-SHA256 over the
/// time, a full stop and the raw body.
struct WebhookSignature: Sendable {
    private static let digits = Array("0123456789abcdef".utf8)

    private let code: HMACSHA256
    private let wrongCode: HMACSHA256

    /// - Parameter secret: the endpoint's whole secret, `whsec_…`.
    init(secret: String) {
        code = HMACSHA256(key: Array(secret.utf8))
        wrongCode = HMACSHA256(key: Array("\(secret)?".utf8))
    }

    /// The value of `Stripe-Signature` for a delivery made now.
    ///
    /// - Parameters:
    ///   - now: seconds since 1970 by the wall clock.
    ///   - forgery: what is wrong with it, if anything.
    /// - Returns: nil where the header is to be left out.
    func header(for body: [UInt8], at now: Int64, forgery: Forgery? = nil) -> [UInt8]? {
        switch forgery {
        case nil, .tamperedBody: write(code, body, at: now)
        case .wrongSecret: write(wrongCode, body, at: now)
        case .stale: write(code, body, at: now - 3_600)
        case .fromTheFuture: write(code, body, at: now + 3_600)
        case .malformed: Array("t=,v1".utf8)
        case .missing: nil
        }
    }

    private func write(_ mac: HMACSHA256, _ body: [UInt8], at time: Int64) -> [UInt8] {
        var out = JSONBytes()
        out.bytes.reserveCapacity(96)
        out.append(raw: "t=")
        out.append(time)
        var signed = JSONBytes()
        signed.append(time)
        signed.append(raw: ".")
        out.append(raw: ",v1=")
        for byte in mac.code(for: signed.bytes[...], body[...]) {
            out.bytes.append(Self.digits[Int(byte >> 4)])
            out.bytes.append(Self.digits[Int(byte & 15)])
        }
        return out.bytes
    }
}

/// The ways in which a delivery can fail to be Stripe's.
enum Forgery: String, CaseIterable, Sendable {
    case wrongSecret = "wrong_secret"
    case stale
    case fromTheFuture = "from_the_future"
    case missing
    case malformed
    /// Signed well, then an amount was changed on the way.
    case tamperedBody = "tampered_body"
}
