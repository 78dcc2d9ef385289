import AppendLog

/// Bytes for samples.
extension SeededGenerator {
    mutating func byte() -> UInt8 { UInt8(truncatingIfNeeded: next()) }

    mutating func bytes(_ count: Int) -> ArraySlice<UInt8> {
        ArraySlice((0..<count).map { _ in byte() })
    }
}

/// Records of every shape the format knows.
enum RecordSamples {
    /// Lengths at which a varint grows by a byte, and others.
    static let lengths = [0, 1, 2, 63, 64, 65, 200, 8_191, 8_192, 10_000]

    static func record(_ random: inout SeededGenerator, plain: Bool = false) -> Record {
        func field(_ random: inout SeededGenerator) -> ArraySlice<UInt8>? {
            if random.next() % 5 == 0 { return nil }
            return random.bytes(lengths[Int(random.next() % UInt64(lengths.count))])
        }
        let names = [
            "", "event-id", "schema", "ключ", "a name longer than fits into a small string", "🧾",
        ]
        let headers = (0..<random.next() % 4).map { _ in
            RecordHeader(names[Int(random.next() % UInt64(names.count))], field(&random))
        }
        // Far apart and out of order; `plain` stays in the range other implementations compute
        // with.
        let spread =
            plain
            ? Int64(random.next() % 2_000_000) - 1_000_000 : Int64(bitPattern: random.next())
        return Record(
            key: field(&random), value: field(&random), headers: headers,
            timestamp: Timestamp(milliseconds: plain ? 1_700_000_000_000 + spread : spread))
    }

    static func records(
        _ random: inout SeededGenerator, count: Int, plain: Bool = false
    ) -> [Record] {
        (0..<count).map { _ in record(&random, plain: plain) }
    }

    /// A batch of a few dozen bytes with a bit of everything.
    static let small: [Record] = [
        Record(
            key: [1, 2], value: [3, 4, 5],
            headers: [RecordHeader("h", "x"), RecordHeader("n", nil)],
            timestamp: Timestamp(milliseconds: 1_000)),
        Record(key: nil, value: [], timestamp: Timestamp(milliseconds: 900)),
        Record(key: [], value: nil, timestamp: Timestamp(milliseconds: 70_000)),
    ]
}
