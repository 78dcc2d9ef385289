/// What a Redis server answers (RESP2, redis.io/docs/reference/protocol-spec).
public enum RedisReply: Hashable, Sendable {
    case status(String)
    case integer(Int64)
    case bulk([UInt8])
    case null
    case array([RedisReply])
    /// Only inside of an array, or before a caller sees it: a command's own error is thrown.
    case error(RedisErrorReply)

    /// The bytes of a text answer; nil for any other.
    public var bytes: [UInt8]? { if case .bulk(let bytes) = self { bytes } else { nil } }
    /// The number; nil for any other answer.
    public var integer: Int64? { if case .integer(let number) = self { number } else { nil } }
    /// The parts; nil for any other answer.
    public var array: [RedisReply]? { if case .array(let parts) = self { parts } else { nil } }
}

/// A server's error: a code in capitals, and words for people.
public struct RedisErrorReply: Error, Hashable, Sendable {
    /// The whole line, at most 300 characters, none of which moves a terminal's cursor or turns
    /// its text.
    public let text: String

    public init(_ text: some StringProtocol) {
        var plain = String.UnicodeScalarView()
        for scalar in text.unicodeScalars.prefix(300) {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator: plain.append(" ")
            default: plain.append(scalar)
            }
        }
        self.text = String(plain)
    }

    /// Its first word: `ERR`, `NOSCRIPT`, `WRONGPASS`.
    public var code: Substring { text.prefix { $0 != " " } }

    /// Whether the server was only not ready for it: it loads its data, runs a long script, or has
    /// no memory or no master for the moment.
    public var isRetryable: Bool { Self.passing.contains(code) }

    private static let passing: Set<Substring> = [
        "BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF", "NOREPLICAS", "OOM",
        "READONLY", "TRYAGAIN",
    ]

    /// Whether another connection may be better off: this server is a replica by now, or has
    /// forgotten who we are.
    var endsConnection: Bool { code == "READONLY" || code == "NOAUTH" || code == "MASTERDOWN" }

    /// The same without `secret`, which a server that does not know the command repeats.
    func hiding(_ secret: String?) -> RedisErrorReply {
        guard let secret, !secret.isEmpty else { return self }
        return RedisErrorReply(text.split(separator: secret, omittingEmptySubsequences: false)
            .joined(separator: "***"))
    }
}
