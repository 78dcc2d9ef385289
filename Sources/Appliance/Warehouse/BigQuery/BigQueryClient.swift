import Bridges
import Foundation
import NIOHTTP1
import Vocabulary

/// Asks BigQuery's API: patient with 429, 5xx, rate limits and lost connections, once more with a
/// new token where the old one is refused, and never with anything else.
///
/// Whatever is sent may be sent again: jobs have names, and a second one of a name is refused with
/// 409. Sleep, time and randomness are handed in.
package struct BigQueryClient: Sendable {
    package let place: BigQueryPlace
    let transport: any BigQueryTransport
    let tokens: BigQueryTokens
    let patience: BigQueryPatience
    let sleep: @Sendable (Duration) async throws -> Void
    /// Evenly from 0..<1.
    let random: @Sendable () -> Double
    /// Seconds since 1970.
    let now: @Sendable () -> Int64

    package init(
        _ place: BigQueryPlace, tokens: any BigQueryTokenSource,
        transport: any BigQueryTransport = HTTPBigQueryTransport(),
        patience: BigQueryPatience = BigQueryPatience(),
        sleep: @escaping @Sendable (Duration) async throws -> Void = {
            try await Task.sleep(for: $0)
        },
        random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) },
        now: @escaping @Sendable () -> Int64 = { Int64(Date().timeIntervalSince1970) }
    ) {
        self.place = place
        self.transport = transport
        self.tokens = BigQueryTokens(tokens, now: now)
        self.patience = patience
        self.sleep = sleep
        self.random = random
        self.now = now
    }

    /// A path of the project's, with a query whose values need no encoding but this.
    func url(_ path: String, _ query: [(String, String)] = [], upload: Bool = false) -> String {
        let top = place.base + (upload ? "/upload" : "") + "/bigquery/v2/projects/"
        let allowed = CharacterSet.alphanumerics.union(CharacterSet(charactersIn: "-._~:"))
        let pairs = query.map { key, value in
            "\(key)=\(value.addingPercentEncoding(withAllowedCharacters: allowed) ?? value)"
        }
        let end = pairs.isEmpty ? "" : "?" + pairs.joined(separator: "&")
        return top + place.project + path + end
    }

    /// Sends until an answer comes that is one: 2xx, 308, 404, 409, 410.
    ///
    /// - Throws: every case of ``BigQueryError`` that is about a request.
    func exchange(_ request: BigQueryRequest) async throws(BigQueryError) -> BigQueryAnswer {
        var attempt = 1
        var hasRenewed = false
        while true {
            let token = try await tokens.token()
            let answer: BigQueryAnswer
            do throws(BigQueryError) {
                answer = try await send(request, token: token, attempt)
            } catch {
                try await pause(&attempt, nil, else: error)
                continue
            }
            if answer.status == 401, let token, !hasRenewed {
                hasRenewed = true
                await tokens.forget(token)
                continue
            }
            guard let trouble = trouble(in: answer, attempt) else { return answer }
            try await pause(&attempt, answer.retryAfter, else: trouble)
        }
    }

    /// Sends once.
    ///
    /// - Throws: `cancelled`; `unreachable` where no answer comes.
    func send(
        _ request: BigQueryRequest, token: Secret?, _ attempt: Int
    ) async throws(BigQueryError) -> BigQueryAnswer {
        do {
            return try await transport.send(request, token: token)
        } catch is CancellationError {
            throw .cancelled
        } catch {
            throw .unreachable(base: place.base, reason: "\(error)", attempts: attempt)
        }
    }

    /// What is wrong with the answer; nil where it is one.
    func trouble(in answer: BigQueryAnswer, _ attempt: Int) -> BigQueryError? {
        if (200..<300).contains(answer.status) || [308, 404, 409, 410].contains(answer.status) {
            return nil
        }
        let refusal = BigQueryRefusal(in: answer.body)
        let passing = BigQueryError.unavailable(
            status: answer.status, message: refusal.message, attempts: attempt)
        switch (answer.status, refusal.reason) {
        case (401, _): return .unauthorised(message: refusal.message)
        case (403, "rateLimitExceeded"), (429, _), (500...599, _): return passing
        case (403, "quotaExceeded"), (403, "billingTierLimitExceeded"):
            return .quota(message: refusal.message)
        case (403, _): return .forbidden(message: refusal.message)
        default: return .refused(status: answer.status, message: refusal.message)
        }
    }

    /// Waits for the next attempt at what has failed with `error`, or throws that.
    func pause(
        _ attempt: inout Int, _ retryAfter: String?, else error: BigQueryError
    ) async throws(BigQueryError) {
        guard error.isPassing, attempt < patience.attemptsMax else { throw error }
        try await rest(patience.wait(after: attempt, retryAfter: retryAfter, random: random()))
        attempt += 1
    }

    func rest(_ duration: Duration) async throws(BigQueryError) {
        do {
            try await sleep(duration)
        } catch {
            throw .cancelled
        }
    }

    /// Sends JSON, or nothing, and hands the answer's JSON to `read`; nil for a 404.
    func ask<Value: Sendable>(
        _ method: HTTPMethod, _ url: String, _ body: [UInt8]? = nil,
        _ read: (_ status: Int, _ root: JSONValue) throws(BigQueryError) -> Value
    ) async throws(BigQueryError) -> Value? {
        let headers = body == nil ? [] : [(name: "Content-Type", value: "application/json")]
        let answer = try await exchange(
            BigQueryRequest(method, url, headers: headers, body: body ?? []))
        guard answer.status != 404 else { return nil }
        return try Self.reading(answer.body) { root throws(BigQueryError) in
            try read(answer.status, root)
        }
    }

    static func reading<Value>(
        _ body: [UInt8], _ read: (JSONValue) throws(BigQueryError) -> Value
    ) throws(BigQueryError) -> Value {
        let document = JSONDocument(bytesMax: max(body.count, 1))
        return try withExtendedLifetime(document) { () throws(BigQueryError) in
            guard let root = try? document.parse(body) else {
                throw .malformed(what: "it is no JSON")
            }
            return try read(root)
        }
    }
}
