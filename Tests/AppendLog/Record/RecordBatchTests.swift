import Testing

@testable import AppendLog

@Suite("Record batch")
struct RecordBatchTests {
    @Test("a batch reads back as it was written", arguments: [1, 2, 3, 64, 65, 300])
    func roundTrip(count: Int) throws {
        var random = SplitMix64(seed: UInt64(count))
        let records = RecordSamples.records(&random, count: count)
        let base = Offset(Int64(random.next() >> 2))
        let producer = ProducerStamp(producerID: 7, epoch: 2, baseSequence: .max)
        var buffer: [UInt8] = [0xAA, 0xBB]
        let written = RecordBatch.encode(
            records, baseOffset: base, producer: producer, partitionLeaderEpoch: 9, into: &buffer)
        let batch = buffer.dropFirst(2)
        #expect(batch.count == RecordBatch.encodedByteCount(records))
        #expect(
            records.reduce(61) { $0 + RecordBatch.encodedByteCountMax(of: $1) } >= batch.count)
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
}
