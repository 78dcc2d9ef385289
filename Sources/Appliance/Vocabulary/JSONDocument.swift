import CSimdjson

/// Why bytes are not a JSON document.
package enum JSONError: Error, Hashable, Sendable {
    /// Nothing, or nothing but white space.
    case empty
    case notUTF8
    /// More than `JSONDocument.depthMax` containers around a value.
    case tooDeep
    /// A number that breaks JSON's grammar, or fits neither 64 bits nor a finite double.
    case number
    case malformed
    /// More bytes than the document was made for.
    case tooLarge
    case outOfMemory
}

/// A reusable JSON parser together with the document it parsed last.
///
/// Parsing goes through simdjson (RFC 8259, no extensions); the values are then read straight
/// from its tape. Buffers are kept between documents, so one of these per stage or thread parses
/// without allocating. It is not `Sendable`, and neither are its values.
///
/// A `JSONValue` may not be used after the next `parse` or after the document has gone: doing so
/// is a bug and stops the process, it never reads another document's bytes. So keep the document
/// in a property, or in `withExtendedLifetime`, while its values are read: values do not keep it.
package final class JSONDocument {
    /// The deepest nesting read: containers around a value, itself not counted where it is empty.
    package static let depthMax = 64

    /// The longest document read unless another bound is asked for, in bytes.
    package static let bytesMax = 16 * 1024 * 1024

    private let parser: OpaquePointer
    private let tape: JSONTape

    /// - Parameter bytesMax: the longest document that `parse` accepts.
    package init(bytesMax: Int = JSONDocument.bytesMax) {
        guard let parser = tillbox_json_parser_create(Self.depthMax, bytesMax) else {
            preconditionFailure("no memory for a JSON parser")
        }
        self.parser = parser
        tape = JSONTape.take()
    }

    deinit {
        tape.giveBack()
        tillbox_json_parser_destroy(parser)
    }

    /// Parses `bytes` and returns the document's value, which lives until the next call.
    ///
    /// Numbers without fraction and exponent that fit Int64 or UInt64 stay integers; a longer one
    /// is refused (`JSONError.number`). Of duplicate keys in an object the first counts.
    package func parse(_ bytes: some Collection<UInt8>) throws(JSONError) -> JSONValue {
        // SAFETY: the bytes are copied by the parser before the closure returns.
        let status = bytes.withContiguousStorageIfAvailable {
            tape.refill(from: parser, with: $0)
        }
        let parsed =
            status
            ?? Array(bytes).withUnsafeBufferPointer {
                tape.refill(from: parser, with: $0)
            }
        if let error = JSONError(parsed) { throw error }
        return tape.root
    }
}

extension JSONError {
    fileprivate init?(_ status: tillbox_json_status) {
        switch status {
        case TILLBOX_JSON_OK: return nil
        case TILLBOX_JSON_EMPTY: self = .empty
        case TILLBOX_JSON_NOT_UTF8: self = .notUTF8
        case TILLBOX_JSON_TOO_DEEP: self = .tooDeep
        case TILLBOX_JSON_NUMBER: self = .number
        case TILLBOX_JSON_TOO_LARGE: self = .tooLarge
        case TILLBOX_JSON_OUT_OF_MEMORY: self = .outOfMemory
        default: self = .malformed
        }
    }
}
