package import Bridges
import Vocabulary

/// Where access tokens come from.
package protocol BigQueryTokenSource: Sendable {
    /// A token that is valid now; nil where none is shown.
    ///
    /// - Throws: ``BigQueryError/token(_:)`` with a sentence that holds no secret.
    func newToken() async throws(BigQueryError) -> GoogleAccessToken?
}

/// None, for an emulator.
package struct NoBigQueryTokens: BigQueryTokenSource {
    package init() {}

    package func newToken() -> GoogleAccessToken? { nil }
}

/// The token in use. It is asked for anew when four fifths of its time are over, and when BigQuery
/// has refused it.
actor BigQueryTokens {
    private let source: any BigQueryTokenSource
    /// Seconds since 1970.
    private let now: @Sendable () -> Int64
    private var current: GoogleAccessToken?

    init(_ source: any BigQueryTokenSource, now: @escaping @Sendable () -> Int64) {
        self.source = source
        self.now = now
    }

    func token() async throws(BigQueryError) -> Secret? {
        if let current, now() < Self.renewal(of: current) { return current.accessToken }
        let token = try await source.newToken()
        current = token
        return token?.accessToken
    }

    /// Forgets `token`, where it is still the one in use.
    func forget(_ token: Secret) {
        if current?.accessToken == token { current = nil }
    }

    private static func renewal(of token: GoogleAccessToken) -> Int64 {
        token.issuedAt + (token.expiresAt - token.issuedAt) / 5 * 4
    }
}
