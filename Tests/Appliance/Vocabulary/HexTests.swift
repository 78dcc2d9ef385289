import Testing

@testable import Vocabulary

@Suite("Hex digits")
struct HexTests {
    @Test("a digest has all 16 of them, however small it is", arguments: [
        (0, "0000000000000000"), (0x0000_A1B2, "000000000000a1b2"),
        (0x0CBF_29CE_4842_2232, "0cbf29ce48422232"), (.max, "ffffffffffffffff"),
    ] as [(UInt64, String)])
    func digest(number: UInt64, digits: String) {
        #expect(String(hex: number) == digits)
    }
}
