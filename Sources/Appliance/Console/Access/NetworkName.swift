import Foundation

/// What an address is counted as where one client must not be taken for many.
enum NetworkName {
    /// Bytes of an address of IPv6 that name its network.
    private static let networkByteCount = 8
    /// What stands before an address of IPv4 that is written as one of IPv6 (RFC 4291 §2.5.5.2).
    private static let mapped: [UInt8] = Array(repeating: 0, count: 10) + [0xff, 0xff]

    /// An address of IPv4 as it is, also where it is written as one of IPv6; of another one of IPv6
    /// its /64, as `2001:db8:0:1::/64`. What is no address stays what it is.
    ///
    /// - Parameter address: a proxy may have put brackets around it, or a port behind those; a
    ///   zone does not count.
    static func of(_ address: String) -> String {
        let bare = address.hasPrefix("[") ? address.dropFirst().prefix { $0 != "]" } : address[...]
        guard let bytes = bytes(of: String(bare.prefix { $0 != "%" })) else { return address }
        if bytes.starts(with: mapped) {
            return bytes.suffix(4).map { String($0) }.joined(separator: ".")
        }
        let groups = stride(from: 0, to: networkByteCount, by: 2).map {
            String(Int(bytes[$0]) << 8 | Int(bytes[$0 + 1]), radix: 16)
        }
        return groups.joined(separator: ":") + "::/64"
    }

    /// - Returns: nil for what is no address of IPv6.
    private static func bytes(of text: String) -> [UInt8]? {
        var address = in6_addr()
        guard inet_pton(AF_INET6, text, &address) == 1 else { return nil }
        // SAFETY: the 16 bytes are copied out of a value that lives here.
        return withUnsafeBytes(of: address) { [UInt8]($0) }
    }
}
