import Appliance
import Foundation
import TestSupport
import Testing

/// What an operator sees: starts and stops of the binary, and the commands that verify.
@Suite("Starts of the daemon", .serialized)
struct StartTests {
    private struct Started {
        let daemon: Child
        let webhook: Int
        let acknowledged: String
    }

    /// A daemon that has acknowledged `count` events.
    private func started(_ folder: TemporaryFolder, count: Int) async throws -> Started {
        let (webhook, data) = (try freePort(), folder.file("data"))
        let daemon = try Tillbox.start(data: data, webhookPort: webhook, adminPort: try freePort())
        try await daemon.untilListening()
        let started = Started(
            daemon: daemon, webhook: webhook, acknowledged: folder.file("acknowledged"))
        if count > 0 {
            let traffic = try traffic(to: started, count: count)
            #expect(await traffic.wait() == 0, "\(traffic.standardError.suffix(400))")
        }
        return started
    }

    private func traffic(to started: Started, count: Int) throws -> Child {
        try Child(
            Tillbox.executable,
            [
                "simulate", "--to", "http://127.0.0.1:\(started.webhook)/webhooks/stripe",
                "--secret", "whsec_test", "--rate", "200", "--count", "\(count)", "--seed", "5",
                "--templates", "--acknowledged", started.acknowledged,
            ])
    }

    private func stopped(_ folder: TemporaryFolder, count: Int = 60) async throws -> String {
        let started = try await started(folder, count: count)
        started.daemon.kill(SIGTERM)
        #expect(await started.daemon.wait() == 0, "\(started.daemon.standardError.suffix(400))")
        return folder.file("data")
    }

    @Test("parts that do not fit are refused before any port is open; both verify commands say so")
    func refusedBeforePorts() async throws {
        let folder = try TemporaryFolder()
        let data = try await stopped(folder)
        try FileManager.default.removeItem(atPath: "\(data)/log/webhook.received-0")
        var sentences: Set<String> = []
        for _ in 0..<3 {
            let daemon = try Tillbox.start(
                data: data, webhookPort: try freePort(), adminPort: try freePort())
            #expect(await daemon.wait() == 3)
            #expect(!daemon.standardError.contains("listening"), "\(daemon.standardError)")
            sentences.formUnion(
                daemon.standardError.split(separator: "\n").map(String.init)
                    .filter { $0.hasPrefix("tillbox: ") })
        }
        #expect(sentences.count == 1, "\(sentences)")
        #expect(sentences.first?.contains("webhook.received") == true)
        #expect(sentences.first?.contains("Restore the whole folder") == true)
        #expect(!FileManager.default.fileExists(atPath: "\(data)/log/webhook.received-0"))
        for command in ["log", "ledger"] {
            let answer = try await Tillbox.run(command, "verify", "--data", data)
            #expect(answer.code == 1, "\(command): \(answer.output) \(answer.errors)")
            #expect(answer.errors.contains("webhook.received"), "\(command): \(answer.errors)")
        }
        // Who writes while no daemon runs compares as its start does.
        for command in [
            ["dead-letter", "redrive", "--dry-run"], ["dead-letter", "redrive"],
            ["review", "approve", "ch_1", "--note", "known"],
        ] {
            let answer = try await Child.run(Tillbox.executable, command + ["--data", data])
            #expect(answer.code == 3, "\(command): \(answer.output) \(answer.errors)")
            #expect(sentences.contains(answer.errors.trimmingCharacters(in: .newlines)))
        }
        #expect(!FileManager.default.fileExists(atPath: "\(data)/log/webhook.received-0"))
    }

    @Test("both verify commands find nothing in a sound folder, while the daemon runs and after it")
    func soundFolder() async throws {
        let folder = try TemporaryFolder()
        let started = try await started(folder, count: 40)
        for command in ["log", "ledger"] {
            let answer = try await Tillbox.run(command, "verify", "--data", folder.file("data"))
            #expect(answer.code == 0, "\(command), running: \(answer.errors)")
        }
        started.daemon.kill(SIGTERM)
        #expect(await started.daemon.wait() == 0)
        for command in ["log", "ledger"] {
            let answer = try await Tillbox.run(command, "verify", "--data", folder.file("data"))
            #expect(answer.code == 0, "\(command), stopped: \(answer.errors)")
        }
    }

    enum Loss: String, CaseIterable {
        case deleted, moved, replaced, lockDeleted, topicDeleted, ledgerDeleted
    }

    @Test(
        "a folder that goes under the daemon stops it within seconds, with the reason",
        arguments: Loss.allCases)
    func gone(loss: Loss) async throws {
        let folder = try TemporaryFolder()
        let started = try await started(folder, count: 20)
        let data = folder.file("data")
        let files = FileManager.default
        let began = ContinuousClock.now
        switch loss {
        case .deleted: try files.removeItem(atPath: data)
        case .moved: try files.moveItem(atPath: data, toPath: folder.file("elsewhere"))
        case .replaced:
            try files.moveItem(atPath: data, toPath: folder.file("elsewhere"))
            try files.createDirectory(atPath: data, withIntermediateDirectories: false)
        case .lockDeleted: try files.removeItem(atPath: "\(data)/log/lock")
        case .topicDeleted: try files.removeItem(atPath: "\(data)/log/payment.scored-0")
        case .ledgerDeleted: try files.removeItem(atPath: "\(data)/ledger.sqlite")
        }
        #expect(await started.daemon.wait() == 3)
        #expect(ContinuousClock.now - began < .seconds(60))
        let errors = started.daemon.standardError
        // The cause, and not what the log or the ledger then misses.
        #expect(errors.contains("stopped to protect the data"), "\(errors.suffix(600))")
        #expect(errors.contains("was deleted, moved or replaced"), "\(errors.suffix(600))")
        #expect(!errors.contains("check the disk"), "\(errors.suffix(600))")
    }

    @Test("of a deleted folder nothing new is acknowledged")
    func nothingIntoNothing() async throws {
        let folder = try TemporaryFolder()
        let started = try await started(folder, count: 20)
        // The same world tells these once more at first: they were on disk, and are known.
        let known = Self.lines(of: started.acknowledged)
        try FileManager.default.removeItem(atPath: folder.file("data"))
        try FileManager.default.removeItem(atPath: started.acknowledged)
        let traffic = try traffic(to: started, count: 100)
        #expect(await started.daemon.wait() == 3)
        traffic.kill(SIGTERM)
        _ = await traffic.wait()
        let new = Self.lines(of: started.acknowledged).subtracting(known)
        #expect(new.isEmpty, "\(new.prefix(5))")
    }

    private static func lines(of path: String) -> Set<Substring> {
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        return Set(text.split(separator: "\n"))
    }

    @Test("after a restart the status says since when it counts, and what came before")
    func status() async throws {
        let folder = try TemporaryFolder()
        let data = try await stopped(folder, count: 30)
        let admin = try freePort()
        let again = try Tillbox.start(data: data, webhookPort: try freePort(), adminPort: admin)
        try await again.untilListening()
        let status = try await Tillbox.run(
            "status", environment: ["TILLBOX_DATA": data, "TILLBOX_ADMIN_PORT": "\(admin)"])
        #expect(status.code == 0, "\(status)")
        #expect(
            status.output.contains(/since its start \d+ s ago: 0 webhooks kept/), "\(status)")
        let folderShown = URL(filePath: data).resolvingSymlinksInPath().path
        #expect(status.output.contains(":\(admin) (\(folderShown)) is ready"), "\(status)")
        #expect(status.output.contains("whenever it came: 30 webhooks, "), "\(status)")
        again.kill(SIGTERM)
        #expect(await again.wait() == 0)
    }

    /// What names the process that has a folder.
    enum Lost: String, CaseIterable { case lock, lockReplaced, lockAndHolder, both }

    @Test(
        "a second daemon cannot start, whatever became of the files that name the first",
        arguments: Lost.allCases)
    func second(lost: Lost) async throws {
        let folder = try TemporaryFolder()
        let started = try await started(folder, count: 0)
        // So that the first one does not end by itself before the second has tried.
        started.daemon.kill(SIGSTOP)
        let lock = folder.file("data/log/lock")
        try FileManager.default.removeItem(atPath: lock)
        if lost == .lockReplaced || lost == .both {
            try "1\n".write(toFile: lock, atomically: true, encoding: .utf8)
        }
        if lost == .lockAndHolder || lost == .both {
            try FileManager.default.removeItem(atPath: folder.file("data/holder"))
        }
        let other = try Tillbox.start(
            data: folder.file("data"), webhookPort: try freePort(), adminPort: try freePort())
        #expect(await other.wait() == 3)
        let holder =
            switch lost {
            case .lock, .lockReplaced: "process \(started.daemon.processID)"
            case .lockAndHolder: "another process"
            case .both: "process 1"
            }
        #expect(other.standardError.contains("is in use by \(holder)"), "\(other.standardError)")
        started.daemon.kill(SIGCONT)
        #expect(await started.daemon.wait() == 3)
    }

    @Test("a start waits for a command that has the folder, and says for which")
    func besideCommand() async throws {
        let folder = try TemporaryFolder()
        let data = folder.file("data")
        try FileManager.default.createDirectory(
            atPath: data, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700])
        let command = try FolderLock(data)
        let daemon = try Tillbox.start(
            data: data, webhookPort: try freePort(), adminPort: try freePort())
        try await eventually("it says for whom it waits") {
            daemon.standardError.contains("a command has the data folder; waiting for it")
        }
        #expect(daemon.standardError.contains("process \(getpid())"), "\(daemon.standardError)")
        command.release()
        try await daemon.untilListening()
        daemon.kill(SIGTERM)
        #expect(await daemon.wait() == 0)
    }
}
