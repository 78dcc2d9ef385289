/// Feeds any bytes to the record batch decoder, as they are and with length, version and checksum
/// made right, so that the fuzzer reaches the records behind them. `Tests/Fuzz/run.sh 60
/// RecordBatch`

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzRecordBatch(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let raw = UnsafeRawBufferPointer(start: start, count: count)
    // The fuzzer's own bytes, so that the address sanitizer sees a read past their end.
    _ = try? RecordBatch.verify(raw)
    _ = RecordBatch.isUnwritten(raw)
    if CRC32C.Implementation.instruction.isAvailable {
        let portable = CRC32C.Implementation.portable.checksum(raw)
        let instruction = CRC32C.Implementation.instruction.checksum(raw)
        precondition(portable == instruction, "CRC-32C \(portable) and \(instruction)")
    }
    var bytes = Array(raw)
    _ = try? RecordBatch.records(in: bytes[...])
    guard bytes.count >= RecordBatch.headerByteCount else { return 0 }
    makeRight(&bytes)
    guard let header = try? RecordBatch.verify(bytes[...]) else { return 0 }
    precondition(header.byteCount == bytes.count, "\(header) of \(bytes.count) bytes")
    guard let records = try? RecordBatch.records(in: bytes[...]) else { return 0 }
    checkInvariants(of: records, under: header)
    checkRoundTrip(of: records)
    return 0
}

private func makeRight(_ bytes: inout [UInt8]) {
    func put(_ number: UInt32, at position: Int) {
        for index in 0..<4 {
            bytes[position + index] = UInt8(truncatingIfNeeded: number >> UInt32(24 - 8 * index))
        }
    }
    put(UInt32(bytes.count - RecordBatch.prefixByteCount), at: RecordBatch.Position.batchLength)
    bytes[RecordBatch.Position.magic] = 2
    put(CRC32C.checksum(bytes[RecordBatch.Position.attributes...]), at: RecordBatch.Position.crc)
}

private func checkInvariants(of records: [StoredRecord], under header: RecordBatchHeader) {
    precondition(records.count == header.recordCount, "\(records.count) records, not \(header)")
    var previous = header.baseOffset.advanced(by: -1)
    for record in records {
        precondition(record.offset > previous, "\(record.offset) after \(previous)")
        previous = record.offset
    }
    precondition(previous <= header.lastOffset, "\(previous) beyond \(header.lastOffset)")
}

private func checkRoundTrip(of stored: [StoredRecord]) {
    guard !stored.isEmpty else { return }
    let records = stored.map(\.record)
    var again: [UInt8] = []
    RecordBatch.encode(records, baseOffset: Offset(3), into: &again)
    do {
        try RecordBatch.verify(again[...])
        let decoded = try RecordBatch.records(in: again[...])
        precondition(decoded.map(\.record) == records, "\(records) came back as \(decoded)")
    } catch {
        preconditionFailure("our own batch is refused: \(error)")
    }
}
