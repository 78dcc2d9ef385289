import Foundation

/// A TCP connection that sends exactly what it is told, and waits at most ten seconds for bytes.
public final class RawConnection: @unchecked Sendable {
    // `@unchecked Sendable`: one task reads while another sends; `received` is the reader's alone.
    private let descriptor: Int32
    private var received: [UInt8] = []

    /// - Throws: `NotConnected`.
    public init(port: Int, patienceSeconds: Int = 10) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var patience = timeval(tv_sec: patienceSeconds, tv_usec: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        // The descriptor is closed by `deinit` even so, and only there: closed twice, it may be
        // somebody else's by then.
        guard connected == 0 else { throw NotConnected(code: errno) }
    }

    deinit { close(descriptor) }

    /// Sends until the peer takes no more.
    public func send(_ text: String) { send(bytes: Array(text.utf8)) }

    /// The same with any bytes.
    ///
    /// - Returns: whether all were taken.
    @discardableResult
    public func send(bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    /// Ends both directions, so that a send that waits fails.
    public func cutOff() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    public func endSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// One answer with its body, which Content-Length bounds; empty where none came.
    public func readAnswer() -> String {
        while true {
            let text = String(decoding: received, as: UTF8.self)
            if let end = text.range(of: "\r\n\r\n") {
                let length = text[..<end.lowerBound].split(separator: "\r\n")
                    .first { $0.lowercased().hasPrefix("content-length:") }
                    .flatMap { Int($0.drop { $0 != " " }.dropFirst()) } ?? 0
                let whole = text[..<end.upperBound].utf8.count + length
                if received.count >= whole {
                    defer { received.removeFirst(whole) }
                    return String(decoding: received[..<whole], as: UTF8.self)
                }
            }
            guard readMore() else { return "" }
        }
    }

    /// The status of the next answer, whose rest is left; nil where none comes.
    public func readStatus() -> Int? {
        while true {
            if let end = received.firstIndex(of: UInt8(ascii: "\n")) {
                let line = String(decoding: received[..<end], as: UTF8.self)
                return line.split(separator: " ").dropFirst().first.flatMap { Int($0) }
            }
            guard readMore() else { return nil }
        }
    }

    /// What comes up to the next empty line, as server-sent events end; nil where the connection
    /// ends before that, or nothing comes in time.
    public func readBlock() -> String? {
        let end = Array("\n\n".utf8)
        while true {
            if let range = received.firstRange(of: end) {
                defer { received.removeFirst(range.upperBound) }
                return String(decoding: received[..<range.lowerBound], as: UTF8.self)
            }
            guard readMore() else { return nil }
        }
    }

    /// Everything up to the end of the connection.
    public func readToEnd() -> String {
        while readMore() {}
        return String(decoding: received, as: UTF8.self)
    }

    /// Whether the peer ends the connection, with or without further bytes.
    public func isClosedByPeer() -> Bool {
        while readMore() {}
        return ended
    }

    private var ended = false

    private func readMore() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        // A reset ends it as much as an orderly close does; a time-out does not.
        if count == 0 || (count < 0 && errno != EAGAIN) { ended = true }
        guard count > 0 else { return false }
        received += buffer[..<count]
        return true
    }
}

/// Nobody listens, or no more connections are taken.
public struct NotConnected: Error { public var code: Int32 }
