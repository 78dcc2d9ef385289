import AsyncHTTPClient
package import Bridges
import Foundation
import NIOCore
package import NIOHTTP1
import Reconcile
import Vocabulary

/// One request to BigQuery's API.
package struct BigQueryRequest: Sendable {
    package var method: HTTPMethod
    /// The whole address.
    package var url: String
    package var headers: [(name: String, value: String)] = []
    package var body: [UInt8] = []

    package init(
        _ method: HTTPMethod, _ url: String, headers: [(name: String, value: String)] = [],
        body: [UInt8] = []
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
    }
}

/// One answer, whatever its status.
package struct BigQueryAnswer: Sendable {
    package var status: Int
    /// Where an upload goes on: the header `Location`.
    package var location: String?
    /// Which bytes of an upload have arrived: the header `Range`.
    package var range: String?
    /// The header `Retry-After`, as it stands.
    package var retryAfter: String?
    package var body: [UInt8]

    package init(
        status: Int, location: String? = nil, range: String? = nil, retryAfter: String? = nil,
        body: [UInt8] = []
    ) {
        self.status = status
        self.location = location
        self.range = range
        self.retryAfter = retryAfter
        self.body = body
    }
}

/// The one door to BigQuery's API. It asks once; ``BigQueryClient`` asks again.
package protocol BigQueryTransport: Sendable {
    /// - Parameter token: what is shown; nil shows none, as an emulator wants it.
    /// - Throws: whatever kept an answer from coming.
    func send(_ request: BigQueryRequest, token: Secret?) async throws -> BigQueryAnswer
}

/// The API over HTTP.
package struct HTTPBigQueryTransport: BigQueryTransport {
    /// Longest answer read, in bytes; a page of results is kept well below.
    private static let bodyByteCountMax = 32 << 20
    private static let timeoutSeconds: Int64 = 120

    /// A token must not follow to another host. 308 is no redirection here, but an upload's "go
    /// on".
    private static let client: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.redirectConfiguration = .disallow
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    package init() {}

    package func send(_ request: BigQueryRequest, token: Secret?) async throws -> BigQueryAnswer {
        do {
            return try await exchange(request, token)
        } catch {
            guard !Task.isCancelled else { throw CancellationError() }
            throw BigQuerySilence(reason: NetworkReason.of(error))
        }
    }

    private func exchange(
        _ request: BigQueryRequest, _ token: Secret?
    ) async throws -> BigQueryAnswer {
        var http = HTTPClientRequest(url: request.url)
        http.method = request.method
        http.headers.add(name: "User-Agent", value: "tillbox")
        if let token {
            http.headers.add(name: "Authorization", value: "Bearer \(token.reveal())")
        }
        for (name, value) in request.headers { http.headers.add(name: name, value: value) }
        if request.method != .GET { http.body = .bytes(ByteBuffer(bytes: request.body)) }
        let response = try await Self.client.execute(http, timeout: .seconds(Self.timeoutSeconds))
        let body = try await response.body.collect(upTo: Self.bodyByteCountMax)
        return BigQueryAnswer(
            status: Int(response.status.code),
            location: response.headers.first(name: "Location"),
            range: response.headers.first(name: "Range"),
            retryAfter: response.headers.first(name: "Retry-After"),
            body: [UInt8](body.readableBytesView))
    }
}

/// No answer came, and why not in a few words.
struct BigQuerySilence: Error, CustomStringConvertible {
    var reason: String
    var description: String { reason }
}
