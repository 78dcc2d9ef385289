/// Writes JSON (RFC 8259) as UTF-8, without white space, in exactly the order of the calls.
///
/// The caller answers for the balance of `begin` and `end` and for a key before each member;
/// the writer puts the commas. It allocates nothing but its buffer, which `removeAll` keeps.
package struct JSONWriter {
    /// What has been written so far.
    package private(set) var bytes: [UInt8] = []

    /// Whether a value stands before the next one in the same container.
    private var needsComma = false

    package init(capacity: Int = 0) { bytes.reserveCapacity(capacity) }

    /// Forgets what was written and keeps the room for it.
    package mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        needsComma = false
    }

    /// Begins another document behind what was written.
    package mutating func beginDocument() { needsComma = false }

    /// Writes text as it is, which is no JSON: what stands between documents.
    package mutating func plain(_ text: String) { bytes.append(contentsOf: text.utf8) }

    // MARK: Containers

    package mutating func beginObject() { begin(UInt8(ascii: "{")) }
    package mutating func endObject() { end(UInt8(ascii: "}")) }
    package mutating func beginArray() { begin(UInt8(ascii: "[")) }
    package mutating func endArray() { end(UInt8(ascii: "]")) }

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
    package mutating func key(_ name: StaticString) {
        let isFurther = needsComma
        // Room is made once for all of it: an object is mostly keys.
        bytes.append(addingCapacity: name.utf8CodeUnitCount + 4) { span in
            if isFurther { span.append(UInt8(ascii: ",")) }
            span.append(UInt8(ascii: "\""))
            Self.copy(name, into: &span)
            span.append(UInt8(ascii: "\""))
            span.append(UInt8(ascii: ":"))
        }
        needsComma = false
    }

    /// Writes a member's key that is only known at run time.
    package mutating func key(named name: String) {
        string(name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    // MARK: Values

    package mutating func null() { literal("null") }

    package mutating func bool(_ value: Bool) { literal(value ? "true" : "false") }

    package mutating func int(_ value: Int64) {
        separate()
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        digits(value.magnitude)
        needsComma = true
    }

    /// The shortest text that reads back as the same double. JSON has no word for infinities and
    /// not-a-number; they become null.
    package mutating func double(_ value: Double) {
        if let integer = Self.integer(value) { int(integer) } else {
            decimal(value.description, finite: value.isFinite)
        }
    }

    /// The shortest text that reads back as the same float.
    package mutating func float(_ value: Float) {
        if let integer = Self.integer(value) { int(integer) } else {
            decimal(value.description, finite: value.isFinite)
        }
    }

    package mutating func string(_ value: String) {
        var value = value
        // SAFETY: the bytes are copied within the call.
        value.withUTF8 { text in
            if Self.isPlain(text) { append(text) } else { appendEscaped(text) }
        }
        needsComma = true
    }

    /// A value that is JSON already.
    package mutating func json(_ text: [UInt8]) {
        separate()
        bytes.append(contentsOf: text)
        needsComma = true
    }

    // MARK: Members

    package mutating func member(_ name: StaticString, _ value: String) {
        var value = value
        // SAFETY: the bytes are copied within the call.
        let isWritten = value.withUTF8 { text in
            guard Self.isPlain(text) else { return false }
            append(text, for: name)
            return true
        }
        guard !isWritten else { return }
        key(name)
        string(value)
    }

    /// Writes null for nil.
    package mutating func member(_ name: StaticString, _ value: String?) {
        if let value { return member(name, value) }
        key(name)
        null()
    }

    package mutating func member(_ name: StaticString, _ value: Int64) {
        key(name)
        int(value)
    }

    /// Writes null for nil.
    package mutating func member(_ name: StaticString, _ value: Int64?) {
        key(name)
        if let value { int(value) } else { null() }
    }

    package mutating func member(_ name: StaticString, _ value: Bool) {
        key(name)
        bool(value)
    }

    /// Writes null for nil.
    package mutating func member(_ name: StaticString, _ value: Double?) {
        key(name)
        if let value { double(value) } else { null() }
    }

    /// Writes a member that is a list.
    ///
    /// - Parameter write: writes an item, as one value.
    package mutating func list<Item>(
        _ name: StaticString, _ items: some Sequence<Item>,
        _ write: (Item, inout JSONWriter) -> Void
    ) {
        key(name)
        beginArray()
        for item in items { write(item, &self) }
        endArray()
    }

    /// Writes a member that is a list of objects.
    ///
    /// - Parameter write: writes an item's members.
    package mutating func objects<Item>(
        _ name: StaticString, _ items: some Sequence<Item>,
        _ write: (Item, inout JSONWriter) -> Void
    ) {
        list(name, items) { item, writer in
            writer.beginObject()
            write(item, &writer)
            writer.endObject()
        }
    }

    // MARK: Bytes

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
    }

    private mutating func literal(_ text: StaticString) {
        let isFurther = needsComma
        bytes.append(addingCapacity: text.utf8CodeUnitCount + 1) { span in
            if isFurther { span.append(UInt8(ascii: ",")) }
            Self.copy(text, into: &span)
        }
        needsComma = true
    }

    private static func copy(_ text: StaticString, into span: inout OutputSpan<UInt8>) {
        // SAFETY: a static string's bytes live for ever.
        copy(
            UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount), into: &span)
    }

    private static func copy(
        _ text: UnsafeBufferPointer<UInt8>, into span: inout OutputSpan<UInt8>
    ) {
        span.withUnsafeMutableBufferPointer { buffer, filled in
            precondition(buffer.count - filled >= text.count, "no room for \(text.count) bytes")
            // SAFETY: there is room for all of them.
            filled = buffer[filled...].initialize(fromContentsOf: text)
        }
    }

    private mutating func decimal(_ text: String, finite: Bool) {
        guard finite else { return null() }
        separate()
        bytes.append(contentsOf: text.utf8)
        // `1000000000.0` is written as the integer it is; `-0.0` is not, or its sign would be lost.
        if text.utf8.suffix(2).elementsEqual(".0".utf8), text != "-0.0" { bytes.removeLast(2) }
        needsComma = true
    }

    /// The value where it is an integer of few digits, as most features are.
    private static func integer(_ value: some BinaryFloatingPoint) -> Int64? {
        guard abs(value) < 1_000_000, value == value.rounded(.towardZero) else { return nil }
        return value == 0 && value.sign == .minus ? nil : Int64(value)
    }

    private mutating func digits(_ magnitude: UInt64) {
        var count = 1
        var rest = magnitude / 10
        while rest > 0 {
            count += 1
            rest /= 10
        }
        bytes.append(addingCapacity: count) { span in
            span.withUnsafeMutableBufferPointer { buffer, filled in
                // SAFETY: room for so many digits was asked for, and each place is written once.
                var rest = magnitude
                for place in stride(from: filled + count - 1, through: filled, by: -1) {
                    let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
                    buffer[place] = UInt8(ascii: "0") + UInt8(digit)
                    rest = quotient
                }
                filled += count
            }
        }
    }

    /// What JSON does not allow as such: quotation mark, backslash and the control characters.
    private static func mustEscape(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

    /// Whether there is nothing to escape. Looks at every byte, so that the compiler takes many at
    /// once.
    private static func isPlain(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        var found = false
        for byte in text where mustEscape(byte) { found = true }
        return !found
    }

    /// A key and a string of ordinary bytes, for which room is made once.
    private mutating func append(_ text: UnsafeBufferPointer<UInt8>, for name: StaticString) {
        let isFurther = needsComma
        bytes.append(addingCapacity: name.utf8CodeUnitCount + text.count + 6) { span in
            if isFurther { span.append(UInt8(ascii: ",")) }
            span.append(UInt8(ascii: "\""))
            Self.copy(name, into: &span)
            span.append(UInt8(ascii: "\""))
            span.append(UInt8(ascii: ":"))
            span.append(UInt8(ascii: "\""))
            Self.copy(text, into: &span)
            span.append(UInt8(ascii: "\""))
        }
        needsComma = true
    }

    /// A string of ordinary bytes.
    private mutating func append(_ text: UnsafeBufferPointer<UInt8>) {
        let isFurther = needsComma
        bytes.append(addingCapacity: text.count + 3) { span in
            if isFurther { span.append(UInt8(ascii: ",")) }
            span.append(UInt8(ascii: "\""))
            Self.copy(text, into: &span)
            span.append(UInt8(ascii: "\""))
        }
    }

    /// Any string. Copies runs of ordinary bytes at once.
    private mutating func appendEscaped(_ text: UnsafeBufferPointer<UInt8>) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        var runStart = 0
        for position in text.indices where Self.mustEscape(text[position]) {
            bytes.append(contentsOf: text[runStart..<position])
            escape(text[position])
            runStart = position + 1
        }
        bytes.append(contentsOf: text[runStart...])
        bytes.append(UInt8(ascii: "\""))
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
