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
        #expect(ContinuousClock.now - began < .seconds(20))
        let errors = started.daemon.standardError
        #expect(errors.contains("stopped to protect the data"), "\(errors.suffix(600))")
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

    @Test(
        "a second daemon cannot start, whatever became of the lock file", arguments: [true, false])
    func second(isReplaced: Bool) async throws {
        let folder = try TemporaryFolder()
        let started = try await started(folder, count: 0)
        // So that the first one does not end by itself before the second has tried.
        started.daemon.kill(SIGSTOP)
        let lock = folder.file("data/log/lock")
        try FileManager.default.removeItem(atPath: lock)
        if isReplaced { try "1\n".write(toFile: lock, atomically: true, encoding: .utf8) }
        let other = try Tillbox.start(
            data: folder.file("data"), webhookPort: try freePort(), adminPort: try freePort())
        #expect(await other.wait() == 3)
        #expect(other.standardError.contains("is in use by process"), "\(other.standardError)")
        started.daemon.kill(SIGCONT)
        #expect(await started.daemon.wait() == 3)
    }
}
