/// Writes JSON (RFC 8259) as UTF-8, without white space, in exactly the order of the calls.
///
/// The caller answers for the balance of `begin` and `end` and for a key before each member;
/// the writer puts the commas. It allocates nothing but its buffer, which `removeAll` keeps.
struct JSONWriter {
    /// What has been written so far.
    private(set) var bytes: [UInt8] = []

    /// Whether a value stands before the next one in the same container.
    private var needsComma = false

    init(capacity: Int = 0) { bytes.reserveCapacity(capacity) }

    /// Forgets what was written and keeps the room for it.
    mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        needsComma = false
    }

    // MARK: Containers

    mutating func beginObject() { begin(UInt8(ascii: "{")) }
    mutating func endObject() { end(UInt8(ascii: "}")) }
    mutating func beginArray() { begin(UInt8(ascii: "[")) }
    mutating func endArray() { end(UInt8(ascii: "]")) }

    private mutating func begin(_ bracket: UInt8) {
        separate()
        bytes.append(bracket)
        needsComma = false
    }

    private mutating func end(_ bracket: UInt8) {
        bytes.append(bracket)
        needsComma = true
    }

    /// Writes a member's key, which may hold nothing that JSON must escape.
    mutating func key(_ name: StaticString) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        // SAFETY: a static string's bytes live for ever.
        bytes.append(
            contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    /// Writes a member's key that is only known at run time.
    mutating func key(named name: String) {
        string(name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    // MARK: Values

    mutating func null() { literal("null") }

    mutating func bool(_ value: Bool) { literal(value ? "true" : "false") }

    mutating func int(_ value: Int64) {
        separate()
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        digits(value.magnitude)
        needsComma = true
    }

    /// The shortest text that reads back as the same double. JSON has no word for infinities and
    /// not-a-number; they become null.
    mutating func double(_ value: Double) { decimal(value.description, finite: value.isFinite) }

    /// The shortest text that reads back as the same float.
    mutating func float(_ value: Float) { decimal(value.description, finite: value.isFinite) }

    mutating func string(_ value: String) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        var value = value
        // SAFETY: the bytes are copied within the call.
        value.withUTF8 { append($0) }
        bytes.append(UInt8(ascii: "\""))
        needsComma = true
    }

    /// A value that is JSON already.
    mutating func json(_ text: [UInt8]) {
        separate()
        bytes.append(contentsOf: text)
        needsComma = true
    }

    // MARK: Members

    mutating func member(_ name: StaticString, _ value: String) {
        key(name)
        string(value)
    }

    /// Writes null for nil.
    mutating func member(_ name: StaticString, _ value: String?) {
        key(name)
        if let value { string(value) } else { null() }
    }

    mutating func member(_ name: StaticString, _ value: Int64) {
        key(name)
        int(value)
    }

    /// Writes null for nil.
    mutating func member(_ name: StaticString, _ value: Int64?) {
        key(name)
        if let value { int(value) } else { null() }
    }

    mutating func member(_ name: StaticString, _ value: Bool) {
        key(name)
        bool(value)
    }

    /// Writes null for nil.
    mutating func member(_ name: StaticString, _ value: Double?) {
        key(name)
        if let value { double(value) } else { null() }
    }

    // MARK: Bytes

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
    }

    private mutating func literal(_ text: StaticString) {
        separate()
        // SAFETY: a static string's bytes live for ever.
        bytes.append(
            contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
        needsComma = true
    }

    private mutating func decimal(_ text: String, finite: Bool) {
        guard finite else { return null() }
        separate()
        bytes.append(contentsOf: text.utf8)
        // `14.0` is written as the integer it is; `-0.0` is not, or its sign would be lost.
        if text.hasSuffix(".0"), text != "-0.0" { bytes.removeLast(2) }
        needsComma = true
    }

    private mutating func digits(_ magnitude: UInt64) {
        var count = 1
        var rest = magnitude / 10
        while rest > 0 {
            count += 1
            rest /= 10
        }
        let start = bytes.count
        bytes.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: count))
        rest = magnitude
        for position in stride(from: start + count - 1, through: start, by: -1) {
            let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
            bytes[position] = UInt8(ascii: "0") + UInt8(digit)
            rest = quotient
        }
    }

    /// Copies runs of ordinary bytes at once, and escapes those that JSON does not allow as such:
    /// quotation mark, backslash and the control characters below 0x20.
    private mutating func append(_ text: UnsafeBufferPointer<UInt8>) {
        var runStart = 0
        for position in text.indices {
            let byte = text[position]
            guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else {
                continue
            }
            bytes.append(contentsOf: text[runStart..<position])
            escape(byte)
            runStart = position + 1
        }
        bytes.append(contentsOf: text[runStart...])
    }

    private mutating func escape(_ byte: UInt8) {
        bytes.append(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes.append(byte)
        case 0x0A: bytes.append(UInt8(ascii: "n"))
        case 0x0D: bytes.append(UInt8(ascii: "r"))
        case 0x09: bytes.append(UInt8(ascii: "t"))
        default:
            let hex = Array("0123456789abcdef".utf8)
            bytes.append(contentsOf: [
                UInt8(ascii: "u"), UInt8(ascii: "0"), UInt8(ascii: "0"), hex[Int(byte >> 4)],
                hex[Int(byte & 15)],
            ])
        }
    }
}
