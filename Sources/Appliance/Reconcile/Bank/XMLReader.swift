/// Reads an XML document element by element, as far as banks' messages need it (XML 1.0).
///
/// A document type is refused: it can name other files and blow up a few bytes to millions, and no
/// message of ISO 20022 has one. Names lose their prefix, attributes are kept, comments and
/// instructions are passed over. The toolchain's own reader would bring libxml2 into the program.
struct XMLReader {
    enum Event: Hashable {
        case start(name: String, attributes: [String: String])
        case end(name: String)
        case text(String)
    }

    private let bytes: [UInt8]
    private var place = 0
    private var open: [String] = []
    /// The end of an element that was written in one: `<a/>`.
    private var pendingEnd: String?
    private var hasRoot = false

    /// - Parameter bytes: UTF-8, with or without its mark.
    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { place = 3 }
    }

    /// - Returns: nil at the document's end.
    mutating func next() throws(BankFileRefusal) -> Event? {
        if let name = pendingEnd {
            pendingEnd = nil
            return .end(name: name)
        }
        while place < bytes.count {
            guard bytes[place] == UInt8(ascii: "<") else {
                if let text = try text() { return .text(text) }
                continue
            }
            if starts(with: "<!--") {
                try skip(behind: "-->")
            } else if starts(with: "<?") {
                try skip(behind: "?>")
            } else if starts(with: "<![CDATA[") {
                return .text(try characterData())
            } else if starts(with: "<!") {
                throw refusal("it has a document type, which no bank's message has")
            } else {
                return try starts(with: "</") ? endTag() : startTag()
            }
        }
        guard open.isEmpty, hasRoot else {
            throw refusal("the file ends within <\(open.last ?? "Document")>; fetch it again")
        }
        return nil
    }

    // MARK: Parts

    private mutating func startTag() throws(BankFileRefusal) -> Event {
        place += 1
        let name = try self.name()
        guard open.count < BankLimits.depthMax, !open.isEmpty || !hasRoot else {
            throw refusal("its elements stand too deep, or beside the document's own")
        }
        hasRoot = true
        var attributes: [String: String] = [:]
        while true {
            skipSpace()
            if starts(with: "/>") {
                place += 2
                pendingEnd = name
                return .start(name: name, attributes: attributes)
            }
            if starts(with: ">") {
                place += 1
                open.append(name)
                return .start(name: name, attributes: attributes)
            }
            let (key, value) = try attribute()
            attributes[key] = value
        }
    }

    private mutating func endTag() throws(BankFileRefusal) -> Event {
        place += 2
        let name = try self.name()
        skipSpace()
        guard starts(with: ">"), open.last == name else {
            throw refusal("</\(name)> closes what is not open")
        }
        place += 1
        open.removeLast()
        return .end(name: name)
    }

    private mutating func attribute() throws(BankFileRefusal) -> (String, String) {
        let key = try name()
        skipSpace()
        guard starts(with: "=") else { throw refusal("an attribute has no value") }
        place += 1
        skipSpace()
        guard place < bytes.count, bytes[place] == UInt8(ascii: "\"") || bytes[place] == 0x27,
            let end = bytes[(place + 1)...].firstIndex(of: bytes[place])
        else { throw refusal("an attribute's value has no quotation marks") }
        let value = try decoded(bytes[(place + 1)..<end])
        place = end + 1
        return (key, value)
    }

    /// Text up to the next tag; nil where it is outside of the document's element and empty.
    private mutating func text() throws(BankFileRefusal) -> String? {
        let end = bytes[place...].firstIndex(of: UInt8(ascii: "<")) ?? bytes.count
        let text = try decoded(bytes[place..<end])
        defer { place = end }
        guard open.isEmpty else { return text }
        guard text.allSatisfy(\.isWhitespace) else { throw refusal("it is no XML") }
        return nil
    }

    private mutating func characterData() throws(BankFileRefusal) -> String {
        let start = place + 9
        try skip(behind: "]]>")
        return String(decoding: bytes[start..<(place - 3)], as: UTF8.self)
    }

    /// A name without its prefix.
    private mutating func name() throws(BankFileRefusal) -> String {
        let rest = bytes[place...]
        let end = rest.firstIndex { byte in
            byte <= 0x20 || [UInt8(ascii: ">"), UInt8(ascii: "/"), UInt8(ascii: "=")].contains(byte)
        } ?? rest.endIndex
        guard end > place, end - place <= 100 else { throw refusal("an element has no name") }
        let whole = String(decoding: bytes[place..<end], as: UTF8.self)
        place = end
        return whole.split(separator: ":").last.map(String.init) ?? whole
    }

    /// Text with its references resolved: the five of XML, and numbers.
    private func decoded(_ slice: ArraySlice<UInt8>) throws(BankFileRefusal) -> String {
        guard slice.contains(UInt8(ascii: "&")) else {
            return String(decoding: slice, as: UTF8.self)
        }
        var out: [UInt8] = []
        var rest = slice
        while let start = rest.firstIndex(of: UInt8(ascii: "&")) {
            out += rest[rest.startIndex..<start]
            guard let end = rest[start...].prefix(12).firstIndex(of: UInt8(ascii: ";")),
                let scalar = Self.scalar(
                    of: String(decoding: rest[(start + 1)..<end], as: UTF8.self))
            else { throw refusal("& does not begin a reference that is known") }
            out += Array(String(Character(scalar)).utf8)
            rest = rest[(end + 1)...]
        }
        return String(decoding: out + rest, as: UTF8.self)
    }

    private static func scalar(of reference: String) -> Unicode.Scalar? {
        switch reference {
        case "amp": return "&"
        case "lt": return "<"
        case "gt": return ">"
        case "quot": return "\""
        case "apos": return "'"
        default: break
        }
        guard reference.hasPrefix("#") else { return nil }
        let digits = reference.dropFirst()
        let number = digits.hasPrefix("x")
            ? UInt32(digits.dropFirst(), radix: 16) : UInt32(digits)
        return number.flatMap(Unicode.Scalar.init)
    }

    // MARK: Places

    private func starts(with text: StaticString) -> Bool {
        let count = text.utf8CodeUnitCount
        guard bytes.count - place >= count else { return false }
        return (0..<count).allSatisfy { bytes[place + $0] == text.utf8Start[$0] }
    }

    private mutating func skipSpace() {
        while place < bytes.count, bytes[place] <= 0x20 { place += 1 }
    }

    private mutating func skip(behind end: StaticString) throws(BankFileRefusal) {
        while place < bytes.count {
            if starts(with: end) {
                place += end.utf8CodeUnitCount
                return
            }
            place += 1
        }
        throw refusal("the file ends within a comment or the like; fetch it again")
    }

    private func refusal(_ sentence: String) -> BankFileRefusal {
        let line = bytes.prefix(place).reduce(1) { $0 + ($1 == 0x0A ? 1 : 0) }
        return BankFileRefusal(line: line, sentence)
    }
}
