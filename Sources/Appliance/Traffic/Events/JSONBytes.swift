/// A JSON text under construction: bytes appended in place, nothing boxed.
package struct JSONBytes: Sendable {
    package var bytes: [UInt8] = []

    package init() {}

    mutating func append(raw text: StaticString) {
        // SAFETY: a static string's bytes live as long as the process and are only read.
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    mutating func append(raw text: [UInt8]) { bytes.append(contentsOf: text) }

    mutating func append(_ number: Int64) {
        if number < 0 { bytes.append(UInt8(ascii: "-")) }
        let first = bytes.count
        var rest = number.magnitude
        repeat {
            let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
            bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: digit))
            rest = quotient
        } while rest > 0
        bytes[first...].reverse()
    }

    mutating func append(_ value: Bool) {
        if value { append(raw: "true") } else { append(raw: "false") }
    }

    /// `text` in quotes. The caller vouches that it needs no escape: the twin's words are its own.
    mutating func append(quoted text: StaticString) {
        quote { $0.append(raw: text) }
    }

    /// `text` in quotes, or null. The caller vouches that it needs no escape.
    mutating func append(quoted text: [UInt8]?) {
        guard let text else { return appendNull() }
        quote { $0.append(raw: text) }
    }

    mutating func appendNull() { append(raw: "null") }

    /// What `content` appends, in quotes.
    @inline(__always)
    mutating func quote(_ content: (inout JSONBytes) -> Void) {
        bytes.append(UInt8(ascii: "\""))
        content(&self)
        bytes.append(UInt8(ascii: "\""))
    }
}

/// A text with named slots, cut once so that writing it is a row of copies.
///
/// A slot is written `{{name}}`; JSON itself, written over several lines, never holds two braces
/// side by side.
struct SlottedText<Slot: RawRepresentable & Sendable>: Sendable where Slot.RawValue == String {
    private let literal: [UInt8]
    private let opening: Range<Int>
    /// Each slot with the literal text that follows it.
    private let pieces: [(slot: Slot, following: Range<Int>)]

    /// - Parameter indentation: blanks put before every line but the first, for a text that is
    ///   written inside another.
    init(_ text: String, indentation: Int = 0) {
        let margin = "\n" + String(repeating: " ", count: indentation)
        let parts = text.replacing("\n", with: margin).split(
            separator: "{{", omittingEmptySubsequences: false)
        var literal = Array(parts[0].utf8)
        var pieces: [(slot: Slot, following: Range<Int>)] = []
        opening = literal.indices
        for part in parts.dropFirst() {
            let halves = part.split(separator: "}}", maxSplits: 1, omittingEmptySubsequences: false)
            guard halves.count == 2, let slot = Slot(rawValue: String(halves[0])) else {
                preconditionFailure("a template names an unknown slot: \(part.prefix(40))")
            }
            let start = literal.count
            literal.append(contentsOf: halves[1].utf8)
            pieces.append((slot, start..<literal.count))
        }
        self.literal = literal
        self.pieces = pieces
    }

    /// Appends the text to `out`, asking `fill` for each slot in order.
    @inline(__always)
    func write(into out: inout JSONBytes, fill: (Slot, inout JSONBytes) -> Void) {
        out.bytes.append(contentsOf: literal[opening])
        for piece in pieces {
            fill(piece.slot, &out)
            out.bytes.append(contentsOf: literal[piece.following])
        }
    }
}

/// Plain search for a short text. The standard library's generic one costs microseconds on arrays
/// of bytes, and the load client searches every answer.
enum ByteSearch {
    /// - Returns: where `text` first stands in `bytes`.
    static func range(of text: StaticString, in bytes: ArraySlice<UInt8>) -> Range<Int>? {
        // SAFETY: a static string's bytes live as long as the process and are only read.
        text.withUTF8Buffer { pattern in
            guard let first = pattern.first, bytes.count >= pattern.count else { return nil }
            for start in bytes.startIndex...(bytes.endIndex - pattern.count)
            where bytes[start] == first {
                var matched = 1
                while matched < pattern.count, bytes[start + matched] == pattern[matched] {
                    matched += 1
                }
                if matched == pattern.count { return start..<(start + matched) }
            }
            return nil
        }
    }

    /// True if `bytes` begin with `text`, which is in lower case, in any case of letters.
    static func begins(_ bytes: ArraySlice<UInt8>, withLowercase text: StaticString) -> Bool {
        // SAFETY: a static string's bytes live as long as the process and are only read.
        text.withUTF8Buffer { pattern in
            guard bytes.count >= pattern.count else { return false }
            for (offset, expected) in pattern.enumerated() {
                let byte = bytes[bytes.startIndex + offset]
                let lowered = (0x41...0x5A).contains(byte) ? byte | 0x20 : byte
                guard lowered == expected else { return false }
            }
            return true
        }
    }
}
