import COpenSSL

/// AES-256 in Galois/counter mode (NIST SP 800-38D) under one key, through OpenSSL's libcrypto:
/// what is opened is what was sealed, or it is refused.
///
/// A nonce must never be used twice under one key: two messages would tell of each other, and
/// anybody could forge more.
public final class AES256GCM {
    /// Length of a key in bytes.
    public static let keyByteCount = 32
    /// Length of a nonce in bytes.
    public static let nonceByteCount = 12
    /// Bytes by which a sealed message is longer than the plain one.
    public static let tagByteCount = 16

    private let sealing, opening: OpaquePointer

    /// - Parameter key: ``keyByteCount`` bytes.
    public init(key: [UInt8]) {
        precondition(key.count == Self.keyByteCount, "a key of \(key.count) bytes")
        guard let sealing = EVP_CIPHER_CTX_new(), let opening = EVP_CIPHER_CTX_new(),
            EVP_EncryptInit_ex(sealing, EVP_aes_256_gcm(), nil, key, nil) == 1,
            EVP_DecryptInit_ex(opening, EVP_aes_256_gcm(), nil, key, nil) == 1
        else { preconditionFailure("libcrypto has no AES-256-GCM") }
        (self.sealing, self.opening) = (sealing, opening)
    }

    deinit {
        EVP_CIPHER_CTX_free(sealing)
        EVP_CIPHER_CTX_free(opening)
    }

    /// The encrypted bytes with their tag behind them.
    ///
    /// - Parameters:
    ///   - bytes: at most 2³¹ − 1.
    ///   - nonce: ``nonceByteCount`` bytes that nothing else was sealed under with this key.
    public func seal(_ bytes: ArraySlice<UInt8>, nonce: [UInt8]) -> [UInt8] {
        precondition(nonce.count == Self.nonceByteCount, "a nonce of \(nonce.count) bytes")
        let (context, count) = (sealing, bytes.count)
        return [UInt8](unsafeUninitializedCapacity: count + Self.tagByteCount) { buffer, written in
            let (output, behind) = (buffer.baseAddress, buffer.baseAddress.map { $0 + count })
            var length: Int32 = 0
            // SAFETY: both buffers outlive the calls, which write `count` bytes and then the tag.
            let isSealed = bytes.withUnsafeBytes { input in
                EVP_EncryptInit_ex(context, nil, nil, nil, nonce) == 1
                    && (count == 0
                        || EVP_EncryptUpdate(
                            context, output, &length,
                            input.bindMemory(to: UInt8.self).baseAddress, Int32(count)) == 1)
                    && EVP_EncryptFinal_ex(context, behind, &length) == 1
                    && EVP_CIPHER_CTX_ctrl(
                        context, EVP_CTRL_AEAD_GET_TAG, Int32(Self.tagByteCount), behind) == 1
            }
            precondition(isSealed, "libcrypto does not seal \(count) bytes")
            written = count + Self.tagByteCount
        }
    }

    /// The plain bytes; nil where they, their tag, the nonce or the key are others than those that
    /// were sealed.
    public func open(_ sealed: ArraySlice<UInt8>, nonce: [UInt8]) -> [UInt8]? {
        precondition(nonce.count == Self.nonceByteCount, "a nonce of \(nonce.count) bytes")
        guard sealed.count >= Self.tagByteCount else { return nil }
        let (context, count) = (opening, sealed.count - Self.tagByteCount)
        var tag = Array(sealed.suffix(Self.tagByteCount))
        var isWhole = false
        let bytes = [UInt8](unsafeUninitializedCapacity: max(count, 1)) { buffer, written in
            let output = buffer.baseAddress
            var length: Int32 = 0
            // SAFETY: all buffers outlive the calls, which write `count` bytes and read the tag.
            isWhole = sealed.withUnsafeBytes { input in
                EVP_DecryptInit_ex(context, nil, nil, nil, nonce) == 1
                    && (count == 0
                        || EVP_DecryptUpdate(
                            context, output, &length,
                            input.bindMemory(to: UInt8.self).baseAddress, Int32(count)) == 1)
                    && EVP_CIPHER_CTX_ctrl(
                        context, EVP_CTRL_AEAD_SET_TAG, Int32(Self.tagByteCount), &tag) == 1
                    && EVP_DecryptFinal_ex(context, output.map { $0 + count }, &length) == 1
            }
            written = isWhole ? count : 0
        }
        return isWhole ? bytes : nil
    }
}
