import Foundation
import HTTPTypes
import Hummingbird
import NIOCore

/// The twin's HTTP face: `/v1/…` as Stripe's, and `/twin/…` to control it.
struct TwinRoutes: Sendable {
    /// Longer bodies are refused.
    static let bodyByteCountMax = 1 << 20

    let twin: Twin

    init(_ twin: Twin) { self.twin = twin }

    /// Others may add routes to it, below `/twin/` with a name of their own.
    func router() -> Router<BasicRequestContext> {
        let router = Router(context: BasicRequestContext.self)
        for method in [HTTPRequest.Method.get, .post, .delete] {
            router.on("/v1/**", method: method) { request, _ in try await answer(request) }
            router.on("/twin/**", method: method) { request, _ in try await answer(request) }
        }
        return router
    }

    private func answer(_ request: Request) async throws -> Response {
        guard let method = APIRequest.Method(rawValue: request.method.rawValue) else {
            return Response(status: .methodNotAllowed)
        }
        var fields = FormCoding.decode(request.uri.query ?? "")
        do {
            let body = try await request.body.collect(upTo: Self.bodyByteCountMax)
            fields += FormCoding.decode(String(buffer: body))
        } catch is NIOTooManyBytesError {
            return Response(status: .contentTooLarge)
        }
        let headers = request.headers
        let call = APIRequest(
            method: method, path: request.uri.path, fields: fields,
            apiKey: Self.key(in: headers[.authorization]),
            idempotencyKey: headers[Self.idempotencyKey], account: headers[Self.account],
            version: headers[Self.version])
        let answer = twin.handle(call)
        if answer.delayMilliseconds > 0 {
            try await Task.sleep(for: .milliseconds(answer.delayMilliseconds))
        }
        return Self.response(answer, to: call)
    }

    private static func response(_ answer: APIAnswer, to call: APIRequest) -> Response {
        var headers: HTTPFields = [
            .contentType: "application/json", requestID: answer.requestID,
            version: call.version ?? TwinSettings.apiVersion,
        ]
        if let key = call.idempotencyKey { headers[idempotencyKey] = key }
        if answer.isReplayed { headers[idempotentReplayed] = "true" }
        if let account = call.account { headers[Self.account] = account }
        if let seconds = answer.retryAfterSeconds { headers[.retryAfter] = String(seconds) }
        return Response(
            status: .init(code: answer.status), headers: headers,
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: answer.body)))
    }

    /// The key of `Bearer sk_…`, or the user name of `Basic …`.
    private static func key(in header: String?) -> String? {
        guard let header else { return nil }
        let words = header.split(separator: " ", maxSplits: 1)
        guard words.count == 2 else { return nil }
        switch words[0].lowercased() {
        case "bearer": return String(words[1])
        case "basic":
            guard let data = Data(base64Encoded: String(words[1])) else { return nil }
            return String(decoding: data, as: UTF8.self).split(
                separator: ":", omittingEmptySubsequences: false
            ).first.map(String.init)
        default: return nil
        }
    }

    private static let requestID = name("Request-Id")
    private static let idempotencyKey = name("Idempotency-Key")
    private static let idempotentReplayed = name("Idempotent-Replayed")
    private static let account = name("Stripe-Account")
    private static let version = name("Stripe-Version")

    // The literals are valid field names, so the initialiser cannot fail.
    private static func name(_ text: String) -> HTTPField.Name {
        HTTPField.Name(text) ?? HTTPField.Name.from
    }
}
