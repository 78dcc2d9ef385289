import Foundation
import NIOCore
import NIOHTTP1
import Synchronization

/// An answer of a port: its status and, unless it is empty, a JSON body.
struct PortResponse: Sendable {
    /// Everything before the date: status line and header fields.
    private let head: [UInt8]
    private let body: [UInt8]
    /// Whether the connection ends with it, whatever the request says.
    let isLast: Bool

    /// - Parameter fields: further header fields.
    init(
        _ status: HTTPResponseStatus, json: [UInt8], type: String = "application/json",
        fields: [(name: String, value: String)] = [], isLast: Bool = false
    ) {
        var head = "HTTP/1.1 \(status.code) \(status.reasonPhrase)\r\n"
        if !json.isEmpty { head += "Content-Type: \(type)\r\n" }
        head += "Content-Length: \(json.count)\r\nX-Content-Type-Options: nosniff\r\n"
        for (name, value) in fields { head += "\(name): \(value)\r\n" }
        self.head = Array((head + "Date: ").utf8)
        body = json
        self.isLast = isLast
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
        fields: [(name: String, value: String)] = [], isLast: Bool = false
    ) {
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("error")
        writer.beginObject()
        writer.member("code", code)
        writer.member("message", message)
        writer.endObject()
        writer.endObject()
        self.init(status, json: writer.bytes, fields: fields, isLast: isLast)
    }

    static let received = PortResponse(.ok, json: Array(#"{"received":true}"#.utf8))
    static let duplicate = PortResponse(
        .ok, json: Array(#"{"received":true,"duplicate":true}"#.utf8))
    static let alive = PortResponse(.ok, json: Array(#"{"status":"alive"}"#.utf8))
    static let unknownPath = PortResponse(
        .notFound, code: "path_unknown", "deliveries go to /webhooks/stripe")
    static let malformed = PortResponse(
        .badRequest, code: "http_malformed", "the request is not HTTP/1.1", isLast: true)

    static let headerTooLarge = PortResponse(
        .requestHeaderFieldsTooLarge, code: "header_too_large",
        "the header exceeds \(GateLimits.headerByteCountMax) bytes", isLast: true)
    static let notHTTP1 = PortResponse(
        .httpVersionNotSupported, code: "http_version", "use HTTP/1.1", isLast: true)
    static let hostMissing = PortResponse(
        .badRequest, code: "host_missing", "send exactly one Host header", isLast: true)
    static let expectationFailed = PortResponse(
        .expectationFailed, code: "expectation_unknown", "only 100-continue can be expected",
        isLast: true)
    static let memoryUsedUp = PortResponse(
        .serviceUnavailable, code: "unavailable", "too many requests at once; retry later",
        fields: [("Retry-After", String(GateLimits.retryAfterSeconds))], isLast: true)

    static func methodNotAllowed(_ allowed: String) -> PortResponse {
        PortResponse(
            .methodNotAllowed, code: "method_not_allowed", "use \(allowed)",
            fields: [("Allow", allowed)])
    }

    static func bodyTooLarge(byteCountMax: Int) -> PortResponse {
        PortResponse(
            .payloadTooLarge, code: "body_too_large", "the body exceeds \(byteCountMax) bytes",
            isLast: true)
    }

    /// The whole answer as it goes over the wire; an answer to HEAD has no body.
    func write(into buffer: inout ByteBuffer, withBody: Bool, isKeepAlive: Bool) {
        buffer.writeBytes(head)
        buffer.writeString(HTTPDate.now())
        buffer.writeStaticString(isKeepAlive ? "\r\n\r\n" : "\r\nConnection: close\r\n\r\n")
        if withBody { buffer.writeBytes(body) }
    }
}

/// The time of day as HTTP writes it (RFC 9110 §5.6.7), made once a second.
enum HTTPDate {
    private static let latest = Mutex((second: time_t.min, text: ""))

    static func now() -> String {
        let second = time(nil)
        return latest.withLock { latest in
            if latest.second != second { latest = (second, text(of: second)) }
            return latest.text
        }
    }

    /// `Tue, 15 Nov 1994 08:12:31 GMT`.
    static func text(of second: time_t) -> String {
        var (second, parts) = (second, tm())
        gmtime_r(&second, &parts)
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(days[Int(parts.tm_wday)]), \(two(parts.tm_mday)) \(months[Int(parts.tm_mon)]) "
            + "\(Int(parts.tm_year) + 1900) "
            + "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)) GMT"
    }

    /// Seconds since 1970 that `text(of:)` writes so; nil for another form.
    static func second(of text: String) -> time_t? {
        let words = text.split(separator: " ")
        guard words.count == 6, words[5] == "GMT", let day = Int32(words[1]),
            let month = months.firstIndex(of: String(words[2])), let year = Int32(words[3])
        else { return nil }
        let clock = words[4].split(separator: ":").compactMap { Int32($0) }
        guard clock.count == 3, (1...31).contains(day), (1970...9999).contains(year),
            (0...23).contains(clock[0]), (0...59).contains(clock[1]), (0...60).contains(clock[2])
        else { return nil }
        var parts = tm()
        (parts.tm_year, parts.tm_mon, parts.tm_mday) = (year - 1900, Int32(month), day)
        (parts.tm_hour, parts.tm_min, parts.tm_sec) = (clock[0], clock[1], clock[2])
        return timegm(&parts)
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
}
