import HTTPTypes
import Hummingbird
import NIOCore
import Vocabulary

/// What the admin API answers with.
extension Response {
    /// A response whose body is the one JSON value that `write` writes.
    static func json(
        _ status: HTTPResponse.Status, type: String = "application/json",
        _ write: (inout JSONWriter) -> Void
    ) -> Response {
        var writer = JSONWriter(capacity: 1024)
        write(&writer)
        return Response(
            status: status, headers: [.contentType: type, .xContentTypeOptions: "nosniff"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: writer.bytes)))
    }

    /// The same for an object, of whose members `write` writes each.
    static func jsonObject(
        _ status: HTTPResponse.Status, type: String = "application/json",
        _ write: (inout JSONWriter) -> Void
    ) -> Response {
        json(status, type: type) { writer in
            writer.beginObject()
            write(&writer)
            writer.endObject()
        }
    }
}

/// A refusal as RFC 9457 writes it.
struct Problem: Error {
    let status: HTTPResponse.Status
    let detail: String
    /// A stable word for a program, where the status alone does not tell it enough.
    let code: String?

    init(_ status: HTTPResponse.Status, _ detail: String, code: String? = nil) {
        self.status = status
        self.detail = detail
        self.code = code
    }

    var response: Response {
        Response(
            status: status,
            headers: [.contentType: "application/problem+json", .xContentTypeOptions: "nosniff"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    /// The document.
    var bytes: [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("type", "about:blank")
        writer.member("title", status.reasonPhrase)
        writer.member("status", Int64(status.code))
        writer.member("detail", detail)
        if let code { writer.member("code", code) }
        writer.endObject()
        return writer.bytes
    }
}
