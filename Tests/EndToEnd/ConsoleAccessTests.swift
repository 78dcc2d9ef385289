import Foundation
import TestSupport
import Testing

@testable import Vocabulary

/// Who comes in to a real daemon, and how.
@Suite("Console's doors", .serialized, .timeLimit(.minutes(5)))
struct ConsoleAccessTests {
    private static let password = "correct horse battery"

    /// The setup link of the daemon's log; nil where it printed none.
    private static func link(_ daemon: RunningDaemon) -> String? {
        daemon.daemon.standardError.firstMatch(of: /http:\/\/[0-9.:]+(\/setup\?code=[\w-]+)/)
            .map { String($0.output.1) }
    }

    /// Sends a form as the daemon's own page does.
    private static func post(
        _ daemon: RunningDaemon, _ path: String, _ form: String
    ) throws -> String {
        let socket = try RawConnection(port: daemon.admin, patienceSeconds: 20)
        socket.send(
            "POST \(path) HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n"
                + "Content-Type: application/x-www-form-urlencoded\r\n"
                + "Content-Length: \(form.utf8.count)\r\nConnection: close\r\n\r\n\(form)")
        return socket.readAnswer()
    }

    /// Asks with a session's cookie.
    private static func status(
        _ daemon: RunningDaemon, _ path: String, cookie: Substring
    ) throws -> Int? {
        let socket = try RawConnection(port: daemon.admin, patienceSeconds: 20)
        socket.send("GET \(path) HTTP/1.1\r\nHost: localhost\r\nCookie: \(cookie)\r\n\r\n")
        return socket.readStatus()
    }

    /// Asks for the events of a console.
    private static func console(
        _ daemon: RunningDaemon, showing token: String
    ) throws -> RawConnection {
        let console = try RawConnection(port: daemon.admin, patienceSeconds: 20)
        console.send(
            "GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n"
                + "Authorization: Bearer \(token)\r\n\r\n")
        return console
    }

    private static func command(
        _ words: String, _ data: String, typing: String = ""
    ) async throws -> (code: Int32, output: String, errors: String) {
        try await Child.run(
            "/bin/sh",
            [
                "-c", "printf '%s\\n' \"$2\" | \"$0\" \(words) --data \"$1\"",
                Tillbox.executable, data, typing,
            ])
    }

    @Test("the first start's link makes the first admin; the next start prints none")
    func firstRun() async throws {
        let edge = ["TILLBOX_PROFILE": "edge"]
        let daemon = try await RunningDaemon(environment: edge)
        try await eventually("it prints the link") { Self.link(daemon) != nil }
        let path = try #require(Self.link(daemon))
        let code = try #require(path.split(separator: "=").last)
        let answer = try Self.post(
            daemon, "/setup", "code=\(code)&name=ann&password=correct+horse+battery")
        #expect(answer.hasPrefix("HTTP/1.1 303 "), "\(answer)")
        let cookie = try #require(answer.firstMatch(of: /Set-Cookie: ([^;]+);/)).output.1
        #expect(try Self.status(daemon, "/api/v1/users", cookie: cookie) == 200)
        #expect(try Self.post(daemon, "/setup", "code=\(code)&name=eve&password=x")
            .hasPrefix("HTTP/1.1 403 "))
        try await daemon.stop()
        let again = try await RunningDaemon(in: daemon.folder, environment: edge)
        #expect(Self.link(again) == nil)
        #expect(
            try Self.status(again, "/api/v1/users", cookie: cookie) == 200,
            "a restart ends no session")
        let login = try Self.post(again, "/login", "name=ann&password=correct+horse+battery")
        #expect(login.hasPrefix("HTTP/1.1 303 "), "\(login)")
        try await again.stop()
    }

    @Test("in the profile dev the link opens the console by itself")
    func dev() async throws {
        let daemon = try await RunningDaemon()
        try await eventually("it prints the link") { Self.link(daemon) != nil }
        let path = try #require(Self.link(daemon))
        #expect(try daemon.ask("GET", path) == 303)
        #expect(try daemon.ask("GET", path) == 403, "once")
    }

    @Test("the folder's token is its owner's, for one run, and opens what nothing else does")
    func folderToken() async throws {
        let daemon = try await RunningDaemon()
        let file = daemon.data + "/console/token"
        let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions]
        #expect(mode as? Int == 0o600)
        #expect(try daemon.ask("GET", "/api/v1/users") == 200)
        let stranger = try RawConnection(port: daemon.admin)
        stranger.send("GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n")
        #expect(stranger.readStatus() == 401)
        for path in ["/healthz", "/readyz", "/metrics"] {
            let open = try RawConnection(port: daemon.admin)
            open.send("GET \(path) HTTP/1.1\r\nHost: localhost\r\n\r\n")
            #expect(open.readStatus() == 200, "\(path) is open")
        }
        let environment = ["TILLBOX_ADMIN_PORT": "\(daemon.admin)"]
        let told = try await Child.run(
            Tillbox.executable, ["status", "--data", daemon.data], environment: environment)
        #expect(told.output.contains("since its start"), "\(told.errors)")
        let other = try TemporaryFolder()
        let refused = try await Child.run(
            Tillbox.executable, ["status", "--data", other.path], environment: environment)
        #expect(refused.code == 3)
        #expect(refused.errors.contains("another data folder than"), "\(refused.errors)")
        let token = Tillbox.token(of: daemon.data)
        try await daemon.stop()
        #expect(!FileManager.default.fileExists(atPath: file), "a stopped daemon leaves none")
        let again = try await RunningDaemon(in: daemon.folder)
        #expect(Tillbox.token(of: again.data) != token)
    }

    @Test("the token of a daemon that was killed opens nothing at the next start")
    func killed() async throws {
        let daemon = try await RunningDaemon()
        let former = Tillbox.token(of: daemon.data)
        daemon.daemon.kill(SIGKILL)
        _ = await daemon.daemon.wait()
        #expect(Tillbox.token(of: daemon.data) == former, "nobody took it away")
        let again = try await RunningDaemon(in: daemon.folder)
        #expect(Tillbox.token(of: again.data) != former)
        let asked = try RawConnection(port: again.admin)
        asked.send(
            "GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\n"
                + "Authorization: Bearer \(former)\r\n\r\n")
        #expect(asked.readStatus() == 401)
        try await again.stop()
    }

    @Test("a console that is open hears nothing more within 10 s of its token's end")
    func streamEnds() async throws {
        let daemon = try await RunningDaemon()
        let token = try await Self.command("token add wall --role viewer", daemon.data)
        let shown = token.output.trimmingCharacters(in: .whitespacesAndNewlines)
        let console = try Self.console(daemon, showing: shown)
        let other = try Self.console(daemon, showing: Tillbox.token(of: daemon.data))
        for open in [console, other] {
            #expect(open.readBlock()?.contains("event: hello") == true)
        }
        #expect(try await Self.command("token remove wall", daemon.data).code == 0)
        let removed = ContinuousClock.now
        while console.readBlock() != nil {}
        #expect(removed.duration(to: .now) < .seconds(10))
        #expect(other.readBlock() != nil, "another's goes on")
        try await daemon.stop()
    }

    @Test("users and tokens are made beside a running daemon, which lets them in at once")
    func commands() async throws {
        let daemon = try await RunningDaemon()
        let short = try await Self.command("user add bob --role viewer", daemon.data, typing: "x")
        #expect(short.code == 2 && short.errors.contains("at least 15"), "\(short.errors)")
        let made = try await Self.command(
            "user add bob --role viewer", daemon.data, typing: Self.password)
        #expect(made.code == 0, "\(made.errors)")
        let login = try Self.post(daemon, "/login", "name=bob&password=correct+horse+battery")
        let cookie = try #require(login.firstMatch(of: /Set-Cookie: ([^;]+);/)).output.1
        #expect(try Self.status(daemon, "/api/v1/status", cookie: cookie) == 200)
        #expect(try Self.status(daemon, "/api/v1/users", cookie: cookie) == 403, "a viewer")
        let token = try await Self.command("token add ci --role admin --expires 2h", daemon.data)
        #expect(token.code == 0, "\(token.errors)")
        let shown = token.output.trimmingCharacters(in: .whitespacesAndNewlines)
        let asked = try RawConnection(port: daemon.admin)
        asked.send(
            "GET /api/v1/users HTTP/1.1\r\nHost: localhost\r\n"
                + "Authorization: Bearer \(shown)\r\n\r\n")
        #expect(asked.readStatus() == 200)
        let list = try await Self.command("token list --json", daemon.data)
        #expect(list.output.contains("\"ci\"") && !list.output.contains(shown))
        let changed = try await Self.command(
            "user password bob", daemon.data, typing: Self.password + "!")
        #expect(changed.code == 0, "\(changed.errors)")
        #expect(try Self.status(daemon, "/api/v1/status", cookie: cookie) == 401)
        #expect(try await Self.command("token remove ci", daemon.data).code == 0)
        #expect(try await Self.command("user remove bob", daemon.data).code == 0)
        #expect(try await Self.command("user remove bob", daemon.data).code == 3)
        let audit = try await Self.command("audit verify", daemon.data)
        #expect(audit.code == 0 && audit.output.contains("is sound"), "\(audit.errors)")
        let entries = try JSON(try await Self.command("audit list --json", daemon.data).output)
        #expect(
            entries["audit"].list.map { $0["what"].text } == [
                "user remove", "token remove", "user password", "token add", "login", "user add",
                "configuration",
            ])
    }

    @Test("speaks TLS where it has a certificate, to browsers and to its own commands")
    func tls() async throws {
        let certificate = try await TestCertificate()
        let secure = [
            "TILLBOX_ADMIN_TLS_CERTIFICATE_FILE": certificate.certificateFile,
            "TILLBOX_ADMIN_TLS_KEY_FILE": certificate.keyFile,
        ]
        let daemon = try await RunningDaemon(environment: secure)
        let asked = try await Child.run("/usr/bin/python3", [
            "-c",
            """
            import ssl, sys, urllib.request
            trust = ssl.create_default_context(cafile=sys.argv[2])
            answer = urllib.request.urlopen(sys.argv[1], context=trust)
            print(answer.status, answer.headers["Strict-Transport-Security"])
            """, "https://localhost:\(daemon.admin)/healthz", certificate.caFile,
        ])
        #expect(asked.output == "200 max-age=15552000\n", "\(asked.errors)")
        let plain = try RawConnection(port: daemon.admin)
        plain.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        #expect(!plain.readAnswer().contains("200"), "plain HTTP gets no answer")
        let told = try await Child.run(
            Tillbox.executable, ["status", "--data", daemon.data],
            environment: secure.merging(["TILLBOX_ADMIN_PORT": "\(daemon.admin)"]) { $1 })
        #expect(told.output.contains("since its start"), "\(told.errors)")
        try await daemon.stop()
    }

    @Test("does not listen beyond loopback without TLS, unless a proxy is said to speak it")
    func beyondLoopback() async throws {
        let folder = try TemporaryFolder()
        let open = [
            "TILLBOX_WEBHOOK_SECRET": "whsec_test", "TILLBOX_WEBHOOK_PORT": "0",
            "TILLBOX_ADMIN_PORT": "0", "TILLBOX_ADMIN_HOST": "0.0.0.0",
        ]
        let refused = try await Child.run(
            Tillbox.executable, ["run", "--data", folder.file("data")], environment: open)
        #expect(refused.code == 78)
        #expect(refused.errors.contains("admin.tls_certificate_file"), "\(refused.errors)")
        #expect(!FileManager.default.fileExists(atPath: folder.file("data")))
        let daemon = try await RunningDaemon(
            in: folder,
            environment: ["TILLBOX_ADMIN_HOST": "0.0.0.0", "TILLBOX_ADMIN_BEHIND_PROXY": "true"])
        try await daemon.expectHealthy()
        try await daemon.stop()
    }
}
