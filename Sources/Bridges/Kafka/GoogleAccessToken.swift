/// An access token of Google's, and the form in which its Managed Kafka wants it.
///
/// A bare access token is refused. The form is a JWT without a signature:
///
/// ```
/// base64url({"typ":"JWT","alg":"GOOG_OAUTH2_TOKEN"})
/// . base64url({"exp":…,"iat":…,"iss":"Google","sub":ACCOUNT})
/// . base64url(ACCESS TOKEN)
/// ```
///
/// Source: Google's documentation of authentication to Managed Service for Apache Kafka.
public struct GoogleAccessToken: Sendable {
    public var accessToken: Secret
    /// Seconds since 1970.
    public var issuedAt: Int64
    /// Seconds since 1970; an hour after `issuedAt` for most.
    public var expiresAt: Int64

    public init(_ accessToken: Secret, issuedAt: Int64, expiresAt: Int64) {
        self.accessToken = accessToken
        self.issuedAt = issuedAt
        self.expiresAt = expiresAt
    }

    /// The three parts for `account`.
    public func threeParts(account: String) -> Secret {
        let header = #"{"typ":"JWT","alg":"GOOG_OAUTH2_TOKEN"}"#
        let claims = "{\"exp\":\(expiresAt),\"iat\":\(issuedAt),\"iss\":\"Google\","
            + "\"sub\":\"\(Self.escaped(account))\"}"
        return Secret(
            [header, claims, accessToken.reveal()].map { Self.base64URL(Array($0.utf8)) }
                .joined(separator: "."))
    }

    /// For the inside of a JSON string.
    static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": result += "\\\(scalar)"
            case "\u{0}"..."\u{1F}":
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// RFC 4648 §5, without padding.
    static func base64URL(_ bytes: [UInt8]) -> String {
        let alphabet = Array(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        var result: [UInt8] = []
        result.reserveCapacity((bytes.count * 4 + 2) / 3)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            var bits: UInt32 = 0
            for byte in group { bits = bits << 8 | UInt32(byte) }
            bits <<= 8 * UInt32(3 - group.count)
            for place in 0...group.count {
                result.append(alphabet[Int(bits >> UInt32(18 - 6 * place)) & 63])
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
