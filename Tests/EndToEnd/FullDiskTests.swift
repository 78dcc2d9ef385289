import Foundation
import TestSupport
import Testing

/// The data folder on a small file system of its own, which really is full.
@Suite("A full disk", .serialized, .enabled(if: TemporaryFileSystem.canMount))
struct FullDiskTests {
    @Test("is answered 503, resumes by itself when there is room, and loses nothing")
    func fullAndCleared() async throws {
        let disk = try TemporaryFileSystem(megabytes: 320)
        let data = disk.path + "/data"
        let acknowledged = disk.folder.file("acknowledged")
        let (webhook, admin) = (try freePort(), try freePort())
        let daemon = try Tillbox.start(
            data: data, webhookPort: webhook, adminPort: admin)
        try await daemon.untilListening()
        // Everything that is left, but for what the log has preallocated.
        let ballast = disk.path + "/ballast"
        try disk.fill(ballast)
        let traffic = try Child(
            Tillbox.executable,
            [
                "simulate", "--to", "http://127.0.0.1:\(webhook)/webhooks/stripe", "--secret",
                "whsec_test", "--templates", "--rate", "0", "--count", "12000", "--seed", "5",
                "--acknowledged", acknowledged, "--until-acknowledged", "--json",
            ])
        let status = "http://127.0.0.1:\(admin)/api/v1/status"
        try await eventually("deliveries are refused for want of room") {
            try await Self.counter("unavailable", at: status) > 0
        }
        #expect(daemon.isRunning)
        try FileManager.default.removeItem(atPath: ballast)
        #expect(await traffic.wait() == 0, "\(traffic.standardError.suffix(400))")
        daemon.kill(SIGTERM)
        #expect(await daemon.wait() == 0, "\(daemon.standardError.suffix(800))")
        for _ in 0..<2 {
            let again = try Tillbox.start(data: data, webhookPort: webhook, adminPort: admin)
            try await again.untilListening()
            again.kill(SIGTERM)
            #expect(await again.wait() == 0, "\(again.standardError.suffix(800))")
        }
        let judgement = try await CrashTests.judge(data, acknowledged: acknowledged)
        #expect(judgement.violations == [])
        #expect(judgement.counts["acknowledged"] == 12_000)
    }

    @Test("leaves room to stop in good order, from the reserve file")
    func stopsInGoodOrder() async throws {
        let disk = try TemporaryFileSystem(megabytes: 320)
        let data = disk.path + "/data"
        let (webhook, admin) = (try freePort(), try freePort())
        let daemon = try Tillbox.start(data: data, webhookPort: webhook, adminPort: admin)
        try await daemon.untilListening()
        #expect(FileManager.default.fileExists(atPath: data + "/reserve"))
        try disk.fill(disk.path + "/ballast")
        daemon.kill(SIGTERM)
        #expect(await daemon.wait() == 0, "\(daemon.standardError.suffix(800))")
        #expect(daemon.standardError.contains("the reserve file is given up"))
        let verified = try await Tillbox.run("log", "verify", "--data", data)
        #expect(verified.code == 0, "\(verified.output) \(verified.errors)")
    }

    private static func counter(_ name: String, at url: String) async throws -> Int {
        let answer = try await Child.run("/usr/bin/python3", [
            "-c",
            "import json,sys,urllib.request as u;"
                + "print(json.load(u.urlopen(sys.argv[1]))[sys.argv[2]])", url, name,
        ])
        return Int(answer.output.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0
    }
}

/// A file system in memory, mounted while this lives.
final class TemporaryFileSystem {
    /// Mounting takes root, which a build machine may not give.
    static let canMount = (try? TemporaryFileSystem(megabytes: 1)) != nil

    let folder: TemporaryFolder
    let path: String

    init(megabytes: Int) throws {
        folder = try TemporaryFolder()
        path = folder.file("disk")
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        guard mount("tmpfs", path, "tmpfs", 0, "size=\(megabytes)m") == 0 else {
            throw CannotMount(code: errno)
        }
    }

    deinit { umount2(path, Int32(MNT_DETACH)) }

    /// Takes all the room there is.
    func fill(_ file: String) throws {
        let descriptor = open(file, O_CREAT | O_WRONLY, 0o600)
        defer { close(descriptor) }
        let zeros = [UInt8](repeating: 0, count: 65_536)
        while write(descriptor, zeros, zeros.count) > 0 {}
    }
}

struct CannotMount: Error { var code: Int32 }
