internal import Foundation

/// Where a TCP connection goes to: an IPv4 or IPv6 address and a port.
public struct SocketAddress: Hashable, Sendable {
    /// The system's own form of it, a `sockaddr` of some family.
    let bytes: [UInt8]

    /// The address that `text` writes out in numbers; nil for a name.
    ///
    /// - Parameter text: `127.0.0.1` or `::1`, without brackets.
    public init?(number text: String, port: UInt16) {
        guard
            let first = try? Self.find(text, port: port, flags: AI_NUMERICHOST).first
        else { return nil }
        self = first
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    /// The addresses of a host, in the resolver's order.
    ///
    /// It blocks, for as long as the resolver likes: call it on a thread of its own.
    ///
    /// - Throws: `unknownName`.
    public static func lookUp(
        _ host: String, port: UInt16
    ) throws(StreamError) -> [SocketAddress] {
        try find(host, port: port, flags: AI_ADDRCONFIG)
    }

    private static func find(
        _ host: String, port: UInt16, flags: Int32
    ) throws(StreamError) -> [SocketAddress] {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = flags | AI_NUMERICSERV
        var first: UnsafeMutablePointer<addrinfo>?
        // SAFETY: the resolver only reads the strings and the hints, and keeps none of them.
        let code = getaddrinfo(host, "\(port)", &hints, &first)
        guard code == 0 else {
            throw .unknownName(host, reason: String(cString: gai_strerror(code)))
        }
        defer { freeaddrinfo(first) }
        var found: [SocketAddress] = []
        var next = first
        while let entry = next {
            // SAFETY: the resolver says how long each address is; it is copied before it is freed.
            let length = Int(entry.pointee.ai_addrlen)
            if let address = entry.pointee.ai_addr {
                let raw = UnsafeRawBufferPointer(start: address, count: length)
                found.append(SocketAddress(bytes: [UInt8](raw)))
            }
            next = entry.pointee.ai_next
        }
        return found
    }

    /// The address of an IPv4 or IPv6 number, 4 or 16 bytes; nil for anything else.
    static func numberBytes(_ text: String) -> [UInt8]? {
        for (family, count) in [(AF_INET, 4), (AF_INET6, 16)] {
            var bytes = [UInt8](repeating: 0, count: 16)
            // SAFETY: inet_pton writes 4 or 16 bytes for these families, and the buffer has 16.
            if inet_pton(family, text, &bytes) == 1 { return [UInt8](bytes[..<count]) }
        }
        return nil
    }
}

/// The system's words for its error codes.
enum SystemCode {
    static func text(_ code: Int32) -> String { String(cString: strerror(code)) }

    /// Whether the peer threw the connection away.
    static func isReset(_ code: Int32) -> Bool { code == ECONNRESET || code == EPIPE }
}
