internal import COpenSSL
internal import Foundation

/// A TLS connection over a TCP connection of its own, whose calls never wait.
///
/// It stands when the chain is trusted and the certificate carries the name that was asked for;
/// before that not a byte is written. The name is a host name or an address in numbers; a name is
/// told to the server (SNI).
public final class TLSStream: ByteStream {
    private let socket: TCPStream
    private let context: TLSContext
    private let session: OpaquePointer
    private let peer: String
    private var isEstablished = false

    /// - Throws: `tls`.
    public init(
        over socket: TCPStream, to peer: String, _ context: TLSContext
    ) throws(StreamError) {
        ERR_clear_error()
        guard let session = SSL_new(context.handle) else {
            throw .tls(.broken(OpenSSLErrors.lastReason()))
        }
        self.socket = socket
        self.context = context
        self.session = session
        self.peer = peer
        guard let channel = SocketChannel.make(over: socket.descriptor) else {
            throw .tls(.broken(OpenSSLErrors.lastReason()))
        }
        // The session owns the channel from here on, once for both directions.
        SSL_set_bio(session, channel, channel)
        if SocketAddress.numberBytes(peer) == nil {
            var name = Array(peer.utf8CString)
            // SAFETY: OpenSSL copies the name.
            SSL_ctrl(session, SSL_CTRL_SET_TLSEXT_HOSTNAME, 0, &name)
        }
        SSL_set_connect_state(session)
    }

    deinit { SSL_free(session) }

    public var descriptor: Int32 { socket.descriptor }

    public func establish() throws(StreamError) -> StreamStep {
        if isEstablished { return .moved(0) }
        let socketStep = try socket.establish()
        guard socketStep == .moved(0) else { return socketStep }
        ERR_clear_error()
        let result = SSL_do_handshake(session)
        guard result == 1 else {
            let step = try outcome(result, .connect)
            guard step != .ended else { throw .ended }
            return step
        }
        do {
            try PeerCertificate.check(of: session, for: peer)
        } catch {
            throw .tls(error)
        }
        isEstablished = true
        return .moved(0)
    }

    public func read(into buffer: inout [UInt8]) throws(StreamError) -> StreamStep {
        precondition(isEstablished, "read before the peer was known")
        ERR_clear_error()
        // SAFETY: OpenSSL writes at most as many bytes as the buffer has.
        let count = buffer.withUnsafeMutableBytes {
            SSL_read(session, $0.baseAddress, Int32(clamping: $0.count))
        }
        return count > 0 ? .moved(Int(count)) : try outcome(count, .read)
    }

    public func write(_ bytes: [UInt8], from start: Int) throws(StreamError) -> StreamStep {
        precondition(isEstablished, "written before the peer was known")
        precondition(start < bytes.count, "nothing to write from \(start) of \(bytes.count)")
        ERR_clear_error()
        // SAFETY: OpenSSL reads from `start` to the end of the array, which outlives the call.
        let count = bytes.withUnsafeBytes {
            let rest = UnsafeRawBufferPointer(rebasing: $0[start...])
            return SSL_write(session, rest.baseAddress, Int32(clamping: rest.count))
        }
        return count > 0 ? .moved(Int(count)) : try outcome(count, .write)
    }

    /// What a call that moved nothing came to.
    private func outcome(
        _ result: Int32, _ call: StreamError.Call
    ) throws(StreamError) -> StreamStep {
        let systemCode = errno
        switch SSL_get_error(session, result) {
        case SSL_ERROR_WANT_READ: return .waitsToRead
        case SSL_ERROR_WANT_WRITE: return .waitsToWrite
        case SSL_ERROR_ZERO_RETURN: return .ended
        case SSL_ERROR_SYSCALL:
            if systemCode == 0 { return .ended }
            throw .system(call, code: systemCode)
        default: throw .tls(failure())
        }
    }

    private func failure() -> TLSError {
        let verdict = SSL_get_verify_result(session)
        if !isEstablished, verdict != Int(X509_V_OK) {
            ERR_clear_error()
            return .untrusted(code: verdict, reason: PeerCertificate.text(ofVerdict: verdict))
        }
        switch OpenSSLErrors.reasonNumber(OpenSSLErrors.lastCode()) {
        case SSL_R_WRONG_VERSION_NUMBER, SSL_R_PACKET_LENGTH_TOO_LONG, SSL_R_HTTP_REQUEST:
            ERR_clear_error()
            return .notTLS
        default: return .broken(OpenSSLErrors.lastReason())
        }
    }
}

/// OpenSSL's way to a socket, like its own, but for the signal: its own ends a process that writes
/// to a peer that has gone (SIGPIPE).
private enum SocketChannel {
    /// A channel that neither owns nor closes the socket.
    static func make(over descriptor: Int32) -> OpaquePointer? {
        guard let channel = BIO_new(method) else { return nil }
        // SAFETY: no pointer at all but the descriptor's number, plus one so that 0 is not nil.
        BIO_set_data(channel, UnsafeMutableRawPointer(bitPattern: Int(descriptor) + 1))
        BIO_set_init(channel, 1)
        return channel
    }

    /// `BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY`; the first is a macro of macros.
    private static let retryFlags =
        BIO_FLAGS_READ | BIO_FLAGS_WRITE | BIO_FLAGS_IO_SPECIAL | BIO_FLAGS_SHOULD_RETRY

    private static func descriptor(of channel: OpaquePointer?) -> Int32 {
        Int32(Int(bitPattern: BIO_get_data(channel)) - 1)
    }

    // SAFETY: written once, before its first use, and afterwards only read.
    private nonisolated(unsafe) static let method: OpaquePointer? = {
        let method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket")
        BIO_meth_set_write(method) { channel, bytes, count in
            BIO_clear_flags(channel, SocketChannel.retryFlags)
            let socket = SocketChannel.descriptor(of: channel)
            // SAFETY: OpenSSL says how many bytes there are.
            let sent = send(socket, bytes, Int(count), Int32(MSG_NOSIGNAL))
            if sent < 0, TCPStream.isPassing(errno) {
                BIO_set_flags(channel, BIO_FLAGS_WRITE | BIO_FLAGS_SHOULD_RETRY)
            }
            return Int32(sent)
        }
        BIO_meth_set_read(method) { channel, bytes, count in
            BIO_clear_flags(channel, SocketChannel.retryFlags)
            let socket = SocketChannel.descriptor(of: channel)
            // SAFETY: OpenSSL says how many bytes there is room for.
            let received = recv(socket, bytes, Int(count), 0)
            if received < 0, TCPStream.isPassing(errno) {
                BIO_set_flags(channel, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY)
            }
            // OpenSSL asks the channel whether it ended before it looks at the flags.
            if received == 0 { BIO_set_flags(channel, BIO_FLAGS_IN_EOF) }
            return Int32(received)
        }
        BIO_meth_set_ctrl(method) { channel, command, _, _ in
            switch command {
            case BIO_CTRL_FLUSH, BIO_CTRL_DUP: 1
            case BIO_CTRL_EOF: BIO_test_flags(channel, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0
            default: 0
            }
        }
        return method
    }()
}
