import Bridges
import Testing

@Suite("AES-256-GCM")
struct AES256GCMTests {
    private static func bytes(_ hex: String) -> [UInt8] {
        let digits = Array(hex)
        return stride(from: 0, to: digits.count, by: 2).map {
            UInt8(String(digits[$0...($0 + 1)]), radix: 16) ?? 0
        }
    }

    /// Test case 15 of McGrew and Viega, "The Galois/Counter Mode of Operation" (2005).
    @Test("seals as the mode's own test case says, and opens it again")
    func known() {
        let key = Self.bytes("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308")
        let nonce = Self.bytes("cafebabefacedbaddecaf888")
        let plain = Self.bytes(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                + "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255")
        let sealed = Self.bytes(
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
                + "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad"
                + "b094dac5d93471bdec1a502270e3cc6c")
        let cipher = AES256GCM(key: key)
        #expect(cipher.seal(plain[...], nonce: nonce) == sealed)
        #expect(cipher.open(sealed[...], nonce: nonce) == plain)
    }

    @Test("opens nothing that is another text, tag, nonce or key", arguments: [0, 1, 100])
    func refused(count: Int) {
        let cipher = AES256GCM(key: [UInt8](repeating: 7, count: 32))
        let nonce = [UInt8](repeating: 9, count: 12)
        let plain = (0..<count).map { UInt8($0) }
        let sealed = cipher.seal(plain[...], nonce: nonce)
        #expect(sealed.count == count + AES256GCM.tagByteCount)
        #expect(cipher.open(sealed[...], nonce: nonce) == plain)
        for place in sealed.indices {
            var other = sealed
            other[place] ^= 1
            #expect(cipher.open(other[...], nonce: nonce) == nil, "byte \(place)")
        }
        #expect(cipher.open(sealed.dropLast(), nonce: nonce) == nil)
        #expect(cipher.open([], nonce: nonce) == nil)
        #expect(cipher.open(sealed[...], nonce: [UInt8](repeating: 8, count: 12)) == nil)
        let stranger = AES256GCM(key: [UInt8](repeating: 6, count: 32))
        #expect(stranger.open(sealed[...], nonce: nonce) == nil)
    }
}
