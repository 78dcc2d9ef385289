/// Finds where the elements of an array stand in a JSON text, so that each can be kept byte for
/// byte. The text must be valid JSON: it is read by `JSONDocument` first.
enum JSONSlices {
    /// The elements of the array that the top-level object holds under `key`; none where there is
    /// no such array.
    static func elements(of key: String, in bytes: [UInt8]) -> [ArraySlice<UInt8>] {
        var reader = Reader(bytes: bytes)
        guard reader.take("{") else { return [] }
        while let name = reader.string() {
            guard reader.take(":") else { return [] }
            if name.elementsEqual(key.utf8), reader.take("[") { return reader.elements() }
            reader.value()
            guard reader.take(",") else { return [] }
        }
        return []
    }

    private struct Reader {
        let bytes: [UInt8]
        var place = 0

        init(bytes: [UInt8]) { self.bytes = bytes }

        mutating func skipSpace() {
            while place < bytes.count, [0x20, 0x0A, 0x0D, 0x09].contains(bytes[place]) {
                place += 1
            }
        }

        mutating func take(_ sign: Unicode.Scalar) -> Bool {
            skipSpace()
            guard place < bytes.count, bytes[place] == UInt8(ascii: sign) else { return false }
            place += 1
            return true
        }

        /// What stands between the quotation marks, escapes as they are.
        mutating func string() -> ArraySlice<UInt8>? {
            guard take("\"") else { return nil }
            let start = place
            while place < bytes.count, bytes[place] != UInt8(ascii: "\"") {
                place += bytes[place] == UInt8(ascii: "\\") ? 2 : 1
            }
            guard place < bytes.count else { return nil }
            place += 1
            return bytes[start..<(place - 1)]
        }

        /// Passes over one value.
        mutating func value() {
            skipSpace()
            var depth = 0
            while place < bytes.count {
                switch bytes[place] {
                case UInt8(ascii: "\""):
                    _ = string()
                    if depth == 0 { return }
                case UInt8(ascii: "{"), UInt8(ascii: "["):
                    depth += 1
                    place += 1
                case UInt8(ascii: "}"), UInt8(ascii: "]"):
                    // A number that ends its container stays before the bracket.
                    if depth == 0 { return }
                    depth -= 1
                    place += 1
                    if depth == 0 { return }
                case UInt8(ascii: ",") where depth == 0: return
                default: place += 1
                }
            }
        }

        mutating func elements() -> [ArraySlice<UInt8>] {
            var found: [ArraySlice<UInt8>] = []
            while !take("]"), place < bytes.count {
                let start = place
                value()
                found.append(bytes[start..<place])
                _ = take(",")
            }
            return found
        }
    }
}
