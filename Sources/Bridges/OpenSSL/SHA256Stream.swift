import COpenSSL

/// SHA-256 (FIPS 180-4) of bytes that come in pieces.
public final class SHA256Stream {
    private let context: OpaquePointer

    public init() {
        guard let context = EVP_MD_CTX_new(),
            EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1
        else { preconditionFailure("libcrypto has no SHA-256") }
        self.context = context
    }

    deinit { EVP_MD_CTX_free(context) }

    /// Takes the next bytes.
    public func update(_ bytes: some Sequence<UInt8>) {
        let done =
            bytes.withContiguousStorageIfAvailable { hash($0) }
            ?? Array(bytes).withUnsafeBufferPointer { hash($0) }
        precondition(done, "libcrypto does not go on with a SHA-256")
    }

    // SAFETY: the bytes are read during the call alone.
    private func hash(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) == 1
    }

    /// The digest of all that was taken, 32 bytes; the next bytes begin a new one.
    public func finish() -> [UInt8] {
        let digest = [UInt8](unsafeUninitializedCapacity: SHA256.byteCount) { buffer, count in
            // SAFETY: SHA-256 writes exactly 32 bytes.
            let ended = EVP_DigestFinal_ex(context, buffer.baseAddress, nil)
            precondition(ended == 1, "libcrypto does not end a SHA-256")
            count = SHA256.byteCount
        }
        let begun = EVP_DigestInit_ex(context, EVP_sha256(), nil)
        precondition(begun == 1, "libcrypto does not begin a SHA-256 again")
        return digest
    }
}
