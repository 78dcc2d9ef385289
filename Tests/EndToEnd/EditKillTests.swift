import Foundation
import TestSupport
import Testing

/// A dead letter's edit whose daemon is killed over it, at each write of the edited record.
@Suite("An edit that is killed", .serialized, .enabled(if: Strace.canTrace))
struct EditKillTests {
    private static let segment = "log/webhook.received-0/00000000000000000000.log"

    @Test("is neither lost nor doubled, wherever between its write and its answer that was")
    func killed() async throws {
        var found: [String] = []
        for number in 1...6 {
            let folder = try await Self.folderWithLetter()
            guard try await Self.isKilled(at: number, in: folder) else { break }
            let daemon = try await RunningDaemon(in: folder)
            found.append(try Self.redrive(daemon))
            #expect(try Self.redrive(daemon) == "already_redriven")
            try await daemon.drained("what went back has gone the whole way")
            try await daemon.stop()
            let booked = try await Tillbox.run(
                "ledger", "show", "charge:ch_edited", "--data", daemon.data)
            #expect(booked.code == 0, "killed at write \(number): \(booked.errors)")
            let records = try await Tillbox.run(
                "log", "cat", "webhook.received", "--data", daemon.data, "--json")
            let back = records.output.split(separator: "redriven-from").count - 1
            #expect(back == 1, "killed at write \(number): \(records.output)")
        }
        // Before the record was written, and behind it: the second is what nobody was told of.
        #expect(found.contains("admitted") && found.contains("duplicate"), "\(found)")
    }

    /// A folder with one letter: of a delivery that is no JSON.
    private static func folderWithLetter() async throws -> TemporaryFolder {
        let daemon = try await RunningDaemon()
        #expect(try Ask.deliver("not JSON", to: daemon.webhook) == 200)
        try await eventually("it is a dead letter") {
            try JSON(daemon.read("/api/v1/dead-letters"))["dead_letters"].list.count == 1
        }
        try await daemon.stop()
        return daemon.folder
    }

    private static let order: String = {
        let value = Ask.payment("edited").replacing("\"", with: "\\\"")
        return "{\"offsets\":[0],\"value\":\"\(value)\",\"by\":\"ada\"}"
    }()

    /// Sends the edit to a daemon that dies at a write to the segment, counted from its start.
    ///
    /// - Returns: false where it has answered before it came to that write.
    private static func isKilled(at number: Int, in folder: TemporaryFolder) async throws -> Bool {
        let data = folder.file("data")
        let (webhook, admin) = (try freePort(), try freePort())
        let daemon = try Child(
            Strace.path,
            [
                "-D", "-f", "-q", "-P", "\(data)/\(segment)", "-e", "trace=pwrite64", "-e",
                "inject=pwrite64:signal=KILL:when=\(number)", "-o", "/dev/null",
                Tillbox.executable, "run", "--data", data,
            ],
            environment: [
                "TILLBOX_WEBHOOK_SECRET": "whsec_test", "TILLBOX_WEBHOOK_PORT": "\(webhook)",
                "TILLBOX_ADMIN_PORT": "\(admin)",
            ])
        defer { daemon.kill(SIGKILL) }
        try await daemon.untilListening()
        try await eventually("the admin port listens") {
            (try? RawConnection(port: admin)) != nil
        }
        let socket = try RawConnection(port: admin, patienceSeconds: 20)
        socket.send(request(data))
        guard socket.readStatus() == nil else { return false }
        #expect(await daemon.wait() == 128 + SIGKILL, "\(daemon.standardError.suffix(800))")
        return true
    }

    private static func request(_ data: String) -> String {
        "POST /api/v1/dead-letters/redrive HTTP/1.1\r\nHost: localhost\r\n"
            + "Authorization: Bearer \(Tillbox.token(of: data))\r\n"
            + "Content-Type: application/json\r\nContent-Length: \(order.utf8.count)\r\n\r\n"
            + order
    }

    /// What becomes of the letter when somebody asks again.
    private static func redrive(_ daemon: RunningDaemon) throws -> String {
        let socket = try RawConnection(port: daemon.admin, patienceSeconds: 20)
        socket.send(request(daemon.data))
        let answer = socket.readAnswer()
        let body = answer.firstRange(of: "\r\n\r\n").map { String(answer[$0.upperBound...]) } ?? ""
        return try JSON(body)["letters"].list.first?["result"].text ?? body
    }
}
