import Foundation
import Logging
import TestSupport
import Testing

@testable import Appliance
@testable import Daemon
@testable import Reconcile
@testable import Vocabulary

@Suite("Settings")
struct SettingsTests {
    /// What a file of these lines, with these variables, comes to.
    private static func load(
        _ yaml: String? = nil, _ environment: [String: String] = [:], mode: Int = 0o600,
        needsSecrets: Bool = true
    ) throws -> Settings {
        guard let yaml else {
            return try SettingsLoader(file: nil, environment: environment)
                .load(needsSecrets: needsSecrets)
        }
        let folder = try TemporaryFolder()
        let file = folder.file("tillbox.yaml")
        try yaml.write(toFile: file, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file)
        return try SettingsLoader(file: file, environment: environment)
            .load(needsSecrets: needsSecrets)
    }

    /// The sentence of the refusal.
    private static func refusal(
        _ yaml: String? = nil, _ environment: [String: String] = [:], mode: Int = 0o600
    ) -> String {
        do {
            let settings = try load(yaml, environment, mode: mode)
            return "accepted: \(settings)"
        } catch {
            return "\(error)"
        }
    }

    // MARK: Secrets

    @Test("secrets are one a line or separated by commas", arguments: [
        "whsec_a,whsec_b", "whsec_a\nwhsec_b\n", " whsec_a ,\twhsec_b ", "whsec_a\r\nwhsec_b\r\n",
        "\nwhsec_a\n\n  whsec_b",
    ])
    func severalSecrets(value: String) throws {
        let settings = try Self.load(nil, ["TILLBOX_WEBHOOK_SECRET": value])
        #expect(settings.endpoints.map(\.secrets) == [["whsec_a", "whsec_b"]])
        let folder = try TemporaryFolder()
        try Self.write(value, to: folder.file("secret"), mode: 0o600)
        let fromFile = try Self.load(
            nil, ["TILLBOX_WEBHOOK_SECRET_FILE": folder.file("secret")])
        #expect(fromFile.endpoints.map(\.secrets) == [["whsec_a", "whsec_b"]])
    }

    @Test("a YAML list and a block of lines hold two secrets too", arguments: [
        "webhook:\n  secret: [whsec_a, whsec_b]\n",
        "webhook:\n  secret:\n    - whsec_a\n    - whsec_b\n",
        "webhook:\n  secret: |\n    whsec_a\n    whsec_b\n",
        "webhook: {secret: \"whsec_a,whsec_b\"}\n",
    ])
    func secretsInYAML(yaml: String) throws {
        #expect(try Self.load(yaml).endpoints.map(\.secrets) == [["whsec_a", "whsec_b"]])
    }

    @Test("what is no signing secret stops the start and is not repeated", arguments: [
        ("\"whsec_dont_show\"", "quotation marks"), ("'whsec_dont_show'", "quotation marks"),
        ("sk_live_dont_show", "API key (sk_…)"), ("rk_test_dont_show", "API key (rk_…)"),
        ("pk_live_dont_show", "API key (pk_…)"), ("whsec_dont show", "blank"),
        ("whsec_dont_show whsec_b", "blank"), ("", "empty"), ("  \n ", "empty"),
        ("whsec_dont_show,", "empty"), ("whsec_dont_show,,whsec_b", "empty"),
        ("we_1dont_show", "begin with whsec_"), ("whsec_", "begin with whsec_"),
        ("whsec_dont_show\u{200B}", "begin with whsec_"),
    ])
    func noSigningSecret(value: String, expected: String) {
        let sentence = Self.refusal(nil, ["TILLBOX_WEBHOOK_SECRET": value])
        #expect(sentence.contains(expected), "\(sentence)")
        #expect(sentence.contains("TILLBOX_WEBHOOK_SECRET"), "\(sentence)")
        #expect(!sentence.contains("dont"), "\(sentence)")
    }

    @Test("what is no API key stops the start and is not repeated", arguments: [
        ("whsec_dont_show", "signing secret"), ("pk_test_dont_show", "publishable"),
        ("'sk_test_dont_show'", "quotation marks"), ("", "empty"), ("dont_show", "sk_test_"),
        ("sk_test_dont_show,sk_test_b", "more than one"), ("sk_test_dont show", "blank"),
    ])
    func noAPIKey(value: String, expected: String) {
        let sentence = Self.refusal(
            nil, ["TILLBOX_WEBHOOK_SECRET": "whsec_a", "TILLBOX_STRIPE_API_KEY": value])
        #expect(sentence.contains(expected), "\(sentence)")
        #expect(sentence.contains("TILLBOX_STRIPE_API_KEY"), "\(sentence)")
        #expect(!sentence.contains("dont"), "\(sentence)")
    }

    @Test("a secret and its file together are a slip")
    func secretTwice() {
        let sentence = Self.refusal(
            "webhook: {secret_file: /run/secret}", ["TILLBOX_WEBHOOK_SECRET": "whsec_a"])
        #expect(sentence.contains("both webhook.secret and webhook.secret_file"))
    }

    @Test("settings of an endpoint that is not listed stop the start", arguments: [
        ("webhook: {secret: whsec_a, endpoint: {eu: {secret: whsec_b}}}", [:]),
        (
            "webhook: {secret: whsec_a, endpoints: [us], "
                + "endpoint: {us: {secret: whsec_c}, eu: {livemode: live}}}", [:]
        ),
        (nil, ["TILLBOX_WEBHOOK_ENDPOINT_EU_SECRET": "whsec_b"]),
        (nil, ["TILLBOX_WEBHOOK_ENDPOINT_EU_SECRET_FILE": "/run/secret"]),
        (nil, ["TILLBOX_WEBHOOK_ENDPOINT_EU_LIVEMODE": "live"]),
    ] as [(String?, [String: String])])
    func unlisted(yaml: String?, environment: [String: String]) {
        let secret = yaml == nil ? ["TILLBOX_WEBHOOK_SECRET": "whsec_a"] : [:]
        let all = environment.merging(secret) { $1 }
        let sentence = Self.refusal(yaml, all)
        #expect(
            sentence.contains("an endpoint eu that webhook.endpoints does not list"), "\(sentence)")
    }

    @Test("a variable that is nearly a setting is named with that setting, and never its value")
    func misspeltVariables() {
        let warnings = MisspeltVariables.warnings(in: [
            "TILLBOX_WEBHOOK_PROT": "8081", "TILLBOX_WEBHOOK_SECERT": "whsec_dont_show",
            // Known, an endpoint's own, an orchestrator's for services `tillbox` and
            // `tillbox-redis`, and somebody else's.
            "TILLBOX_ADMIN_PORT": "9091", "TILLBOX_WEBHOOK_ENDPOINT_EU_SECRET": "whsec_a",
            "TILLBOX_PORT": "tcp://10.0.0.1:80", "TILLBOX_SERVICE_HOST": "10.0.0.1",
            "TILLBOX_SERVICE_PORT": "80", "TILLBOX_REDIS_PORT": "tcp://10.0.0.2:6379",
            "TILLBOX_TESTABLE": "1", "TILLBOX_PATH": "/", "WEBHOOK_PROT": "1",
        ])
        #expect(warnings.count == 2, "\(warnings)")
        for (warning, key) in zip(warnings, ["PORT", "SECRET"]) {
            #expect(warning.hasSuffix("did you mean TILLBOX_WEBHOOK_\(key)?"), "\(warning)")
        }
        #expect(!warnings.contains { $0.contains("dont_show") || $0.contains("8081") })
    }

    @Test("variables that an orchestrator sets by itself are left alone")
    func orchestrator() throws {
        let settings = try Self.load(nil, [
            "TILLBOX_WEBHOOK_SECRET": "whsec_a", "TILLBOX_WEBHOOK_ENDPOINTS": "eu, a-b",
            "TILLBOX_WEBHOOK_ENDPOINT_EU_SECRET": "whsec_b",
            "TILLBOX_WEBHOOK_ENDPOINT_A_B_SECRET": "whsec_c",
            "TILLBOX_WEBHOOK_ENDPOINT_SERVICE_HOST": "10.0.0.1",
            "TILLBOX_WEBHOOK_ENDPOINT_PORT_80_TCP": "tcp://10.0.0.1:80",
        ])
        #expect(settings.endpoints.map(\.name) == ["", "eu", "a-b"])
        #expect(settings.endpoints.map(\.secrets) == [["whsec_a"], ["whsec_b"], ["whsec_c"]])
    }

    @Test("who only looks into a folder reads no secret")
    func noSecretsNeeded() throws {
        let settings = try Self.load(
            nil, ["TILLBOX_WEBHOOK_SECRET_FILE": "/nowhere", "TILLBOX_STRIPE_API_KEY": "nonsense"],
            needsSecrets: false)
        #expect(settings.endpoints.count == 1 && settings.stripeKey == nil)
    }

    // MARK: Secret files

    static func write(_ text: String, to path: String, mode: Int) throws {
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
    }

    @Test(
        "a secret behind a symbolic link is judged by the file at its end",
        arguments: [
            (0o600, true), (0o400, true), (0o644, false), (0o604, false), (0o660, false),
            (0o620, false),
        ])
    func symbolicLink(mode: Int, isPrivate: Bool) throws {
        // As Kubernetes mounts it: name → ..data/name, ..data → the folder of the day.
        let folder = try TemporaryFolder()
        let files = FileManager.default
        try files.createDirectory(atPath: folder.file("..2025"), withIntermediateDirectories: true)
        try Self.write("whsec_a", to: folder.file("..2025/secret"), mode: mode)
        try files.createSymbolicLink(
            atPath: folder.file("..data"), withDestinationPath: "..2025")
        try files.createSymbolicLink(
            atPath: folder.file("secret"), withDestinationPath: "..data/secret")
        let environment = ["TILLBOX_WEBHOOK_SECRET_FILE": folder.file("secret")]
        if isPrivate {
            #expect(try Self.load(nil, environment).endpoints.map(\.secrets) == [["whsec_a"]])
        } else {
            let sentence = Self.refusal(nil, environment)
            #expect(sentence.contains("open to other users (mode \(String(mode, radix: 8)))"))
        }
    }

    @Test("a file that root's group or one of ours may read is private only where it is root's",
        arguments: [
        (mode: 0o400, owner: 1000, group: 1000, isPrivate: true),
        (mode: 0o440, owner: 0, group: 0, isPrivate: true),
        (mode: 0o440, owner: 0, group: 2000, isPrivate: true),
        (mode: 0o440, owner: 0, group: 3000, isPrivate: false),
        (mode: 0o640, owner: 1000, group: 2000, isPrivate: false),
        (mode: 0o460, owner: 0, group: 0, isPrivate: false),
        (mode: 0o444, owner: 0, group: 0, isPrivate: false),
    ])
    func groups(mode: UInt32, owner: UInt32, group: UInt32, isPrivate: Bool) {
        let reader = SecretFile.Reader(groups: [2000])
        #expect(
            SecretFile.isPrivate(mode: mode, owner: owner, group: group, to: reader) == isPrivate)
    }

    @Test("a folder, a missing and an endless file are no secret files", arguments: [
        ("/tmp", "no file"), ("/nowhere/secret", "No such file"), ("/dev/zero", "no file"),
    ])
    func noFile(path: String, expected: String) {
        let sentence = Self.refusal(nil, ["TILLBOX_WEBHOOK_SECRET_FILE": path])
        #expect(sentence.contains(path) && sentence.contains(expected), "\(sentence)")
    }

    @Test("an empty secret file is told as one")
    func emptySecretFile() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("secret")
        for text in ["", "\n", "  \r\n"] {
            try Self.write(text, to: path, mode: 0o600)
            #expect(
                Self.refusal(nil, ["TILLBOX_WEBHOOK_SECRET_FILE": path])
                    == "the secret file \(path) is empty; write the secret into it")
        }
    }

    @Test("a pipe is read to its end, and one that nobody writes into is refused")
    func pipes() async throws {
        let folder = try TemporaryFolder()
        let path = folder.file("pipe")
        try #require(mkfifo(path, 0o600) == 0)
        let silent = Self.refusal(nil, ["TILLBOX_WEBHOOK_SECRET_FILE": path])
        #expect(silent.contains("a pipe that nobody writes into"), "\(silent)")
        // The writer comes when the reader waits already, and writes in two parts.
        let writer = try Child(
            "/bin/sh", ["-c", "exec >\(path); printf whsec_; sleep 0.2; printf piped"])
        let settings = try Self.load(nil, ["TILLBOX_WEBHOOK_SECRET_FILE": path])
        #expect(settings.endpoints.map(\.secrets) == [["whsec_piped"]])
        #expect(await writer.wait() == 0)
    }

    // MARK: The file

    @Test("a group that stands alone is told its near one, and an empty one sets nothing")
    func groups() throws {
        #expect(Self.refusal("webhok:\n").contains("did you mean webhook?"))
        #expect(Self.refusal("webhok: 8080\n").contains("did you mean webhook?"))
        #expect(Self.refusal("webhok:\n  port: 1\n").contains("did you mean webhook.port?"))
        let settings = try Self.load(
            "webhook:\n#  port: 1\nlogging:\n", ["TILLBOX_WEBHOOK_SECRET": "whsec_a"])
        #expect(settings.webhook.port == 8080)
    }

    @Test("Stripe's address has no path, and is told so at the start", arguments: [
        "http://127.0.0.1:12111/v1", "https://api.stripe.com/v1/", "https://api.stripe.com?a=1",
        "https://key@api.stripe.com", "api.stripe.com", "ftp://api.stripe.com",
    ])
    func stripeBase(value: String) throws {
        let sentence = Self.refusal(
            nil, ["TILLBOX_WEBHOOK_SECRET": "whsec_a", "TILLBOX_STRIPE_API_BASE": value])
        #expect(sentence.contains("stripe.api_base"), "\(sentence)")
        #expect(sentence.contains("without a path"), "\(sentence)")
        let settings = try Self.load(nil, [
            "TILLBOX_WEBHOOK_SECRET": "whsec_a",
            "TILLBOX_STRIPE_API_BASE": "http://127.0.0.1:12111/",
        ])
        #expect(settings.stripeBase == "http://127.0.0.1:12111")
    }

    @Test("webhooks and console do not share a port", arguments: [
        ("127.0.0.1", "127.0.0.1", true), ("0.0.0.0", "127.0.0.1", true),
        ("127.0.0.1", "127.0.0.2", false),
    ])
    func samePort(webhook: String, admin: String, isRefused: Bool) throws {
        let environment = [
            "TILLBOX_WEBHOOK_SECRET": "whsec_a", "TILLBOX_WEBHOOK_HOST": webhook,
            "TILLBOX_ADMIN_HOST": admin, "TILLBOX_WEBHOOK_PORT": "9090",
        ]
        let sentence = Self.refusal(nil, environment)
        #expect(sentence.contains("another port than webhook.port") == isRefused, "\(sentence)")
        // Who only asks the console need not know where the webhooks go.
        #expect(throws: Never.self) {
            try Self.load(nil, environment, needsSecrets: false)
        }
    }

    @Test("a file that holds a secret is checked as a secret file is", arguments: [
        ("webhook: {secret: whsec_a}", true), ("stripe:\n  api_key: sk_test_a\n", true),
        ("webhook:\n  endpoint:\n    eu: {secret: whsec_a}\n", true),
        ("webhook: {port: 8080}", false), ("webhook: {secret_file: /run/secret}", false),
    ])
    func exposedFile(yaml: String, holdsSecret: Bool) {
        let sentence = Self.refusal(yaml, mode: 0o644)
        #expect(sentence.contains("holds a secret and is open") == holdsSecret, "\(sentence)")
        #expect(!holdsSecret || sentence.contains("chmod 600"))
    }

    @Test("broken YAML is told by its line and never by what stands there", arguments: [
        ("profile: dev\nwebhook:\n  secret: \"whsec_dont_show\n", "line"),
        ("profile: dev\nwebhook:\n\tsecret: whsec_dont_show\n", "line 3"),
        ("webhook: {secret: whsec_dont_show", "line"),
        ("profile: dev\nwebhook: whsec_dont_show: more\n", "line 2"),
        ("webhook:\n  secret: whsec_dont_show\n  secret: whsec_dont_show\n", "twice"),
        ("whsec_dont_show\n", "key: value"),
        ("webhook:\n  whsec_dont_show: 1\n", "line 2"),
        ("webhook:\n  port: [whsec_dont_show]\n", "one value"),
        ("webhook:\n  secret: [[whsec_dont_show]]\n", "plain list"),
        ("webhook:\n  port: whsec_dont_show\n", "whole number"),
        ("webhook:\n  secret: *whsec_dont_show\n", "line 2"),
    ])
    func brokenYAML(yaml: String, expected: String) {
        let sentence = Self.refusal(yaml)
        #expect(sentence.contains(expected), "\(sentence)")
        #expect(!sentence.contains("dont_show"), "\(sentence)")
        #expect(!sentence.contains("\n"))
    }

    @Test("YAML that cannot be read is not read by others either")
    func brokenAndExposed() {
        let sentence = Self.refusal("webhook: {secret: whsec_dont_show", mode: 0o644)
        #expect(sentence.contains("open to other users") && !sentence.contains("dont_show"))
    }

    @Test("values stay the text that is written")
    func scalars() throws {
        let settings = try Self.load("""
            webhook: {secret: whsec_a, port: 08081, endpoints: []}
            reconcile: {at: 12:30}
            merchant: {default: 007}
            verdict: {amount_limits: [usd:500000, jpy:800000]}
            data:
            """)
        #expect(settings.reconcile.schedule.nightlyMinute == 12 * 60 + 30)
        #expect(settings.defaultMerchant.rawValue == "007")
        #expect(settings.webhook.port == 8081)
        #expect(settings.amountLimits.count == 2)
        #expect(settings.dataPath == "./tillbox-data")
        let off = try Self.load("reconcile: {at: off}\nwebhook: {secret: whsec_a}")
        #expect(off.reconcile.schedule.nightlyMinute == nil)
    }

    @Test("an empty file sets nothing", arguments: ["", "# nothing\n", "---\n", "~\n"])
    func emptyFile(yaml: String) throws {
        #expect(try Self.load(yaml, ["TILLBOX_WEBHOOK_SECRET": "whsec_a"]).webhook.port == 8080)
    }

    @Test("level and format of the log are checked", arguments: [
        ("TILLBOX_LOGGING_LEVEL", "loud", "one of trace, debug, info"),
        ("TILLBOX_LOGGING_LEVEL", "INFO", "one of trace, debug, info"),
        ("TILLBOX_LOGGING_FORMAT", "xml", "one of json, text"),
        ("TILLBOX_ARCHIVE_KEEP_MONTHS", "1", "from 2 to 1200: of what is younger Stripe still"),
        ("TILLBOX_PROFILE", "clown", "one of dev, edge, cloud"),
        ("TILLBOX_PROFILE", "cloud", "give --role webhook, score, ledger or console"),
    ])
    func checked(variable: String, value: String, expected: String) {
        let sentence = Self.refusal(
            nil, ["TILLBOX_WEBHOOK_SECRET": "whsec_a", variable: value])
        #expect(sentence.contains(expected), "\(sentence)")
    }

    @Test("docs/CONFIGURATION.md lists every key")
    func documented() throws {
        let page = try String(
            contentsOf: Repository.root.appending(path: "docs/CONFIGURATION.md"), encoding: .utf8)
        // `webhook.host`, `webhook.port` | …: the first column holds the keys.
        let keys = Set(
            page.split(separator: "\n").filter { $0.hasPrefix("| `") }.flatMap { line in
                line.split(separator: "|")[0].matches(of: /`([a-z_.]+)`/).map {
                    String($0.output.1)
                }
            })
        let missing = SettingsKey.allCases.map(\.rawValue).filter { !keys.contains($0) }
        #expect(missing.isEmpty, "\(missing)")
        // The package's configuration is made from that page: a key that nobody knows would be an
        // error in it.
        let unknown = keys.filter { !$0.hasPrefix(".") && !SettingsKey.isKnown($0) }
        #expect(unknown.isEmpty, "\(unknown)")
    }
}

@Suite("Start report")
struct StartReportTests {
    private static func settings(key: String?, livemode: WebhookEndpoint.Livemode) -> Settings {
        var settings = Settings()
        settings.stripeKey = key
        settings.endpoints = [WebhookEndpoint(name: "", secrets: ["whsec_a"], livemode: livemode)]
        return settings
    }

    @Test("a key of one mode beside an endpoint of the other is warned of", arguments: [
        ("sk_test_1", .live, true), ("rk_live_1", .test, true), ("sk_live_1", .test, true),
        ("sk_test_1", .test, false), ("sk_live_1", .live, false), ("sk_test_1", .any, false),
        ("rk_live_1", .any, false), (nil, .live, false),
    ] as [(String?, WebhookEndpoint.Livemode, Bool)])
    func modes(key: String?, livemode: WebhookEndpoint.Livemode, isWarned: Bool) {
        let warnings = StartReport(settings: Self.settings(key: key, livemode: livemode)).warnings
        #expect(warnings.count == (isWarned ? 1 : 0), "\(warnings)")
        #expect(!isWarned || warnings[0].contains("http://127.0.0.1:8080/webhooks/stripe"))
    }

    @Test("a live key that goes elsewhere than to Stripe is warned of")
    func elsewhere() {
        var settings = Self.settings(key: "sk_live_secret", livemode: .live)
        settings.stripeBase = "http://127.0.0.1:12111"
        let warnings = StartReport(settings: settings).warnings
        #expect(warnings.count == 1 && warnings[0].contains("http://127.0.0.1:12111"))
        #expect(!warnings[0].contains("sk_live_secret"))
    }
}
