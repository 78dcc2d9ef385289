import Foundation
import TestSupport
import Testing

@testable import Appliance
@testable import Vocabulary

/// A daemon that a shell started, with its folder and ports.
final class RunningDaemon {
    let folder: TemporaryFolder
    let data: String
    let webhook: Int
    let admin: Int
    let daemon: Child

    /// - Parameters:
    ///   - before: what the shell does first, such as `ulimit -n 1024;`.
    ///   - after: where the shell sends the streams, such as `2>&-`.
    ///   - isSilent: nothing can be read of it, so that its ports tell when it listens.
    init(
        in folder: TemporaryFolder? = nil, before: String = "", after: String = "",
        environment: [String: String] = [:], isSilent: Bool = false
    ) async throws {
        self.folder = try folder ?? TemporaryFolder()
        data = self.folder.file("data")
        (webhook, admin) = (try freePort(), try freePort())
        let own = [
            "TILLBOX_WEBHOOK_SECRET": "whsec_test", "TILLBOX_WEBHOOK_PORT": "\(webhook)",
            "TILLBOX_ADMIN_PORT": "\(admin)",
        ]
        daemon = try Child(
            "/bin/sh",
            ["-c", "\(before) exec \"$0\" run --data \"$1\" \(after)", Tillbox.executable, data],
            environment: own.merging(environment) { $1 })
        if !isSilent { try await daemon.untilListening() }
        try await eventually("both ports listen: \(daemon.standardError.suffix(800))") {
            !daemon.isRunning
                || [webhook, admin].allSatisfy { (try? RawConnection(port: $0)) != nil }
        }
    }

    deinit { daemon.kill(SIGKILL) }

    /// It answers on both ports, and soon.
    func expectHealthy() async throws {
        #expect(daemon.isRunning, "\(daemon.standardError.suffix(800))")
        for (port, path) in [(webhook, "/healthz"), (admin, "/healthz"), (admin, "/readyz")] {
            let socket = try RawConnection(port: port, patienceSeconds: 20)
            socket.send("GET \(path) HTTP/1.1\r\nHost: localhost\r\n\r\n")
            #expect(socket.readStatus() == 200, "\(path) on \(port)")
        }
    }

    /// Stops it, in good order.
    func stop(_ signal: Int32 = SIGTERM) async throws {
        daemon.kill(signal)
        #expect(await daemon.wait() == 0, "\(daemon.standardError.suffix(800))")
    }

    /// Sends signed traffic until all of it is acknowledged.
    ///
    /// - Returns: the sender's exit code.
    func deliver(_ count: Int, seed: Int = 5, acknowledged: String? = nil) async throws -> Int32 {
        let told = acknowledged.map { ["--acknowledged", $0, "--until-acknowledged"] } ?? []
        return try await Child.run(
            Tillbox.executable,
            Tillbox.simulation(to: webhook, count: count, seed: seed) + told
        ).code
    }

    /// Delivers one event, signed at that time.
    ///
    /// - Returns: the status of the answer.
    func deliver(body: String, signedAt seconds: Int64) throws -> Int? {
        let signature = StripeSignature.header(
            signing: Array(body.utf8)[...], at: Instant(seconds: seconds), secrets: ["whsec_test"])
        let socket = try RawConnection(port: webhook)
        socket.send(
            "POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nStripe-Signature: \(signature)\r\n"
                + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
        return socket.readStatus()
    }

    /// Waits until all that was delivered so far has gone the whole way.
    ///
    /// Every topic keeps its order, so that one payment more is booked when everything before it
    /// has been: nothing else tells that nothing more will come.
    func drained(_ what: String) async throws {
        let now = Int64(Date().timeIntervalSince1970)
        let id = "\(now)x\(UInt32.random(in: 0...UInt32.max))"
        let body = """
            {"id":"evt_\(id)","object":"event","type":"charge.succeeded","created":\(now),\
            "livemode":false,"data":{"object":{"id":"ch_\(id)","object":"charge","amount":2000,\
            "amount_captured":2000,"currency":"usd","captured":true,"created":\(now),\
            "status":"succeeded","paid":true,"customer":"cus_last"}}}
            """
        #expect(try deliver(body: body, signedAt: now) == 200)
        try await eventually("\(what): \(daemon.standardError.suffix(400))") {
            try await Tillbox.run("ledger", "show", "charge:ch_\(id)", "--data", data).code == 0
        }
    }

    /// The header line that lets a request in.
    var authorization: String { "Authorization: Bearer \(Tillbox.token(of: data))\r\n" }

    /// The status of the answer to one request on the admin port.
    func ask(
        _ method: String, _ path: String, json: String? = nil, host: String = "localhost",
        fields: String = ""
    ) throws -> Int? {
        let socket = try RawConnection(port: admin, patienceSeconds: 20)
        let body = json ?? ""
        let type = json == nil ? "" : "Content-Type: application/json\r\n"
        socket.send(
            "\(method) \(path) HTTP/1.1\r\nHost: \(host)\r\n\(authorization)\(fields)\(type)"
                + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
        return socket.readStatus()
    }

    /// The body of an answer of the admin port.
    func read(_ path: String) throws -> String {
        let socket = try RawConnection(port: admin, patienceSeconds: 20)
        socket.send("GET \(path) HTTP/1.1\r\nHost: localhost\r\n\(authorization)\r\n")
        let answer = socket.readAnswer()
        return answer.firstRange(of: "\r\n\r\n").map { String(answer[$0.upperBound...]) } ?? ""
    }

    /// A number of `/api/v1/status`.
    func counter(_ name: String) throws -> Int {
        let status = try JSONSerialization.jsonObject(with: Data(try read("/api/v1/status").utf8))
        return try #require((status as? [String: Any])?[name] as? Int)
    }

    /// The most memory that it has had so far, in bytes.
    func peakMemory() throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(daemon.processID)/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
        return try #require(line.split(separator: " ").compactMap { Int($0) }.first) * 1024
    }
}
