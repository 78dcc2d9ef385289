package import AppendLog
import Foundation

/// One record as a line of JSON: JSON as JSON, text as text, other bytes in base64 under
/// `…_base64`.
package enum RecordLine {
    package static func bytes(_ stored: StoredRecord) -> [UInt8] {
        var writer = JSONWriter(capacity: 512)
        encode(stored, into: &writer)
        return writer.bytes + [UInt8(ascii: "\n")]
    }

    /// The same within another document.
    package static func encode(_ stored: StoredRecord, into writer: inout JSONWriter) {
        let record = stored.record
        writer.beginObject()
        writer.member("offset", stored.offset.rawValue)
        writer.member("timestamp", record.timestamp.milliseconds)
        writer.member("time", record.timestamp.rfc3339)
        write("key", record.key, to: &writer)
        writer.key("headers")
        writer.beginObject()
        for header in record.headers { write(header.name, header.value, to: &writer) }
        writer.endObject()
        if let value = record.value, let json = JSONLine.compact(value) {
            writer.key("value")
            writer.json(json)
        } else {
            write("value", record.value, to: &writer)
        }
        writer.endObject()
    }

    private static func write(
        _ name: String, _ bytes: ArraySlice<UInt8>?, to writer: inout JSONWriter
    ) {
        guard let bytes else {
            writer.key(named: name)
            return writer.null()
        }
        if let text = String(validating: bytes, as: UTF8.self) {
            writer.key(named: name)
            writer.string(text)
        } else {
            writer.key(named: name + "_base64")
            writer.string(Data(bytes).base64EncodedString())
        }
    }
}

/// JSON text on one line, every number and string as it was written.
package enum JSONLine {
    /// - Returns: nil for what is no JSON document.
    package static func compact(_ bytes: ArraySlice<UInt8>) -> [UInt8]? {
        let document = JSONDocument(bytesMax: max(bytes.count, 1))
        guard (try? document.parse(bytes)) != nil else { return nil }
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count)
        var isInString = false
        var isEscaped = false
        for byte in bytes {
            if isInString {
                out.append(byte)
                let isBackslash = byte == UInt8(ascii: "\\")
                if byte == UInt8(ascii: "\""), !isEscaped { isInString = false }
                isEscaped = isBackslash && !isEscaped
            } else if !isBlank(byte) {
                out.append(byte)
                isInString = byte == UInt8(ascii: "\"")
            }
        }
        return out
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || (0x09...0x0D).contains(byte)
    }
}
