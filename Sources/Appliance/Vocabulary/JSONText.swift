/// Where values stand in a JSON text, byte for byte: a parsed document knows what they are, and not
/// where.
///
/// For texts that `JSONDocument` has read. Of any other bytes the answer may be nil or a place
/// within them; none makes a function here trap.
package enum JSONText {
    /// One step from a container to a value in it.
    package enum Step: Hashable, Sendable {
        /// The first member of that name, which is the one that `JSONValue` finds.
        case member(String)
        /// 0 for the first element.
        case element(Int)
    }

    /// The bytes of a value, without blanks around it, counted from the text's first byte.
    ///
    /// - Returns: nil where the text has no such value.
    package static func range(of path: [Step], in text: ArraySlice<UInt8>) -> Range<Int>? {
        var scanner = JSONTextScanner(text)
        scanner.skipBlanks()
        for step in path where !scanner.enter(step) { return nil }
        let start = scanner.place
        guard scanner.skipValue() else { return nil }
        return (start - text.startIndex)..<(scanner.place - text.startIndex)
    }

    /// A path as people write it: `data.object.refunds.data[0].amount`.
    package static func words(_ path: [Step]) -> String {
        var words = ""
        for step in path {
            switch step {
            case .member(let name): words += words.isEmpty ? name : ".\(name)"
            case .element(let number): words += "[\(number)]"
            }
        }
        return words
    }
}

/// Walks over a JSON text without reading what it passes.
private struct JSONTextScanner {
    private let text: ArraySlice<UInt8>
    private(set) var place: Int

    init(_ text: ArraySlice<UInt8>) {
        self.text = text
        place = text.startIndex
    }

    private var byte: UInt8? { place < text.endIndex ? text[place] : nil }

    mutating func skipBlanks() {
        while let byte, byte == UInt8(ascii: " ") || (0x09...0x0D).contains(byte) { place += 1 }
    }

    /// Moves from a container to the value that the step names.
    ///
    /// - Returns: false where there is none.
    mutating func enter(_ step: JSONText.Step) -> Bool {
        switch step {
        case .member(let name):
            guard take(UInt8(ascii: "{")) else { return false }
            while let key = takeKey() {
                if isName(key, name) { return true }
                guard skipValue(), takeComma() else { return false }
            }
            return false
        case .element(let number):
            guard take(UInt8(ascii: "[")), number >= 0, byte != UInt8(ascii: "]") else {
                return false
            }
            for _ in 0..<number where !(skipValue() && takeComma()) { return false }
            return byte != nil
        }
    }

    /// Moves behind a value.
    ///
    /// - Returns: false where the text ends in it.
    mutating func skipValue() -> Bool {
        var depth = 0
        repeat {
            switch byte {
            case nil: return false
            case UInt8(ascii: "\""): guard takeString() != nil else { return false }
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                place += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                place += 1
            case UInt8(ascii: ","), UInt8(ascii: ":"): place += 1
            default: skipWord()
            }
            if depth > 0 { skipBlanks() }
        } while depth > 0
        return depth == 0
    }

    /// A number, `true`, `false` or `null`.
    private mutating func skipWord() {
        let start = place
        while let byte, !Self.ends.contains(byte), byte > UInt8(ascii: " ") { place += 1 }
        // Whatever it is, the walk goes on.
        if place == start { place += 1 }
    }

    private static let ends: Set<UInt8> = Set(",:]}[{\"".utf8)

    private mutating func take(_ wanted: UInt8) -> Bool {
        guard byte == wanted else { return false }
        place += 1
        skipBlanks()
        return true
    }

    private mutating func takeComma() -> Bool {
        skipBlanks()
        return take(UInt8(ascii: ","))
    }

    /// A member's name, and moves to its value.
    private mutating func takeKey() -> ArraySlice<UInt8>? {
        guard let key = takeString() else { return nil }
        skipBlanks()
        return take(UInt8(ascii: ":")) ? key : nil
    }

    /// A string with its quotation marks.
    private mutating func takeString() -> ArraySlice<UInt8>? {
        guard byte == UInt8(ascii: "\"") else { return nil }
        let start = place
        place += 1
        while let byte {
            place += byte == UInt8(ascii: "\\") ? 2 : 1
            if byte == UInt8(ascii: "\"") {
                return place <= text.endIndex ? text[start..<place] : nil
            }
        }
        place = min(place, text.endIndex)
        return nil
    }

    /// - Parameter key: with its quotation marks.
    private func isName(_ key: ArraySlice<UInt8>, _ name: String) -> Bool {
        guard key.contains(UInt8(ascii: "\\")) else {
            return key.dropFirst().dropLast().elementsEqual(name.utf8)
        }
        let document = JSONDocument(bytesMax: max(key.count, 1))
        return withExtendedLifetime(document) {
            (try? document.parse(key))?.string == name
        }
    }
}
