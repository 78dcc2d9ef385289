import COpenSSL

/// SHA-256 of what comes in pieces and is too much to be held.
public final class SHA256Stream {
    private let context: OpaquePointer

    public init() {
        guard let context = EVP_MD_CTX_new(),
            EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1
        else { preconditionFailure("libcrypto has no SHA-256") }
        self.context = context
    }

    deinit { EVP_MD_CTX_free(context) }

    /// Adds the next piece.
    public func add(_ bytes: some Collection<UInt8>) {
        let added: Int32? = bytes.withContiguousStorageIfAvailable { buffer in
            // SAFETY: the buffer outlives the call and is only read.
            EVP_DigestUpdate(context, buffer.baseAddress, buffer.count)
        }
        guard added == nil else {
            precondition(added == 1, "libcrypto does not go on with a SHA-256")
            return
        }
        add(Array(bytes))
    }

    /// The digest of all pieces, 32 bytes. Call it once, at the end.
    public func finish() -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: SHA256.byteCount) { buffer, count in
            // SAFETY: SHA-256 writes exactly 32 bytes.
            let ended = EVP_DigestFinal_ex(context, buffer.baseAddress, nil)
            precondition(ended == 1, "libcrypto does not end a SHA-256")
            count = SHA256.byteCount
        }
    }
}
