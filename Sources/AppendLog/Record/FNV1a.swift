/// FNV-1a with 64 bits (Fowler, Noll and Vo; draft-eastlake-fnv): a quick digest of a short text.
///
/// It is not keyed, so whoever chooses the text freely can make two collide. Its loops are inlined
/// where they are used: the features digest every movement's parties.
package struct FNV1a: Sendable {
    package var digest: UInt64

    /// - Parameter key: changes every digest; zero gives the ones that are published.
    @inlinable
    package init(key: UInt64 = 0) { digest = 0xCBF2_9CE4_8422_2325 ^ key }

    @inlinable
    package mutating func add(_ byte: UInt8) {
        digest = (digest ^ UInt64(byte)) &* 0x100_0000_01B3
    }

    @inlinable
    package mutating func add(_ bytes: some Sequence<UInt8>) {
        for byte in bytes { add(byte) }
    }

    @inlinable
    package static func digest(of bytes: some Sequence<UInt8>) -> UInt64 {
        var hash = FNV1a()
        hash.add(bytes)
        return hash.digest
    }
}
