import Foundation
import TestSupport
import Testing

/// What may happen to the daemon's process, its streams and its folder.
@Suite("Bad days", .serialized)
struct BadDayTests {
    /// Where standard error goes, by the shell's word for it.
    static let lostStreams = ["2>/dev/full", "2>&-", ">&- 2>&- <&-"]

    @Test(
        "standard error that is full or closed costs log lines, nothing else",
        arguments: lostStreams)
    func lostStream(after: String) async throws {
        let world = try await RunningDaemon(after: after, isSilent: true)
        #expect(try await world.deliver(300) == 0)
        let forged = try await Tillbox.simulate(
            to: world.webhook, secret: "whsec_other", count: 20, seed: 3)
        #expect(forged.code >= 0)
        try await world.expectHealthy()
        if after == "2>/dev/full" { #expect(try world.counter("log_lines_lost") > 0) }
        try await world.stop()
        let ledger = try await Tillbox.run("ledger", "verify", "--data", world.data)
        #expect(ledger.code == 0, "\(ledger.errors)")
    }

    @Test(
        "a pipe that nobody reads, or whose reader has gone, holds nothing up",
        arguments: [false, true])
    func unreadPipe(readerGoes: Bool) async throws {
        let folder = try TemporaryFolder()
        let pipe = folder.file("pipe")
        #expect(mkfifo(pipe, 0o600) == 0)
        let reader = open(pipe, O_RDWR | O_NONBLOCK)
        // As small as the kernel lets it be, so that a few lines fill it.
        #expect(fcntl(reader, Int32(1031), 4096) == 4096)
        let world = try await RunningDaemon(
            in: folder, after: "2>\"\(pipe)\"", environment: ["TILLBOX_LOGGING_LEVEL": "trace"],
            isSilent: true)
        if readerGoes { close(reader) }
        defer { if !readerGoes { close(reader) } }
        for seed in 0..<12 {
            _ = try await Tillbox.simulate(
                to: world.webhook, secret: "whsec_other", count: 20, seed: seed)
        }
        #expect(try await world.deliver(300) == 0)
        try await world.expectHealthy()
        try await world.stop()
    }

    @Test("SIGHUP, SIGINT and SIGTERM drain, and a second one is the same wish",
        arguments: [[SIGHUP], [SIGINT], [SIGTERM, SIGTERM], [SIGTERM, SIGHUP, SIGINT]])
    func signals(numbers: [Int32]) async throws {
        let world = try await RunningDaemon()
        let acknowledged = world.folder.file("acknowledged")
        #expect(try await world.deliver(500, acknowledged: acknowledged) == 0)
        for (index, number) in numbers.enumerated() {
            world.daemon.kill(number)
            guard index == 0 else { continue }
            // The next one comes while it drains; before, the system would make one of two.
            try await eventually("the first one is heard") {
                !world.daemon.isRunning || world.daemon.standardError.contains(#""stopping""#)
            }
        }
        #expect(await world.daemon.wait() == 0, "\(world.daemon.standardError.suffix(800))")
        let verified = try await Tillbox.run("log", "verify", "--data", world.data)
        #expect(verified.code == 0, "\(verified.output) \(verified.errors)")
    }

    @Test("a trap frees the ports at once", arguments: [SIGILL, SIGTRAP, SIGSEGV, SIGABRT])
    func traps(number: Int32) async throws {
        let world = try await RunningDaemon()
        let started = ContinuousClock.now
        world.daemon.kill(number)
        #expect(await world.daemon.wait() == 128 + number)
        #expect(.now - started < .seconds(10))
        #expect(throws: NotConnected.self) { try RawConnection(port: world.webhook) }
    }

    @Test("no core dump holds its secrets, and the descriptor limit is raised")
    func limits() async throws {
        let world = try await RunningDaemon(
            before: "ulimit -c unlimited 2>/dev/null; ulimit -S -n 300;")
        let limits = try String(
            contentsOfFile: "/proc/\(world.daemon.processID)/limits", encoding: .utf8)
        func limit(_ name: String) -> [Substring] {
            limits.split(separator: "\n").first { $0.hasPrefix(name) }?.dropFirst(25)
                .split(separator: " ") ?? []
        }
        #expect(limit("Max core file size").prefix(2) == ["0", "0"])
        #expect(limit("Max open files").first.flatMap { Int($0) } ?? 0 > 300)
        // What is not dumpable belongs to root in /proc, whoever runs it.
        let status = try FileManager.default.attributesOfItem(
            atPath: "/proc/\(world.daemon.processID)/environ")
        #expect((status[.ownerAccountID] as? NSNumber)?.intValue == 0)
    }

    @Test("an existing folder that others may read is its owner's alone after the start")
    func exposedFolder() async throws {
        let folder = try TemporaryFolder()
        let first = try await RunningDaemon(in: folder)
        #expect(try await first.deliver(100) == 0)
        try await first.stop()
        let files = FileManager.default.enumerator(atPath: first.data)?
            .compactMap { $0 as? String } ?? []
        #expect(files.contains("ledger.sqlite"))
        for file in files {
            #expect(try Self.mode("\(first.data)/\(file)") & 0o077 == 0, "\(file)")
        }
        for path in [first.data, "\(first.data)/ledger.sqlite", "\(first.data)/log"] {
            chmod(path, 0o755)
        }
        let second = try await RunningDaemon(in: folder)
        #expect(second.daemon.standardError.contains("open to other users"))
        for path in [first.data, "\(first.data)/ledger.sqlite", "\(first.data)/log"] {
            #expect(try Self.mode(path) & 0o077 == 0, "\(path)")
        }
        try await second.stop()
    }

    private static func mode(_ path: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        return try #require(attributes[.posixPermissions] as? NSNumber).intValue
    }
}
