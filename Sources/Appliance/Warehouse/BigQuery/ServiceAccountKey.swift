package import Bridges
import Foundation
import JWTKit
import NIOHTTP1
import Vocabulary

/// A service account's key file, as Google's console hands it out, and the access tokens that it is
/// good for.
///
/// A signed assertion (RS256, an hour at most) is exchanged for a token. Neither key, assertion nor
/// token stands in any message. Source: Google Identity, "Using OAuth 2.0 for server to server
/// applications", and RFC 7523.
package struct ServiceAccountKey: BigQueryTokenSource {
    /// What the token is good for.
    static let scope = "https://www.googleapis.com/auth/bigquery"
    /// Google takes an hour at most.
    static let validitySeconds: Int64 = 3_600
    private static let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"

    /// The account's address.
    let email: String
    private let keyID: String?
    private let tokenURI: String
    private let privateKey: Secret
    private let transport: any BigQueryTransport
    /// Seconds since 1970.
    private let now: @Sendable () -> Int64

    /// - Parameters:
    ///   - text: what the file holds.
    ///   - path: its name, for messages.
    ///   - transport: the way to Google's token endpoint, which the file names.
    /// - Throws: ``BigQueryError/token(_:)``
    package init(
        _ text: Secret, path: String,
        transport: any BigQueryTransport = HTTPBigQueryTransport(),
        now: @escaping @Sendable () -> Int64 = { Int64(Date().timeIntervalSince1970) }
    ) throws(BigQueryError) {
        let bytes = Array(text.reveal().utf8)
        let document = JSONDocument(bytesMax: max(bytes.count, 1))
        let fields = withExtendedLifetime(document) { () -> Fields? in
            guard let root = try? document.parse(bytes), root["type"]?.string == "service_account",
                let email = root["client_email"]?.string, let key = root["private_key"]?.string,
                let uri = root["token_uri"]?.string
            else { return nil }
            return Fields(
                email: email, key: Secret(key), keyID: root["private_key_id"]?.string, uri: uri)
        }
        guard let fields else {
            throw .token(
                "\(path) is no key of a service account; have Google make one of the type JSON "
                    + "(gcloud iam service-accounts keys create)")
        }
        guard Self.isTrustworthy(fields.uri) else {
            throw .token(
                "\(path) names a token_uri that is not https; only Google's own is to be asked")
        }
        email = fields.email
        privateKey = fields.key
        keyID = fields.keyID
        tokenURI = fields.uri
        self.transport = transport
        self.now = now
    }

    private struct Fields {
        var email: String
        var key: Secret
        var keyID: String?
        var uri: String
    }

    /// An assertion sent in the clear could be used by whoever reads it; this machine is no wire.
    private static func isTrustworthy(_ uri: String) -> Bool {
        guard let parts = URLComponents(string: uri), let host = parts.host else { return false }
        return parts.scheme == "https"
            || (parts.scheme == "http" && ["127.0.0.1", "[::1]", "::1", "localhost"].contains(host))
    }

    package func newToken() async throws(BigQueryError) -> GoogleAccessToken? {
        let issuedAt = now()
        let assertion = try await assertion(issuedAt: issuedAt)
        let form = "grant_type=\(Self.grant.replacing(":", with: "%3A"))&assertion="
            + assertion.reveal()
        let request = BigQueryRequest(
            .POST, tokenURI,
            headers: [(name: "Content-Type", value: "application/x-www-form-urlencoded")],
            body: Array(form.utf8))
        let answer: BigQueryAnswer
        do {
            answer = try await transport.send(request, token: nil)
        } catch {
            throw .token("no access token: \(tokenURI) does not answer (\(error))")
        }
        return try read(answer, issuedAt: issuedAt)
    }

    /// The signed claims.
    func assertion(issuedAt: Int64) async throws(BigQueryError) -> Secret {
        do {
            let key = try Insecure.RSA.PrivateKey(pem: privateKey.reveal())
            let kid = keyID.map { JWKIdentifier(string: $0) }
            let keys = await JWTKeyCollection().add(
                rsa: key, digestAlgorithm: .sha256, kid: kid)
            let claims = Claims(
                iss: email, scope: Self.scope, aud: tokenURI, iat: issuedAt,
                exp: issuedAt + Self.validitySeconds)
            return Secret(try await keys.sign(claims, kid: kid))
        } catch {
            // The library's own words may repeat what it was given.
            throw .token(
                "the private key of \(email) cannot be read; it must be RSA of 2,048 bits or more, "
                    + "in PEM, as Google writes it")
        }
    }

    private struct Claims: JWTPayload {
        let iss: String
        let scope: String
        let aud: String
        let iat: Int64
        let exp: Int64

        func verify(using algorithm: some JWTAlgorithm) {}
    }

    private func read(
        _ answer: BigQueryAnswer, issuedAt: Int64
    ) throws(BigQueryError) -> GoogleAccessToken {
        let body = answer.body
        let document = JSONDocument(bytesMax: max(body.count, 1))
        return try withExtendedLifetime(document) { () throws(BigQueryError) in
            let root = try? document.parse(body)
            guard answer.status == 200 else {
                let word = BigQueryRefusal.printable(
                    root?["error_description"]?.string ?? root?["error"]?.string)
                throw .token(
                    "Google gives \(email) no access token (\(answer.status), \(word)); check that "
                        + "the key is not revoked and this machine's clock is right")
            }
            guard let token = root?["access_token"]?.string,
                let seconds = root?["expires_in"]?.int64, (1...86_400).contains(seconds)
            else { throw .token("the answer of \(tokenURI) is no access token") }
            return GoogleAccessToken(
                Secret(token), issuedAt: issuedAt, expiresAt: issuedAt + seconds)
        }
    }
}
