import Foundation
import TestSupport
import Testing

@testable import Daemon
@testable import Vocabulary

@Suite("Configuration draft")
struct ConfigurationDraftTests {
    private static func changed(_ text: String, _ key: String, to value: String) throws -> String {
        var draft = ConfigurationDraft(text)
        try draft.set(key, to: value)
        return draft.text
    }

    @Test("sets a key and leaves every other line as it is", arguments: [
        ("webhook:\n  # Where.\n  #port: 8080\nadmin:\n  #port: 9090\n", "webhook.port", "1",
         "webhook:\n  # Where.\n  port: 1\nadmin:\n  #port: 9090\n"),
        ("webhook:\n  port: 2\n", "webhook.port", "1", "webhook:\n  port: 1\n"),
        ("webhook:\n    host: a # mine\n", "webhook.port", "1",
         "webhook:\n    port: 1\n    host: a # mine\n"),
        ("webhook:\n", "webhook.port", "1", "webhook:\n  port: 1\n"),
        ("admin:\n  port: 2\n", "webhook.port", "1",
         "admin:\n  port: 2\n\nwebhook:\n  port: 1\n"),
        ("#profile: dev\n", "profile", "edge", "profile: edge\n"),
        ("", "profile", "edge", "\nprofile: edge\n"),
        ("webhook:\n  #host: x\n", "webhook.host", "::", "webhook:\n  host: \"::\"\n"),
        ("webhook:\n  endpoint:\n    eu:\n      port: 3\n", "webhook.port", "1",
         "webhook:\n  port: 1\n  endpoint:\n    eu:\n      port: 3\n"),
        ("# webhook: is below\nwebhook:\n  #port: 2\n", "webhook.port", "1",
         "# webhook: is below\nwebhook:\n  port: 1\n"),
    ])
    func sets(before: String, key: String, value: String, after: String) throws {
        #expect(try Self.changed(before, key, to: value) == after)
    }

    @Test("a group on one line is refused, and nothing is lost")
    func oneLine() throws {
        #expect(throws: ConfigurationDraft.Refusal.groupOnOneLine("webhook")) {
            _ = try Self.changed("webhook: {port: 3}\n", "webhook.port", to: "1")
        }
    }

    @Test("a value stands there only where no # is before it and something behind it", arguments: [
        ("webhook:\n  secret: whsec_a\n", true), ("webhook:\n  #secret: whsec_a\n", false),
        ("webhook:\n  secret:\n", false), ("webhook:\n  secret_file: x\n", false), ("", false),
        ("stripe:\n  secret: x\n", false),
    ])
    func isSet(text: String, expected: Bool) {
        #expect(ConfigurationDraft(text).isSet("webhook.secret") == expected)
    }
}

@Suite("First settings")
struct FirstSettingsTests {
    @Test("an address is host:port or a port", arguments: [
        ("8080", "127.0.0.1", 8080), ("0.0.0.0:80", "0.0.0.0", 80), ("[::1]:443", "::1", 443),
        ("shop.example:8443", "shop.example", 8443),
    ])
    func addresses(text: String, host: String, port: Int) {
        #expect(FirstSettings.address(in: text) == Settings.Address(host: host, port: port))
    }

    @Test("a file that was not there says what it is, and what else a box that takes money wants")
    func outline() throws {
        let root = try TemporaryFolder()
        let place = SettingsPlace(
            file: root.file("tillbox.conf"), secrets: root.file("secrets"))
        try place.write(
            FirstSettings(
                mode: .test, address: .init(host: "127.0.0.1", port: 8081),
                signingSecret: "whsec_" + String(repeating: "a", count: 32), apiKey: nil))
        let text = try String(contentsOfFile: place.file, encoding: .utf8)
        #expect(text.hasPrefix("# Tillbox's configuration"))
        #expect(text.contains("\nbackup:\n  #folder: /mnt/backup/tillbox\n"))
        #expect(text.contains("\n  #api_key_file:\n") && text.contains("\n  livemode: test\n"))
        let read = try SettingsLoader(file: place.file, environment: [:]).load(needsSecrets: true)
        #expect(read.profile == .edge && read.livemode == .test && read.webhook.port == 8081)
        #expect(read.endpoints.map(\.secrets.count) == [1] && read.backup.folder == nil)
        #expect(read.alerts.doors.isEmpty && read.stripeKey == nil)
    }

    @Test("a link in the place of a draft is not followed, whoever put it there")
    func linkedDrafts() throws {
        let root = try TemporaryFolder()
        let (file, secrets) = (root.file("tillbox.conf"), root.file("secrets"))
        let other = root.file("other")
        let files = FileManager.default
        try "# Mine.\n".write(toFile: file, atomically: true, encoding: .utf8)
        try "somebody's".write(toFile: other, atomically: true, encoding: .utf8)
        try files.createDirectory(atPath: secrets, withIntermediateDirectories: false)
        for draft in [file + ".new", secrets + "/webhook.new"] {
            try files.createSymbolicLink(atPath: draft, withDestinationPath: other)
        }
        try SettingsPlace(file: file, secrets: secrets).write(
            FirstSettings(
                mode: .test, address: .init(host: "127.0.0.1", port: 8080),
                signingSecret: "whsec_" + String(repeating: "a", count: 32), apiKey: nil))
        #expect(try String(contentsOfFile: other, encoding: .utf8) == "somebody's")
        for written in [file, secrets + "/webhook"] {
            let found = try files.attributesOfItem(atPath: written)
            #expect(found[.type] as? FileAttributeType == .typeRegular, "\(written)")
        }
    }

    @Test("a file that was closed to others stays so; a new one is open, and the secrets are not",
          arguments: [(0o600, 0o600), (0o640, 0o640), (nil, 0o644)] as [(mode_t?, mode_t)])
    func permissions(before: mode_t?, after: mode_t) throws {
        let root = try TemporaryFolder()
        let (file, secrets) = (root.file("tillbox.conf"), root.file("secrets"))
        if let before {
            try "# Mine.\n".write(toFile: file, atomically: true, encoding: .utf8)
            chmod(file, before)
        }
        try SettingsPlace(file: file, secrets: secrets).write(
            FirstSettings(
                mode: .test, address: .init(host: "127.0.0.1", port: 8080),
                signingSecret: "whsec_" + String(repeating: "a", count: 32), apiKey: nil))
        func mode(_ path: String) -> mode_t {
            var status = stat()
            return stat(path, &status) == 0 ? status.st_mode & 0o777 : 0
        }
        #expect(mode(file) == after)
        #expect(mode(secrets) == 0o700 && mode(secrets + "/webhook") == 0o600)
        let text = try String(contentsOfFile: file, encoding: .utf8)
        #expect(text.contains("port: 8080") && text.contains("# Mine.") == (before != nil))
    }

    @Test("what the file says by now is what an empty answer takes", arguments: [
        ("", nil, nil), ("webhook:\n  #port: 8080\n  #livemode: live\n", nil, nil),
        ("webhook:\n  port: 9000 # mine\n  livemode: \"test\"\n", "test", "127.0.0.1:9000"),
        ("webhook:\n  host: '::1'\n  livemode: any\n", "any", "[::1]:8080"),
        ("webhook:\n  host: shop.example\n  port: 0\n", nil, nil),
    ] as [(String, String?, String?)])
    func present(text: String, mode: String?, address: String?) throws {
        let root = try TemporaryFolder()
        let file = root.file("tillbox.conf")
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        let found = try SettingsPlace(file: file, secrets: root.file("secrets")).present()
        #expect(found.mode == mode && found.address == address, "\(found)")
    }

    @Test("a place that nothing can be written at is refused before anybody is asked")
    func places() throws {
        let root = try TemporaryFolder()
        for (file, expected) in [
            (root.path, "it is a folder"), (root.file("no/such.conf"), "No such file or directory"),
        ] {
            let place = SettingsPlace(file: file, secrets: root.file("secrets"))
            #expect {
                try place.present()
            } throws: { "\($0)".contains(expected) && "\($0)".contains(root.path) }
        }
        // An empty file is no secret that could be kept.
        try FileManager.default.createDirectory(
            atPath: root.file("secrets"), withIntermediateDirectories: false)
        let place = SettingsPlace(file: root.file("new.conf"), secrets: root.file("secrets"))
        try " \n".write(toFile: root.file("secrets/stripe"), atomically: true, encoding: .utf8)
        #expect(!place.secretExists(SettingsPlace.stripeName))
        try "rk_live_a\n".write(
            toFile: root.file("secrets/stripe"), atomically: true, encoding: .utf8)
        #expect(place.secretExists(SettingsPlace.stripeName))
        #expect(place.secret(SettingsPlace.stripeName) == "rk_live_a")
    }

    @Test("a folder of secrets that cannot be made is named, and the file stays as it was")
    func noSecrets() throws {
        let root = try TemporaryFolder()
        let file = root.file("tillbox.conf")
        try "# Mine.\n".write(toFile: file, atomically: true, encoding: .utf8)
        let settings = FirstSettings(
            mode: .test, address: .init(host: "127.0.0.1", port: 8080),
            signingSecret: "whsec_" + String(repeating: "a", count: 32), apiKey: nil)
        #expect {
            try SettingsPlace(file: file, secrets: "/proc/nope").write(settings)
        } throws: { error in
            "\(error)".hasPrefix("cannot write at /proc/nope: No such file or directory; ")
        }
        #expect(try String(contentsOfFile: file, encoding: .utf8) == "# Mine.\n")
        #expect(try FileManager.default.contentsOfDirectory(atPath: root.path) == ["tillbox.conf"])
    }

    @Test("what is no address is refused", arguments: [
        "", "0", "65536", "host", "host:", ":80", "::1:80", "a b:80", "host:http", "-1",
    ])
    func noAddress(text: String) { #expect(FirstSettings.address(in: text) == nil) }

    @Test("a secret in the wrong place is told, and not repeated", arguments: [
        ("", "Stripe's dashboard"), ("sk_live_abcdef", "API key"), ("nonsense", "whsec_"),
    ])
    func signingSecrets(text: String, expected: String) {
        let sentence = FirstSettings.refusal(ofSigningSecret: text) ?? "accepted"
        #expect(sentence.contains(expected), "\(sentence)")
        #expect(text.isEmpty || !sentence.contains(text))
    }

    @Test("a key is of the events' mode", arguments: [
        ("rk_live_a", FirstSettings.Mode.live, true), ("rk_test_a", .live, false),
        ("sk_test_a", .test, true), ("sk_live_a", .test, false), ("whsec_a", .test, false),
        ("rk_live_a", .any, true), ("rk_test_a", .any, true), ("", .any, false),
    ])
    func keys(text: String, mode: FirstSettings.Mode, isFine: Bool) {
        #expect((FirstSettings.refusal(ofAPIKey: text, mode: mode) == nil) == isFine)
    }
}
