import Testing

@testable import AppendLog

/// Both ways against kafka-python, which shares no code with us.
@Suite("Record batches and kafka-python")
struct KafkaInteropTests {
    private static func batches(seed: UInt64) -> [[Record]] {
        var random = SeededGenerator(seed: seed)
        return [RecordSamples.small]
            + [1, 2, 63, 64, 65, 150].map {
                RecordSamples.records(&random, count: $0, plain: true)
            }
    }

    private static func producer(_ index: Int) -> ProducerStamp? {
        index % 2 == 0
            ? nil : ProducerStamp(producerID: 40 + Int64(index), epoch: 3, baseSequence: .max - 1)
    }

    @Test("kafka-python reads every batch of ours, with valid checksums and a zero tail behind")
    func kafkaReadsOurs() throws {
        let batches = Self.batches(seed: 2)
        var segment: [UInt8] = []
        var headers: [RecordBatchHeader] = []
        var positions: [Int] = []
        var offset = Offset(4_000_000_000)
        for (index, records) in batches.enumerated() {
            positions.append(segment.count)
            headers.append(
                RecordBatch.encode(
                    records, baseOffset: offset, producer: Self.producer(index),
                    partitionLeaderEpoch: Int32(index), into: &segment))
            offset = headers[index].nextOffset
        }
        let read = try KafkaPython.read(segment + [UInt8](repeating: 0, count: 4_096))
        try #require(read.count == batches.count)
        for (index, batch) in read.enumerated() {
            let header = headers[index]
            #expect(batch.crcIsValid == true)
            #expect(batch.position == positions[index])
            #expect(batch.size == header.byteCount)
            #expect(batch.baseOffset == header.baseOffset.rawValue)
            #expect(batch.nextOffset == header.nextOffset.rawValue)
            #expect(batch.leaderEpoch == header.partitionLeaderEpoch)
            #expect(batch.attributes == 0)
            #expect(batch.firstTimestamp == header.baseTimestamp.milliseconds)
            #expect(batch.maxTimestamp == header.maxTimestamp.milliseconds)
            #expect(batch.producerId == Self.producer(index)?.producerID ?? -1)
            #expect(batch.producerEpoch == Self.producer(index)?.epoch ?? -1)
            #expect(batch.baseSequence == Self.producer(index)?.baseSequence ?? -1)
            let expected = batches[index].enumerated().map {
                KafkaRecord(
                    StoredRecord(
                        offset: header.baseOffset.advanced(by: Int64($0.offset)),
                        record: $0.element))
            }
            #expect(batch.records == expected)
        }
    }

    @Test("kafka-python sees a checksum of ours break when a byte of the batch changes")
    func kafkaSeesDamage() throws {
        var segment: [UInt8] = []
        RecordBatch.encode(RecordSamples.small, baseOffset: .zero, into: &segment)
        segment[66] ^= 1
        #expect(throws: RecordBatchError.self) { try RecordBatch.verify(segment[...]) }
        #expect(try KafkaPython.read(segment).map(\.crcIsValid) == [false])
    }

    @Test("we read every batch that kafka-python builds, and would have written the same bytes")
    func weReadKafkas() throws {
        let batches = Self.batches(seed: 3)
        let segment = try KafkaPython.build(
            batches.enumerated().map {
                .asked($0.element, producer: Self.producer($0.offset))
            })
        var rest = segment[...]
        for (index, records) in batches.enumerated() {
            let header = try RecordBatch.verify(rest)
            #expect(header.producer == Self.producer(index))
            #expect(header.recordCount == records.count)
            let read = try RecordBatch.records(in: rest)
            #expect(read.map(\.record) == records)
            #expect(read.map(\.offset.rawValue) == Array(0..<Int64(records.count)))
            var ours: [UInt8] = []
            RecordBatch.encode(
                records, baseOffset: .zero, producer: Self.producer(index), into: &ours)
            #expect(ours[...] == rest.prefix(header.byteCount))
            rest = rest.dropFirst(header.byteCount)
        }
        #expect(rest.isEmpty)
    }

    @Test("a batch that kafka-python compressed is refused by its codec, with its header read")
    func compressed() throws {
        let records = (0..<20).map { _ in
            Record(
                key: nil, value: ArraySlice(repeating: 7, count: 100),
                timestamp: Timestamp(milliseconds: 5))
        }
        let batch = try KafkaPython.build([.asked(records, compression: 1)])[...]
        let header = try RecordBatch.verify(batch)
        #expect(header.attributes.compression == .gzip)
        #expect(header.recordCount == 20)
        #expect(header.byteCount < 300)
        #expect(throws: RecordBatchError.unsupportedCompression(.gzip)) {
            try RecordBatch.records(in: batch)
        }
    }

    @Test("a transactional batch and one with gaps, built by kafka-python, read")
    func unusual() throws {
        var asked = KafkaBatch.asked(
            RecordSamples.small, isTransactional: true,
            producer: ProducerStamp(producerID: 1, epoch: 0, baseSequence: 0))
        asked.records[1].offset = 17
        asked.records[2].offset = 900
        let batch = try KafkaPython.build([asked])[...]
        let header = try RecordBatch.verify(batch)
        #expect(header.attributes.isTransactional)
        #expect(header.lastOffset == Offset(900))
        #expect(header.recordCount == 3)
        #expect(
            try RecordBatch.records(in: batch).map(\.offset) == [.zero, Offset(17), Offset(900)])
    }
}
