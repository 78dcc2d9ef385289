import AppendLog
import Foundation
import TestSupport
import Testing

/// `tillbox backup` and `tillbox restore`, as an operator runs them beside a daemon under load.
@Suite("Backup and restore", .serialized)
struct BackupTests {
    private static func json(_ text: String) throws -> [String: Any] {
        let object = try JSONSerialization.jsonObject(with: Data(text.utf8))
        return try #require(object as? [String: Any], "\(text)")
    }

    /// Event ids that the sender saw acknowledged so far, in a file of their own.
    ///
    /// - Returns: how many events they are; what was sent again stands there twice.
    private static func noted(_ acknowledged: String, in file: String) throws -> Int {
        var text = try String(contentsOfFile: acknowledged, encoding: .utf8)
        // The last line may be on its way.
        text = String(text.prefix(through: text.lastIndex(of: "\n") ?? text.startIndex))
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        return Set(text.split(separator: "\n")).count
    }

    @Test("made under load, one killed in its middle: each restores, starts, and replays equal")
    func drill() async throws {
        let folder = try TemporaryFolder()
        let daemon = try await RunningDaemon(in: folder)
        let (acknowledged, backups) = (folder.file("acknowledged"), folder.file("backups"))
        let traffic = try Child(
            Tillbox.executable,
            [
                "simulate", "--to", "http://127.0.0.1:\(daemon.webhook)/webhooks/stripe",
                "--secret", "whsec_test", "--rate", "600", "--count", "6000", "--seed", "11",
                "--templates", "--duplicates", "0.1", "--reorder", "0.2", "--fraud", "0.05",
                "--acknowledged", acknowledged, "--until-acknowledged",
            ])
        func count() -> Int {
            let text = (try? String(contentsOfFile: acknowledged, encoding: .utf8)) ?? ""
            return text.split(separator: "\n").count
        }
        var made: [String] = []
        for number in 1...3 {
            try await eventually("more is acknowledged") { count() > number * 1_200 }
            let known = try Self.noted(acknowledged, in: folder.file("known-\(number)"))
            if number == 2 { try await Self.killedBackup(of: daemon.data, into: backups) }
            let answer = try await Tillbox.run(
                "backup", backups, "--data", daemon.data, "--json")
            #expect(answer.code == 0, "\(answer.errors)")
            let report = try Self.json(answer.output)
            made.append(try #require(report["backup"] as? String))
            #expect(known > 0)
            #expect(report["webhooks"] as? Int ?? 0 >= known)
        }
        #expect(await traffic.wait() == 0, "\(traffic.standardError.suffix(400))")
        #expect(try daemon.read("/api/v1/status").contains(#""backup":{"moment":"#))
        let status = try await Tillbox.run(
            "status", "--data", daemon.data,
            environment: ["TILLBOX_ADMIN_PORT": "\(daemon.admin)"])
        #expect(status.output.contains("the last backup is of"), "\(status.output)")
        let drill = try await Tillbox.run(
            "backup", "drill", backups, "--data", daemon.data, "--into", folder.file("drill"))
        #expect(drill.code == 0, "\(drill.output) \(drill.errors)")
        #expect(drill.output.contains("the replay comes to the same"))
        #expect(!FileManager.default.fileExists(atPath: folder.file("drill")))
        try await daemon.stop()
        for (number, name) in made.enumerated() {
            try await Self.restoredWhole(
                name, from: backups, to: folder.file("restored-\(number)"),
                acknowledged: folder.file("known-\(number + 1)"))
        }
    }

    /// A backup that dies in its middle, or at its end where the machine is that fast; nothing of
    /// it counts, and nothing is in the next one's way.
    private static func killedBackup(of data: String, into backups: String) async throws {
        let names = { (try? FileManager.default.contentsOfDirectory(atPath: backups)) ?? [] }
        let before = try await Tillbox.run("backup", "list", backups, "--data", data, "--json")
        let child = try Child(Tillbox.executable, ["backup", backups, "--data", data])
        try await eventually("it writes") {
            let files = FileManager.default.enumerator(atPath: "\(backups)/files")
            let parts = (files?.allObjects ?? []).compactMap { $0 as? String }
            return !child.isRunning || parts.contains { $0.hasSuffix(".part") }
        }
        child.kill(SIGKILL)
        let code = await child.wait()
        #expect(!names().isEmpty)
        guard code != 0 else { return }
        let after = try await Tillbox.run("backup", "list", backups, "--data", data, "--json")
        #expect(after.output == before.output, "\(after.errors)")
    }

    private static func restoredWhole(
        _ name: String, from backups: String, to data: String, acknowledged: String
    ) async throws {
        let answer = try await Tillbox.run(
            "restore", backups, "--backup", name, "--data", data)
        #expect(answer.code == 0, "\(answer.output) \(answer.errors)")
        #expect(answer.output.contains("the sweep has to bring back the events after"))
        let (webhook, admin) = (try freePort(), try freePort())
        // The second start finds at rest what the first one caught up with.
        for _ in 0..<2 {
            let daemon = try Tillbox.start(data: data, webhookPort: webhook, adminPort: admin)
            try await daemon.untilListening()
            daemon.kill(SIGTERM)
            #expect(await daemon.wait() == 0, "\(daemon.standardError.suffix(800))")
        }
        let judgement = try await CrashTests.judge(data, acknowledged: acknowledged)
        #expect(judgement.violations == [], "\(name)")
        let replay = try await Tillbox.run(
            "replay", "--data", data, "--into", data + "-replayed", "--json")
        #expect(replay.code == 0, "\(replay.output.prefix(2_000)) \(replay.errors)")
    }

    @Test("a copy by cp of a running folder starts whole or is refused in a sentence")
    func copied() async throws {
        let folder = try TemporaryFolder()
        let daemon = try await RunningDaemon(in: folder)
        let acknowledged = folder.file("acknowledged")
        let traffic = try Child(
            Tillbox.executable,
            Tillbox.simulation(to: daemon.webhook, count: 4_000, seed: 3) + [
                "--acknowledged", acknowledged, "--until-acknowledged",
            ])
        for number in 1...3 {
            try await eventually("more is acknowledged") {
                let text = (try? String(contentsOfFile: acknowledged, encoding: .utf8)) ?? ""
                return text.split(separator: "\n").count > number * 800
            }
            _ = try Self.noted(acknowledged, in: folder.file("known-\(number)"))
            // It says so where a file went away meanwhile, and goes on.
            _ = try await Child.run(
                "/bin/cp", ["-a", daemon.data, folder.file("copy-\(number)")])
        }
        #expect(await traffic.wait() == 0, "\(traffic.standardError.suffix(400))")
        try await daemon.stop()
        let (webhook, admin) = (try freePort(), try freePort())
        for number in 1...3 {
            let data = folder.file("copy-\(number)")
            let child = try Tillbox.start(data: data, webhookPort: webhook, adminPort: admin)
            try await eventually("it listens, or has refused") {
                !child.isRunning || child.standardError.contains("listening")
            }
            guard child.isRunning else {
                #expect(await child.wait() == 3)
                #expect(child.standardError.contains("nothing was changed"))
                continue
            }
            child.kill(SIGTERM)
            #expect(await child.wait() == 0, "\(child.standardError.suffix(800))")
            let judgement = try await CrashTests.judge(
                data, acknowledged: folder.file("known-\(number)"))
            #expect(judgement.violations == [], "copy \(number)")
        }
    }

    @Test("what cannot be is refused in one sentence, and nothing is changed")
    func refusals() async throws {
        let filled = try await FilledFolder(count: 60)
        let (data, backups) = (filled.path, filled.file("backups"))
        let (key, other) = (filled.file("key"), filled.file("other"))
        for (path, digit) in [(key, "a"), (other, "b")] {
            try String(repeating: digit, count: 64).write(
                toFile: path, atomically: true, encoding: .utf8)
            chmod(path, 0o600)
        }
        let made = try await Tillbox.run("backup", backups, "--data", data, "--key-file", key)
        #expect(made.code == 0 && made.output.contains("encrypted"), "\(made.errors)")
        chmod(other, 0o644)
        let exposed = try await Tillbox.run(
            "restore", backups, "--data", filled.file("fresh"), "--key-file", other)
        #expect(exposed.code == 3 && exposed.errors.contains("chmod 600"), "\(exposed.errors)")
        chmod(other, 0o600)
        let fresh = filled.file("fresh")
        let cases: [(arguments: [String], code: Int32, says: String)] = [
            (["restore", backups, "--data", fresh], 3, "--key-file"),
            (["restore", backups, "--data", fresh, "--key-file", other], 3, "is not the one"),
            (["backup", backups, "--data", data], 3, "--key-file"),
            (["restore", backups, "--data", data, "--key-file", key], 3, "is not empty"),
            (["restore", filled.foreign, "--data", fresh], 3, "no folder of Tillbox's backups"),
            (["restore", filled.missing, "--data", fresh], 3, "is no folder"),
            (["backup", filled.foreign, "--data", data], 3, "no folder of Tillbox's backups"),
            (["backup", data + "/inside", "--data", data], 3, "within the data folder"),
            (["backup", backups, "--data", filled.foreign, "--key-file", key], 3, "no Tillbox log"),
            (["backup", "--data", data], 2, "backup.folder"),
            (
                ["backup", "drill", backups, "--data", data, "--key-file", key, "--into",
                 "/proc/nope"], 3, "tillbox: /proc/nope: No such file or directory"
            ),
            (
                ["restore", backups, "--data", "/proc/nope", "--key-file", key], 3,
                "/proc/nope failed: No such file or directory"
            ),
            (["backup", "drll", "--data", data], 2, "did you mean backup drill?"),
            (["backup", backups, "--data", data, "--keep", "0"], 2, "--keep"),
            (
                ["restore", backups, "--data", fresh, "--key-file", key, "--backup", "x"], 3,
                " backup list \(backups)` names those that are"
            ),
        ]
        for (arguments, code, says) in cases {
            let answer = try await Child.run(Tillbox.executable, arguments)
            #expect(answer.code == code, "\(arguments): \(answer.errors)")
            #expect(answer.errors.contains(says), "\(arguments): \(answer.errors)")
            #expect(answer.errors.split(separator: "\n").count == 1, "\(answer.errors)")
        }
        #expect(!FileManager.default.fileExists(atPath: fresh))
        let verified = try await Tillbox.run(
            "backup", "verify", backups, "--data", data, "--key-file", key)
        #expect(verified.code == 0, "\(verified.errors)")
        let restored = try await Tillbox.run(
            "restore", backups, "--data", fresh, "--key-file", key, "--json")
        #expect(restored.code == 0, "\(restored.errors)")
        let ledger = try await Tillbox.run("ledger", "verify", "--data", fresh)
        #expect(ledger.code == 0, "\(ledger.errors)")
    }

    @Test(
        "a disk that fills up leaves the backup before as it was",
        .enabled(if: TemporaryFileSystem.canMount))
    func fullDisk() async throws {
        let filled = try await FilledFolder(count: 400)
        let disk = try TemporaryFileSystem(megabytes: 12)
        let backups = disk.path + "/backups"
        let first = try await Tillbox.run("backup", backups, "--data", filled.path, "--json")
        #expect(first.code == 0, "\(first.errors)")
        try disk.fill(disk.path + "/ballast")
        let full = try await Tillbox.run("backup", backups, "--data", filled.path)
        #expect(full.code == 3 && full.errors.contains("there is no room"), "\(full.errors)")
        let verified = try await Tillbox.run("backup", "verify", backups, "--data", filled.path)
        #expect(verified.code == 0, "\(verified.errors)")
        try FileManager.default.removeItem(atPath: disk.path + "/ballast")
        let again = try await Tillbox.run("backup", backups, "--data", filled.path, "--json")
        #expect(again.code == 0, "\(again.errors)")
        // What is restored needs room where it goes to, and says so before it writes.
        let target = disk.path + "/restored"
        let refused = try await Tillbox.run("restore", backups, "--data", target)
        #expect(refused.code == 3 && refused.errors.contains("MiB are needed"), "\(refused.errors)")
        #expect(refused.errors.contains(target) && !refused.errors.contains("backup.keep"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: target) == [])
    }

    @Test(
        "what root backs up beside a service is the service's, so that it can rotate it",
        .enabled(if: geteuid() == 0))
    func byRoot() async throws {
        let filled = try await FilledFolder(count: 40)
        try await filled.giveToService()
        let root = try TemporaryFolder()
        let backups = root.file("backups")
        for _ in 0..<2 {
            let made = try await Tillbox.run(
                "backup", backups, "--data", filled.path, "--keep", "1")
            #expect(made.code == 0, "\(made.errors)")
        }
        for folder in [backups, filled.path] {
            let found = try FilledFolder.owners(in: folder)
            #expect(found.count > 5 && found.strangers == [])
        }
        let note = try String(contentsOfFile: filled.path + "/backup.json", encoding: .utf8)
        #expect(note.contains(backups))
    }

    @Test("what came after the moment of a backup comes back by the sweep")
    func swept() async throws {
        let world = try await ReconciliationWorld()
        try await world.start()
        func sweep() async throws {
            let swept = try await world.tillbox("reconcile", "sweep")
            #expect(swept.code == 0, "\(swept.errors)")
        }
        func isBooked(_ charge: String) async throws -> Bool {
            try await world.tillbox("ledger", "show", "charge:\(charge)").code == 0
        }
        let first = try await world.pay(50_000, "usd")["latest_charge"].text
        try await sweep()
        try await eventually("the first is booked") { try await isBooked(first) }
        let backups = world.folder.file("backups")
        let made = try await world.tillbox("backup", backups)
        #expect(made.code == 0, "\(made.errors)")
        let second = try await world.pay(70_000, "usd")["latest_charge"].text
        try await sweep()
        try await eventually("the second is booked") { try await isBooked(second) }
        let daemon = try #require(world.daemon)
        daemon.kill(SIGKILL)
        await daemon.wait()
        try FileManager.default.moveItem(
            atPath: world.folder.file("data"), toPath: world.folder.file("lost"))
        let restored = try await world.tillbox("restore", backups)
        #expect(restored.code == 0, "\(restored.errors)")
        let (hasFirst, hasSecond) = (try await isBooked(first), try await isBooked(second))
        #expect(hasFirst && !hasSecond)
        try await world.start()
        try await sweep()
        try await eventually("the sweep has brought the second back") {
            try await isBooked(second)
        }
        let verified = try await world.tillbox("ledger", "verify")
        #expect(verified.code == 0, "\(verified.errors)")
    }
}
