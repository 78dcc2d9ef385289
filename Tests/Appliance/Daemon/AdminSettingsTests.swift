import Foundation
import TestSupport
import Testing

@testable import Daemon
@testable import Vocabulary

@Suite("Settings of the admin port")
struct AdminSettingsTests {
    private static func load(
        _ environment: [String: String], needsSecrets: Bool = true
    ) throws -> Settings {
        let own = ["TILLBOX_WEBHOOK_SECRET": "whsec_a"]
        return try SettingsLoader(
            file: nil, environment: own.merging(environment) { $1 }
        ).load(needsSecrets: needsSecrets)
    }

    private static func refusal(_ environment: [String: String]) -> String {
        do {
            return "accepted: \(try load(environment))"
        } catch {
            return "\(error)"
        }
    }

    @Test("a port that others reach needs TLS, or a proxy before it", arguments: [
        ("127.0.0.1", false), ("127.1.2.3", false), ("localhost", false), ("::1", false),
        ("0.0.0.0", true), ("::", true), ("10.0.0.1", true), ("127.example", true),
        ("box.lan", true),
    ])
    func loopback(host: String, isRefused: Bool) throws {
        let environment = ["TILLBOX_ADMIN_HOST": host]
        let sentence = Self.refusal(environment)
        #expect(sentence.contains("others reach the console") == isRefused, "\(sentence)")
        #expect(throws: Never.self) {
            try Self.load(environment.merging(["TILLBOX_ADMIN_BEHIND_PROXY": "true"]) { $1 })
        }
        #expect(throws: Never.self, "who only asks may ask anybody") {
            try Self.load(environment, needsSecrets: false)
        }
    }

    @Test("a certificate and its key come together, and fit")
    func certificates() async throws {
        let (own, other) = (try await TestCertificate(), try await TestCertificate())
        func environment(_ certificate: String, _ key: String) -> [String: String] {
            [
                "TILLBOX_ADMIN_HOST": "0.0.0.0", "TILLBOX_ADMIN_TLS_CERTIFICATE_FILE": certificate,
                "TILLBOX_ADMIN_TLS_KEY_FILE": key,
            ]
        }
        let settings = try Self.load(environment(own.certificateFile, own.keyFile))
        #expect(settings.adminTLS != nil)
        #expect(settings.consoleAddress(port: 9090) == "https://localhost:9090")
        #expect(
            Self.refusal(environment(own.certificateFile, ""))
                .contains("needs admin.tls_key_file"))
        #expect(
            Self.refusal(environment("", own.keyFile)).contains("needs admin.tls_certificate_file"))
        #expect(
            Self.refusal(environment(own.certificateFile, other.keyFile))
                .contains("cannot be used"))
        #expect(Self.refusal(environment(own.keyFile, own.keyFile)).contains("cannot be used"))
        #expect(
            Self.refusal(environment("/nowhere", own.keyFile)).contains("cannot read /nowhere"))
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o644], ofItemAtPath: own.keyFile)
        #expect(
            Self.refusal(environment(own.certificateFile, own.keyFile))
                .contains("is open to other users"))
    }

    @Test("a token comes from a private file, and is in no sentence")
    func token() throws {
        let folder = try TemporaryFolder()
        let file = folder.file("token")
        try "secret-token\n".write(toFile: file, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file)
        let environment = ["TILLBOX_ADMIN_TOKEN_FILE": file]
        #expect(try Self.load(environment).adminToken == "secret-token")
        #expect(try Self.load(environment, needsSecrets: false).adminToken == "secret-token")
        #expect(try Self.load(["TILLBOX_ADMIN_TOKEN": " "]).adminToken == nil, "it is none")
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: file)
        let sentence = Self.refusal(environment)
        #expect(sentence.contains("is open to other users") && !sentence.contains("secret-token"))
        #expect(try Self.load(environment, needsSecrets: false).adminToken == nil)
        #expect(
            Self.refusal(["TILLBOX_ADMIN_BEHIND_PROXY": "perhaps"]).contains("true or false"))
    }

    @Test("how many proxies are trusted is told with the proxy, and is one without a word")
    func proxies() throws {
        #expect(try Self.load([:]).adminProxyCount == 0)
        let behind = ["TILLBOX_ADMIN_BEHIND_PROXY": "true"]
        #expect(try Self.load(behind).adminProxyCount == 1)
        func counted(_ count: String) -> [String: String] {
            behind.merging(["TILLBOX_ADMIN_PROXY_COUNT": count]) { $1 }
        }
        #expect(try Self.load(counted("2")).adminProxyCount == 2)
        for count in ["0", "17", "two"] {
            #expect(Self.refusal(counted(count)).contains("admin.proxy_count"), "\(count)")
        }
        // The audit log has it where it says something.
        #expect(try !Self.load([:]).summary.contains("proxy_count"))
        #expect(
            try Self.load(counted("2")).summary.contains(" behind_proxy=true proxy_count=2 "))
        #expect(
            Self.refusal(["TILLBOX_ADMIN_PROXY_COUNT": "2"])
                .contains("admin.behind_proxy is not true"))
    }
}
