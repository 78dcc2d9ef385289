import Foundation
import NIOCore
package import NIOHTTP1
import Synchronization
import Vocabulary

/// An answer of a port: its status and, unless it is empty, a body, whole or streamed.
package struct PortResponse: Sendable {
    /// Everything before the date: status line and header fields.
    private let head: [UInt8]
    private let body: [UInt8]
    /// Names of the header fields that it was given, in small letters.
    private let names: [String]
    /// Whether the connection ends with it, whatever the request says.
    let isLast: Bool
    /// What follows the head where the body is written while it is sent.
    package let stream: PortStream?

    /// - Parameter fields: further header fields.
    package init(
        _ status: HTTPResponseStatus, json: [UInt8], type: String = "application/json",
        fields: [(name: String, value: String)] = [], isLast: Bool = false
    ) {
        let content = json.isEmpty ? [] : [(name: "Content-Type", value: type)]
        // RFC 9110 §8.6.
        let length = status == .noContent ? [] : [(name: "Content-Length", value: "\(json.count)")]
        head = Self.head(status, content + length, fields)
        names = fields.map { $0.name.lowercased() }
        body = json
        self.isLast = isLast
        stream = nil
    }

    /// An answer that ends with its connection.
    ///
    /// - Parameter fields: further header fields; no length among them.
    package init(
        _ status: HTTPResponseStatus, stream: PortStream, type: String,
        fields: [(name: String, value: String)] = []
    ) {
        head = Self.head(status, [("Content-Type", type)], fields)
        names = fields.map { $0.name.lowercased() }
        body = []
        isLast = true
        self.stream = stream
    }

    private static func head(
        _ status: HTTPResponseStatus, _ content: [(name: String, value: String)],
        _ fields: [(name: String, value: String)]
    ) -> [UInt8] {
        var head = "HTTP/1.1 \(status.code) \(status.reasonPhrase)\r\n"
        for (name, value) in content + [("X-Content-Type-Options", "nosniff")] + fields {
            head += "\(name): \(value)\r\n"
        }
        return Array(head.utf8)
    }

    /// The answer of contracts §1.
    init(_ answer: GateAnswer) {
        switch answer {
        case .received(isDuplicate: false): self = Self.received
        case .received(isDuplicate: true): self = Self.duplicate
        case .refused(let code, let message):
            self.init(.badRequest, code: code, message)
        case .unknownEndpoint(let name):
            self.init(
                .notFound, code: "endpoint_unknown",
                "no endpoint \(name) is configured; see webhook.endpoints")
        case .unavailable(let reason):
            self.init(
                .serviceUnavailable, code: "unavailable", reason,
                fields: [("Retry-After", String(GateLimits.retryAfterSeconds))])
        }
    }

    /// An error, in the form that contracts §1 gives.
    init(
        _ status: HTTPResponseStatus, code: String, _ message: String,
        fields: [(name: String, value: String)] = []
    ) {
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("error")
        writer.beginObject()
        writer.member("code", code)
        writer.member("message", message)
        writer.endObject()
        writer.endObject()
        self.init(status, json: writer.bytes, fields: fields)
    }

    static let received = PortResponse(.ok, json: Array(#"{"received":true}"#.utf8))
    static let duplicate = PortResponse(
        .ok, json: Array(#"{"received":true,"duplicate":true}"#.utf8))
    static let alive = PortResponse(.ok, json: Array(#"{"status":"alive"}"#.utf8))
    static let unknownPath = PortResponse(
        .notFound, code: "path_unknown", "deliveries go to /webhooks/stripe")
    static func methodNotAllowed(_ allowed: String) -> PortResponse {
        PortResponse(
            .methodNotAllowed, code: "method_not_allowed", "use \(allowed)",
            fields: [("Allow", allowed)])
    }

    // MARK: What the port answers by itself

    /// A refusal that the port gives before anybody is asked, as RFC 9457 writes it; the
    /// connection ends with it.
    ///
    /// - Parameters:
    ///   - code: a stable word for a program.
    ///   - detail: a sentence that says what to do.
    private init(
        refusing status: HTTPResponseStatus, code: String, _ detail: String,
        fields: [(name: String, value: String)] = []
    ) {
        self.init(
            status,
            json: ProblemDocument.bytes(
                status: Int(status.code), title: status.reasonPhrase, detail: detail, code: code),
            type: ProblemDocument.type, fields: fields, isLast: true)
    }

    /// What the decoder found of a request that is not HTTP as RFC 9112 has it.
    init(_ error: HTTPParserError) {
        switch error {
        case .headerOverflow: self = Self.headerTooLarge
        case .invalidMethod: self = Self.methodUnknown
        case .invalidVersion: self = Self.versionUnknown
        case .invalidChunkSize: self = Self.chunkMalformed
        case .invalidContentLength, .unexpectedContentLength: self = Self.lengthMalformed
        case .invalidHeaderToken: self = Self.fieldMalformed
        case .invalidURL, .invalidHost, .invalidPort, .invalidPath, .invalidQueryString,
            .invalidFragment:
            self = Self.targetMalformed
        // A coding of the body, or an end of a line: the decoder has no names for these.
        case .unknown, .lfExpected, .strictModeAssertion: self = Self.framingMalformed
        default: self = Self.malformed
        }
    }

    private static func refusing(_ detail: String) -> PortResponse {
        PortResponse(refusing: .badRequest, code: "http_malformed", detail)
    }

    private static let malformed = refusing(
        "the request is not HTTP/1.1; speak HTTP to this port, or HTTPS where it has TLS")
    private static let methodUnknown = refusing(
        "the method is none that is known; send GET or POST, in capital letters")
    private static let versionUnknown = refusing(
        "the version of the request line is none; end that line with HTTP/1.1")
    private static let chunkMalformed = refusing(
        "the size of a chunk is no hexadecimal number; send each chunk's bytes behind their count")
    private static let lengthMalformed = refusing(
        "the length of the body is not clear; send one Content-Length, or chunks, not both")
    static let framingMalformed = refusing(
        "where a line or the body ends is not clear; end lines with CR LF, and send one "
            + "Content-Length or Transfer-Encoding: chunked")
    private static let fieldMalformed = refusing(
        "a header field has a character that none may have; send its name, a colon and its value "
            + "on a line of its own")
    private static let targetMalformed = refusing(
        "the target of the request line is no path; send one that begins with /")

    private static let headerTooLarge = PortResponse(
        refusing: .requestHeaderFieldsTooLarge, code: "header_too_large",
        "the header exceeds \(GateLimits.headerByteCountMax) bytes or "
            + "\(GateLimits.headerCountMax) fields; send a smaller one")
    static let notHTTP1 = PortResponse(
        refusing: .httpVersionNotSupported, code: "http_version",
        "this version of HTTP is not spoken here; use HTTP/1.1")
    static let hostMissing = PortResponse(
        refusing: .badRequest, code: "host_missing", "send exactly one Host header")
    static let expectationFailed = PortResponse(
        refusing: .expectationFailed, code: "expectation_unknown",
        "only 100-continue can be expected; leave Expect out")
    static let memoryUsedUp = PortResponse(
        refusing: .serviceUnavailable, code: "unavailable",
        "too many requests at once; retry later",
        fields: [("Retry-After", String(GateLimits.retryAfterSeconds))])

    static func bodyTooLarge(byteCountMax: Int) -> PortResponse {
        PortResponse(
            refusing: .payloadTooLarge, code: "body_too_large",
            "the body exceeds \(byteCountMax) bytes; send a smaller one")
    }

    // MARK: Its form

    /// Bytes that it takes until it is sent, to within the date.
    var byteCount: Int { head.count + body.count }

    /// The whole answer as it goes over the wire; an answer to HEAD has no body.
    ///
    /// - Parameter fields: what all answers of the port say.
    func write(
        into buffer: inout ByteBuffer, withBody: Bool, isKeepAlive: Bool, _ fields: PortFields
    ) {
        buffer.writeBytes(head)
        buffer.writeBytes(fields.always)
        if let other = fields.otherwise, !names.contains(other.name) {
            buffer.writeBytes(other.line)
        }
        buffer.writeStaticString("Date: ")
        buffer.writeString(HTTPDate.now())
        buffer.writeStaticString(isKeepAlive ? "\r\n\r\n" : "\r\nConnection: close\r\n\r\n")
        if withBody { buffer.writeBytes(body) }
    }
}
