import AppendLog
import Foundation
import Testing

@testable import Appliance
@testable import Bench
@testable import Vocabulary

@Suite("A killed writer")
struct CrashTests {
    /// What the writer that is killed does: endless small batches, each with its position.
    private static func postForever(_ path: String, committed: DispatchSemaphore) throws {
        let ledger = try SQLiteLedger.open(path: path) { 0 }
        var next = try ledger.position(topic: "payment.scored") ?? 0
        while true {
            let batch = (0..<3).map { LedgerBenchmark.input(Int(next) + $0) }
            next += 3
            _ = try ledger.post(
                batch, positions: [ConsumerPosition(topic: "payment.scored", nextOffset: next)])
            committed.signal()
        }
    }

    @Test(
        "leaves whole batches with their positions, and the next one goes on",
        .timeLimit(.minutes(2)))
    func killed() async throws {
        let folder = try LedgerFolder()
        try folder.open().close()
        let path = folder.file
        var last: Int64 = 0
        for round in 0..<6 {
            // The child's arguments travel through the environment of the exit test.
            setenv("LEDGER_CRASH_PATH", path, 1)
            setenv("LEDGER_CRASH_ROUND", String(round), 1)
            await #expect(processExitsWith: .signal(SIGKILL)) {
                let path = try #require(ProcessInfo.processInfo.environment["LEDGER_CRASH_PATH"])
                let round = ProcessInfo.processInfo.environment["LEDGER_CRASH_ROUND"] ?? "0"
                // A second thread kills the process a varying while after some batches, when the
                // first is somewhere inside the next one.
                let committed = DispatchSemaphore(value: 0)
                Thread.detachNewThread {
                    for _ in 0..<7 { committed.wait() }
                    var random = SeededGenerator(seed: UInt64(round) ?? 0)
                    for _ in 0..<Int.random(in: 0..<2_000, using: &random) { sched_yield() }
                    kill(getpid(), SIGKILL)
                }
                try CrashTests.postForever(path, committed: committed)
            }
            let ledger = try folder.open()
            let position = try ledger.position(topic: "payment.scored") ?? 0
            let verified = try ledger.verify()
            #expect(verified.fault == nil)
            #expect(verified.transactions == position, "round \(round)")
            #expect(position >= last + 21)
            last = position
            try ledger.close()
        }
    }
}
