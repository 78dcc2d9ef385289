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
    /// When to ask again; nil where that is not known, or would change nothing.
    let retryAfterSeconds: Int64?

    init(
        _ status: HTTPResponse.Status, _ detail: String, code: String? = nil,
        retryAfterSeconds: Int64? = nil
    ) {
        self.status = status
        self.detail = detail
        self.code = code
        self.retryAfterSeconds = retryAfterSeconds
    }

    var response: Response {
        var headers: HTTPFields = [
            .contentType: ProblemDocument.type, .xContentTypeOptions: "nosniff",
        ]
        for (name, value) in fields {
            if let name = HTTPField.Name(name) { headers[name] = value }
        }
        return Response(
            status: status, headers: headers,
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    /// Header fields that belong to it.
    var fields: [(name: String, value: String)] {
        var fields: [(name: String, value: String)] = []
        if status == .unauthorized { fields.append(("WWW-Authenticate", "Bearer")) }
        if let seconds = retryAfterSeconds { fields.append(("Retry-After", "\(seconds)")) }
        return fields
    }

    /// The document.
    var bytes: [UInt8] {
        ProblemDocument.bytes(
            status: status.code, title: status.reasonPhrase, detail: detail, code: code)
    }
}
