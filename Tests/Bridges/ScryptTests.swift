import Testing

@testable import Bridges

@Suite("Keys from passwords")
struct ScryptTests {
    /// RFC 7914 §12: the first 32 bytes, which do not depend on the length.
    @Test("the keys are RFC 7914's", arguments: [
        ("", "", 4, 1, 1, "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"),
        (
            "password", "NaCl", 10, 8, 16,
            "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
        ),
        (
            "pleaseletmein", "SodiumChloride", 14, 8, 1,
            "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
        ),
    ] as [(String, String, Int, Int, Int, String)])
    func vectors(
        password: String, salt: String, logN: Int, r: Int, p: Int, key: String
    ) throws {
        let cost = try #require(Scrypt.Cost(logN: logN, r: r, p: p))
        let found = try #require(
            Scrypt.key(password: Array(password.utf8), salt: Array(salt.utf8), cost: cost))
        let text = found.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        #expect(text == key)
    }

    @Test("a cost that takes too much is none", arguments: [
        (0, 8, 1), (21, 8, 1), (20, 8, 1), (17, 0, 1), (17, 33, 1), (17, 8, 0), (17, 8, 17),
    ])
    func costs(logN: Int, r: Int, p: Int) {
        #expect(Scrypt.Cost(logN: logN, r: r, p: p) == nil)
    }

    /// RFC 2202 §3.
    @Test("the authentication codes are RFC 2202's", arguments: [
        ("Jefe", "what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
        (
            String(repeating: "\u{b}", count: 20), "Hi There",
            "b617318655057264e28bc0b6fb378c8ef146be00"
        ),
    ])
    func hmac(key: String, message: String, code: String) {
        let found = HMACSHA1.code(key: Array(key.utf8), message: Array(message.utf8))
        #expect(found.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() == code)
    }
}
