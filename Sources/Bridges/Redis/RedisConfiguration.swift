/// Where a Redis server is, who one is there, and how long one waits for it.
public struct RedisConfiguration: Sendable {
    /// A host name, or an IPv4 or IPv6 address without brackets.
    public var host: String
    public var port: UInt16 = 6379
    public var isSecure = false
    /// Nil where the server asks for nobody.
    public var credentials: RedisCredentials?
    /// Asked for the password at each connect, instead of what the credentials say, so that a new
    /// one needs no restart. Called on the client's thread, which serves nobody meanwhile; what it
    /// throws is shown, so it holds no secret.
    public var password: (@Sendable () throws -> Secret)?
    public var database = 0
    /// A PEM file of the authorities to trust; nil for the system's own.
    public var authorities: String?

    /// From the look-up of the name to the server's first answers.
    public var connectTimeout: Duration = .seconds(2)
    /// For a command where its caller names no other; a server that owes an answer for as long is
    /// given up.
    public var commandTimeout: Duration = .seconds(2)
    /// Commands that may wait or be under way at once; the next one is refused.
    public var queueCommandsMax = 16_384
    /// The same for their bytes.
    public var queueBytesMax = 64 << 20
    /// Commands under way on the connection at once; the others wait, and are certainly not sent.
    public var pipelineCommandsMax = 1_024
    public var replyBytesMax = 16 << 20
    /// The wait after a connection was lost; it doubles up to the longest.
    public var retryMin: Duration = .milliseconds(50)
    public var retryMax: Duration = .seconds(5)
    /// An idle connection is tried this often.
    public var pingInterval: Duration = .seconds(5)

    public init(host: String) { self.host = host }

    /// Reads `redis://[[user]:password@]host[:port][/database]`; `rediss://` is the same with TLS.
    ///
    /// User and password may hold percent escapes. An IPv6 address stands in brackets.
    ///
    /// - Throws: what is wrong, without a word of the address: a part of it may be the password.
    public init(
        url: String, authorities: String? = nil
    ) throws(RedisConfigurationError) {
        let rest: Substring
        let isSecure: Bool
        if url.hasPrefix("redis://") {
            (rest, isSecure) = (url.dropFirst(8), false)
        } else if url.hasPrefix("rediss://") {
            (rest, isSecure) = (url.dropFirst(9), true)
        } else {
            throw .scheme
        }
        guard !rest.contains(where: { "?#".contains($0) || $0.isWhitespace }) else {
            throw .surplus
        }
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        let authority = rest[..<slash]
        let at = authority.lastIndex(of: "@")
        let place = at.map { authority[authority.index(after: $0)...] } ?? authority
        let (host, port) = try Self.place(place)
        self.host = host
        self.isSecure = isSecure
        self.authorities = authorities
        if let port { self.port = port }
        if let at { credentials = try Self.credentials(authority[..<at]) }
        database = try Self.database(rest[slash...].dropFirst())
    }

    private static func place(
        _ text: Substring
    ) throws(RedisConfigurationError) -> (host: String, port: UInt16?) {
        var (host, rest) = (text, Substring())
        if text.first == "[" {
            guard let end = text.firstIndex(of: "]") else { throw .host }
            host = text[text.index(after: text.startIndex)..<end]
            rest = text[text.index(after: end)...]
            guard SocketAddress.numberBytes(String(host))?.count == 16 else { throw .host }
            guard rest.isEmpty || rest.first == ":" else { throw .host }
        } else if let colon = text.firstIndex(of: ":") {
            (host, rest) = (text[..<colon], text[colon...])
            // More than one colon is an IPv6 address without its brackets.
            guard !rest.dropFirst().contains(":") else { throw .host }
        }
        let allowed = host.utf8.allSatisfy { byte in
            byte > 0x20 && byte < 0x7F && !"@[]%\\\"".utf8.contains(byte)
        }
        guard !host.isEmpty, host.utf8.count <= 253, allowed else { throw .host }
        guard !rest.isEmpty else { return (String(host), nil) }
        guard let port = decimal(rest.dropFirst(), UInt16.self), port > 0 else { throw .port }
        return (String(host), port)
    }

    private static func credentials(
        _ text: Substring
    ) throws(RedisConfigurationError) -> RedisCredentials {
        guard let colon = text.firstIndex(of: ":") else { throw .passwordMissing }
        guard let user = unescaped(text[..<colon]),
            let password = unescaped(text[text.index(after: colon)...])
        else { throw .escape }
        guard !password.isEmpty else { throw .passwordMissing }
        return RedisCredentials(user: user.isEmpty ? nil : user, password: Secret(password))
    }

    private static func database(_ text: Substring) throws(RedisConfigurationError) -> Int {
        guard !text.isEmpty else { return 0 }
        guard let number = decimal(text, UInt16.self) else { throw .database }
        return Int(number)
    }

    /// Digits only: the language's own reading takes a sign too.
    private static func decimal<Number: FixedWidthInteger>(
        _ text: Substring, _: Number.Type
    ) -> Number? {
        text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Number(text) : nil
    }

    /// The text with its percent escapes resolved; nil where one is malformed.
    private static func unescaped(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(hexDigit),
                let low = rest.popFirst().flatMap(hexDigit)
            else { return nil }
            bytes.append(high << 4 | low)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }

    /// Who one is to the server at this connect; nil where it asks for nobody.
    func currentCredentials() throws -> RedisCredentials? {
        guard let password else { return credentials }
        return RedisCredentials(user: credentials?.user, password: try password())
    }

    /// The place for a sentence, without user or password.
    public var place: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// Who one is to a Redis server.
public struct RedisCredentials: Hashable, Sendable {
    /// Nil for the server's default user, who has a password alone (`requirepass`).
    public var user: String?
    public var password: Secret

    public init(user: String? = nil, password: Secret) {
        self.user = user
        self.password = password
    }
}

/// What is wrong with the address of a Redis server. None shows any of it.
public enum RedisConfigurationError: Error, Hashable, Sendable {
    case scheme
    /// Something follows the database, or white space is in it.
    case surplus
    case host
    case port
    case database
    case passwordMissing
    case escape

    public var isRetryable: Bool { false }
}

extension RedisConfigurationError: CustomStringConvertible {
    public var description: String {
        let form = "redis://user:password@host:port/database"
        return switch self {
        case .scheme: "a Redis address begins with redis:// or, for TLS, with rediss://"
        case .surplus: "a Redis address has no spaces, no ? and no #; it reads \(form)"
        case .host:
            "the host of the Redis address is missing or malformed; it reads \(form), an IPv6 "
                + "address in brackets, and special characters of the password as %XX"
        case .port: "the port of the Redis address is not a number from 1 to 65535"
        case .database: "the database of the Redis address is not a number from 0 to 65535"
        case .passwordMissing:
            "the Redis address has a user or an @ but no password; it reads \(form)"
        case .escape:
            "the user or password of the Redis address has a % that two hexadecimal digits do "
                + "not follow; write % as %25"
        }
    }
}
