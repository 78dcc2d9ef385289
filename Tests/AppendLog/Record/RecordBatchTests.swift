import Testing

@testable import AppendLog

@Suite("Record batch")
struct RecordBatchTests {
    @Test("a batch reads back as it was written", arguments: [1, 2, 3, 64, 65, 300])
    func roundTrip(count: Int) throws {
        var random = SeededGenerator(seed: UInt64(count))
        let records = RecordSamples.records(&random, count: count)
        let base = Offset(Int64(random.next() >> 2))
        let producer = ProducerStamp(producerID: 7, epoch: 2, baseSequence: .max)
        var buffer: [UInt8] = [0xAA, 0xBB]
        let written = RecordBatch.encode(
            records, baseOffset: base, producer: producer, partitionLeaderEpoch: 9, into: &buffer)
        #expect(buffer.starts(with: [0xAA, 0xBB]))
        let batch = buffer.dropFirst(2)
        #expect(batch.count == RecordBatch.encodedByteCount(records))
        let header = try RecordBatch.verify(batch)
        #expect(header == written)
        #expect(header.baseOffset == base)
        #expect(header.nextOffset == base.advanced(by: Int64(count)))
        #expect(header.recordCount == count)
        #expect(header.producer == producer)
        #expect(header.partitionLeaderEpoch == 9)
        #expect(header.baseTimestamp == records[0].timestamp)
        #expect(header.maxTimestamp == records.map(\.timestamp).max())
        let expected = records.enumerated().map {
            StoredRecord(offset: base.advanced(by: Int64($0.offset)), record: $0.element)
        }
        #expect(try RecordBatch.records(in: batch) == expected)
    }

    @Test("a batch of a known record has exactly the bytes of the format's definition")
    func golden() {
        var buffer: [UInt8] = []
        RecordBatch.encode(
            [
                Record(
                    key: [0x6B], value: [0x76, 0x77], headers: [RecordHeader("h", nil)],
                    timestamp: Timestamp(milliseconds: 1_000))
            ], baseOffset: Offset(5),
            producer: ProducerStamp(producerID: 3, epoch: 1, baseSequence: 8), into: &buffer)
        let expected = HandmadeBatch(
            baseOffset: 5, baseTimestamp: 1_000, maxTimestamp: 1_000, producerID: 3,
            producerEpoch: 1, baseSequence: 8, recordCount: 1,
            records: [
                0x18, 0x00, 0x00, 0x00, 0x02, 0x6B, 0x04, 0x76, 0x77, 0x02, 0x02, 0x68, 0x01,
            ]
        ).bytes
        #expect(buffer == expected)
        // As another implementation sums it up; docs/formats/log.md shows this batch.
        #expect(buffer[17..<21] == [0x18, 0x1A, 0x74, 0x4D])
    }

    @Test("a batch without records is the caller's bug, and so is an offset below zero")
    func misuse() async {
        await #expect(processExitsWith: .failure) {
            var buffer: [UInt8] = []
            RecordBatch.encode([], baseOffset: .zero, into: &buffer)
        }
        await #expect(processExitsWith: .failure) {
            var buffer: [UInt8] = []
            let record = Record(key: nil, value: nil, timestamp: Timestamp(milliseconds: 0))
            RecordBatch.encode([record], baseOffset: Offset(-1), into: &buffer)
        }
    }

    @Test("a collection that is not contiguous encodes to the same bytes")
    func notContiguous() {
        var random = SeededGenerator(seed: 4)
        let records = RecordSamples.records(&random, count: 5)
        var direct: [UInt8] = []
        var lazily: [UInt8] = []
        RecordBatch.encode(records, baseOffset: .zero, into: &direct)
        RecordBatch.encode(records.lazy.map { $0 }, baseOffset: .zero, into: &lazily)
        #expect(direct == lazily)
    }

    @Test("the estimate of a record is never below its bytes and at most 17 above")
    func estimate() {
        var random = SeededGenerator(seed: 5)
        for _ in 0..<200 {
            let record = RecordSamples.record(&random)
            let alone = RecordBatch.encodedByteCount([record]) - RecordBatch.headerByteCount
            let excess = RecordBatch.encodedByteCountMax(of: record) - alone
            #expect(excess >= 0 && excess <= 17)
        }
        // Far into a batch and far from its first moment, where the deltas are longest.
        let early = Record(key: nil, value: nil, timestamp: Timestamp(milliseconds: .min))
        let late = Record(key: nil, value: nil, timestamp: Timestamp(milliseconds: -1))
        let batch = Array(repeating: early, count: 10_000) + [late]
        let last =
            RecordBatch.encodedByteCount(batch)
            - RecordBatch.encodedByteCount(batch.dropLast())
        #expect(last <= RecordBatch.encodedByteCountMax(of: late))
    }

    @Test("a batch can be given its place after it was encoded")
    func assign() throws {
        var buffer: [UInt8] = [1, 2, 3]
        RecordBatch.encode(RecordSamples.small, baseOffset: .zero, into: &buffer)
        RecordBatch.assign(baseOffset: Offset(77), toBatchAt: 3, in: &buffer)
        let batch = buffer.dropFirst(3)
        #expect(try RecordBatch.verify(batch).baseOffset == Offset(77))
        #expect(try RecordBatch.records(in: batch).map(\.offset.rawValue) == [77, 78, 79])
    }

    @Test("records below the offset asked for are passed over", arguments: 0...4)
    func from(skipped: Int) throws {
        var buffer: [UInt8] = []
        RecordBatch.encode(RecordSamples.small, baseOffset: Offset(10), into: &buffer)
        let all = try RecordBatch.records(in: buffer[...])
        let some = try RecordBatch.records(
            in: buffer[...], from: Offset(10 + Int64(skipped)))
        #expect(some == Array(all.dropFirst(skipped)))
    }

    @Test("keys and values share the storage of the bytes that were read")
    func sharing() throws {
        var buffer: [UInt8] = []
        RecordBatch.encode(RecordSamples.small, baseOffset: .zero, into: &buffer)
        let record = try #require(try RecordBatch.records(in: buffer[...]).first?.record)
        let value = try #require(record.value)
        let inside = buffer.withUnsafeBytes { all in
            value.withUnsafeBytes { part in
                guard let start = all.baseAddress, let found = part.baseAddress else {
                    return false
                }
                return (0..<all.count).contains(start.distance(to: found))
            }
        }
        #expect(inside)
    }

    @Test("of headers with the same name the last one counts")
    func headerByName() {
        let record = Record(
            key: nil, value: nil,
            headers: [RecordHeader("a", "1"), RecordHeader("b", nil), RecordHeader("a", "2")],
            timestamp: Timestamp(milliseconds: 0))
        #expect(record.header("a") == ArraySlice("2".utf8))
        #expect(record.header("b") == nil)
        #expect(record.header("c") == nil)
    }

    @Test("a producer's sequence starts again at 0 after 2^31 - 1", arguments: [
        (from: Int32(0), count: 5, to: Int32(5)),
        (from: .max, count: 1, to: 0),
        (from: .max - 1, count: 4, to: 2),
    ])
    func sequence(from: Int32, count: Int, to: Int32) {
        let stamp = ProducerStamp(producerID: 1, epoch: 0, baseSequence: from)
        #expect(stamp.advanced(by: count).baseSequence == to)
    }

    @Test("varints take the bytes that the format gives them")
    func varints() {
        for power in 0..<64 {
            for near in [Int64(-1), 0, 1] {
                let value = Int64(bitPattern: 1 << UInt64(power)) &+ near
                for value in [value, 0 &- value] {
                    #expect(Varint.byteCount(value) == HandmadeBatch.varint(value).count)
                    #expect(Varint.unzigzag(Varint.zigzag(value)) == value)
                }
            }
        }
    }

    @Test("a zero tail is told from a damaged batch")
    func unwritten() {
        #expect([UInt8](repeating: 0, count: 100).withUnsafeBytes(RecordBatch.isUnwritten))
        #expect([UInt8]().withUnsafeBytes(RecordBatch.isUnwritten))
        var bytes = [UInt8](repeating: 0, count: 100)
        bytes[60] = 1
        #expect(!bytes.withUnsafeBytes(RecordBatch.isUnwritten))
        #expect(throws: RecordBatchError.malformed(.batchLength, at: 8)) {
            try RecordBatch.header(in: [UInt8](repeating: 0, count: 61)[...])
        }
    }
}

/// What this log never writes, but Kafka does.
@Suite("Unusual but legal batches")
struct UnusualRecordBatchTests {
    @Test("a batch that a compaction emptied has a header and no records")
    func empty() throws {
        let batch = HandmadeBatch(baseOffset: 8, lastOffsetDelta: 41).bytes[...]
        let header = try RecordBatch.verify(batch)
        #expect(header.recordCount == 0)
        #expect(header.nextOffset == Offset(50))
        #expect(try RecordBatch.records(in: batch).isEmpty)
    }

    @Test("offsets may have gaps, at the start and at the end too")
    func gaps() throws {
        let batch = HandmadeBatch(
            baseOffset: 100, lastOffsetDelta: 9, recordCount: 2,
            records: HandmadeBatch.bare(offsetDelta: 2) + HandmadeBatch.bare(offsetDelta: 5)
        ).bytes[...]
        #expect(try RecordBatch.verify(batch).lastOffset == Offset(109))
        #expect(
            try RecordBatch.records(in: batch).map(\.offset) == [Offset(102), Offset(105)])
    }

    @Test("with log-append time every record has the batch's latest timestamp")
    func logAppendTime() throws {
        let batch = HandmadeBatch(
            attributes: 1 << 3, lastOffsetDelta: 1, baseTimestamp: 50, maxTimestamp: 99,
            recordCount: 2,
            records: HandmadeBatch.bare(offsetDelta: 0)
                + HandmadeBatch.bare(offsetDelta: 1, timestampDelta: 7)
        ).bytes[...]
        #expect(try RecordBatch.verify(batch).attributes.timestampType == .logAppend)
        #expect(
            try RecordBatch.records(in: batch).map(\.record.timestamp.milliseconds) == [99, 99])
    }

    @Test("timestamps may run backwards")
    func backwards() throws {
        let batch = HandmadeBatch(
            lastOffsetDelta: 1, baseTimestamp: 1_000, maxTimestamp: 1_000, recordCount: 2,
            records: HandmadeBatch.bare(offsetDelta: 0)
                + HandmadeBatch.bare(offsetDelta: 1, timestampDelta: -900)
        ).bytes[...]
        #expect(
            try RecordBatch.records(in: batch).map(\.record.timestamp.milliseconds)
                == [1_000, 100])
    }

    @Test("a control batch is known by its header")
    func control() throws {
        // Version 0, type 1: a commit marker.
        let marker = HandmadeBatch.record([0], [0], [8, 0, 0, 0, 1], [12, 0, 0, 0, 0, 0, 0], [0])
        let batch = HandmadeBatch(
            attributes: 1 << 4 | 1 << 5, producerID: 12, producerEpoch: 1, recordCount: 1,
            records: marker
        ).bytes[...]
        let header = try RecordBatch.verify(batch)
        #expect(header.attributes.isControl && header.attributes.isTransactional)
        #expect(header.producer == ProducerStamp(producerID: 12, epoch: 1, baseSequence: -1))
        #expect(try RecordBatch.records(in: batch).first?.record.key == [0, 0, 0, 1])
    }

    @Test("a delete horizon and flags without a meaning do not disturb")
    func flags() throws {
        let batch = HandmadeBatch(
            attributes: 0xFF00 | 1 << 6, recordCount: 1,
            records: HandmadeBatch.bare(offsetDelta: 0)
        ).bytes[...]
        #expect(try RecordBatch.verify(batch).attributes.hasDeleteHorizon)
        #expect(try RecordBatch.records(in: batch).count == 1)
    }

    @Test("a varint padded with empty groups reads like a short one")
    func padded() throws {
        let batch = HandmadeBatch(
            recordCount: 1,
            records: HandmadeBatch.record([0x80, 0x80, 0x00], [0x80, 0x00], [1], [1], [0])
        ).bytes[...]
        #expect(try RecordBatch.records(in: batch).map(\.offset) == [.zero])
    }

    @Test("a compressed batch is refused by the name of its codec", arguments: [
        (bits: UInt16(1), codec: CompressionCodec.gzip, name: "gzip"),
        (bits: 2, codec: .snappy, name: "snappy"),
        (bits: 3, codec: .lz4, name: "lz4"),
        (bits: 4, codec: .zstd, name: "zstd"),
        (bits: 7, codec: .unassigned(7), name: "unassigned codec 7"),
    ])
    func compressed(bits: UInt16, codec: CompressionCodec, name: String) throws {
        let batch = HandmadeBatch(
            attributes: bits, lastOffsetDelta: 99, recordCount: 100, records: [1, 2, 3]
        ).bytes[...]
        #expect(try RecordBatch.verify(batch).attributes.compression == codec)
        #expect(codec.description == name)
        #expect(throws: RecordBatchError.unsupportedCompression(codec)) {
            try RecordBatch.records(in: batch)
        }
    }
}
