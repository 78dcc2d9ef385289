import Bridges
import Testing

@Suite("Message digests")
struct MessageDigestTests {
    private func hex(_ bytes: [UInt8]) -> String {
        bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }

    @Test("SHA-256 gives the values of FIPS 180-4, in one part or several")
    func sha256() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        #expect(hex(SHA256.digest(ArraySlice("abc".utf8))) == expected)
        #expect(hex(SHA256.digest(ArraySlice("a".utf8), ArraySlice("bc".utf8))) == expected)
        #expect(
            hex(SHA256.digest([]))
                == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    }

    @Test("one context gives the same digests, one after the other")
    func context() {
        let context = SHA256Context()
        for length in [3, 0, 55, 56, 64, 200, 3, 1000] {
            let message = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 7) }
            #expect(context.digest(message) == SHA256.digest(message[...]))
        }
    }

    @Test("what comes in pieces has the digest of the whole, and the next begins anew")
    func stream() {
        let stream = SHA256Stream()
        let message = (0..<300).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        #expect(stream.finish() == SHA256.digest([]))
        for length in [1, 63, 64, 65, 300] {
            for start in stride(from: 0, to: message.count, by: length) {
                stream.add(Array(message[start..<min(start + length, message.count)]))
            }
            #expect(stream.finish() == SHA256.digest(message[...]), "in pieces of \(length)")
        }
    }

    /// RFC 4231, test cases 1, 2, 3, 6: key, message, code.
    static let vectors: [(key: [UInt8], message: [UInt8], code: String)] = [
        (Array(repeating: 0x0B, count: 20), Array("Hi There".utf8),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (Array("Jefe".utf8), Array("what do ya want for nothing?".utf8),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        (Array(repeating: 0xAA, count: 20), Array(repeating: 0xDD, count: 50),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
        (Array(repeating: 0xAA, count: 131),
            Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"),
    ]

    @Test("HMAC-SHA256 gives the values of RFC 4231, again and again under one key",
        arguments: vectors.indices)
    func hmac(row: Int) {
        let vector = Self.vectors[row]
        let mac = HMACSHA256(key: vector.key)
        for _ in 0..<2 {
            #expect(hex(mac.code(for: vector.message[...])) == vector.code)
            #expect(
                hex(mac.code(for: vector.message[..<3], vector.message[3...])) == vector.code)
        }
    }

    @Test("comparison tells equal from unequal bytes, and lengths apart")
    func comparison() {
        #expect(equalInConstantTime([1, 2, 3], [1, 2, 3]))
        #expect(!equalInConstantTime([1, 2, 3], [1, 2, 4]))
        #expect(!equalInConstantTime([1, 2, 3], [1, 2]))
        #expect(equalInConstantTime([], []))
    }

    @Test("random bytes have the length asked for and differ")
    func random() {
        #expect(randomBytes(count: 32).count == 32)
        #expect(randomBytes(count: 32) != randomBytes(count: 32))
    }
}
