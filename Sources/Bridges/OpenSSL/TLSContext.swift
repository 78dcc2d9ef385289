internal import COpenSSL

/// What all TLS connections to one kind of server share: whom to trust, and the oldest protocol.
///
/// TLS 1.2 or newer, the peer's chain checked. Make a new one for a new connection: so a changed
/// file of authorities counts from the next connection on.
public final class TLSContext {
    /// OpenSSL's context; it stays inside of this folder.
    let handle: OpaquePointer

    /// - Parameter authorities: a PEM file of one or more authorities; nil for the system's own.
    /// - Throws: `authorities`, `broken`.
    public init(authorities: String? = nil) throws(TLSError) {
        ERR_clear_error()
        guard let handle = SSL_CTX_new(TLS_client_method()) else {
            throw .broken(OpenSSLErrors.lastReason())
        }
        self.handle = handle
        SSL_CTX_ctrl(handle, SSL_CTRL_SET_MIN_PROTO_VERSION, Int(TLS1_2_VERSION), nil)
        SSL_CTX_set_verify(handle, SSL_VERIFY_PEER, nil)
        // A peer that only closes its socket has ended the connection. What is read here says
        // itself where it ends, so that nothing can be cut off unseen.
        SSL_CTX_set_options(handle, Self.ignoreUnexpectedEnd)
        // A write may be taken in part, and is repeated from another place in memory.
        let mode = Int(SSL_MODE_ENABLE_PARTIAL_WRITE) | Int(SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER)
        SSL_CTX_ctrl(handle, SSL_CTRL_MODE, mode, nil)
        guard let authorities else {
            SSL_CTX_set_default_verify_paths(handle)
            return
        }
        guard SSL_CTX_load_verify_locations(handle, authorities, nil) == 1 else {
            throw .authorities(file: authorities, reason: OpenSSLErrors.lastReason())
        }
    }

    deinit { SSL_CTX_free(handle) }

    /// `SSL_OP_IGNORE_UNEXPECTED_EOF`, which is a macro with a cast (OpenSSL 3.0, ssl.h).
    private static let ignoreUnexpectedEnd: UInt64 = 1 << 7
}

/// OpenSSL's queue of errors, one for each thread.
enum OpenSSLErrors {
    /// The code of the first cause; 0 where there is none.
    static func lastCode() -> UInt { ERR_peek_error() }

    /// The first cause in OpenSSL's words; it empties the queue.
    static func lastReason() -> String {
        let code = ERR_get_error()
        ERR_clear_error()
        guard code != 0 else { return "no reason given" }
        // SAFETY: the text is constant, and copied.
        return ERR_reason_error_string(code).map { String(cString: $0) } ?? "error \(code)"
    }

    /// The reason's number in a code (`ERR_GET_REASON`, a macro).
    static func reasonNumber(_ code: UInt) -> Int32 { Int32(code & 0x7F_FFFF) }
}
