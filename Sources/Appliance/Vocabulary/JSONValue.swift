import CSimdjson

/// One value of a parsed document: sixteen bytes that point into its tape.
///
/// Every accessor answers nil where the value is of another type, so that lookups chain:
/// `root["data"]?["object"]?["id"]?.string`.
package struct JSONValue {
    private let state: UnsafePointer<JSONTapeState>
    private let generation: UInt32
    /// Where the value's first word stands on the tape.
    private let index: UInt32

    /// - Parameter index: the place of the value's first word; 1 for a document's own value.
    init(state: UnsafePointer<JSONTapeState>, generation: UInt32, index: UInt32) {
        self.state = state
        self.generation = generation
        self.index = index
    }

    /// The type of a JSON value.
    package enum Kind: Sendable {
        case object, array, string, number, bool, null
    }

    package var kind: Kind {
        switch word.tag {
        case .object: .object
        case .array: .array
        case .string: .string
        case .true, .false: .bool
        case .null: .null
        default: .number
        }
    }

    // MARK: Scalars

    package var isNull: Bool { word.tag == .null }

    package var bool: Bool? {
        switch word.tag {
        case .true: true
        case .false: false
        default: nil
        }
    }

    /// The value of a number written as an integer within Int64. `1.0`, `1e3` and anything larger
    /// are nil, because a sum of money is never rounded.
    package var int64: Int64? {
        let words = checkedWords
        guard words.word(index).tag == .int64 else { return nil }
        // SAFETY: a number's second word holds its value.
        return Int64(bitPattern: words[Int(index) + 1])
    }

    /// The nearest double of any number.
    package var double: Double? {
        let words = checkedWords
        // SAFETY: only numbers have a second word, so it is read only there.
        var bits: UInt64 { words[Int(index) + 1] }
        return switch words.word(index).tag {
        case .int64: Double(Int64(bitPattern: bits))
        case .uint64: Double(bits)
        case .double: Double(bitPattern: bits)
        default: nil
        }
    }

    /// A copy of the string.
    package var string: String? {
        guard let text else { return nil }
        // SAFETY: the tape is checked to be this value's, and simdjson has checked the UTF-8.
        return String(decoding: text, as: UTF8.self)
    }

    /// The string; `known` itself where it is the same text, which spares the copy.
    package func string(like known: String?) -> String? {
        guard let text, var known else { return string }
        // SAFETY: the bytes are only compared with during the call.
        let isSame = known.withUTF8 { $0.elementsEqual(text) }
        return isSame ? known : string
    }

    /// Whether this is the string `other`; copies nothing.
    package func isString(_ other: StaticString) -> Bool {
        let tapeWord = word
        guard tapeWord.tag == .string, let strings = state.pointee.strings else { return false }
        // SAFETY: a string's payload is its offset in the buffer of the same parse.
        return tillbox_json_string_is(
            strings + tapeWord.payload, other.utf8Start, other.utf8CodeUnitCount)
    }

    /// Calls `body` with the string's UTF-8 bytes in place; nil if this is not a string.
    package func withUTF8<Result>(_ body: (Span<UInt8>) -> Result) -> Result? {
        guard let text else { return nil }
        return body(text.span)
    }

    // MARK: Containers

    /// The value of the first member called `key`, nil where there is none or this is no object.
    ///
    /// Costs a step for each member before it.
    package subscript(key: StaticString) -> JSONValue? {
        // SAFETY: a static string's bytes live for ever.
        member(UnsafeBufferPointer(start: key.utf8Start, count: key.utf8CodeUnitCount))
    }

    /// As the subscript, for a key that is only known at run time.
    package func member(named key: String) -> JSONValue? {
        var key = key
        // SAFETY: the bytes are only compared with during the call.
        return key.withUTF8 { member($0) }
    }

    /// The members of an object in the order they were written, duplicates included.
    package var object: JSONMembers? {
        guard word.tag == .object else { return nil }
        return JSONMembers(first: at(index + 1))
    }

    /// The elements of an array.
    package var array: JSONElements? {
        guard word.tag == .array else { return nil }
        return JSONElements(first: at(index + 1))
    }

    // MARK: The tape

    /// The tape, after making sure that it still holds the parse this value belongs to.
    private var checkedWords: UnsafePointer<UInt64> {
        precondition(
            state.pointee.generation == generation, "a JSON value was used after its document")
        // SAFETY: the generation says that a parse succeeded and none came after it.
        return state.pointee.words.unsafelyUnwrapped
    }

    private var word: TapeWord { checkedWords.word(index) }

    private var text: UnsafeBufferPointer<UInt8>? {
        let tapeWord = word
        guard tapeWord.tag == .string, let strings = state.pointee.strings else { return nil }
        // SAFETY: a string's payload is its offset in the buffer of the same parse, where its
        // length stands before its bytes.
        let start = strings + tapeWord.payload
        let count = UnsafeRawPointer(start).loadUnaligned(as: UInt32.self)
        return UnsafeBufferPointer(start: start + 4, count: Int(count))
    }

    private func member(_ key: UnsafeBufferPointer<UInt8>) -> JSONValue? {
        let words = checkedWords
        guard words.word(index).tag == .object, let strings = state.pointee.strings,
            let keyStart = key.baseAddress
        else { return nil }
        var position = index + 1
        while words.word(position).tag == .string {
            // SAFETY: inside an object each key is a string's word; the '}' ends the loop.
            let name = strings + words.word(position).payload
            if tillbox_json_string_is(name, keyStart, key.count) { return at(position + 1) }
            position = words.position(after: position + 1)
        }
        return nil
    }

    private func at(_ index: UInt32) -> JSONValue {
        JSONValue(state: state, generation: generation, index: index)
    }

    /// The value behind this one; for an object's last member the object's end.
    fileprivate var next: JSONValue { at(checkedWords.position(after: index)) }

    fileprivate var isEnd: Bool { word.tag == .objectEnd || word.tag == .arrayEnd }
}

/// The elements of a JSON array, in order.
package struct JSONElements: Sequence, IteratorProtocol {
    private var upcoming: JSONValue

    fileprivate init(first: JSONValue) { upcoming = first }

    package mutating func next() -> JSONValue? {
        guard !upcoming.isEnd else { return nil }
        defer { upcoming = upcoming.next }
        return upcoming
    }
}

/// The members of a JSON object, in order. A key is a value too: its `string`.
package struct JSONMembers: Sequence, IteratorProtocol {
    private var upcoming: JSONValue

    fileprivate init(first: JSONValue) { upcoming = first }

    package mutating func next() -> (key: JSONValue, value: JSONValue)? {
        guard !upcoming.isEnd else { return nil }
        let key = upcoming
        let value = key.next
        upcoming = value.next
        return (key, value)
    }
}
