import Testing

@testable import AppendLog

@Suite("CRC-32C")
struct CRC32CTests {
    static let available = CRC32C.Implementation.allCases.filter(\.isAvailable)

    /// RFC 3720, appendix B.4, and the check value of the CRC catalogues.
    static let vectors: [(bytes: [UInt8], checksum: UInt32)] = [
        ([], 0),
        (Array("123456789".utf8), 0xE306_9283),
        ([UInt8](repeating: 0x00, count: 32), 0x8A91_36AA),
        ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43),
        (Array(0x00...0x1F), 0x46DD_794E),
        (Array((0x00...0x1F).reversed()), 0x113F_DB5C),
        (
            [
                0x01, 0xC0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
                0x00, 0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04, 0x00,
                0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x18, 0x28, 0x00, 0x00, 0x00,
                0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
            ], 0xD996_3A56
        ),
    ]

    @Test("every implementation yields the vectors of RFC 3720", arguments: available, vectors)
    func vector(
        implementation: CRC32C.Implementation, vector: (bytes: [UInt8], checksum: UInt32)
    ) {
        vector.bytes.withUnsafeBytes {
            #expect(implementation.checksum($0) == vector.checksum)
            #expect(CRC32C.checksum($0) == vector.checksum)
        }
        #expect(CRC32C.checksum(vector.bytes[...]) == vector.checksum)
    }

    /// A bit at a time, straight from the definition.
    static func bitwise(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        var crc = UInt32.max
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? (crc >> 1) ^ 0x82F6_3B78 : crc >> 1 }
        }
        return ~crc
    }

    @Test("the implementations agree with the definition at every length and alignment",
        arguments: available)
    func agreement(implementation: CRC32C.Implementation) {
        var random = SeededGenerator(seed: 3720)
        let bytes = (0..<14_000).map { _ in random.byte() }
        // Every length around each switch from one kind of run to the next (768 and 6144 bytes).
        let lengths =
            Array(0...48) + Array(760...790) + Array(1530...1545) + Array(6136...6160)
            + [6912, 6920, 12_288, 12_289, 13_063, 13_999]
        bytes.withUnsafeBytes { all in
            for (index, length) in lengths.enumerated() {
                let start = min(index % 9, all.count - length)
                let run = UnsafeRawBufferPointer(rebasing: all[start..<start + length])
                #expect(implementation.checksum(run) == Self.bitwise(run), "\(length) bytes")
            }
        }
    }

    @Test("a checksum continued over pieces is that of the whole", arguments: available)
    func continuing(implementation: CRC32C.Implementation) {
        var random = SeededGenerator(seed: 99)
        let bytes = (0..<9_000).map { _ in random.byte() }
        bytes.withUnsafeBytes { all in
            let whole = implementation.checksum(all)
            for _ in 0..<200 {
                let cut = Int(random.next() % 9_001)
                let head = implementation.checksum(UnsafeRawBufferPointer(rebasing: all[..<cut]))
                let both = implementation.checksum(
                    UnsafeRawBufferPointer(rebasing: all[cut...]), continuing: head)
                #expect(both == whole, "cut at \(cut)")
            }
        }
    }

    @Test("a CPU of ours computes it with its instruction")
    func instruction() {
        // Every x86-64 CPU since 2008 and every ARMv8.1 one has it; if this fails, detection broke.
        #expect(CRC32C.Implementation.instruction.isAvailable)
    }
}
