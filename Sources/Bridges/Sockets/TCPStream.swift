internal import Foundation

/// A TCP connection whose calls never wait; it owns its socket and closes it at its end.
///
/// Nagle's delay is off, since the writers here hand in whole batches, and a peer that vanishes is
/// noticed by keep-alive even where nobody writes.
public final class TCPStream: ByteStream {
    public let descriptor: Int32
    private var isEstablished = false

    /// Begins to connect.
    ///
    /// - Throws: `system`.
    public init(to address: SocketAddress) throws(StreamError) {
        // SAFETY: the address has the length that the resolver gave it, and is only read.
        let (family, length) = address.bytes.withUnsafeBytes {
            (Int32($0.loadUnaligned(as: sockaddr.self).sa_family), socklen_t($0.count))
        }
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        descriptor = socket(family, kind, 0)
        guard descriptor >= 0 else { throw .system(.socket, code: errno) }
        set(Int32(IPPROTO_TCP), TCP_NODELAY)
        set(SOL_SOCKET, SO_KEEPALIVE)
        let code: Int32 = address.bytes.withUnsafeBytes {
            guard let start = $0.baseAddress else { return EINVAL }
            let name = start.assumingMemoryBound(to: sockaddr.self)
            return connect(descriptor, name, length) == 0 ? 0 : errno
        }
        guard code == 0 || code == EINPROGRESS else {
            throw .system(.connect, code: code)
        }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    private func set(_ level: Int32, _ option: Int32) {
        var on: Int32 = 1
        // SAFETY: the option is an Int32 and is only read. Refused, it costs speed and no more.
        setsockopt(descriptor, level, option, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    public func establish() throws(StreamError) -> StreamStep {
        if isEstablished { return .moved(0) }
        var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        // SAFETY: one entry, as the count says.
        guard poll(&entry, 1, 0) > 0 else { return .waitsToWrite }
        var code: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        // SAFETY: SO_ERROR is an Int32, and the length says so.
        guard getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length) == 0 else {
            throw .system(.connect, code: errno)
        }
        guard code == 0 else { throw .system(.connect, code: code) }
        isEstablished = true
        return .moved(0)
    }

    public func read(into buffer: inout [UInt8]) throws(StreamError) -> StreamStep {
        // SAFETY: recv writes at most as many bytes as the buffer has.
        let (count, code) = buffer.withUnsafeMutableBytes {
            (recv(descriptor, $0.baseAddress, $0.count, 0), errno)
        }
        if count > 0 { return .moved(count) }
        if count == 0 { return .ended }
        guard Self.isPassing(code) else { throw .system(.read, code: code) }
        return .waitsToRead
    }

    public func write(_ bytes: [UInt8], from start: Int) throws(StreamError) -> StreamStep {
        precondition(start < bytes.count, "nothing to write from \(start) of \(bytes.count)")
        // SAFETY: send reads from `start` to the end of the array, which outlives the call. Without
        // a signal: a peer that has gone must not end the process.
        let (count, code) = bytes.withUnsafeBytes {
            let rest = UnsafeRawBufferPointer(rebasing: $0[start...])
            return (send(descriptor, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL)), errno)
        }
        if count >= 0 { return .moved(count) }
        guard Self.isPassing(code) else { throw .system(.write, code: code) }
        return .waitsToWrite
    }

    static func isPassing(_ code: Int32) -> Bool {
        code == EAGAIN || code == EWOULDBLOCK || code == EINTR
    }
}
