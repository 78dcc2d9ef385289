import NIOCore
import Vocabulary

/// The text of server-sent events (WHATWG HTML §9.2).
enum ServerSentEvent {
    static let contentType = "text/event-stream"
    /// A comment: it says nothing to a page.
    static let heartbeat = ":\n\n"
    /// Milliseconds after which a page asks again whose stream has ended.
    static let retryMilliseconds = 2_000

    /// The last event of a stream whose reader may not, or may perhaps not, go on reading: a page
    /// shows it, and asks again.
    ///
    /// - Returns: nil for who may.
    static func end(_ standing: AccessStanding) -> ByteBuffer? {
        let (reason, detail): (String, String)
        switch standing {
        case .good: return nil
        case .over:
            (reason, detail) = ("access_over", "the session or token is over, or has another role")
        case .unknown(let why): (reason, detail) = ("access_unknown", why)
        }
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("reason", reason)
        writer.member("detail", detail)
        writer.endObject()
        return encode("end", id: nil, data: writer.bytes)
    }

    /// One event.
    ///
    /// - Parameters:
    ///   - id: what a page names when it comes back; nil leaves it at the last that it was told.
    ///   - data: JSON without a line's end, as ``JSONWriter`` writes it.
    static func encode(_ name: String, id: String?, data: [UInt8]) -> ByteBuffer {
        var bytes = ByteBuffer()
        bytes.reserveCapacity(data.count + 96)
        if let id { bytes.writeString("id: \(id)\n") }
        bytes.writeString("event: \(name)\ndata: ")
        bytes.writeBytes(data)
        bytes.writeString("\n\n")
        return bytes
    }
}
