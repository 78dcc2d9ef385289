import AppendLog
import Foundation
import TestSupport
import Testing

/// The daemon's own system calls, seen and made to fail by strace, which may not trace everywhere.
@Suite("System calls", .serialized, .enabled(if: Strace.canTrace))
struct SystemCallTests {
    @Test("an acknowledged event, a new folder entry and a commit of the ledger are each synced")
    func syncs() async throws {
        let site = try Site()
        let trace = site.folder.file("trace")
        let daemon = try site.start([
            "--seccomp-bpf", "-y", "-e", "trace=fdatasync,fsync", "-o", trace,
        ])
        try await daemon.untilListening()
        func synced(_ path: String) -> Int {
            let text = (try? String(contentsOfFile: trace, encoding: .utf8)) ?? ""
            return text.split(separator: "\n").count { $0.contains("sync(") && $0.contains(path) }
        }
        // One connection has one request in flight, so no two of them can share a sync.
        let before = synced("/webhook.received-0/0")
        let commits = 4
        for seed in 1...commits {
            let committed = synced("/ledger.sqlite-wal>")
            #expect(try await site.send(count: 5, seed: seed).wait() == 0)
            // Asked before the next five come: a later commit's sync must not stand in for this
            // one's.
            try? await eventually("commit \(seed) is synced") {
                synced("/ledger.sqlite-wal>") > committed
            }
            #expect(synced("/ledger.sqlite-wal>") > committed, "commit \(seed) is not synced")
        }
        #expect(synced("/webhook.received-0/0") - before >= 5 * commits)
        for folder in ["/log>", "/webhook.received-0>", "/ledger.posted-0>"] {
            #expect(synced(folder) > 0, "nothing synced the folder \(folder)")
        }
        daemon.kill(SIGTERM)
        #expect(await daemon.wait() == 0, "\(daemon.standardError.suffix(800))")
        // Each snapshot, under the name that it has at first, and the folder that has it then.
        for place in ["/features/", "/features>", "/gate/", "/gate>"] {
            #expect(synced(place) > 0, "nothing synced \(place) at the end")
        }
    }

    @Test(
        "one failed sync stops the daemon with its reason, and a start has all it acknowledged",
        arguments: [("fdatasync", "EIO", 9), ("fdatasync", "ENOSPC", 14)])
    func failedSyncs(call: String, code: String, number: Int) async throws {
        let site = try Site()
        let daemon = try site.start([
            "--seccomp-bpf", "-P", "\(site.data)/log/webhook.received-0/00000000000000000000.log",
            "-e", "trace=\(call)", "-e", "inject=\(call):error=\(code):when=\(number)",
            "-o", "/dev/null",
        ])
        try await daemon.untilListening()
        let traffic = try site.send(count: 60, seed: 7)
        try? await eventually("the daemon has stopped") { !daemon.isRunning }
        #expect(!daemon.isRunning, "it went on after a failed sync")
        guard !daemon.isRunning else { return daemon.kill(SIGKILL) }
        #expect(await daemon.wait() != 0)
        #expect(daemon.standardError.contains("stopped to protect the data"))
        #expect(daemon.standardError.contains("webhook.received-0"))
        try await site.finish(traffic)
        let judgement = try await CrashTests.judge(site.data, acknowledged: site.acknowledged)
        #expect(judgement.violations == [])
        #expect(judgement.counts["acknowledged"] == 60)
    }

    @Test("SIGKILL in the middle of a system call loses nothing, whichever call it is")
    func kills() async throws {
        let seed = UInt64.random(in: 1...1_000_000)
        var random = SeededGenerator(seed: seed)
        let site = try Site()
        let traffic = try site.send(count: 1_000, seed: Int(seed), rate: 250, connections: 8)
        // strace counts the calls of each thread for itself. Without a path they are mostly those
        // of the recovery; with one, those of the file under load.
        let segment = "00000000000000000000.log"
        let calls: [(call: String, file: String?, range: ClosedRange<Int>)] = [
            ("fdatasync", nil, 1...16), ("rename", nil, 1...6), ("fsync", nil, 1...6),
            ("pwrite64", "log/webhook.received-0/\(segment)", 1...4),
            ("fdatasync", "log/webhook.received-0/\(segment)", 2...4),
            ("fdatasync", "ledger.sqlite-wal", 1...4),
            ("pwrite64", "log/ledger.posted-0/\(segment)", 1...3),
        ]
        var history: [String] = []
        for (call, file, range) in calls {
            let number = Int.random(in: range, using: &random)
            // Not with --seccomp-bpf: strace 6.1 then injects no signal.
            let path = file.map { ["-P", "\(site.data)/\($0)"] } ?? []
            let daemon = try site.start(
                path + [
                    "-e", "trace=\(call)", "-e", "inject=\(call):signal=KILL:when=\(number)",
                    "-o", "/dev/null",
                ])
            // It may not make that many; then it is killed wherever it stands.
            try? await eventually("the call is met", within: 6) { !daemon.isRunning }
            let moment = "\(call) \(number)" + (file.map { " of \($0)" } ?? "")
            history.append(daemon.isRunning ? "later than \(moment)" : moment)
            daemon.kill(SIGKILL)
            #expect(await daemon.wait() == 128 + SIGKILL, "\(daemon.standardError.suffix(800))")
        }
        print("system-call test: seed \(seed), killed at \(history.joined(separator: ", "))")
        try await site.finish(traffic)
        let judgement = try await CrashTests.judge(site.data, acknowledged: site.acknowledged)
        #expect(judgement.violations == [], "seed \(seed): \(history)")
        #expect(judgement.counts["acknowledged"] == 1_000)
        #expect(history.contains { !$0.hasPrefix("later") }, "no call was met")
    }

    @Test("a restore that is killed at a sync or a rename is started by nobody, and done again")
    func restores() async throws {
        let filled = try await FilledFolder(count: 40)
        let (backups, target) = (filled.file("backups"), filled.file("restored"))
        let made = try await Tillbox.run("backup", backups, "--data", filled.path)
        #expect(made.code == 0, "\(made.errors)")
        let (webhook, admin) = (try freePort(), try freePort())
        for (call, number) in [
            ("fsync", 1), ("fsync", 2), ("fdatasync", 1), ("fdatasync", 7), ("rename", 1),
            ("unlink", 1),
        ] {
            let moment = "\(call) \(number)"
            let restore = try Child(
                Strace.path,
                [
                    "-D", "-f", "-q", "-e", "trace=\(call)", "-e",
                    "inject=\(call):signal=KILL:when=\(number)", "-o", "/dev/null",
                    Tillbox.executable, "restore", backups, "--data", target,
                ])
            #expect(await restore.wait() == 128 + SIGKILL, "\(moment)")
            let daemon = try Tillbox.start(data: target, webhookPort: webhook, adminPort: admin)
            #expect(await daemon.wait() == 3, "\(moment)")
            #expect(
                daemon.standardError.contains("did not come to its end"),
                "\(moment): \(daemon.standardError.suffix(400))")
        }
        let again = try await Tillbox.run("restore", backups, "--data", target)
        #expect(again.code == 0, "\(again.errors)")
        let verified = try await Tillbox.run("ledger", "verify", "--data", target)
        #expect(verified.code == 0, "\(verified.errors)")
    }
}

/// A data folder, two ports, and who was told what.
private struct Site {
    let folder: TemporaryFolder
    let webhook: Int
    let admin: Int
    var data: String { folder.file("data") }
    var acknowledged: String { folder.file("acknowledged") }

    init() throws {
        folder = try TemporaryFolder()
        (webhook, admin) = (try freePort(), try freePort())
    }

    /// Starts the daemon under strace, whose tracer stands aside so that the child is the daemon.
    func start(_ options: [String]) throws -> Child {
        try Child(
            Strace.path,
            ["-D", "-f", "-q"] + options
                + [Tillbox.executable, "run", "--data", data],
            environment: environment)
    }

    private var environment: [String: String] {
        [
            "TILLBOX_WEBHOOK_SECRET": "whsec_test", "TILLBOX_WEBHOOK_PORT": "\(webhook)",
            "TILLBOX_ADMIN_PORT": "\(admin)",
        ]
    }

    /// Traffic that goes on until each event is acknowledged.
    func send(count: Int, seed: Int, rate: Int = 0, connections: Int = 1) throws -> Child {
        try Child(
            Tillbox.executable,
            [
                "simulate", "--to", "http://127.0.0.1:\(webhook)/webhooks/stripe", "--secret",
                "whsec_test", "--rate", "\(rate)", "--count", "\(count)", "--seed", "\(seed)",
                "--connections", "\(connections)", "--acknowledged", acknowledged,
                "--until-acknowledged",
            ])
    }

    /// Lets the traffic come to its end with a daemon that nobody disturbs, and drains the folder.
    func finish(_ traffic: Child) async throws {
        for round in 0..<2 {
            let daemon = try Tillbox.start(data: data, webhookPort: webhook, adminPort: admin)
            try await daemon.untilListening()
            if round == 0 {
                #expect(await traffic.wait() == 0, "\(traffic.standardError.suffix(400))")
            }
            daemon.kill(SIGTERM)
            #expect(await daemon.wait() == 0, "\(daemon.standardError.suffix(800))")
        }
    }
}

enum Strace {
    static let path = "/usr/bin/strace"

    /// Containers may forbid tracing.
    static let canTrace: Bool = {
        let process = Process()
        process.executableURL = URL(filePath: path)
        process.arguments = [
            "-f", "--seccomp-bpf", "-e", "trace=fsync", "-o", "/dev/null", "/bin/true",
        ]
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }()
}
