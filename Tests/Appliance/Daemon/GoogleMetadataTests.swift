import Bridges
import Foundation
import Logging
import NIOCore
import Synchronization
import TestSupport
import Testing

@testable import Daemon
@testable import Vocabulary

@Suite("Google's metadata server")
struct GoogleMetadataTests {
    /// A metadata server that gives this answer to whoever asks as Google wants it.
    private static func server(_ answer: String, status: String = "200 OK") throws -> ScriptedPeer {
        try ScriptedPeer { connection in
            var request = ""
            while !request.contains("\r\n\r\n") {
                let more = connection.read()
                guard !more.isEmpty else { return }
                request += more
            }
            let path = "/computeMetadata/v1/instance/service-accounts/default/token"
            let isRight = request.hasPrefix("GET \(path) HTTP/1.1\r\n")
                && request.lowercased().contains("metadata-flavor: google")
            let head = "HTTP/1.1 \(isRight ? status : "403 Forbidden")"
            connection.send(
                "\(head)\r\ncontent-length: \(answer.utf8.count)\r\nconnection: close\r\n\r\n"
                    + answer)
        }
    }

    private static func metadata(_ server: ScriptedPeer) -> GoogleMetadata {
        GoogleMetadata(host: "127.0.0.1:\(server.port)", patience: .seconds(5))
    }

    @Test("a token is asked for as Google wants it, and ends when it says")
    func token() throws {
        let server = try Self.server(
            #"{"access_token":"ya29.abc","expires_in":3599,"token_type":"Bearer"}"#)
        let token = try Self.metadata(server).token(at: 1_000)
        #expect(token.accessToken.reveal() == "ya29.abc")
        #expect(token.issuedAt == 1_000 && token.expiresAt == 4_599)
        #expect(!"\(token)".contains("ya29"))
    }

    @Test("what is no token is one sentence that shows nothing of the answer", arguments: [
        ("{}", "200 OK", "no token"), ("ya29-secret", "200 OK", "no token"),
        (#"{"access_token":"ya29-secret"}"#, "200 OK", "no token"),
        (#"{"access_token":"ya29-secret","expires_in":"x"}"#, "200 OK", "no token"),
        (#"{"access_token":"ya29-secret","expires_in":0}"#, "200 OK", "has ended"),
        (#"{"access_token":"ya29-secret","expires_in":-5}"#, "200 OK", "has ended"),
        ("ya29-secret", "404 Not Found", "no service account"),
        ("ya29-secret", "503 Service Unavailable", "answered 503"),
    ])
    func noToken(answer: String, status: String, words: String) throws {
        let server = try Self.server(answer, status: status)
        let error = #expect(throws: GoogleMetadata.Failure.self) {
            try Self.metadata(server).token(at: 1_000)
        }
        let sentence = error.map { "\($0)" } ?? ""
        #expect(sentence.hasPrefix("no access token from Google's metadata server: "))
        #expect(sentence.contains(words), "\(sentence)")
        #expect(!sentence.contains("ya29") && !sentence.contains("\n"))
    }

    @Test("an answer that is too large is given up before it is read to its end")
    func endlessAnswer() throws {
        let server = try ScriptedPeer { connection in
            while !connection.read().hasSuffix("\r\n\r\n") {}
            connection.send(
                "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n"
                    + String(repeating: "a", count: 70_000))
            while !connection.read().isEmpty {}
        }
        #expect(throws: GoogleMetadata.Failure.unreadable) {
            try Self.metadata(server).token(at: 1_000)
        }
    }

    @Test("a token that ends later than can be counted ends at the last moment there is")
    func endless() throws {
        let server = try Self.server(
            #"{"access_token":"t","expires_in":9223372036854775807}"#)
        #expect(try Self.metadata(server).token(at: 1_000).expiresAt == .max)
    }

    @Test("a server that is not there, or says nothing, is one sentence in time")
    func silent() throws {
        let closed = GoogleMetadata(host: "127.0.0.1:\(try freePort())", patience: .seconds(2))
        let mute = try ScriptedPeer { connection in while !connection.read().isEmpty {} }
        let hanging = GoogleMetadata(
            host: "127.0.0.1:\(mute.port)", patience: .milliseconds(300))
        for metadata in [closed, hanging] {
            let begun = ContinuousClock.now
            let error = #expect(throws: GoogleMetadata.Failure.self) { try metadata.token() }
            #expect(begun.duration(to: .now) < .seconds(10))
            #expect(error?.description.contains("does not answer") == true)
        }
    }

    // MARK: From the settings to the client

    private static func settings(_ security: KafkaSettings.Security) -> Settings {
        var settings = Settings()
        settings.kafka.bootstrap = "127.0.0.1:1"
        settings.kafka.security = security
        settings.kafka.username = "a@b.iam"
        return settings
    }

    private static func security(
        _ settings: Settings, metadataHost: String? = nil
    ) throws -> KafkaSecurity {
        try settings.kafkaConfiguration(
            client: "test", warnings: RationedLog(logger: Logger(label: "test")),
            metadataHost: metadataHost
        ).security
    }

    @Test("kafka.password_file is read whenever the client asks for a password")
    func passwordFile() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("password")
        func write(_ text: String) throws {
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        }
        var settings = Self.settings(.saslPlain)
        settings.kafka.passwordFile = path
        // Before anybody connects: a file that is not there is the settings' fault.
        #expect(throws: SettingsError.self) { try Self.security(settings) }
        try write("first\n")
        guard case .saslPlain("a@b.iam", nil, let password) = try Self.security(settings) else {
            Issue.record("another security")
            return
        }
        #expect(try password() == Secret("first"))
        try write("second\n")
        #expect(try password() == Secret("second"))
        try FileManager.default.removeItem(atPath: path)
        #expect(throws: SettingsError.self) { try password() }
    }

    @Test("sasl_google asks the metadata server for the account's token")
    func google() throws {
        let server = try Self.server(#"{"access_token":"of the server","expires_in":60}"#)
        guard case .saslGoogle("a@b.iam", nil, let token) = try Self.security(
            Self.settings(.saslGoogle), metadataHost: "127.0.0.1:\(server.port)")
        else {
            Issue.record("another security")
            return
        }
        #expect(try token().accessToken == Secret("of the server"))
    }
}
