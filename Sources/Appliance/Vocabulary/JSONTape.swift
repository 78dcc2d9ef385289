import CSimdjson
import Synchronization

/// What a value's views read: where the tape is, and which parse it holds.
struct JSONTapeState {
    var words: UnsafePointer<UInt64>?
    var strings: UnsafePointer<UInt8>?
    /// Counts parses. A view carries the number it was made under.
    var generation: UInt32
}

/// The place a document and its views share.
///
/// It is handed from one document to the next and never freed, so that even a view that outlives
/// its document finds a generation to compare with, which by then has moved on. There are as many
/// places as there ever were documents at one time.
struct JSONTape: @unchecked Sendable {
    // `@unchecked Sendable`: only for its time in `unused`, where nobody uses it.
    private let state: UnsafeMutablePointer<JSONTapeState>

    private static let unused = Mutex<[JSONTape]>([])

    static func take() -> JSONTape {
        if let tape = unused.withLock({ $0.popLast() }) { return tape }
        // SAFETY: initialised at once, and never deallocated.
        let state = UnsafeMutablePointer<JSONTapeState>.allocate(capacity: 1)
        state.initialize(to: JSONTapeState(words: nil, strings: nil, generation: 0))
        return JSONTape(state: state)
    }

    func giveBack() {
        invalidate()
        Self.unused.withLock { $0.append(self) }
    }

    private func invalidate() {
        state.pointee.generation &+= 1
        state.pointee.words = nil
    }

    func refill(
        from parser: OpaquePointer, with bytes: UnsafeBufferPointer<UInt8>
    ) -> tillbox_json_status {
        invalidate()
        var parsed = tillbox_json_tape(words: nil, strings: nil)
        let status = tillbox_json_parse(parser, bytes.baseAddress, bytes.count, &parsed)
        if status == TILLBOX_JSON_OK {
            state.pointee.words = parsed.words
            state.pointee.strings = parsed.strings
        }
        return status
    }

    var root: JSONValue {
        JSONValue(state: UnsafePointer(state), generation: state.pointee.generation, index: 1)
    }
}

/// One word of simdjson's tape; CSimdjson.h describes the layout.
struct TapeWord {
    let bits: UInt64

    var tag: TapeTag { TapeTag(rawValue: UInt8(truncatingIfNeeded: bits >> 56)) }

    var payload: Int { Int(bits & 0x00FF_FFFF_FFFF_FFFF) }
}

/// What a word of the tape stands for.
struct TapeTag: Equatable {
    let rawValue: UInt8

    static var object: Self { Self(rawValue: UInt8(ascii: "{")) }
    static var objectEnd: Self { Self(rawValue: UInt8(ascii: "}")) }
    static var array: Self { Self(rawValue: UInt8(ascii: "[")) }
    static var arrayEnd: Self { Self(rawValue: UInt8(ascii: "]")) }
    static var string: Self { Self(rawValue: UInt8(ascii: "\"")) }
    static var int64: Self { Self(rawValue: UInt8(ascii: "l")) }
    static var uint64: Self { Self(rawValue: UInt8(ascii: "u")) }
    static var double: Self { Self(rawValue: UInt8(ascii: "d")) }
    static var `true`: Self { Self(rawValue: UInt8(ascii: "t")) }
    static var `false`: Self { Self(rawValue: UInt8(ascii: "f")) }
    static var null: Self { Self(rawValue: UInt8(ascii: "n")) }
}

extension UnsafePointer<UInt64> {
    func word(_ index: UInt32) -> TapeWord { TapeWord(bits: self[Int(index)]) }

    /// The index of the word behind the value whose first word stands at `index`.
    func position(after index: UInt32) -> UInt32 {
        let word = word(index)
        return switch word.tag {
        // The lower 32 bits of a container's payload; the others count its values.
        case .object, .array: UInt32(truncatingIfNeeded: word.bits)
        case .int64, .uint64, .double: index + 2
        default: index + 1
        }
    }
}
