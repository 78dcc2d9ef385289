import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import Vocabulary

/// The twin's HTTP face: `/twin/…` to control it, and as Stripe's API all else, known or not.
package struct TwinRoutes: Sendable {
    /// Longer bodies are refused.
    package static let bodyByteCountMax = 1 << 20

    /// Told of each call and its answer, and how long it took.
    package typealias Listener = @Sendable (APIRequest, APIAnswer, Duration) -> Void

    let twin: Twin
    private let onAnswer: Listener?

    init(_ twin: Twin, onAnswer: Listener? = nil) {
        self.twin = twin
        self.onAnswer = onAnswer
    }

    /// Others may add routes to it, below `/twin/` with a name of their own.
    func router() -> Router<BasicRequestContext> {
        let router = Router(context: BasicRequestContext.self)
        router.add(middleware: Unrouted(routes: self))
        for method in [HTTPRequest.Method.get, .post, .delete] {
            router.on("/v1/**", method: method) { request, _ in try await answer(request) }
        }
        return router
    }

    /// Answers what no route is there for, so that a wrong address, method or body gets Stripe's
    /// error object and a `Request-Id` like everything else.
    private struct Unrouted: RouterMiddleware {
        let routes: TwinRoutes

        @concurrent func handle(
            _ request: Request, context: BasicRequestContext,
            next: @concurrent (Request, BasicRequestContext) async throws -> Response
        ) async throws -> Response {
            do {
                return try await next(request, context)
            } catch let error as HTTPError where error.status == .notFound {
                return try await routes.answer(request)
            }
        }
    }

    private func answer(_ request: Request) async throws -> Response {
        let began = ContinuousClock.now
        let call = try await Self.call(in: request)
        let answer = twin.handle(call)
        if answer.delayMilliseconds > 0 {
            try await Task.sleep(for: .milliseconds(answer.delayMilliseconds))
        }
        onAnswer?(call, answer, .now - began)
        return Self.response(answer, to: call, at: twin.now)
    }

    private static func call(in request: Request) async throws -> APIRequest {
        let headers = request.headers
        var call = APIRequest(
            method: .init(rawValue: request.method.rawValue) ?? .other, path: request.uri.path,
            fields: FormCoding.decode(request.uri.query ?? ""),
            apiKey: key(in: headers[.authorization]), idempotencyKey: headers[idempotencyKey],
            account: headers[account], version: headers[version])
        do {
            let body = try await request.body.collect(upTo: bodyByteCountMax)
            let type = headers[.contentType]?.lowercased() ?? ""
            call.hasOtherBody =
                body.readableBytes > 0 && otherTypes.contains { type.hasPrefix($0) }
            if !call.hasOtherBody { call.fields += FormCoding.decode(String(buffer: body)) }
        } catch is NIOTooManyBytesError {
            call.isTooLarge = true
        }
        return call
    }

    /// What clients send that mistake the API for another; a form may also come without its type.
    private static let otherTypes = [
        "application/json", "multipart/", "text/xml", "application/xml",
    ]

    private static func response(
        _ answer: APIAnswer, to call: APIRequest, at second: Int64
    ) -> Response {
        var headers: HTTPFields = [
            .contentType: "application/json", requestID: answer.requestID,
            // The world's time: who asks judges by it what is late.
            worldDate: HTTPDate.text(of: Int(second)),
            version: call.version ?? TwinSettings.apiVersion,
        ]
        if let key = call.idempotencyKey { headers[idempotencyKey] = key }
        if answer.isReplayed { headers[idempotentReplayed] = "true" }
        if let account = call.account { headers[Self.account] = account }
        if let seconds = answer.retryAfterSeconds { headers[.retryAfter] = String(seconds) }
        let body = call.method == .head ? [] : answer.body
        return Response(
            status: .init(code: answer.status), headers: headers,
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: body)))
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

    private static let worldDate = name("World-Date")
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
