import Foundation
import TestSupport
import Testing

/// What an operator reads in the daemon's log.
@Suite("Daemon's words", .serialized, .timeLimit(.minutes(5)))
struct DaemonWordsTests {
    private struct Line {
        var fields: [String: Any]
        var message: String { fields["message"] as? String ?? "" }
        var level: String { fields["level"] as? String ?? "" }
    }

    /// The last one may still be half written.
    private static func lines(of daemon: Child) -> [Line] {
        daemon.standardError.split(separator: "\n").compactMap { line in
            let object = try? JSONSerialization.jsonObject(with: Data(line.utf8))
            return (object as? [String: Any]).map(Line.init)
        }
    }

    @Test("a Stripe that is not there is told at once: log, readiness and the one who asks")
    func silentStripe() async throws {
        let daemon = try await RunningDaemon(environment: [
            "TILLBOX_STRIPE_API_KEY": "sk_test_words",
            "TILLBOX_STRIPE_API_BASE": "http://127.0.0.1:\(try freePort())",
        ])
        try await eventually("the log says so: \(daemon.daemon.standardError.suffix(500))") {
            Self.lines(of: daemon.daemon).contains {
                $0.level == "warning" && $0.message.hasPrefix("Stripe does not answer")
                    && $0.fields["reason"] as? String == "Connection refused"
            }
        }
        let ready = try JSON(try daemon.read("/readyz"))
        #expect(ready["status"].text == "ready")
        #expect(ready["warnings"].list.map(\.text).contains { $0.contains("Connection refused") })
        for verb in ["run", "sweep"] {
            let answer = try await Child.run(
                Tillbox.executable, ["reconcile", verb, "--data", daemon.data],
                environment: ["TILLBOX_ADMIN_PORT": "\(daemon.admin)"])
            #expect(answer.code == 3, "\(answer)")
            #expect(answer.errors.contains("stripe.api_base"), "\(answer.errors)")
            #expect(!answer.errors.contains("errno"), "\(answer.errors)")
            #expect(!answer.errors.contains("status 503"), "\(answer.errors)")
            // Nothing that a run or a sweep would have found is told as found.
            for word in ["nothing to show", "missed events", "clean", "0 events"] {
                #expect(!answer.output.contains(word), "\(answer.output)")
            }
        }
        try await daemon.stop()
    }

    @Test("the head of the log tells what runs where, with which keys, and no secret")
    func start() async throws {
        let folder = try TemporaryFolder()
        let (webhook, admin) = (try freePort(), try freePort())
        let daemon = try Tillbox.start(
            data: folder.file("data"), webhookPort: webhook, adminPort: admin,
            secret: "whsec_dont_show,whsec_dont_show_either",
            environment: [
                "TILLBOX_STRIPE_API_KEY": "rk_test_dont_show",
                "TILLBOX_STRIPE_API_BASE": "http://127.0.0.1:\(try freePort())",
                "TILLBOX_WEBHOOK_ENDPOINTS": "eu",
                "TILLBOX_WEBHOOK_ENDPOINT_EU_SECRET": "whsec_dont_show",
                "TILLBOX_WEBHOOK_ENDPOINT_EU_LIVEMODE": "live",
            ])
        try await daemon.untilListening()
        let lines = Self.lines(of: daemon)
        let start = try #require(lines.first)
        #expect(start.message == "starting")
        #expect(start.fields["profile"] as? String == "dev")
        #expect(start.fields["data"] as? String == URL(
            filePath: folder.file("data")).resolvingSymlinksInPath().path)
        #expect(start.fields["webhooks"] as? String == "http://127.0.0.1:\(webhook)")
        #expect(start.fields["admin"] as? String == "http://127.0.0.1:\(admin)")
        #expect(start.fields["stripe_key"] as? String == "test, restricted")
        let endpoints = lines.filter { $0.message == "takes webhooks" }
        let urls = endpoints.compactMap { $0.fields["url"] as? String }
        #expect(urls.map { $0.hasSuffix("/webhooks/stripe/eu") } == [false, true])
        #expect(endpoints.compactMap { $0.fields["livemode"] as? String } == ["test", "live"])
        #expect(endpoints.compactMap { $0.fields["secrets"] as? Int } == [2, 1])
        let warnings = lines.filter { $0.level == "warning" }.map(\.message)
        #expect(warnings.contains { $0.contains("test key") && $0.contains("/webhooks/stripe/eu") })
        for line in lines {
            let time = line.fields["time"] as? String ?? ""
            #expect(time.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil, "\(time)")
        }
        daemon.kill(SIGTERM)
        #expect(await daemon.wait() == 0)
        #expect(!daemon.standardError.contains("dont_show"))
    }

    @Test("a wrong secret is told in one line, with its count and what to do")
    func wrongSecret() async throws {
        let folder = try TemporaryFolder()
        let port = try freePort()
        let daemon = try Tillbox.start(
            data: folder.file("data"), webhookPort: port, adminPort: try freePort(),
            environment: ["TILLBOX_LOGGING_SUMMARY_SECONDS": "1"])
        try await daemon.untilListening()
        _ = try await Tillbox.simulate(
            to: port, secret: "whsec_other", count: 30, "--attempts", "1")
        var told = 0
        try await eventually("all refusals are told") {
            told = Self.lines(of: daemon).reduce(0) { sum, line in
                let refused = line.fields["refused"] as? [String: Int]
                guard line.message.contains("webhook.secret is not") else { return sum }
                return sum + (refused?["signature_no_match"] ?? 0)
            }
            return told >= 30
        }
        daemon.kill(SIGTERM)
        #expect(await daemon.wait() == 0)
    }

    @Test("the wrong mode is told in one line, with its count and a command that can be pasted")
    func wrongMode() async throws {
        let folder = try TemporaryFolder()
        let (port, file) = (try freePort(), folder.file("box.yaml"))
        try "webhook: {livemode: live}\nlogging: {summary_seconds: 1}\n".write(
            toFile: file, atomically: true, encoding: .utf8)
        let daemon = try Child(
            Tillbox.executable, ["run", "--data", folder.file("data"), "--config", file],
            environment: [
                "TILLBOX_WEBHOOK_SECRET": "whsec_test", "TILLBOX_WEBHOOK_PORT": "\(port)",
                "TILLBOX_ADMIN_PORT": "\(try freePort())",
            ])
        try await daemon.untilListening()
        let sent = try await Tillbox.simulate(to: port, count: 30)
        #expect(sent.code == 0, "\(sent.errors)")
        try await eventually("all mismatches are told") {
            Self.lines(of: daemon).reduce(0) { sum, line in
                let letters = line.fields["dead_letters"] as? [String: Int]
                guard line.message.contains("webhook.livemode") else { return sum }
                return sum + (letters?["livemode_mismatch"] ?? 0)
            } == 30
        }
        let command = "`\(Tillbox.executable) dead-letter redrive --data \(folder.file("data")) "
            + "--config \(file)`"
        #expect(Self.lines(of: daemon).contains { $0.message.contains(command) })
        daemon.kill(SIGTERM)
        #expect(await daemon.wait() == 0)
    }

    @Test("a daemon that cannot go on names one cause")
    func oneCause() async throws {
        let folder = try TemporaryFolder()
        let port = try freePort()
        let first = try Tillbox.start(
            data: folder.file("a"), webhookPort: port, adminPort: try freePort())
        try await first.untilListening()
        let second = try Tillbox.start(
            data: folder.file("b"), webhookPort: port, adminPort: try freePort())
        #expect(await second.wait() == 3)
        let lines = second.standardError.split(separator: "\n")
        #expect(lines.filter { $0.hasPrefix("tillbox: ") }.count == 1)
        #expect(lines.last?.hasPrefix("tillbox: 127.0.0.1:\(port) is in use") == true)
        let others = lines.filter { $0.contains("stopped") || $0.contains(#""level":"error""#) }
        #expect(others.isEmpty, "\(others)")
        first.kill(SIGTERM)
        #expect(await first.wait() == 0)
        #expect(!first.standardError.contains("stage stopped"))
    }

    @Test("text is the log's format where it is asked for, and JSON off a terminal", arguments: [
        ("text", false), (nil, true),
    ] as [(String?, Bool)])
    func format(format: String?, isJSON: Bool) async throws {
        let folder = try TemporaryFolder()
        var environment = [
            "TILLBOX_WEBHOOK_SECRET": "whsec_test", "TILLBOX_WEBHOOK_PORT": "\(try freePort())",
            "TILLBOX_ADMIN_PORT": "\(try freePort())",
        ]
        environment["TILLBOX_LOGGING_FORMAT"] = format
        let daemon = try Child(
            Tillbox.executable, ["run", "--data", folder.file("data")], environment: environment)
        try await eventually("it listens") {
            !daemon.isRunning || daemon.standardError.contains("role=webhook")
                || daemon.standardError.contains(#""role":"webhook""#)
        }
        #expect(daemon.standardError.hasPrefix("{") == isJSON, "\(daemon.standardError)")
        daemon.kill(SIGTERM)
        #expect(await daemon.wait() == 0)
    }

    @Test("on a terminal the log is text")
    func terminal() async throws {
        let folder = try TemporaryFolder()
        // `script` gives the daemon a terminal of its own.
        let command = "TILLBOX_WEBHOOK_SECRET=whsec_test TILLBOX_WEBHOOK_PORT=\(try freePort()) "
            + "TILLBOX_ADMIN_PORT=\(try freePort()) \(Tillbox.executable) run --data "
            + folder.file("data")
        let daemon = try Child("/usr/bin/script", ["-qec", command, folder.file("typescript")])
        try await eventually("it listens") {
            !daemon.isRunning || daemon.standardOutput.contains("role=webhook")
        }
        #expect(daemon.standardOutput.contains(" info starting "), "\(daemon.standardOutput)")
        daemon.kill(SIGTERM)
        await daemon.wait()
    }

    @Test("a temporary folder goes with its terminal")
    func demoFolder() async throws {
        let folder = try TemporaryFolder()
        let demo = try Child(
            Tillbox.executable, ["demo", "--rate", "20"], environment: ["TMPDIR": folder.path])
        func made() throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: folder.path)
                .filter { $0.hasPrefix("tillbox-demo-") }
        }
        try await eventually("the demo runs") {
            try !demo.isRunning || (made().count == 1 && demo.standardOutput.contains("admitted"))
        }
        demo.kill(SIGHUP)
        #expect(await demo.wait() == 0, "\(demo.standardError)")
        #expect(try made().isEmpty)
    }

    @Test("a configuration file with a secret that others may read stops the start")
    func exposedConfiguration() async throws {
        let folder = try TemporaryFolder()
        let file = folder.file("tillbox.yaml")
        try "webhook: {secret: whsec_dont_show}".write(
            toFile: file, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: file)
        let answer = try await Tillbox.run("run", "--config", file, "--data", folder.file("data"))
        #expect(answer.code == 78)
        #expect(answer.errors.contains("chmod 600 \(file)"), "\(answer.errors)")
        #expect(!answer.errors.contains("dont_show"))
        #expect(!FileManager.default.fileExists(atPath: folder.file("data")))
    }
}
