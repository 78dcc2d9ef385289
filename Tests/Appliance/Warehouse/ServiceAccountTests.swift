import Bridges
import Foundation
import NIOCore
import NIOHTTP1
import Synchronization
import TestSupport
import Testing

@testable import Daemon
@testable import Vocabulary
@testable import Warehouse

@Suite("Access tokens for BigQuery", .timeLimit(.minutes(1)))
struct ServiceAccountTests {
    /// Google's token endpoint: keeps what it is sent, answers what it is told.
    final class Endpoint: BigQueryTransport {
        let state = Mutex((requests: [BigQueryRequest](), answer: BigQueryAnswer(status: 200)))

        init(_ status: Int, _ body: String) {
            state.withLock { $0.answer = BigQueryAnswer(status: status, body: Array(body.utf8)) }
        }

        func send(_ request: BigQueryRequest, token: Secret?) async throws -> BigQueryAnswer {
            state.withLock { state in
                state.requests.append(request)
                return state.answer
            }
        }

        var form: [String: String] {
            let body = state.withLock { $0.requests.last?.body ?? [] }
            let text = "https://x.test/?" + String(decoding: body, as: UTF8.self)
            let items = URLComponents(string: text)?.queryItems ?? []
            return Dictionary(items.map { ($0.name, $0.value ?? "") }, uniquingKeysWith: { $1 })
        }
    }

    /// An RSA key of `bits` in a folder, as PEM (PKCS #8, as Google writes it).
    private static func key(bits: Int, in folder: TemporaryFolder) async throws -> String {
        let path = folder.file("key-\(bits).pem")
        let (code, _, errors) = try await Child.run(
            "/usr/bin/openssl",
            ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:\(bits)", "-out", path])
        try #require(code == 0, "\(errors)")
        return try String(contentsOfFile: path, encoding: .utf8)
    }

    private static func file(
        _ key: String, uri: String = "https://oauth2.googleapis.com/token"
    ) throws -> Secret {
        let object = [
            "type": "service_account", "client_email": "loader@p.iam.gserviceaccount.com",
            "private_key": key, "private_key_id": "k1", "token_uri": uri,
        ]
        return Secret(
            String(
                decoding: try JSONSerialization.data(withJSONObject: object), as: UTF8.self))
    }

    @Test("the assertion is signed with the key, says what Google wants, and openssl agrees")
    func assertion() async throws {
        let folder = try TemporaryFolder()
        let pem = try await Self.key(bits: 2_048, in: folder)
        let endpoint = Endpoint(200, #"{"access_token":"ya29.x","expires_in":3599}"#)
        let account = try ServiceAccountKey(
            try Self.file(pem), path: "key.json", transport: endpoint, now: { 1_795_000_000 })
        let token = try #require(try await account.newToken())
        #expect(token.accessToken.reveal() == "ya29.x")
        #expect(token.expiresAt == 1_795_003_599)
        #expect(endpoint.form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer")

        let parts = try #require(endpoint.form["assertion"]).split(separator: ".").map(String.init)
        try #require(parts.count == 3)
        let header = try Self.object(parts[0])
        #expect(header["alg"] as? String == "RS256")
        #expect(header["kid"] as? String == "k1")
        let claims = try Self.object(parts[1])
        #expect(claims["iss"] as? String == "loader@p.iam.gserviceaccount.com")
        #expect(claims["scope"] as? String == "https://www.googleapis.com/auth/bigquery")
        #expect(claims["aud"] as? String == "https://oauth2.googleapis.com/token")
        #expect(claims["iat"] as? Int == 1_795_000_000)
        #expect(claims["exp"] as? Int == 1_795_003_600)

        try Data("\(parts[0]).\(parts[1])".utf8).write(to: URL(filePath: folder.file("text")))
        try Self.bytes(parts[2]).write(to: URL(filePath: folder.file("signature")))
        let (made, _, _) = try await Child.run(
            "/usr/bin/openssl",
            ["pkey", "-in", folder.file("key-2048.pem"), "-pubout", "-out", folder.file("public")])
        try #require(made == 0)
        let (code, output, errors) = try await Child.run(
            "/usr/bin/openssl",
            [
                "dgst", "-sha256", "-verify", folder.file("public"), "-signature",
                folder.file("signature"), folder.file("text"),
            ])
        #expect(code == 0, "\(output) \(errors)")
    }

    private static func bytes(_ base64URL: String) throws -> Data {
        var text = base64URL.replacing("-", with: "+").replacing("_", with: "/")
        while text.count % 4 != 0 { text += "=" }
        return try #require(Data(base64Encoded: text))
    }

    private static func object(_ part: String) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: bytes(part)) as? [String: Any])
    }

    @Test("a refusal names the account and Google's word, and neither key nor assertion")
    func refusal() async throws {
        let folder = try TemporaryFolder()
        let pem = try await Self.key(bits: 2_048, in: folder)
        let endpoint = Endpoint(
            400, #"{"error":"invalid_grant","error_description":"Invalid JWT Signature."}"#)
        let account = try ServiceAccountKey(
            try Self.file(pem), path: "key.json", transport: endpoint)
        let error = await #expect(throws: BigQueryError.self) { try await account.newToken() }
        let sentence = "\(try #require(error))"
        #expect(sentence.contains("loader@p.iam.gserviceaccount.com"))
        #expect(sentence.contains("Invalid JWT Signature."))
        let assertion = try #require(endpoint.form["assertion"])
        for secret in [assertion, String(pem.split(separator: "\n")[1])] {
            #expect(!sentence.contains(secret))
            #expect(!String(reflecting: account).contains(secret))
        }
    }

    @Test("what is no key, a key that is too short, and a token_uri in the clear are refused")
    func wrongFiles() async throws {
        let folder = try TemporaryFolder()
        #expect(throws: BigQueryError.self) {
            try ServiceAccountKey(Secret("{}"), path: "key.json")
        }
        #expect(throws: BigQueryError.self) {
            try ServiceAccountKey(
                try Self.file("x", uri: "http://oauth2.googleapis.com/token"), path: "key.json")
        }
        for pem in ["no key at all", try await Self.key(bits: 1_024, in: folder)] {
            let account = try ServiceAccountKey(
                try Self.file(pem), path: "key.json", transport: Endpoint(200, "{}"))
            let error = await #expect(throws: BigQueryError.self) { try await account.newToken() }
            let sentence = "\(try #require(error))"
            #expect(sentence.contains("cannot be read"))
            #expect(!sentence.contains(String(pem.split(separator: "\n").last ?? "")))
        }
    }

    @Test("answers that are no token", arguments: [
        "", "{}", #"{"access_token":"x"}"#, #"{"access_token":"x","expires_in":0}"#,
        #"{"access_token":"x","expires_in":"soon"}"#,
    ])
    func strangeAnswers(body: String) async throws {
        let folder = try TemporaryFolder()
        let pem = try await Self.key(bits: 2_048, in: folder)
        let account = try ServiceAccountKey(
            try Self.file(pem), path: "key.json", transport: Endpoint(200, body))
        await #expect(throws: BigQueryError.self) { try await account.newToken() }
    }

    @Test("an emulator on this machine is shown no token, and elsewhere Google's metadata is asked")
    func sources() throws {
        var settings = BigQuerySettings()
        settings.base = "http://127.0.0.1:9050"
        #expect(try settings.tokens() is NoBigQueryTokens)
        settings.base = BigQueryPlace.googleBase
        #expect(try settings.tokens() is MetadataTokens)
    }

    @Test("a metadata server that does not answer is named, with what to set instead")
    func noMetadata() async throws {
        let tokens = MetadataTokens(
            GoogleMetadata(host: "127.0.0.1:1", patience: .seconds(2)))
        let error = await #expect(throws: BigQueryError.self) { try await tokens.newToken() }
        #expect(error?.description.contains("bigquery.key_file") == true)
    }
}
