import Appliance
import Vocabulary

/// Bytes of a record as a person reads them: JSON indented, text as it is, anything else as hex
/// beside its printable bytes. Numbers and strings stay as they were written.
struct ReadableValue {
    /// `JSON`, `text`, `bytes`, `empty`, or `no value`
    var kind: String
    /// Nothing hidden in it; with its line ends.
    var text: String
    /// What is not shown, in a sentence; nil where all is.
    var cut: String?

    /// Bytes that are shown as text or JSON, and as hex.
    static let textBytesMax = 64 << 10
    static let hexBytesMax = 4 << 10

    init(_ value: ArraySlice<UInt8>?) {
        guard let value, !value.isEmpty else {
            (kind, text) = (value == nil ? "no value" : "empty", "")
            return
        }
        if value.count <= Self.textBytesMax, let lines = Self.indented(value) {
            (kind, text) = ("JSON", Self.shown(lines))
            return
        }
        if let whole = Self.beginning(of: value) {
            (kind, text) = ("text", Self.shown(whole))
            cut = Self.cut(value.count, Self.textBytesMax)
        } else {
            (kind, text) = ("bytes", Self.hex(value.prefix(Self.hexBytesMax)))
            cut = Self.cut(value.count, Self.hexBytesMax)
        }
    }

    /// The text's beginning, without a character at the end that was cut in two; nil for no text.
    private static func beginning(of value: ArraySlice<UInt8>) -> String? {
        let first = value.prefix(textBytesMax)
        let cuts = first.count < value.count ? 0...3 : 0...0
        return cuts.lazy.compactMap { String(validating: first.dropLast($0), as: UTF8.self) }.first
    }

    private static func cut(_ count: Int, _ most: Int) -> String? {
        guard count > most else { return nil }
        return "The first \(ShownAmount.grouped(Int64(most))) of "
            + "\(ShownAmount.grouped(Int64(count))) bytes."
    }

    private static func shown(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false)
            .map { ShownText.escaped(String($0)) }.joined(separator: "\n")
    }

    // MARK: JSON

    /// A JSON document with a line for each member; nil for what is none.
    static func indented(_ bytes: ArraySlice<UInt8>) -> String? {
        guard let compact = JSONLine.compact(bytes), let first = compact.first,
            [UInt8(ascii: "{"), UInt8(ascii: "[")].contains(first)
        else { return nil }
        var out: [UInt8] = []
        out.reserveCapacity(compact.count * 2)
        var (depth, isInString, isEscaped) = (0, false, false)
        func breakLine() {
            out.append(UInt8(ascii: "\n"))
            out.append(contentsOf: repeatElement(UInt8(ascii: " "), count: 2 * depth))
        }
        for (place, byte) in compact.enumerated() {
            if isInString {
                out.append(byte)
                if byte == UInt8(ascii: "\""), !isEscaped { isInString = false }
                isEscaped = byte == UInt8(ascii: "\\") && !isEscaped
                continue
            }
            switch byte {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                out.append(byte)
                depth += 1
                // A container without members stays on its line.
                let closing = compact[place + 1]
                if closing != UInt8(ascii: "}"), closing != UInt8(ascii: "]") { breakLine() }
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                let opening = compact[place - 1]
                if opening != UInt8(ascii: "{"), opening != UInt8(ascii: "[") { breakLine() }
                out.append(byte)
            case UInt8(ascii: ","):
                out.append(byte)
                breakLine()
            case UInt8(ascii: ":"): out += [byte, UInt8(ascii: " ")]
            default:
                out.append(byte)
                isInString = byte == UInt8(ascii: "\"")
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    // MARK: Hex

    /// `00000010  7b 22 …  {"…`, sixteen bytes a line.
    static func hex(_ bytes: ArraySlice<UInt8>) -> String {
        stride(from: bytes.startIndex, to: bytes.endIndex, by: 16).map { start in
            let line = bytes[start..<min(start + 16, bytes.endIndex)]
            let place = String(start - bytes.startIndex, radix: 16)
            let digits = line.map { String(hex: CollectionOfOne($0)) }.joined(separator: " ")
            let shown = line.map { (0x20..<0x7F).contains($0) ? Character(.init($0)) : "·" }
            return String(repeating: "0", count: max(0, 8 - place.count)) + place + "  "
                + digits.padding(to: 47) + "  " + String(shown)
        }.joined(separator: "\n")
    }
}

extension String {
    fileprivate func padding(to count: Int) -> String {
        self + String(repeating: " ", count: Swift.max(0, count - self.count))
    }
}
