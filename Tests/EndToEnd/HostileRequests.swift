import Testing

/// Requests that no honest client sends, and what each port answers.
struct HostileRequest: CustomTestStringConvertible, Sendable {
    var name: String
    var bytes: [UInt8]
    /// Any of these; nil among them is a connection that is closed without an answer.
    var webhook: [Int?]
    /// The same where the admin port answers otherwise.
    var admin: [Int?]
    /// Whether the connection is over afterwards.
    var ends: Bool

    var testDescription: String { name }

    init(
        _ name: String, _ text: String, _ webhook: Int?..., admin: [Int?]? = nil, ends: Bool = true
    ) {
        self.name = name
        bytes = Array(text.utf8)
        self.webhook = webhook
        self.admin = admin ?? webhook
        self.ends = ends
    }

    private static let host = "Host: localhost\r\n"
    private static let post = "POST /webhooks/stripe HTTP/1.1\r\n" + host
    /// A delivery without a signature, as the admin port has no such path.
    private static let unknown: [Int?] = [404]
    /// The console's first page, which nobody sees who has not signed in.
    private static let overview: [Int?] = [401]

    static let all: [HostileRequest] = lengths + chunks + lines + fields + targets + protocols

    private static let lengths = [
        HostileRequest("both lengths", post
            + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        HostileRequest("both lengths, the other way", post
            + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400),
        HostileRequest(
            "two lengths", post + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
        HostileRequest("two equal lengths", post
            + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400),
        HostileRequest("a list of lengths", post + "Content-Length: 3, 3\r\n\r\nabc", 400),
        HostileRequest("a negative length", post + "Content-Length: -1\r\n\r\n", 400),
        HostileRequest("a length with a plus", post + "Content-Length: +3\r\n\r\nabc", 400),
        HostileRequest("a length in hex", post + "Content-Length: 0x3\r\n\r\nabc", 400),
        HostileRequest("a length of words", post + "Content-Length: three\r\n\r\n", 400),
        HostileRequest("an empty length", post + "Content-Length: \r\n\r\n", 400),
        HostileRequest(
            "a length of 2^63 - 1", post + "Content-Length: 9223372036854775807\r\n\r\n", 413,
            ends: false),
        HostileRequest(
            "a length of 2^63", post + "Content-Length: 9223372036854775808\r\n\r\n", 413, 400,
            ends: false),
        HostileRequest(
            "a length of 2^64", post + "Content-Length: 18446744073709551616\r\n\r\n", 400),
        HostileRequest(
            "a length beyond the limit", post + "Content-Length: 99999999\r\n\r\n", 413,
            ends: false),
        HostileRequest("a fraction of a byte", post + "Content-Length: 3.5\r\n\r\nabc", 400),
    ]

    private static let chunks = [
        HostileRequest("an unknown coding", post + "Transfer-Encoding: gzip\r\n\r\n", 400),
        HostileRequest("chunked is not the last", post
            + "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400),
        HostileRequest(
            "a coding below chunked", post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            400),
        HostileRequest(
            "chunked in capitals", post + "Transfer-Encoding: CHUNKED \r\n\r\n0\r\n\r\n",
            400, admin: unknown, ends: false),
        HostileRequest("chunked twice", post
            + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        HostileRequest("identity", post + "Transfer-Encoding: identity\r\n\r\n0\r\n\r\n", 400),
        HostileRequest(
            "a disguised coding", post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
        HostileRequest(
            "a coding behind a tab",
            post + "Transfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n",
            400, admin: unknown, ends: false),
        HostileRequest(
            "a blank before the colon",
            post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
        HostileRequest(
            "a chunk size of words", post + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        HostileRequest("a negative chunk", post + "Transfer-Encoding: chunked\r\n\r\n-1\r\n", 400),
        HostileRequest("a chunk of 2^64", post
            + "Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n", 400),
        HostileRequest("a chunk of 2^64 - 1", post
            + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nabc",
            nil, 413, 400, ends: false),
        HostileRequest("a chunk longer than told", post
            + "Transfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n", 400),
        HostileRequest("a chunk ended by a line feed", post
            + "Transfer-Encoding: chunked\r\n\r\n3\nabc\n0\n\n", 400),
        HostileRequest("a chunk with a NUL in its size", post
            + "Transfer-Encoding: chunked\r\n\r\n3\u{0}\r\nabc\r\n", 400),
        HostileRequest("a body over the limit in chunks", post
            + "Transfer-Encoding: chunked\r\n\r\n"
            + String(
                repeating: "10000\r\n" + String(repeating: "x", count: 65_536) + "\r\n",
                count: 17),
            413, ends: false),
    ]

    private static let lines = [
        HostileRequest("nothing but a line", "\r\n\r\n\r\n\r\nGET\r\n\r\n", 400),
        HostileRequest("no version", "GET /healthz\r\n\r\n", 400, 505),
        HostileRequest("HTTP/0.9 by name", "GET /healthz HTTP/0.9\r\n\r\n", 400, 505),
        HostileRequest("HTTP/2 by name", "GET /healthz HTTP/2.0\r\n\(host)\r\n", 400, 505),
        HostileRequest("HTTP/3 by name", "GET /healthz HTTP/3.0\r\n\(host)\r\n", 400, 505),
        HostileRequest("HTTP/1.9", "GET /healthz HTTP/1.9\r\n\(host)\r\n", 400, 505),
        HostileRequest(
            "a version of many digits", "GET /healthz HTTP/1.11111111\r\n\(host)\r\n", 400),
        HostileRequest("a lower-case version", "GET /healthz http/1.1\r\n\(host)\r\n", 400),
        HostileRequest("a lower-case method", "get /healthz HTTP/1.1\r\n\(host)\r\n", 400),
        HostileRequest("an invented method", "STEAL /healthz HTTP/1.1\r\n\(host)\r\n", 400),
        HostileRequest("a method of NUL", "G\u{0}T /healthz HTTP/1.1\r\n\(host)\r\n", 400),
        HostileRequest(
            "two blanks", "GET  /healthz  HTTP/1.1\r\n\(host)\r\n", 200, 400, ends: false),
        HostileRequest("line feeds alone", "GET /healthz HTTP/1.1\nHost: localhost\n\n", 400),
        HostileRequest("a return alone", "GET /healthz HTTP/1.1\rHost: localhost\r\r", 400),
        HostileRequest(
            "a TLS greeting", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\u{FC}\u{3}\u{3}\r\n\r\n",
            400),
        HostileRequest("a preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, 505),
        HostileRequest("SSH", "SSH-2.0-OpenSSH_9.2\r\n\r\n", 400),
        HostileRequest("an SMTP greeting", "EHLO example.com\r\n\r\n", 400),
        HostileRequest("RTSP", "OPTIONS rtsp://localhost/ RTSP/1.0\r\n\r\n", 400, 404, 505, 421),
    ]

    private static let fields = [
        HostileRequest("no Host", "GET /healthz HTTP/1.1\r\n\r\n", 400),
        HostileRequest("two Hosts", "GET /healthz HTTP/1.1\r\n\(host)Host: other\r\n\r\n", 400),
        HostileRequest(
            "another Host",
            "GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n", 200, admin: [421], ends: false),
        HostileRequest(
            "a Host that begins like ours",
            "GET /healthz HTTP/1.1\r\nHost: localhost.evil.example\r\n\r\n",
            200, admin: [421], ends: false),
        HostileRequest(
            "an empty Host",
            "GET /healthz HTTP/1.1\r\nHost: \r\n\r\n", 200, 400, admin: [421, 400], ends: false),
        HostileRequest(
            "a Host with a user",
            "GET /healthz HTTP/1.1\r\nHost: localhost@evil.example\r\n\r\n",
            200, 400, admin: [421, 400], ends: false),
        HostileRequest(
            "a field without a colon", "GET /healthz HTTP/1.1\r\n\(host)nonsense\r\n\r\n", 400),
        HostileRequest(
            "a field without a name", "GET /healthz HTTP/1.1\r\n\(host): value\r\n\r\n", 400),
        HostileRequest(
            "a NUL in a name", "GET /healthz HTTP/1.1\r\n\(host)X\u{0}Y: 1\r\n\r\n", 400),
        HostileRequest(
            "a NUL in a value", "GET /healthz HTTP/1.1\r\n\(host)X: a\u{0}b\r\n\r\n", 400),
        HostileRequest("a folded line", "GET /healthz HTTP/1.1\r\n\(host)X: a\r\n b\r\n\r\n", 400),
        HostileRequest(
            "a return in a value", "GET /healthz HTTP/1.1\r\n\(host)X: a\rb\r\n\r\n", 400),
        HostileRequest("a header of 20 KiB", "GET /healthz HTTP/1.1\r\n\(host)X: "
            + String(repeating: "x", count: 20 << 10) + "\r\n\r\n", 431),
        HostileRequest("a header of 1 MiB", "GET /healthz HTTP/1.1\r\n\(host)X: "
            + String(repeating: "x", count: 1 << 20) + "\r\n\r\n", 431),
        HostileRequest("200 fields", "GET /healthz HTTP/1.1\r\n\(host)"
            + String(repeating: "X: 1\r\n", count: 200) + "\r\n", 431),
        HostileRequest("a target of 20 KiB", "GET /"
            + String(repeating: "x", count: 20 << 10) + " HTTP/1.1\r\n\(host)\r\n", 431, 400, 404),
        HostileRequest(
            "an unknown expectation", post + "Expect: more\r\nContent-Length: 0\r\n\r\n", 417),
        HostileRequest("an upgrade", "GET /healthz HTTP/1.1\r\n\(host)"
            + "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 200),
        HostileRequest("an upgrade to HTTP/2", "GET /healthz HTTP/1.1\r\n\(host)"
            + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
            + "HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", 200),
        HostileRequest("a signature of 8 KiB", post + "Stripe-Signature: "
            + String(repeating: "v1=0,", count: 1600) + "\r\nContent-Length: 2\r\n\r\n{}",
            400, admin: unknown, ends: false),
        HostileRequest("a signature of the future", post
            + "Stripe-Signature: t=999999999999999,v1=00\r\nContent-Length: 2\r\n\r\n{}",
            400, admin: unknown, ends: false),
        HostileRequest("a signature before time", post
            + "Stripe-Signature: t=-9223372036854775808,v1=00\r\nContent-Length: 2\r\n\r\n{}",
            400, admin: unknown, ends: false),
    ]

    private static let targets = [
        HostileRequest(
            "a whole address", "GET http://localhost/healthz HTTP/1.1\r\n\(host)\r\n", 200,
            ends: false),
        HostileRequest(
            "a whole address of nothing", "GET http:// HTTP/1.1\r\n\(host)\r\n", 400, 404,
            admin: overview, ends: false),
        HostileRequest(
            "a scheme alone", "GET x:// HTTP/1.1\r\n\(host)\r\n", 400, 404,
            admin: overview, ends: false),
        HostileRequest(
            "an address with a port alone", "GET http://:/ HTTP/1.1\r\n\(host)\r\n", 400, 404,
            admin: overview, ends: false),
        HostileRequest("an asterisk", "OPTIONS * HTTP/1.1\r\n\(host)\r\n", 400, 404, ends: false),
        HostileRequest(
            "a target of a tunnel", "CONNECT localhost:25 HTTP/1.1\r\n\(host)\r\n", 400, 404, 405),
        HostileRequest(
            "a target without a slash",
            "GET healthz HTTP/1.1\r\n\(host)\r\n", 400, 404, ends: false),
        HostileRequest(
            "a climb", "GET /../../etc/passwd HTTP/1.1\r\n\(host)\r\n", 404, ends: false),
        HostileRequest(
            "an encoded climb",
            "GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\n\(host)\r\n", 404, ends: false),
        HostileRequest(
            "a broken escape",
            "GET /%zz%/?%=%&a=%f HTTP/1.1\r\n\(host)\r\n", 404, 400, ends: false),
        HostileRequest(
            "a broken escape in a known query",
            "GET /healthz?after=%&limit=%zz HTTP/1.1\r\n\(host)\r\n", 200, 400, ends: false),
        HostileRequest(
            "an encoded NUL", "GET /healthz%00 HTTP/1.1\r\n\(host)\r\n", 404, ends: false),
        HostileRequest("a NUL", "GET /health\u{0}z HTTP/1.1\r\n\(host)\r\n", 400),
        HostileRequest(
            "a fragment", "GET /healthz#x HTTP/1.1\r\n\(host)\r\n", 200, 400, 404, ends: false),
        HostileRequest(
            "letters beyond ASCII", "GET /h\u{E9}althz HTTP/1.1\r\n\(host)\r\n", 400, 404,
            ends: false),
        HostileRequest(
            "many slashes", "GET ////////healthz HTTP/1.1\r\n\(host)\r\n", 200, 404, ends: false),
        HostileRequest(
            "an endpoint that nobody has",
            "POST /webhooks/stripe/nobody HTTP/1.1\r\n\(host)Content-Length: 0\r\n\r\n", 404,
            ends: false),
    ]

    private static let protocols = [
        HostileRequest("HEAD", "HEAD /healthz HTTP/1.1\r\n\(host)\r\n", 200, ends: false),
        HostileRequest(
            "DELETE", "DELETE /healthz HTTP/1.1\r\n\(host)\r\n", 405, admin: [404, 405],
            ends: false),
        HostileRequest(
            "TRACE", "TRACE /healthz HTTP/1.1\r\n\(host)\r\n", 405, admin: [404, 405], ends: false),
        HostileRequest(
            "PUT of a delivery",
            "PUT /webhooks/stripe HTTP/1.1\r\n\(host)Content-Length: 0\r\n\r\n", 405,
            admin: unknown, ends: false),
        HostileRequest("HTTP/1.0 without Host", "GET /healthz HTTP/1.0\r\n\r\n", 200, admin: [421]),
        HostileRequest("a second request in the first one's body", post
            + "Content-Length: 42\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
            400, admin: unknown, ends: false),
    ]
}
