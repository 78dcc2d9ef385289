/// Where a request comes from that proxies have passed on, by `X-Forwarded-For`.
///
/// Each proxy appends the address that it was asked from, behind whatever the client wrote:
///
///     forged, forged, client, balancer      2 trusted: those two are theirs, and the first of them
///     └ whoever asks ┘└ appended ────┘      is who asked the outermost of them
enum ForwardedAddress {
    /// Characters of what is taken for an address; the longest one of IPv6 has 45.
    private static let lengthMax = 64

    /// - Parameters:
    ///   - list: the header's elements, in their order.
    ///   - trusted: how many of the last were appended by proxies that are trusted; 0 for none.
    /// - Returns: nil where nobody is trusted, and where there are fewer elements than that: then
    ///   the request has not come through all of them, and nothing there is known to be theirs.
    static func of(_ list: [Substring], trusted: Int) -> String? {
        guard trusted > 0, list.count >= trusted else { return nil }
        let told = list[list.count - trusted]
        return told.isEmpty ? nil : String(told.prefix(lengthMax))
    }
}
