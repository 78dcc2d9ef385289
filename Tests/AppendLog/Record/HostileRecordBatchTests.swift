import Testing

@testable import AppendLog

/// Bytes that lie. None of them may trap, and each lie has its own answer.
@Suite("Hostile record batches")
struct HostileRecordBatchTests {
    private static func one(_ fields: [UInt8]...) -> HandmadeBatch {
        HandmadeBatch(
            recordCount: 1, records: HandmadeBatch.record(Array(fields.joined())))
    }

    private static let tooLong = [UInt8](repeating: 0x80, count: 10) + [0]
    private static let tooLarge = [UInt8](repeating: 0xFF, count: 9) + [2]
    private static let huge = HandmadeBatch.varint(.max)

    static let headerLies: [(HandmadeBatch, RecordBatchError)] = [
        (HandmadeBatch(baseOffset: -1), .malformed(.baseOffset, at: 0)),
        (HandmadeBatch(batchLength: -1), .malformed(.batchLength, at: 8)),
        (HandmadeBatch(batchLength: 48), .malformed(.batchLength, at: 8)),
        (HandmadeBatch(magic: 1), .unsupportedMagic(1)),
        (HandmadeBatch(magic: -7), .unsupportedMagic(-7)),
        (HandmadeBatch(lastOffsetDelta: -1), .malformed(.lastOffsetDelta, at: 23)),
        (
            HandmadeBatch(baseOffset: .max - 5, lastOffsetDelta: 5),
            .malformed(.lastOffsetDelta, at: 23)
        ),
        (HandmadeBatch(producerID: -2), .malformed(.producerID, at: 43)),
        (HandmadeBatch(recordCount: -1), .malformed(.recordCount, at: 57)),
        (HandmadeBatch(recordCount: 2, records: [0]), .malformed(.recordCount, at: 57)),
        (
            HandmadeBatch(lastOffsetDelta: .max, recordCount: .max, records: [0, 0]),
            .malformed(.recordCount, at: 57)
        ),
    ]

    @Test("a lie in the fixed part is named, before any record is looked at", arguments: headerLies)
    func headerLie(batch: HandmadeBatch, expected: RecordBatchError) {
        #expect(throws: expected) { try RecordBatch.header(in: batch.bytes[...]) }
        #expect(throws: expected) { try RecordBatch.verify(batch.bytes[...]) }
        #expect(throws: expected) { try RecordBatch.records(in: batch.bytes[...]) }
        #expect(!expected.isRetryable)
    }

    static let recordLies: [(HandmadeBatch, RecordBatchError)] = [
        (
            HandmadeBatch(recordCount: 1, records: [11, 0, 0, 0, 1, 1, 0]),
            .malformed(.recordLength, at: 61)
        ),
        (
            HandmadeBatch(recordCount: 1, records: [14, 0, 0, 0, 1, 1, 0]),
            .malformed(.recordLength, at: 61)
        ),
        (
            HandmadeBatch(recordCount: 1, records: [10, 0, 0, 0, 1, 1, 0]),
            .malformed(.recordLength, at: 61)
        ),
        (HandmadeBatch(recordCount: 1, records: huge), .malformed(.recordLength, at: 61)),
        (HandmadeBatch(recordCount: 1, records: tooLong), .malformed(.recordLength, at: 61)),
        (HandmadeBatch(recordCount: 1, records: tooLarge), .malformed(.recordLength, at: 61)),
        (one(tooLong, [0], [1], [1], [0]), .malformed(.timestampDelta, at: 63)),
        (one([0], [0x80, 0x80, 0x80, 0x80, 0x80]), .malformed(.offsetDelta, at: 64)),
        (one([0], [2], [1], [1], [0]), .malformed(.offsetDelta, at: 64)),
        (one([0], [1], [1], [1], [0]), .malformed(.offsetDelta, at: 64)),
        (one([0], [0], [3], [1], [0]), .malformed(.keyLength, at: 65)),
        (one([0], [0], [8], [1], [0]), .malformed(.keyLength, at: 65)),
        (one([0], [0], huge, [1], [0]), .malformed(.keyLength, at: 65)),
        (one([0], [0], HandmadeBatch.varint(.min), [1], [0]), .malformed(.keyLength, at: 65)),
        (one([0], [0], [1], [3], [0]), .malformed(.valueLength, at: 66)),
        (one([0], [0], [1], [4], [0]), .malformed(.valueLength, at: 66)),
        (one([0], [0], [1], [2], [0]), .malformed(.headerCount, at: 68)),
        (one([0], [0], [1], [1], [1]), .malformed(.headerCount, at: 67)),
        (one([0], [0], [1], [1], huge), .malformed(.headerCount, at: 67)),
        (one([0], [0], [1], [1], [4], [0, 0, 0]), .malformed(.headerCount, at: 67)),
        (one([0], [0], [1], [1], [2], [1, 0]), .malformed(.headerNameLength, at: 68)),
        (one([0], [0], [1], [1], [2], [4, 0x61]), .malformed(.headerNameLength, at: 68)),
        (one([0], [0], [1], [1], [2], [2, 0xFF, 0]), .malformed(.headerName, at: 69)),
        (one([0], [0], [1], [1], [2], [2, 0x61, 2]), .malformed(.headerValueLength, at: 70)),
        (one([0], [0], [1], [1], [0], [0]), .malformed(.recordLength, at: 61)),
        (
            HandmadeBatch(recordCount: 1, records: HandmadeBatch.bare(offsetDelta: 0) + [0]),
            .malformed(.trailingBytes, at: 68)
        ),
        (
            HandmadeBatch(
                lastOffsetDelta: 1, recordCount: 2,
                records: HandmadeBatch.bare(offsetDelta: 1) + HandmadeBatch.bare(offsetDelta: 1)),
            .malformed(.offsetDelta, at: 71)
        ),
    ]

    @Test("a lie in a record is named with its position", arguments: recordLies)
    func recordLie(batch: HandmadeBatch, expected: RecordBatchError) throws {
        try RecordBatch.verify(batch.bytes[...])
        #expect(throws: expected) { try RecordBatch.records(in: batch.bytes[...]) }
        // The same bytes in the middle of others: neither neighbours nor indices may matter.
        let surrounded = [UInt8](repeating: 0xFF, count: 7) + batch.bytes + [0, 0, 0, 0, 0, 0]
        #expect(throws: expected) { try RecordBatch.records(in: surrounded[7...]) }
    }

    private static let small: [UInt8] = {
        var bytes: [UInt8] = []
        RecordBatch.encode(RecordSamples.small, baseOffset: Offset(5), into: &bytes)
        return bytes
    }()

    @Test("a batch cut anywhere asks for the bytes it lacks")
    func truncation() {
        for count in 0..<Self.small.count {
            let needed = count < 61 ? 61 : Self.small.count
            let expected = RecordBatchError.truncated(needed: needed, available: count)
            #expect(expected.isRetryable)
            #expect(throws: expected) { try RecordBatch.verify(Self.small.prefix(count)) }
            #expect(throws: expected) { try RecordBatch.records(in: Self.small.prefix(count)) }
        }
    }

    @Test("the checksum catches every flipped bit that it covers")
    func flippedBits() throws {
        let original = try RecordBatch.verify(Self.small[...])
        for bit in 0..<Self.small.count * 8 {
            var bytes = Self.small
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            _ = try? RecordBatch.records(in: bytes[...])
            if bit >= 17 * 8 {
                #expect(throws: RecordBatchError.self, "bit \(bit)") {
                    try RecordBatch.verify(bytes[...])
                }
            } else if let header = try? RecordBatch.verify(bytes[...]) {
                // Base offset and leader epoch lie outside the checksum, as Kafka has it.
                #expect(header != original)
                #expect(bit / 8 < 8 || 12..<16 ~= bit / 8)
            }
        }
    }

    /// What holds for every batch that is accepted, however it came about.
    private func decode(_ bytes: ArraySlice<UInt8>) throws {
        guard let records = try? RecordBatch.records(in: bytes) else { return }
        let header = try RecordBatch.header(in: bytes)
        #expect(records.count == header.recordCount)
        #expect(zip(records, records.dropFirst()).allSatisfy { $0.offset < $1.offset })
        #expect(
            records.allSatisfy { header.baseOffset <= $0.offset && $0.offset <= header.lastOffset })
    }

    @Test("no value of any byte traps, with the checksum made right again")
    func everyByte() throws {
        for position in Self.small.indices {
            for value in UInt8.min...UInt8.max {
                var bytes = Self.small
                bytes[position] = value
                HandmadeBatch.sign(&bytes)
                try decode(bytes[...])
            }
        }
    }

    @Test("random damage does not trap", arguments: [1, 2, 3, 4] as [UInt64])
    func randomDamage(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<20_000 {
            var bytes = Self.small
            for _ in 0...random.next() % 6 {
                // Mostly in the records, where the lengths are.
                let position = random.next() % 4 == 0 ? 0 : 57
                let range = UInt64(bytes.count - position)
                bytes[position + Int(random.next() % range)] = random.byte()
            }
            if random.next() % 3 == 0 { bytes.removeLast(Int(random.next() % UInt64(bytes.count))) }
            HandmadeBatch.sign(&bytes)
            try decode(bytes[...])
        }
    }

    @Test("random garbage behind a sound fixed part does not trap", arguments: [5, 6] as [UInt64])
    func garbage(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<20_000 {
            let records = (0..<random.next() % 60).map { _ in
                // Small numbers make fields that nearly fit together.
                random.next() % 3 == 0 ? random.byte() : random.byte() & 0x0F
            }
            let count = Int32(records.count / 7)
            let batch = HandmadeBatch(
                baseOffset: Int64(random.next() >> 1), attributes: UInt16(random.next() & 0x78),
                lastOffsetDelta: 1_000, baseTimestamp: Int64(bitPattern: random.next()),
                recordCount: count == 0 ? 0 : Int32(random.next() % UInt64(count)) + 1,
                records: records)
            try decode(batch.bytes[...])
            try decode(ArraySlice((0..<80).map { _ in random.byte() }))
        }
    }
}
