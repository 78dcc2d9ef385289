import CZlib

/// Reads gzip (RFC 1952) in pieces; members that follow one another are one text, as gzip itself
/// takes them.
final class GzipReader {
    /// Why bytes are no gzip.
    struct Fault: Error, CustomStringConvertible {
        var description: String
    }

    private var stream = z_stream()
    private var isAtMemberEnd = false
    private static let pieceByteCount = 1 << 18

    init() {
        // SAFETY: zlib fills the struct in; 31 is the largest window with a gzip header.
        let begun = inflateInit2_(
            &stream, 31, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        precondition(begun == Z_OK, "zlib does not begin: \(begun)")
    }

    deinit { inflateEnd(&stream) }

    /// Hands what `bytes` hold to `body`, in pieces.
    func take<Failure: Error>(
        _ bytes: [UInt8], fault: (Fault) -> Failure, _ body: ([UInt8]) throws(Failure) -> Void
    ) throws(Failure) {
        var input = bytes
        var start = 0
        while start < input.count {
            if isAtMemberEnd {
                guard inflateReset(&stream) == Z_OK else {
                    throw fault(Fault(description: "zlib cannot begin again"))
                }
                isAtMemberEnd = false
            }
            let (output, read, status) = inflate(&input, from: start)
            start += read
            guard status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR else {
                throw fault(Fault(description: "it is no gzip, or damaged"))
            }
            if !output.isEmpty { try body(output) }
            isAtMemberEnd = status == Z_STREAM_END
            guard read > 0 || !output.isEmpty else { break }
        }
    }

    /// Whether the text has its end.
    var isComplete: Bool { isAtMemberEnd }

    private func inflate(
        _ input: inout [UInt8], from start: Int
    ) -> (output: [UInt8], read: Int, status: Int32) {
        var status: Int32 = Z_OK
        let available = input.count - start
        let output = [UInt8](unsafeUninitializedCapacity: Self.pieceByteCount) { buffer, count in
            // SAFETY: both buffers outlive the call, and zlib keeps within the counts.
            input.withUnsafeMutableBufferPointer { source in
                stream.next_in = source.baseAddress.map { $0 + start }
                stream.avail_in = UInt32(available)
                stream.next_out = buffer.baseAddress
                stream.avail_out = UInt32(buffer.count)
                status = CZlib.inflate(&stream, Z_NO_FLUSH)
            }
            count = buffer.count - Int(stream.avail_out)
        }
        return (output, available - Int(stream.avail_in), status)
    }
}
