import Foundation
import TestSupport
import Testing

@testable import Appliance
@testable import Vocabulary

/// What a stranger or a bad day may do to the running daemon (docs/RELIABILITY.md): it stays, and
/// still takes deliveries.
@Suite("Strangers", .serialized)
struct StrangersTests {
    @Test("no hostile request ends the daemon or gets more than its answer")
    func hostileRequests() async throws {
        let world = try await RunningDaemon()
        for (port, isAdmin) in [(world.webhook, false), (world.admin, true)] {
            for hostile in HostileRequest.all {
                let socket = try RawConnection(port: port, patienceSeconds: 30)
                socket.send(bytes: hostile.bytes)
                let status = socket.readStatus()
                let wanted = isAdmin ? hostile.admin : hostile.webhook
                #expect(wanted.contains(status), "\(hostile.name), admin: \(isAdmin)")
                if hostile.ends {
                    #expect(socket.isClosedByPeer(), "\(hostile.name), admin: \(isAdmin)")
                }
            }
        }
        try await world.expectHealthy()
    }

    /// Numbers at every end, and what is none.
    private static let numbers = [
        "-1", "0", "1", "2147483648", "4611686018427387903", "4611686018427387904",
        "9223372036854775806", "9223372036854775807", "-9223372036854775808",
        "9223372036854775808", "18446744073709551615", "1e400", "1.5", "0x10", "%2B1", "", "x",
    ]

    @Test("every number from outside is checked before it is reckoned with")
    func numbers() async throws {
        let world = try await RunningDaemon(environment: [
            "TILLBOX_STRIPE_API_KEY": "sk_test_numbers",
            "TILLBOX_STRIPE_API_BASE": "http://127.0.0.1:9",
            "TILLBOX_RECONCILE_AT": "off", "TILLBOX_SWEEP_EVERY_MINUTES": "0",
        ])
        for number in Self.numbers {
            try expectRead(number, world)
            try expectPosted(number, world)
        }
        #expect(try world.ask("GET", "/api/v1/dead-letters?after=-1") == 400)
        #expect(try world.ask("GET", "/api/v1/dead-letters?after=9223372036854775807") == 400)
        try await world.expectHealthy()
        for number in Self.numbers where !number.isEmpty {
            for arguments in [
                ["dead-letter", "list", "--after=\(number)"],
                ["log", "cat", "dead.letter", "--from=\(number)"],
                ["log", "cat", "dead.letter", "--count=\(number)"],
                ["ledger", "show", "\(number)"],
                ["ledger", "balances", "--as-of=\(number)"],
            ] {
                let answer = try await Child.run(
                    Tillbox.executable, arguments + ["--data", world.data])
                #expect(
                    (0...3).contains(answer.code), "\(arguments): \(answer.code) \(answer.errors)")
            }
        }
    }

    private func expectRead(_ number: String, _ world: RunningDaemon) throws {
        let lists = ["dead-letters", "reconciliations", "reconciliations/1", "sweeps", "nothing"]
        let paths = lists.flatMap { ["\($0)?after=\(number)", "\($0)?limit=\(number)"] } + [
            "sweeps/\(number)", "reconciliations/\(number)", "reconciliations/dry-\(number)",
        ]
        for path in paths {
            let status = try world.ask("GET", "/api/v1/\(path)")
            #expect([200, 400, 404].contains(status), "\(path): \(status ?? 0)")
        }
    }

    private func expectPosted(_ number: String, _ world: RunningDaemon) throws {
        for (path, body) in [
            ("dead-letters/redrive", #"{"after":\#(number),"dry_run":true}"#),
            ("dead-letters/redrive", #"{"offsets":[\#(number)],"dry_run":true}"#),
            ("reconciliations", #"{"from":\#(number)}"#),
            ("reconciliations", #"{"from":0,"to":\#(number)}"#),
            ("reconciliations", #"{"from":\#(number),"dry_run":true}"#),
        ] {
            let status = try world.ask("POST", "/api/v1/\(path)", json: body)
            // 503: a run that is understood begins with asking Stripe, which nobody is here.
            #expect([200, 202, 400, 409, 503].contains(status), "\(path) \(body): \(status ?? 0)")
        }
    }

    @Test("clients that send ahead and never read an answer stay within a port's memory")
    func neverRead() async throws {
        let world = try await RunningDaemon()
        try await world.expectHealthy()
        let before = try world.peakMemory()
        // They send until none has been taken anything from for two seconds, or very much was.
        let script = """
            import select, socket, sys
            ports = [int(port) for port in sys.argv[1:]]
            some = b"GET /healthz HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n" * 500
            held = [socket.create_connection(("127.0.0.1", port)) for port in ports
                    for _ in range(48)]
            for one in held: one.setblocking(False)
            sent = 0
            while sent < 300 << 20:
                ready = select.select([], held, [], 2)[1]
                if not ready: break
                for one in ready:
                    try: sent += one.send(some)
                    except OSError: held.remove(one)
            print(sent, flush=True)
            sys.stdin.read()
            """
        let clients = try Child(
            "/usr/bin/python3", ["-c", script, "\(world.webhook)", "\(world.admin)"], isFed: true)
        try await eventually("they have sent what is taken: \(clients.standardError)") {
            try await world.expectHealthy()
            return !clients.standardOutput.isEmpty
        }
        let grown = try world.peakMemory() - before
        // The budgets of both ports, and something for what the allocator keeps.
        #expect(grown < 160 << 20, "\(grown >> 20) MiB")
        #expect(try await world.deliver(200) == 0)
        #expect(clients.isRunning)
        try await world.stop()
    }

    @Test("more idle connections than descriptors push out one another, and nothing else")
    func idleConnections() async throws {
        let world = try await RunningDaemon(before: "ulimit -n 1024;")
        // In a process of its own: this one's library cannot start another beyond 1,024
        // descriptors.
        let script = """
            import resource, socket, sys
            resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
            held = [socket.create_connection(("127.0.0.1", int(port)))
                    for port in sys.argv[1:] for _ in range(1200)]
            print(len(held), flush=True)
            sys.stdin.read()
            """
        let holder = try Child(
            "/usr/bin/python3", ["-c", script, "\(world.webhook)", "\(world.admin)"],
            isFed: true)
        try await eventually("all of them have been opened: \(holder.standardError)") {
            holder.standardOutput.contains("2400")
        }
        // Pushed out by newer ones, or closed for want of a header. While the kernel still hands
        // them over, the newest one may be, too.
        try await eventually("most of them have gone again") {
            let ended = ["connections_evicted", "connections_idled"].map {
                (try? world.counter($0)) ?? 0
            }
            return ended.reduce(0, +) > 1000
        }
        try await world.expectHealthy()
        // None of them had a delivery that could have been refused.
        #expect(try world.counter("requests_timed_out") == 0)
        // Deliveries go on while the others are open.
        #expect(try await world.deliver(200) == 0)
        #expect(holder.isRunning)
        try await world.stop()
    }

    @Test("senders that stall do not take more memory than their budget")
    func slowSenders() async throws {
        let world = try await RunningDaemon()
        #expect(try await world.deliver(200) == 0)
        let before = try world.peakMemory()
        let head =
            "POST /webhooks/stripe HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048576\r\n\r\n"
        let part = Array(head.utf8) + [UInt8](repeating: 0x20, count: 1_000_000)
        var held: [RawConnection] = []
        for _ in 0..<600 {
            let socket = try RawConnection(port: world.webhook, patienceSeconds: 5)
            socket.send(bytes: part)
            held.append(socket)
        }
        let grown = try world.peakMemory() - before
        #expect(
            grown < 160 << 20, "the peak grew by \(grown >> 20) MiB for 600 MB of stalled bodies")
        try await eventually("most of them are refused") {
            try world.counter("memory_refused") > 100
        }
        #expect(held.count == 600)
        try await world.expectHealthy()
    }

    @Test("the admin port takes requests for its own names alone, and no change from another site")
    func otherSites() async throws {
        let world = try await RunningDaemon(environment: ["TILLBOX_ADMIN_HOSTS": "box.example"])
        for (host, status) in [
            ("localhost", 200), ("127.0.0.1:\(world.admin)", 200), ("[::1]:9090", 200),
            ("LOCALHOST:1", 200), ("box.example", 200), ("evil.example", 421),
            ("127.0.0.1.evil.example", 421),
        ] {
            #expect(try world.ask("GET", "/healthz", host: host) == status, "\(host)")
        }
        for (fields, status) in [
            ("", 200), ("Origin: http://localhost\r\n", 200),
            ("Sec-Fetch-Site: same-origin\r\n", 200),
            ("Origin: http://evil.example\r\n", 403), ("Origin: null\r\n", 403),
            ("Sec-Fetch-Site: cross-site\r\n", 403), ("Sec-Fetch-Site: same-site\r\n", 403),
        ] {
            let answered = try world.ask(
                "POST", "/api/v1/dead-letters/redrive", json: #"{"dry_run":true}"#, fields: fields)
            #expect(answered == status, "\(fields)")
        }
        #expect(try world.counter("admin_requests_refused") >= 6)
    }

    @Test("a client that waits to be told to continue is told at once")
    func continues() async throws {
        let world = try await RunningDaemon()
        for (port, path, type, status) in [
            (world.webhook, "/webhooks/stripe", "text/plain", 400),
            (world.admin, "/api/v1/dead-letters/redrive", "application/json", 200),
        ] {
            let socket = try RawConnection(port: port, patienceSeconds: 30)
            socket.send(
                "POST \(path) HTTP/1.1\r\nHost: localhost\r\nExpect: 100-Continue\r\n"
                    + world.authorization
                    + "Content-Type: \(type)\r\nContent-Length: 16\r\n\r\n")
            #expect(socket.readAnswer() == "HTTP/1.1 100 Continue\r\n\r\n")
            socket.send(#"{"dry_run":true}"#)
            #expect(socket.readAnswer().hasPrefix("HTTP/1.1 \(status) "))
        }
    }

    @Test("one look at the log and at readiness says why nothing is booked")
    func reasons() async throws {
        let world = try await RunningDaemon()
        let forged = try await Tillbox.simulate(
            to: world.webhook, secret: "whsec_other", count: 40, seed: 3)
        #expect(forged.code != 0 || forged.output.contains("400"))
        try await eventually("the log says why") {
            let text = world.daemon.standardError
            return text.contains("signature_no_match") && text.contains("left_out")
        }
        let lines = world.daemon.standardError.split(separator: "\n")
            .filter { $0.contains("signature_no_match") }
        #expect(lines.count < 30, "40 refusals in a moment are a few lines")
        #expect(try world.read("/readyz").contains(#""warnings":[]"#))

        let now = Int64(Date().timeIntervalSince1970)
        for (age, direction) in [(Int64(3600), "3600 s fast"), (-7200, "s slow")] {
            #expect(try world.deliver(signedAt: now - age) == 400)
            #expect(try world.read("/readyz").contains(direction))
        }
        #expect(world.daemon.standardError.contains("signature_too_new"))
        #expect(try world.deliver(signedAt: now) == 200)
        #expect(try world.read("/readyz").contains(#""warnings":[]"#))
        try await eventually("a dead letter is told of, with its reason") {
            world.daemon.standardError.contains("livemode_mismatch")
        }
    }
}

extension RunningDaemon {
    /// Delivers one event of live mode, which a test endpoint does not take, signed at that time.
    fileprivate func deliver(signedAt seconds: Int64) throws -> Int? {
        let body =
            #"{"id":"evt_\#(seconds)","object":"event","type":"x","created":1,"livemode":true}"#
        return try deliver(body: body, signedAt: seconds)
    }
}
