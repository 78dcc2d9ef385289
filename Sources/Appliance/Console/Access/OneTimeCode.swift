import Bridges

/// Codes of six digits that change every 30 s (TOTP, RFC 6238 with SHA-1; HOTP, RFC 4226).
package enum OneTimeCode {
    /// Seconds that a code holds.
    static let stepSeconds: Int64 = 30
    /// Bytes of a secret: RFC 4226 §4 asks for 160 bits.
    package static let secretByteCount = 20
    /// Steps to each side of the clock's that are taken too.
    private static let skew: Int64 = 1

    /// A new secret.
    package static func secret() -> [UInt8] { randomBytes(count: secretByteCount) }

    /// The step that a moment is in.
    static func step(atMilliseconds milliseconds: Int64) -> Int64 {
        milliseconds / 1_000 / stepSeconds
    }

    /// The code of a step (RFC 4226 §5.3), its leading zeros included.
    static func code(_ secret: [UInt8], step: Int64, digits: Int = 6) -> String {
        let message = (0..<8).map { UInt8(truncatingIfNeeded: step >> (56 - 8 * $0)) }
        let hash = HMACSHA1.code(key: secret, message: message)
        let place = Int(hash[HMACSHA1.byteCount - 1] & 15)
        let number = hash[place..<(place + 4)].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            & 0x7fff_ffff
        let bound = (0..<digits).reduce(UInt32(1)) { bound, _ in bound * 10 }
        let text = String(number % bound)
        return String(repeating: "0", count: digits - text.count) + text
    }

    /// The step that a shown code belongs to, near a moment.
    ///
    /// - Returns: nil for a wrong code. All steps are looked at, whichever it is.
    static func step(
        of shown: String, _ secret: [UInt8], atMilliseconds milliseconds: Int64
    ) -> Int64? {
        let now = step(atMilliseconds: milliseconds)
        let letters = Array(shown.utf8)
        return (-skew...skew).reduce(nil) { found, offset in
            let code = Array(code(secret, step: now + offset).utf8)
            return equalInConstantTime(code, letters) ? now + offset : found
        }
    }

    /// base32 (RFC 4648 §6).
    private static let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")

    /// The secret that ``text(of:)`` says; nil for what is none of this length.
    static func secret(of text: String) -> [UInt8]? {
        // Groups of five bits fill these bytes without a rest.
        guard text.count == secretByteCount * 8 / 5 else { return nil }
        var (secret, bits, count): ([UInt8], Int, Int) = ([], 0, 0)
        for letter in text {
            guard let five = letters.firstIndex(of: letter) else { return nil }
            bits = bits << 5 | five
            count += 5
            guard count >= 8 else { continue }
            secret.append(UInt8(truncatingIfNeeded: bits >> (count - 8)))
            count -= 8
            bits &= (1 << count) - 1
        }
        return secret
    }

    /// A secret as authenticators take it typed (base32, RFC 4648).
    package static func text(of secret: [UInt8]) -> String {
        var (text, bits, count) = ("", 0, 0)
        for byte in secret {
            bits = bits << 8 | Int(byte)
            count += 8
            while count >= 5 {
                text.append(letters[bits >> (count - 5) & 31])
                count -= 5
            }
            bits &= (1 << count) - 1
        }
        if count > 0 { text.append(letters[bits << (5 - count) & 31]) }
        return text
    }

    /// The address that an authenticator takes a secret from.
    package static func address(of secret: [UInt8], user: String) -> String {
        "otpauth://totp/Tillbox:\(user)?secret=\(text(of: secret))&issuer=Tillbox"
    }
}
