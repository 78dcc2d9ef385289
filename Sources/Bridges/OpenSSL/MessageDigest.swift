import COpenSSL

/// SHA-256 (FIPS 180-4) through OpenSSL's libcrypto.
public enum SHA256 {
    /// Length of a digest in bytes.
    public static let byteCount = 32

    // SAFETY: written once, before its first use, and afterwards only read, which libcrypto allows
    // from several threads at once. Looking it up anew takes longer than a short digest.
    fileprivate nonisolated(unsafe) static let algorithm = EVP_MD_fetch(nil, "SHA256", nil)

    /// A context that has begun; whoever has it frees it.
    fileprivate static func newContext() -> OpaquePointer {
        guard let context = EVP_MD_CTX_new(), EVP_DigestInit_ex(context, algorithm, nil) == 1
        else { preconditionFailure("libcrypto has no SHA-256") }
        return context
    }

    /// The digest of the concatenation of `parts`, 32 bytes.
    public static func digest(_ parts: ArraySlice<UInt8>...) -> [UInt8] {
        let context = newContext()
        defer { EVP_MD_CTX_free(context) }
        for part in parts {
            // SAFETY: the buffer outlives the call and is only read.
            part.withUnsafeBytes { _ = EVP_DigestUpdate(context, $0.baseAddress, $0.count) }
        }
        return [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
            // SAFETY: SHA-256 writes exactly 32 bytes.
            EVP_DigestFinal_ex(context, buffer.baseAddress, nil)
            count = byteCount
        }
    }
}

/// SHA-256 of one short message after another: making and freeing libcrypto's context takes longer
/// than the digest of a few hundred bytes.
public final class SHA256Context {
    private let context: OpaquePointer

    /// Begins the first digest.
    public init() { context = SHA256.newContext() }

    deinit { EVP_MD_CTX_free(context) }

    /// The digest of `bytes`, 32 bytes.
    public func digest(_ bytes: [UInt8]) -> [UInt8] {
        // Without an algorithm it begins anew with the one that it has.
        let begun = EVP_DigestInit_ex(context, nil, nil)
        precondition(begun == 1, "libcrypto does not begin a SHA-256 again")
        // SAFETY: the buffer outlives the call and is only read.
        let updated = bytes.withUnsafeBytes {
            EVP_DigestUpdate(context, $0.baseAddress, $0.count)
        }
        return [UInt8](unsafeUninitializedCapacity: SHA256.byteCount) { buffer, count in
            // SAFETY: SHA-256 writes exactly 32 bytes.
            let ended = EVP_DigestFinal_ex(context, buffer.baseAddress, nil)
            precondition(updated == 1 && ended == 1, "libcrypto does not end a SHA-256")
            count = SHA256.byteCount
        }
    }
}

/// SHA-256 of bytes that come piece by piece, as of a file that memory need not hold.
public final class SHA256Stream {
    private let context: OpaquePointer

    /// Begins the digest of what is added.
    public init() { context = SHA256.newContext() }

    deinit { EVP_MD_CTX_free(context) }

    /// Adds the next piece.
    public func add(_ bytes: [UInt8]) {
        // SAFETY: the buffer outlives the call and is only read.
        let updated = bytes.withUnsafeBytes {
            EVP_DigestUpdate(context, $0.baseAddress, $0.count)
        }
        precondition(updated == 1, "libcrypto does not go on with a SHA-256")
    }

    /// The digest of all that was added, 32 bytes; the next piece begins anew.
    public func finish() -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: SHA256.byteCount) { buffer, count in
            // SAFETY: SHA-256 writes exactly 32 bytes.
            let ended = EVP_DigestFinal_ex(context, buffer.baseAddress, nil)
            let begun = EVP_DigestInit_ex(context, nil, nil)
            precondition(ended == 1 && begun == 1, "libcrypto does not end a SHA-256")
            count = SHA256.byteCount
        }
    }
}

/// HMAC-SHA256 (RFC 2104) under one key, reusable for any number of messages.
///
/// The key schedule is computed once; each message copies it.
public final class HMACSHA256: @unchecked Sendable {
    // `@unchecked Sendable`: the keyed context is written only by `init` and afterwards only
    // copied from, which libcrypto allows from several threads at once.
    private let keyed: OpaquePointer

    /// - Parameter key: the secret's bytes, any length.
    public init(key: [UInt8]) {
        guard let mac = EVP_MAC_fetch(nil, "HMAC", nil), let context = EVP_MAC_CTX_new(mac) else {
            preconditionFailure("libcrypto has no HMAC")
        }
        EVP_MAC_free(mac)
        keyed = context
        var digestName = Array("SHA256".utf8CString)
        // SAFETY: the parameter array and the name it points to live until EVP_MAC_init returns.
        let initialised = digestName.withUnsafeMutableBufferPointer { name in
            let parameters = [
                OSSL_PARAM_construct_utf8_string("digest", name.baseAddress, 0),
                OSSL_PARAM_construct_end(),
            ]
            // A nil key means "keep the old one" to libcrypto, so an empty key passes a pointer.
            return (key.isEmpty ? [0] : key).withUnsafeBufferPointer {
                EVP_MAC_init(context, $0.baseAddress, key.count, parameters)
            }
        }
        precondition(initialised == 1, "libcrypto refused HMAC-SHA256")
    }

    deinit { EVP_MAC_CTX_free(keyed) }

    /// The authentication code of the concatenation of `parts`, 32 bytes.
    public func code(for parts: ArraySlice<UInt8>...) -> [UInt8] {
        let context = EVP_MAC_CTX_dup(keyed)
        defer { EVP_MAC_CTX_free(context) }
        for part in parts {
            // SAFETY: the buffer outlives the call and is only read.
            part.withUnsafeBytes {
                _ = EVP_MAC_update(
                    context, $0.bindMemory(to: UInt8.self).baseAddress, $0.count)
            }
        }
        return [UInt8](unsafeUninitializedCapacity: SHA256.byteCount) { buffer, count in
            // SAFETY: HMAC-SHA256 writes exactly 32 bytes.
            var written = 0
            let done = EVP_MAC_final(context, buffer.baseAddress, &written, SHA256.byteCount)
            precondition(done == 1 && written == SHA256.byteCount, "HMAC wrote \(written) bytes")
            count = written
        }
    }
}

/// Compares two byte strings in a time that depends on their lengths alone.
public func equalInConstantTime(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    guard left.count == right.count else { return false }
    return CRYPTO_memcmp(left, right, left.count) == 0
}

/// `count` bytes from the operating system's random source through libcrypto.
public func randomBytes(count: Int) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count) { buffer, initialised in
        let done = RAND_bytes(buffer.baseAddress, Int32(count))
        precondition(done == 1, "libcrypto has no entropy")
        initialised = count
    }
}
