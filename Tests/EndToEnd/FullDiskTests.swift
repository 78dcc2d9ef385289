import AppendLog
import Foundation
import TestSupport
import Testing

@testable import Appliance
@testable import Vocabulary

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
            Tillbox.simulation(to: webhook, count: 12_000, seed: 5) + [
                "--acknowledged", acknowledged, "--until-acknowledged", "--json",
            ])
        try await eventually("deliveries are refused for want of room") {
            try await Self.counter("unavailable", data, admin) > 0
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

    /// A part of the data folder on a file system of its own, and what to expect of it.
    struct Part: CustomTestStringConvertible, Sendable {
        var path: String
        /// Enough for all of its records; what is left at first is filled with ballast.
        var megabytes: Int
        /// Whether the pipeline stands still for want of it.
        var holdsUp: Bool
        var testDescription: String { path }
    }

    static let parts = [
        Part(path: "log/payment.validated-0", megabytes: 24, holdsUp: true),
        Part(path: "log/payment.scored-0", megabytes: 24, holdsUp: true),
        Part(path: "log/payment.features-0", megabytes: 24, holdsUp: true),
        Part(path: "log/ledger.posted-0", megabytes: 24, holdsUp: true),
        Part(path: "log/__cursors-0", megabytes: 24, holdsUp: false),
        Part(path: "features", megabytes: 1, holdsUp: false),
        Part(path: "gate", megabytes: 1, holdsUp: false),
    ]

    @Test("is waited out by each part that needs room, and goes on by itself", arguments: parts)
    func eachPart(part: Part) async throws {
        let folder = try TemporaryFolder()
        let place = folder.file("data/\(part.path)")
        try FileManager.default.createDirectory(
            atPath: place, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700])
        let disk = try TemporaryFileSystem(megabytes: part.megabytes, at: place)
        let world = try await RunningDaemon(
            in: folder, environment: ["TILLBOX_LOG_SEGMENT_BYTES_MAX": "1048576"])
        try disk.fill(place + "/ballast")
        let acknowledged = folder.file("acknowledged")
        #expect(try await world.deliver(6000, acknowledged: acknowledged) == 0)
        if part.holdsUp {
            try await eventually("it says what it waits for") {
                world.daemon.standardError.contains("waiting for room")
            }
            try await eventually("readiness tells of it") {
                try world.read("/readyz").contains(" waits for ")
            }
        } else {
            try await world.drained("all is booked, room or not")
        }
        try await world.expectHealthy()
        if part.path == "features" || part.path == "gate" {
            try await world.stop()
            #expect(world.daemon.standardError.contains("snapshot not written"))
            return
        }
        try FileManager.default.removeItem(atPath: place + "/ballast")
        try await world.drained("it has caught up by itself")
        try await eventually("readiness tells of nothing any more") {
            try !world.read("/readyz").contains(" waits for ")
        }
        #expect(try world.counter("booked") > 1000)
        try await world.stop()
        let judgement = try await CrashTests.judge(world.data, acknowledged: acknowledged)
        #expect(judgement.violations == [])
        #expect(judgement.counts["ledger"] == judgement.counts["ledger.posted"])
    }

    @Test("stops a daemon in good order although no part has room any more")
    func stopsWhileWaiting() async throws {
        let folder = try TemporaryFolder()
        let place = folder.file("data/log/ledger.posted-0")
        try FileManager.default.createDirectory(
            atPath: place, withIntermediateDirectories: true)
        let disk = try TemporaryFileSystem(megabytes: 24, at: place)
        let world = try await RunningDaemon(
            in: folder, environment: ["TILLBOX_LOG_SEGMENT_BYTES_MAX": "1048576"])
        try disk.fill(place + "/ballast")
        let acknowledged = folder.file("acknowledged")
        #expect(try await world.deliver(6000, acknowledged: acknowledged) == 0)
        try await eventually("it waits") {
            world.daemon.standardError.contains("waiting for room")
        }
        try await world.stop()
        try FileManager.default.removeItem(atPath: place + "/ballast")
        let again = try await RunningDaemon(
            in: folder, environment: ["TILLBOX_LOG_SEGMENT_BYTES_MAX": "1048576"])
        try await again.drained("the next start makes up for it")
        try await again.stop()
        let judgement = try await CrashTests.judge(again.data, acknowledged: acknowledged)
        #expect(judgement.violations == [])
    }

    @Test("what is derived again is not forgotten by a daemon that dies before it has room for it")
    func diesWhileItMakesUp() async throws {
        let folder = try TemporaryFolder()
        let place = folder.file("data/log/payment.features-0")
        try FileManager.default.createDirectory(
            atPath: place, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700])
        let disk = try TemporaryFileSystem(megabytes: 24, at: place)
        let small = ["TILLBOX_LOG_SEGMENT_BYTES_MAX": "1048576"]
        for (seed, isKept) in [(5, true), (6, false)] {
            let world = try await RunningDaemon(in: folder, environment: small)
            #expect(try await world.deliver(6000, seed: seed) == 0)
            try await world.drained("all is booked")
            try await world.stop()
            if isKept {
                try FileManager.default.copyItem(atPath: place, toPath: folder.file("older"))
            }
        }
        // A topic as it was some time ago, and no room to derive the rest of it again.
        for name in try FileManager.default.contentsOfDirectory(atPath: place) {
            try FileManager.default.removeItem(atPath: "\(place)/\(name)")
        }
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.file("older")) {
            try FileManager.default.copyItem(
                atPath: folder.file("older/\(name)"), toPath: "\(place)/\(name)")
        }
        try disk.fill(place + "/ballast")
        let (lost, all) = try Self.features(folder)
        #expect(lost < all)
        let victim = try await RunningDaemon(in: folder, environment: small)
        try await eventually("it waits, and has noted where each topic ends") {
            try victim.daemon.standardError.contains("waiting for room")
                && Self.features(folder).marked < all
        }
        victim.daemon.kill(SIGKILL)
        await victim.daemon.wait()
        try FileManager.default.removeItem(atPath: place + "/ballast")
        let again = try await RunningDaemon(in: folder, environment: small)
        try await again.drained("the next start goes on")
        try await again.stop()
        #expect(try Self.features(folder).end > all)
        let judgement = try await CrashTests.judge(again.data, acknowledged: "/dev/null")
        #expect(judgement.violations == [])
    }

    /// Where `payment.features` ends, and where the log has noted that it ended.
    private static func features(_ folder: TemporaryFolder) throws -> (end: Int64, marked: Int64) {
        let log = try Log.openReadOnly(at: folder.file("data/log"))
        let name = try TopicName(TopicID.paymentFeatures.rawValue)
        return (
            log.topic(name)?.end.rawValue ?? 0, log.marks[name]?.end.rawValue ?? 0
        )
    }

    private static func counter(
        _ name: String, _ data: String, _ admin: Int
    ) async throws -> Int {
        let answer = try await Child.run(
            Tillbox.executable, ["status", "--json", "--data", data],
            environment: ["TILLBOX_ADMIN_PORT": "\(admin)"])
        return (try? JSON(answer.output))?[name].int ?? 0
    }
}

/// A file system in memory, mounted while this lives.
final class TemporaryFileSystem {
    /// Mounting takes root, which a build machine may not give.
    static let canMount = (try? TemporaryFileSystem(megabytes: 1)) != nil

    let folder: TemporaryFolder
    let path: String

    /// - Parameter place: where; a folder of its own by default.
    init(megabytes: Int, at place: String? = nil) throws {
        folder = try TemporaryFolder()
        path = place ?? folder.file("disk")
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        guard mount("tmpfs", path, "tmpfs", 0, "size=\(megabytes)m,mode=0700") == 0 else {
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
