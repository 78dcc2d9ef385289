/// A refusal as RFC 9457 writes it: why, in a sentence, for whoever asked by HTTP.
package enum ProblemDocument {
    /// Its media type.
    package static let type = "application/problem+json"

    /// The document.
    ///
    /// - Parameters:
    ///   - status: of HTTP; `title` is its phrase.
    ///   - detail: a sentence that says what to do.
    ///   - code: a stable word for a program; nil where the status alone does.
    package static func bytes(
        status: Int, title: String, detail: String, code: String?
    ) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("type", "about:blank")
        writer.member("title", title)
        writer.member("status", Int64(status))
        writer.member("detail", detail)
        if let code { writer.member("code", code) }
        writer.endObject()
        return writer.bytes
    }
}
