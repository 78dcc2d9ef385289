import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
package import Vocabulary

/// One answer of Stripe's API, whatever its status.
package struct StripeAnswer: Sendable {
    package var status: Int
    /// The header `Retry-After`, as it stands.
    var retryAfter: String?
    package var body: [UInt8]
}

/// The one door to Stripe's API. It asks once; ``StripeClient`` asks again.
package protocol StripeTransport: Sendable {
    /// - Parameters:
    ///   - path: below the base address, with its query: `/v1/balance`.
    ///   - account: whose objects are meant.
    /// - Throws: whatever kept an answer from coming.
    func get(_ path: String, of account: StripeAccount) async throws -> StripeAnswer

    /// Is told that a request was given up because nobody had answered for so long: its
    /// cancellation alone says nothing of Stripe.
    func hasGivenUp(after patience: Duration)
}

extension StripeTransport {
    package func hasGivenUp(after patience: Duration) {}
}

/// Stripe's API over HTTP, or anything that speaks as it does.
package struct HTTPStripeTransport: StripeTransport {
    /// Where the API is, without a slash at its end: `https://api.stripe.com`.
    package var base: String
    /// A secret or restricted key.
    package var key: String
    /// Learns Stripe's time from its answers.
    package var clock: StripeClock?
    /// Learns whether Stripe answers.
    package var reach: StripeReach?

    /// It does not try again to connect: ``StripeClient`` asks again, and says so meanwhile.
    private static let client: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    package init(
        base: String, key: String, clock: StripeClock? = nil, reach: StripeReach? = nil
    ) {
        self.base = base
        self.key = key
        self.clock = clock
        self.reach = reach
    }

    /// Longest answer read, in bytes; a page of a hundred events may hold many objects.
    private static let bodyByteCountMax = 32 << 20
    private static let timeoutSeconds: Int64 = 60
    /// Of what is made, and of what is looked for, while a person waits: three attempts and three
    /// looks end within a minute, before the admin port gives the connection up.
    private static let postTimeoutSeconds: Int64 = 12
    private static let lookTimeoutSeconds: Int64 = 5
    /// The twin's world may live in another month than the machine that answers for it, whose
    /// server stamps `Date`.
    private static let worldDate = "World-Date"

    package func get(_ path: String, of account: StripeAccount) async throws -> StripeAnswer {
        try await answer(
            to: HTTPClientRequest(url: base + path), account, seconds: Self.timeoutSeconds)
    }

    package func hasGivenUp(after patience: Duration) {
        reach?.hasFailed("no answer within \(patience.components.seconds) s")
    }

    private func answer(
        to request: HTTPClientRequest, _ account: StripeAccount, seconds: Int64
    ) async throws -> StripeAnswer {
        let start = ContinuousClock.now
        let method = request.method.rawValue
        do {
            let answer = try await ask(request, account, seconds)
            StripeRequests.record(method, start.duration(to: .now), status: answer.status)
            // What stands before Stripe may answer in its place.
            if answer.status < 500 {
                reach?.hasAnswered()
            } else {
                reach?.hasFailed("status \(answer.status)")
            }
            return answer
        } catch {
            guard !Task.isCancelled else { throw CancellationError() }
            StripeRequests.record(method, start.duration(to: .now), status: nil)
            let failure = StripeSilence(reason: NetworkReason.of(error))
            reach?.hasFailed(failure.reason)
            throw failure
        }
    }

    private func ask(
        _ request: HTTPClientRequest, _ account: StripeAccount, _ seconds: Int64
    ) async throws -> StripeAnswer {
        var request = request
        request.headers.add(name: "Authorization", value: "Bearer \(key)")
        request.headers.add(name: "User-Agent", value: "tillbox")
        if let id = account.id { request.headers.add(name: "Stripe-Account", value: id) }
        let response = try await Self.client.execute(request, timeout: .seconds(seconds))
        let headers = response.headers
        if let date = headers.first(name: Self.worldDate) {
            clock?.note(date: date, ofWorld: true)
        } else {
            clock?.note(date: headers.first(name: "Date"))
        }
        let body = try await response.body.collect(upTo: Self.bodyByteCountMax)
        return StripeAnswer(
            status: Int(response.status.code),
            retryAfter: response.headers.first(name: "Retry-After"),
            body: [UInt8](body.readableBytesView))
    }
}

extension HTTPStripeTransport: StripePosting {
    package func post(
        _ path: String, _ form: [(String, String)], idempotencyKey key: String,
        of account: StripeAccount
    ) async throws -> StripeAnswer {
        var request = HTTPClientRequest(url: base + path)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/x-www-form-urlencoded")
        request.headers.add(name: "Idempotency-Key", value: key)
        request.body = .bytes(ByteBuffer(string: StripeClient.encoded(form)))
        return try await answer(to: request, account, seconds: Self.postTimeoutSeconds)
    }

    package func look(_ path: String, of account: StripeAccount) async throws -> StripeAnswer {
        try await answer(
            to: HTTPClientRequest(url: base + path), account, seconds: Self.lookTimeoutSeconds)
    }
}

/// No answer came, and why not in a few words.
struct StripeSilence: Error, Hashable, CustomStringConvertible {
    var reason: String
    var description: String { reason }
}
