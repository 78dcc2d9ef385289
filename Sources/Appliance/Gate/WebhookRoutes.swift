import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore

/// The webhook port's HTTP face: it moves bytes between Hummingbird and the ``Gate``, which decides.
struct WebhookRoutes: Sendable {
    let gate: Gate
    let counters: Counters

    /// `POST /webhooks/stripe`, `POST /webhooks/stripe/{endpoint}` and `GET /healthz`.
    func router() -> Router<BasicRequestContext> {
        let router = Router(context: BasicRequestContext.self)
        router.post("/webhooks/stripe") { request, _ in
            await receive(request, endpoint: "")
        }
        router.post("/webhooks/stripe/:endpoint") { request, context in
            await receive(request, endpoint: context.parameters.get("endpoint") ?? "")
        }
        router.get("/healthz") { _, _ in Self.json(.ok, #"{"status":"alive"}"#) }
        return router
    }

    /// The server below the routes, with the bounds of ``GateLimits``.
    func server() -> HTTPServerBuilder {
        let counters = counters
        return .http1(
            configuration: HTTP1Channel.Configuration(
                additionalChannelHandlers: [
                    RequestDeadlines { counters.add(.requestsTimedOut) }
                ],
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: GateLimits.headerByteCountMax,
                    maxHeaderListSize: GateLimits.headerByteCountMax,
                    maxHeaderFieldCount: GateLimits.headerCountMax)))
    }

    private func receive(_ request: Request, endpoint: String) async -> Response {
        let arrived = ContinuousClock.now
        let body: ByteBuffer
        do {
            body = try await request.body.collect(upTo: gate.bodyByteCountMax)
        } catch is NIOTooManyBytesError {
            counters.add(.bodyTooLarge)
            return Self.error(
                .contentTooLarge, code: "body_too_large",
                "the body exceeds \(gate.bodyByteCountMax) bytes", closing: true)
        } catch {
            return Self.error(
                .badRequest, code: "body_incomplete", "the body did not arrive whole", closing: true)
        }
        let answer = await gate.receive(
            endpoint: endpoint, signature: request.headers[Self.signatureHeader],
            body: Array(buffer: body))
        if case .received = answer { counters.acknowledged.record(.now - arrived) }
        return Self.response(to: answer)
    }

    private static func response(to answer: GateAnswer) -> Response {
        switch answer {
        case .received(isDuplicate: false):
            return json(.ok, #"{"received":true}"#)
        case .received(isDuplicate: true):
            return json(.ok, #"{"received":true,"duplicate":true}"#)
        case .refused(let code, let message):
            return error(.badRequest, code: code, message)
        case .unknownEndpoint(let name):
            return error(
                .notFound, code: "endpoint_unknown",
                "no endpoint \(name) is configured; see webhook.endpoints")
        case .unavailable(let reason):
            var response = error(.serviceUnavailable, code: "unavailable", reason)
            response.headers[.retryAfter] = String(GateLimits.retryAfterSeconds)
            return response
        }
    }

    private static func error(
        _ status: HTTPResponse.Status, code: String, _ message: String, closing: Bool = false
    ) -> Response {
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("error")
        writer.beginObject()
        writer.member("code", code)
        writer.member("message", message)
        writer.endObject()
        writer.endObject()
        var response = json(status, String(decoding: writer.bytes, as: UTF8.self))
        if closing { response.headers[.connection] = "close" }
        return response
    }

    private static func json(_ status: HTTPResponse.Status, _ body: String) -> Response {
        Response(
            status: status,
            headers: [.contentType: "application/json", .xContentTypeOptions: "nosniff"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: body)))
    }

    // The literal is a valid field name, so the initialiser cannot fail.
    private static let signatureHeader =
        HTTPField.Name("Stripe-Signature") ?? HTTPField.Name.authorization
}
