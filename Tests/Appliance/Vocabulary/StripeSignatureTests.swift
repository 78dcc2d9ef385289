import Foundation
import Testing

@testable import Appliance
@testable import Vocabulary

@Suite("Stripe signatures")
struct StripeSignatureTests {
    private static let secret = "whsec_test_secret"
    private static let now = Instant(seconds: 1_700_000_000)
    private let body = Array(#"{"id":"evt_1"}"#.utf8)[...]

    private func header(at seconds: Int64, secrets: [String] = [secret]) -> String {
        StripeSignature.header(
            signing: body, at: Instant(seconds: seconds), secrets: secrets)
    }

    private func verify(
        _ header: String?, secrets: [String] = [secret], tolerance: Int64? = 300
    ) throws(SignatureRefusal) -> Instant {
        try SignatureVerifier(secrets: secrets)
            .verify(header: header, body: body, now: Self.now, toleranceSeconds: tolerance)
    }

    @Test("a signature is what openssl computes")
    func knownAnswer() {
        // printf '%s' '1700000000.{"id":"evt_1"}' | openssl dgst -sha256 -hmac whsec_test_secret
        let hex = "248a374f50f943a28b0f6ab50faf9a7e7e29b710fa26df9fb1618b9bf8ea9c9a"
        #expect(header(at: 1_700_000_000) == "t=1700000000,v1=\(hex)")
    }

    @Test("a right signature gives its time")
    func accepted() throws {
        #expect(try verify(header(at: 1_699_999_990)) == Instant(seconds: 1_699_999_990))
    }

    @Test("the body's every byte and the secret count")
    func noMatch() {
        let header = header(at: 1_700_000_000)
        #expect(throws: SignatureRefusal.noMatch) {
            try verify(header, secrets: ["whsec_other"])
        }
        for position in body.indices {
            var changed = body
            changed[position] ^= 1
            #expect(throws: SignatureRefusal.noMatch) {
                try SignatureVerifier(secrets: [Self.secret])
                    .verify(header: header, body: changed, now: Self.now)
            }
        }
        #expect(throws: SignatureRefusal.noMatch) {
            try verify(header.replacing("t=1700000000", with: "t=1700000001"))
        }
    }

    @Test("a signature with any one bit changed matches nothing")
    func anyBit() throws {
        let header = header(at: 1_700_000_000)
        let start = try #require(header.firstRange(of: "v1=")).upperBound
        let verifier = SignatureVerifier(secrets: [Self.secret])
        for offset in 0..<64 {
            let index = header.index(start, offsetBy: offset)
            let digit = header[index] == "0" ? "1" : "0"
            let changed = header.replacingCharacters(index...index, with: digit)
            #expect(throws: SignatureRefusal.noMatch) {
                try verifier.verify(header: changed, body: body, now: Self.now)
            }
        }
    }

    @Test("while a secret is rotated, either side may be the one with two")
    func rotation() throws {
        let old = "whsec_old"
        let both = [Self.secret, old]
        #expect(try verify(header(at: 1_700_000_000, secrets: both), secrets: [old]) == Self.now)
        #expect(try verify(header(at: 1_700_000_000, secrets: [old]), secrets: both) == Self.now)
        #expect(
            try verify(header(at: 1_700_000_000, secrets: ["whsec_x", old]), secrets: both)
                == Self.now)
    }

    @Test(
        "the tolerance holds both ways, to the second",
        arguments: [
            (-300, nil), (-301, .tooOld(seconds: 301)), (300, nil), (301, .tooNew(seconds: 301)),
            (0, nil), (-1_700_000_000, .tooOld(seconds: 1_700_000_000)),
        ] as [(Int64, SignatureRefusal?)])
    func tolerance(offset: Int64, expected: SignatureRefusal?) {
        let header = header(at: Self.now.seconds + offset)
        if let expected {
            #expect(throws: expected) { try verify(header) }
        } else {
            #expect(throws: Never.self) { try verify(header) }
        }
        #expect(throws: Never.self) { try verify(header, tolerance: nil) }
    }

    @Test("a wrong signature is refused as such, however old")
    func matchBeforeAge() {
        #expect(throws: SignatureRefusal.noMatch) {
            try verify(header(at: 1), secrets: ["whsec_other"])
        }
    }

    private static let hex = String(repeating: "ab", count: 32)

    @Test(
        "a header that cannot be read says why",
        arguments: [
            (nil, SignatureRefusal.missing), ("", .missing), (" \t", .missing),
            ("v1=\(hex)", .malformed(.noTimestamp)),
            ("t=1", .malformed(.noSignature)),
            ("t=1,v0=\(hex)", .malformed(.noSignature)),
            ("t=1,t=1,v1=\(hex)", .malformed(.severalTimestamps)),
            ("t=,v1=\(hex)", .malformed(.timestamp)),
            ("t=-1,v1=\(hex)", .malformed(.timestamp)),
            ("t=+1,v1=\(hex)", .malformed(.timestamp)),
            ("t=01,v1=\(hex)", .malformed(.timestamp)),
            ("t=1.0,v1=\(hex)", .malformed(.timestamp)),
            ("t=1e9,v1=\(hex)", .malformed(.timestamp)),
            ("t=١,v1=\(hex)", .malformed(.timestamp)),
            ("t=1234567890123456,v1=\(hex)", .malformed(.timestamp)),
            ("t=1,v1", .malformed(.item)), ("t=1,v1=\(hex),", .malformed(.item)),
            (",", .malformed(.item)), ("hello", .malformed(.item)),
            (
                "t=1" + String(repeating: ",v1=\(hex)", count: 33),
                .malformed(.tooManySignatures)
            ),
            ("t=1,v0=" + String(repeating: "a", count: 4090), .malformed(.tooLong)),
        ])
    func malformed(header: String?, expected: SignatureRefusal) {
        #expect(throws: expected) { try StripeSignature(header: header) }
    }

    @Test("signatures that are no 64 lower-case hex digits are passed over")
    func passedOver() throws {
        let odd = [
            "", "ab", Self.hex + "a", Self.hex + "ab", String(repeating: "AB", count: 32),
            String(repeating: "zz", count: 32), String(repeating: "é", count: 32),
        ]
        for text in odd {
            let signature = try StripeSignature(header: "t=1,v1=\(text),v1=\(Self.hex)")
            #expect(signature.candidates == [[UInt8](repeating: 0xAB, count: 32)])
        }
    }

    @Test("other schemes, blanks around items and 32 signatures are read")
    func lenience() throws {
        let signature = try StripeSignature(
            header: " t=12 ,\tv0=x=y, v2=, v1=\(Self.hex)")
        #expect(signature.timestamp == Instant(seconds: 12))
        #expect(signature.candidates.count == 1)
        let many = try StripeSignature(
            header: "t=0" + String(repeating: ",v1=\(Self.hex)", count: 32))
        #expect(many.candidates.count == 32)
    }

    /// No clock is steady enough to show an early exit from comparing 32 bytes, so this reads the
    /// sources instead.
    @Test("digests are compared in constant time, every one of them")
    func constantTime() throws {
        let sources = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../../Sources")
        let gate = try String(
            contentsOf: sources.appending(path: "Appliance/Vocabulary/StripeSignature.swift"),
            encoding: .utf8)
        let start = try #require(gate.firstRange(of: "private func matches(")).upperBound
        let end = try #require(gate[start...].firstRange(of: "\n    }\n")).lowerBound
        let body = gate[start..<end]
        #expect(body.contains("equalInConstantTime(expected, candidate)"))
        #expect(body.contains("matched = equal || matched"))
        for shortcut in ["break", "contains", "expected ==", "where", "return true", "if "] {
            #expect(!body.contains(shortcut), "\(shortcut)")
        }
        let digests = try String(
            contentsOf: sources.appending(path: "Bridges/OpenSSL/MessageDigest.swift"),
            encoding: .utf8)
        #expect(digests.contains("return CRYPTO_memcmp(left, right, left.count) == 0"))
    }

    @Test("codes and messages are stable and hold nothing of the header")
    func codes() {
        let refusals: [SignatureRefusal] = [
            .missing, .malformed(.item), .noMatch, .tooOld(seconds: 1), .tooNew(seconds: 1),
        ]
        #expect(
            refusals.map(\.code) == [
                "signature_missing", "signature_malformed", "signature_no_match",
                "signature_too_old", "signature_too_new",
            ])
        #expect(refusals.allSatisfy { $0.message.hasSuffix(".") })
    }
}

extension String {
    fileprivate func replacingCharacters(
        _ range: ClosedRange<Index>, with other: String
    ) -> String {
        var copy = self
        copy.replaceSubrange(range, with: other)
        return copy
    }
}
