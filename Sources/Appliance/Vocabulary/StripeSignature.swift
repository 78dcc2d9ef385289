// The header, as Stripe sends it (docs.stripe.com/webhooks, "Verify webhook signatures manually"):
//
//   Stripe-Signature: t=1700000000,v1=<64 hex digits>[,v1=<64 hex digits>…][,v0=…]
//
//   t    Unix time of the signature in seconds: decimal digits, no sign, no leading zero
//   v1   HMAC-SHA256 over "{t}.{body}", keyed with the whole secret (`whsec_…`), lower-case hex
//   …    every other scheme is ignored
//
// Two secrets are active while one is being rotated; Stripe then sends a v1 for each of them.

package import Bridges

/// Why a webhook's signature is not accepted. Each is answered with 400 and its code.
package enum SignatureRefusal: Error, Hashable, Sendable {
    case missing
    case malformed(Malformation)
    /// No v1 signature was made with any of the endpoint's secrets.
    case noMatch
    /// The signature is right, but was made this many seconds before now.
    case tooOld(seconds: Int64)
    /// The signature is right, but claims to have been made this many seconds after now.
    case tooNew(seconds: Int64)

    /// What is wrong with a header that cannot be read.
    package enum Malformation: String, Sendable {
        case tooLong = "it is too long"
        case item = "it has an item without '='"
        case noTimestamp = "it has no t"
        case severalTimestamps = "it has more than one t"
        case timestamp = "its t is not a whole number of seconds"
        case noSignature = "it has no v1 signature"
        case tooManySignatures = "it has too many v1 signatures"
    }

    /// The stable name for answers, counters and tests.
    package var code: String {
        switch self {
        case .missing: "signature_missing"
        case .malformed: "signature_malformed"
        case .noMatch: "signature_no_match"
        case .tooOld: "signature_too_old"
        case .tooNew: "signature_too_new"
        }
    }

    /// One sentence for whoever set up the endpoint; it holds nothing secret.
    package var message: String {
        switch self {
        case .missing:
            "The Stripe-Signature header is missing."
        case .malformed(let malformation):
            "The Stripe-Signature header cannot be read: \(malformation.rawValue)."
        case .noMatch:
            "No signature matches the body under this endpoint's secrets."
        case .tooOld(let seconds):
            "The signature is \(seconds) seconds old, which is more than is tolerated."
        case .tooNew(let seconds):
            "The signature is \(seconds) seconds in the future; compare the clocks."
        }
    }
}

/// What a `Stripe-Signature` header says, before anything of it is believed.
package struct StripeSignature: Hashable, Sendable {
    /// The longest header that is read, in bytes: more than `signaturesMax` need.
    package static let headerBytesMax = 4096
    /// The most v1 signatures that are read. Stripe sends one for each active secret.
    package static let signaturesMax = 32
    /// Keeps the timestamp far from the ends of Int64, so that differences cannot overflow.
    private static let timestampDigitsMax = 15

    package let timestamp: Instant
    /// The v1 signatures that are well-formed, 32 bytes each. One that is not can match nothing
    /// and is left out, as in Stripe's own libraries.
    package let candidates: [[UInt8]]

    /// Reads the header's value; nil and blank stand for a request without the header.
    package init(header: String?) throws(SignatureRefusal) {
        guard var header, !header.utf8.allSatisfy(\.isBlank) else { throw .missing }
        guard header.utf8.count <= Self.headerBytesMax else { throw .malformed(.tooLong) }
        // SAFETY: the bytes are read only within the call.
        let parsed = header.withUTF8 { bytes in
            Result { () throws(SignatureRefusal) in try Items(bytes) }
        }
        let items = try parsed.get()
        guard let timestamp = items.timestamp else { throw .malformed(.noTimestamp) }
        guard items.signatureCount > 0 else { throw .malformed(.noSignature) }
        self.timestamp = timestamp
        candidates = items.candidates
    }

    /// The header's items while they are being read.
    private struct Items {
        var timestamp: Instant?
        var signatureCount = 0
        var candidates: [[UInt8]] = []

        init(_ header: UnsafeBufferPointer<UInt8>) throws(SignatureRefusal) {
            var start = 0
            while start <= header.count {
                var end = start
                while end < header.count, header[end] != UInt8(ascii: ",") { end += 1 }
                try read(header[start..<end].trimmingBlanks)
                start = end + 1
            }
        }

        private mutating func read(
            _ item: Slice<UnsafeBufferPointer<UInt8>>
        ) throws(SignatureRefusal) {
            guard let equals = item.firstIndex(of: UInt8(ascii: "=")) else {
                throw .malformed(.item)
            }
            let scheme = item[..<equals]
            let value = item[(equals + 1)...]
            if scheme.elementsEqual("t".utf8) {
                guard timestamp == nil else { throw .malformed(.severalTimestamps) }
                guard let seconds = Self.seconds(value) else { throw .malformed(.timestamp) }
                timestamp = Instant(seconds: seconds)
            } else if scheme.elementsEqual("v1".utf8) {
                signatureCount += 1
                guard signatureCount <= StripeSignature.signaturesMax else {
                    throw .malformed(.tooManySignatures)
                }
                if let candidate = Self.digest(value) { candidates.append(candidate) }
            }
        }

        /// The number whose decimal text this is. Only that very text is signed, so a sign or a
        /// leading zero, which would make a second text for the same number, is refused.
        private static func seconds(_ text: Slice<UnsafeBufferPointer<UInt8>>) -> Int64? {
            guard let first = text.first, text.count <= timestampDigitsMax,
                first != UInt8(ascii: "0") || text.count == 1
            else { return nil }
            var value: Int64 = 0
            for byte in text {
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
                value = value * 10 + Int64(byte - UInt8(ascii: "0"))
            }
            return value
        }

        /// The 32 bytes that 64 lower-case hex digits stand for.
        private static func digest(_ text: Slice<UnsafeBufferPointer<UInt8>>) -> [UInt8]? {
            guard text.count == 2 * SHA256.byteCount else { return nil }
            var digest: [UInt8] = []
            digest.reserveCapacity(SHA256.byteCount)
            var index = text.startIndex
            while index < text.endIndex {
                guard let high = text[index].hexDigit, let low = text[index + 1].hexDigit else {
                    return nil
                }
                digest.append(high << 4 | low)
                index += 2
            }
            return digest
        }
    }
}

/// Checks webhooks against the secrets of one endpoint.
package struct SignatureVerifier: Sendable {
    /// How far a signature's time may lie from ours, either way, unless configured otherwise.
    package static let toleranceSecondsDefault: Int64 = 300

    private let keys: [HMACSHA256]

    /// - Parameter secrets: the endpoint's active secrets, each the whole `whsec_…` text; at
    ///   least one, several while one is being rotated.
    package init(secrets: [String]) {
        precondition(!secrets.isEmpty, "an endpoint has no secret")
        precondition(!secrets.contains(""), "an endpoint's secret is empty")
        keys = secrets.map { HMACSHA256(key: Array($0.utf8)) }
    }

    /// Decides whether Stripe signed this body, and when it says it did.
    ///
    /// - Parameters:
    ///   - header: the value of `Stripe-Signature`; nil if the request has none.
    ///   - body: the raw body, untouched.
    ///   - now: the wall clock.
    ///   - toleranceSeconds: how far the signature's time may lie from `now`; exactly that far is
    ///     near enough. Nil accepts any time.
    package func verify(
        header: String?, body: ArraySlice<UInt8>, now: Instant,
        toleranceSeconds: Int64? = toleranceSecondsDefault
    ) throws(SignatureRefusal) -> Instant {
        let signature = try StripeSignature(header: header)
        guard matches(signature, body: body) else { throw .noMatch }
        // The time is looked at last: only someone who holds the secret learns about our clock.
        if let toleranceSeconds {
            let age = now.seconds - signature.timestamp.seconds
            if age > toleranceSeconds { throw .tooOld(seconds: age) }
            if -age > toleranceSeconds { throw .tooNew(seconds: -age) }
        }
        return signature.timestamp
    }

    /// Every pair is compared, and each in constant time, so that how long it takes tells neither
    /// which secret nor how much of a signature was right.
    private func matches(_ signature: StripeSignature, body: ArraySlice<UInt8>) -> Bool {
        let prefix = StripeSignature.prefix(of: signature.timestamp)
        var matched = false
        for key in keys {
            let expected = key.code(for: prefix[...], body)
            for candidate in signature.candidates {
                let equal = equalInConstantTime(expected, candidate)
                matched = equal || matched
            }
        }
        return matched
    }
}

extension StripeSignature {
    /// What stands before the body in the signed bytes.
    fileprivate static func prefix(of timestamp: Instant) -> [UInt8] {
        Array("\(timestamp.seconds).".utf8)
    }

    /// The header that Stripe would send with `body`: for simulated traffic and tests.
    package static func header(
        signing body: ArraySlice<UInt8>, at timestamp: Instant, secrets: [String]
    ) -> String {
        header(
            signing: body, at: timestamp, keys: secrets.map { HMACSHA256(key: Array($0.utf8)) })
    }

    /// As above, by secrets whose keys are kept because they sign often.
    package static func header(
        signing body: ArraySlice<UInt8>, at timestamp: Instant, keys: [HMACSHA256]
    ) -> String {
        let prefix = prefix(of: timestamp)
        var header = "t=\(timestamp.seconds)"
        for key in keys {
            header += ",v1="
            header += String(hex: key.code(for: prefix[...], body))
        }
        return header
    }
}

extension UInt8 {
    fileprivate var isBlank: Bool { self == UInt8(ascii: " ") || self == UInt8(ascii: "\t") }

    /// The value of a lower-case hex digit.
    fileprivate var hexDigit: UInt8? {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}

extension Slice<UnsafeBufferPointer<UInt8>> {
    /// Without blanks at either end, which a proxy may add when it joins header lines.
    fileprivate var trimmingBlanks: Self {
        var trimmed = self
        while trimmed.first?.isBlank == true { trimmed.removeFirst() }
        while trimmed.last?.isBlank == true { trimmed.removeLast() }
        return trimmed
    }
}
