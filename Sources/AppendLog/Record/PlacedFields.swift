/// Where the fields of a record lie in the bytes of its batch, which were walked over once and
/// found to be well-formed: everything here is inside them.
///
/// Positions are counted from the batch's first byte. 32 bits are enough, because a batch's length
/// has 31.
struct PlacedFields: Sendable {
    struct Field: Sendable {
        var position: UInt32
        /// −1 is Kafka's null.
        var count: Int32
    }

    /// The batch, and perhaps more.
    let bytes: ArraySlice<UInt8>
    let key: Field
    let value: Field
    /// Where the first header begins.
    let headersPosition: UInt32
    let headerCount: UInt32
    /// From the key's length to the record's end.
    let contentPosition: UInt32
    let contentByteCount: UInt32

    /// Key, value and headers with their lengths, as they are stored.
    var content: ArraySlice<UInt8> {
        let start = bytes.startIndex + Int(contentPosition)
        return bytes[start..<start + Int(contentByteCount)]
    }

    @inline(__always)
    subscript(field: Field) -> ArraySlice<UInt8>? {
        guard field.count >= 0 else { return nil }
        let start = bytes.startIndex + Int(field.position)
        return bytes[start..<start + Int(field.count)]
    }

    var headers: [RecordHeader] {
        guard headerCount > 0 else { return [] }
        var headers: [RecordHeader] = []
        headers.reserveCapacity(Int(headerCount))
        forEachHeader { name, value in
            headers.append(RecordHeader(String(decoding: name, as: UTF8.self), value))
        }
        return headers
    }

    func header(_ name: String) -> ArraySlice<UInt8>? {
        var found: ArraySlice<UInt8>?
        forEachHeader { candidate, value in
            if candidate.elementsEqual(name.utf8) { found = value }
        }
        return found
    }

    private func forEachHeader(_ body: (ArraySlice<UInt8>, ArraySlice<UInt8>?) -> Void) {
        var position = bytes.startIndex + Int(headersPosition)
        for _ in 0..<headerCount {
            guard let name = next(&position) else { preconditionFailure("a header without a name") }
            body(name, next(&position))
        }
    }

    /// The field whose length stands at `position`, which moves behind it.
    private func next(_ position: inout Int) -> ArraySlice<UInt8>? {
        var bits: UInt64 = 0
        var shift: UInt64 = 0
        while bytes[position] >= 0x80 {
            bits |= UInt64(bytes[position] & 0x7F) &<< shift
            shift += 7
            position += 1
        }
        bits |= UInt64(bytes[position]) &<< shift
        position += 1
        let count = Int(Varint.unzigzag(bits))
        guard count >= 0 else { return nil }
        defer { position += count }
        return bytes[position..<position + count]
    }
}
