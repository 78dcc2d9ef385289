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

    /// What to do about it, behind a semicolon; empty where its own words have to do.
    var advice: String {
        switch code {
        case "OOM": "; raise its maxmemory, or let it evict"
        case "READONLY": "; it is a replica: name the primary in the Redis address"
        case "MISCONF": "; it cannot save to its disk: mend that, and it goes on by itself"
        case "NOPERM": "; let its user run the commands and use the keys below redis.prefix"
        case "LOADING", "BUSY", "TRYAGAIN": "; it is asked again by itself"
        case "MASTERDOWN", "CLUSTERDOWN", "NOREPLICAS": "; it waits for another server of its own"
        case "MOVED", "CROSSSLOT": "; a cluster of several shards is not served"
        default: ""
        }
    }

    /// Whether another connection may be better off: this server is a replica by now, or has
    /// forgotten who we are.
    var endsConnection: Bool { code == "READONLY" || code == "NOAUTH" || code == "MASTERDOWN" }

    /// What it says of a user and a password, in our words: a server that does not know the
    /// command repeats its arguments, and perhaps only a part of them.
    var aboutPassword: RedisErrorReply {
        if text.contains("without any password configured") {
            return RedisErrorReply("ERR the server has no password")
        }
        if text.contains("unknown command") {
            return RedisErrorReply("ERR the server does not know AUTH")
        }
        if text.contains("wrong number of arguments") {
            return RedisErrorReply("ERR the server takes no user beside the password")
        }
        if text.contains("max number of clients") {
            return RedisErrorReply("ERR max number of clients reached")
        }
        return RedisErrorReply(Self.ofPassword.contains(code) ? code : "ERR")
    }

    /// Codes that answer AUTH: known words, so that none of them is a piece of the password.
    private static let ofPassword = passing.union([
        "DENIED", "ERR", "NOAUTH", "NOPERM", "WRONGPASS",
    ])
}
