import Foundation
package import NIOCore
package import NIOHTTP1
package import Vocabulary

/// A request of a port, arrived whole.
package struct PortRequest: Sendable {
    package var method: HTTPMethod
    /// Path and query as they were sent; a proxy's whole address in absolute form.
    var uri: String
    package var headers: HTTPHeaders
    /// What it came on.
    package var channel: any Channel
    /// The value of `Stripe-Signature`.
    var signature: String?
    package var body: [UInt8] = []
    /// When its head was there.
    var arrived = ContinuousClock.now

    /// Path and query, also where the whole address was sent (RFC 9112 §3.2.2).
    package var target: Substring {
        guard !uri.hasPrefix("/"), let scheme = uri.firstRange(of: "://") else { return uri[...] }
        let rest = uri[scheme.upperBound...]
        return rest.firstIndex(of: "/").map { rest[$0...] } ?? "/"
    }
}

/// What answers a port's requests.
package protocol PortResponder: Sendable {
    /// Bodies beyond it are refused before they have arrived whole.
    var bodyByteCountMax: Int { get }

    /// The same for one request's target, where a route takes more than others; what all requests
    /// in flight hold is bounded for the port besides.
    func bodyByteCountMax(for request: PortRequest) -> Int

    /// What every answer of the port says, those that it gives by itself too.
    var fields: PortFields { get }

    /// - Parameter completion: called once, on any thread; the caller's event loop included.
    func respond(
        to request: PortRequest, completion: @escaping @Sendable (PortResponse) -> Void)

    /// Counts a connection or a request that was refused or cut off before it could be answered.
    func count(_ refusal: Counters.Name)
}

extension PortResponder {
    package func bodyByteCountMax(for request: PortRequest) -> Int { bodyByteCountMax }

    package var fields: PortFields { PortFields() }
}

/// Header fields that all answers of a port have.
package struct PortFields: Sendable {
    /// Their lines, each with its end.
    let always: [UInt8]
    /// The line of a field that an answer may say otherwise, and its name.
    let otherwise: (name: String, line: [UInt8])?

    /// - Parameter otherwise: a field of the answers that do not say it themselves.
    package init(
        always: [(name: String, value: String)] = [],
        otherwise: (name: String, value: String)? = nil
    ) {
        func line(_ field: (name: String, value: String)) -> [UInt8] {
            Array("\(field.name): \(field.value)\r\n".utf8)
        }
        self.always = always.flatMap(line)
        self.otherwise = otherwise.map { ($0.name.lowercased(), line($0)) }
    }
}

/// What a port must know of a head before the body comes, found in one pass over its fields.
struct HeadFacts {
    private(set) var signature: String?
    private(set) var contentLength: Int?
    private(set) var isUpgrade = false
    /// The client waits for `100 Continue` before it sends the body.
    private(set) var isToldToContinue = false
    /// Why the request is not taken.
    private(set) var refusal: PortResponse?

    init(_ head: HTTPRequestHead) {
        // Behind a tunnel's head the decoder reads no further request either.
        isUpgrade = head.method == .CONNECT
        var hostCount = 0
        for (name, value) in head.headers {
            switch name.utf8.count {
            case 4 where Self.equal(name, "host"): hostCount += 1
            case 6 where Self.equal(name, "expect"):
                isToldToContinue = Self.equal(value, "100-continue")
                if !isToldToContinue { refusal = .expectationFailed }
            case 7 where Self.equal(name, "upgrade"): isUpgrade = true
            // The decoder lets only digits through; what does not fit is too long all the same.
            case 14 where Self.equal(name, "content-length"): contentLength = Int(value) ?? .max
            // The decoder wants chunked at the end, and lets any coding stand before it; nobody
            // undoes that one here, and another reader of the connection might.
            case 17 where Self.equal(name, "transfer-encoding"):
                if !Self.equal(value.trimmingCharacters(in: .whitespaces), "chunked") {
                    refusal = .framingMalformed
                }
            case 16 where signature == nil && Self.equal(name, "stripe-signature"):
                signature = value
            default: break
            }
        }
        if head.version.major != 1 {
            refusal = .notHTTP1
        } else if hostCount > 1 || (hostCount == 0 && head.version.minor > 0) {
            refusal = .hostMissing
        }
        // A client of HTTP/1.0 does not know the answer (RFC 9110 §10.1.1).
        if head.version.minor == 0 { isToldToContinue = false }
    }

    private static func equal(_ text: String, _ lowercased: StaticString) -> Bool {
        guard text.utf8.count == lowercased.utf8CodeUnitCount else { return false }
        // SAFETY: a static string's bytes live for ever, and the count was compared.
        let wanted = UnsafeBufferPointer(
            start: lowercased.utf8Start, count: lowercased.utf8CodeUnitCount)
        return zip(text.utf8, wanted).allSatisfy { byte, letter in
            byte == letter
                || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
                    && byte | 0x20 == letter
        }
    }
}
