import COpenSSL

/// A key from a password, slow and in need of memory on purpose (scrypt, RFC 7914), through
/// OpenSSL's libcrypto.
public enum Scrypt {
    /// What a derivation costs: `128 · r · N` bytes of memory, and time in proportion to it.
    public struct Cost: Hashable, Sendable {
        /// The binary logarithm of N.
        public var logN: Int
        public var r: Int
        public var p: Int

        /// - Returns: nil for what takes more than 256 MiB, or is no cost at all.
        public init?(logN: Int, r: Int, p: Int) {
            guard (1...20).contains(logN), (1...32).contains(r), (1...16).contains(p),
                128 * r << logN <= Self.memoryByteCountMax / 2
            else { return nil }
            self.logN = logN
            self.r = r
            self.p = p
        }

        static let memoryByteCountMax = 512 << 20
    }

    /// Length of a key in bytes.
    public static let keyByteCount = 32

    /// The key of a password and a salt, ``keyByteCount`` bytes. Blocks: with N = 2^17 and r = 8 it
    /// takes a third of a second, and 128 MiB.
    ///
    /// - Returns: nil where there is not enough memory.
    public static func key(password: [UInt8], salt: [UInt8], cost: Cost) -> [UInt8]? {
        var key = [UInt8](repeating: 0, count: keyByteCount)
        // A nil password asks libcrypto for nothing, so an empty one passes a pointer.
        let done = (password.isEmpty ? [0] : password).withUnsafeBytes { letters in
            // SAFETY: all three buffers outlive the call, which writes `key.count` bytes.
            EVP_PBE_scrypt(
                letters.bindMemory(to: CChar.self).baseAddress, password.count, salt, salt.count,
                UInt64(1) << UInt64(cost.logN), UInt64(cost.r), UInt64(cost.p),
                UInt64(Cost.memoryByteCountMax), &key, key.count)
        }
        return done == 1 ? key : nil
    }
}

/// HMAC-SHA1 (RFC 2104), which one-time codes are made of (RFC 4226).
public enum HMACSHA1 {
    /// Length of an authentication code in bytes.
    public static let byteCount = 20

    public static func code(key: [UInt8], message: [UInt8]) -> [UInt8] {
        var code = [UInt8](repeating: 0, count: byteCount)
        var written: UInt32 = 0
        // A nil key means another thing to libcrypto, so an empty one passes a pointer.
        // SAFETY: the buffers outlive the call; SHA-1 writes exactly 20 bytes.
        let done = HMAC(
            EVP_sha1(), key.isEmpty ? [0] : key, Int32(key.count), message, message.count, &code,
            &written)
        precondition(done != nil && written == byteCount, "HMAC wrote \(written) bytes")
        return code
    }
}
