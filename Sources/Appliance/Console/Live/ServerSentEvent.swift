import NIOCore
import Vocabulary

/// The text of server-sent events (WHATWG HTML §9.2).
enum ServerSentEvent {
    static let contentType = "text/event-stream"
    /// A comment: it says nothing to a page.
    static let heartbeat = ":\n\n"
    /// Milliseconds after which a page asks again whose stream has ended.
    static let retryMilliseconds = 2_000

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
