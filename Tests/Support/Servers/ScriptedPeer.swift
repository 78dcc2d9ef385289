import Foundation

/// A server whose every byte a test writes: for answers in pieces and connections that are cut off.
/// It serves one connection after the other, each by the same script.
public final class ScriptedPeer: @unchecked Sendable {
    // `@unchecked Sendable`: immutable but for what `lock` guards.
    public let port: Int
    private let listener: Int32
    private let lock = NSLock()
    private var isClosed = false
    private var accepted = 0

    /// - Parameter script: what happens on a connection, on a thread of its own; the connection
    ///   ends with it.
    public init(_ script: @escaping @Sendable (PeerConnection) -> Void) throws {
        port = try freePort()
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var on: Int32 = 1
        setsockopt(
            listener, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let descriptor = listener
        // SAFETY: the kernel reads one sockaddr_in, which outlives the call.
        let code = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard code == 0, listen(listener, 16) == 0 else { throw NotConnected(code: errno) }
        Thread.detachNewThread { [weak self] in
            while true {
                let client = accept(descriptor, nil, nil)
                guard client >= 0 else {
                    // Closed while the peer has it still, its number may be somebody else's by the
                    // time that the peer shuts it down. Whatever else fails a call passes.
                    guard errno == EINVAL else {
                        usleep(1_000)
                        continue
                    }
                    close(descriptor)
                    return
                }
                self?.count()
                script(PeerConnection(descriptor: client))
            }
        }
    }

    deinit { shutdown(listener, Int32(SHUT_RDWR)) }

    private func count() { lock.withLock { accepted += 1 } }

    /// Connections so far.
    public var connections: Int { lock.withLock { accepted } }
}

/// A scripted peer's side of a connection.
public final class PeerConnection {
    private let descriptor: Int32
    private var isOpen = true

    init(descriptor: Int32) {
        self.descriptor = descriptor
        var (on, patience): (Int32, timeval) = (1, timeval(tv_sec: 10, tv_usec: 0))
        setsockopt(
            descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience,
            socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { if isOpen { close(descriptor) } }

    /// Some bytes, as text; empty at the end of the connection.
    public func read() -> String {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return String(decoding: buffer[..<max(0, count)], as: UTF8.self)
    }

    /// Reads on until `text` has come.
    ///
    /// - Returns: whether it did.
    @discardableResult
    public func read(until text: String) -> Bool {
        var all = ""
        while !all.contains(text) {
            let more = read()
            guard !more.isEmpty else { return false }
            all += more
        }
        return true
    }

    public func send(_ text: String) {
        let bytes = Array(text.utf8)
        _ = Foundation.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// Every byte in a packet of its own.
    public func sendByteByByte(_ text: String) {
        for byte in text.utf8 {
            var byte = byte
            _ = Foundation.send(descriptor, &byte, 1, Int32(MSG_NOSIGNAL))
            // Lets the reader run, so that it sees the byte alone.
            sched_yield()
        }
    }

    /// Throws the connection away: the other side is told of a reset, not of an end.
    public func reset() {
        var atOnce = linger(l_onoff: 1, l_linger: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_LINGER, &atOnce, socklen_t(MemoryLayout<linger>.size))
        close(descriptor)
        isOpen = false
    }
}
