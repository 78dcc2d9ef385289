import Foundation
import Testing

@testable import Appliance

@Suite("A killed writer")
struct CrashTests {
    /// What the writer that is killed does: endless small batches, each with its position.
    private static func postForever(_ path: String) throws {
        let ledger = try SQLiteLedger.open(path: path) { 0 }
        var next = try ledger.position(topic: "payment.scored") ?? 0
        while true {
            let batch = (0..<3).map { LedgerBenchmark.input(Int(next) + $0) }
            next += 3
            _ = try ledger.post(
                batch, positions: [ConsumerPosition(topic: "payment.scored", nextOffset: next)])
        }
    }

    @Test("leaves whole batches with their positions, and the next one goes on", .timeLimit(.minutes(2)))
    func killed() async throws {
        let folder = try LedgerFolder()
        try folder.open().close()
        let path = folder.file
        var last: Int64 = 0
        for round in 0..<4 {
            // The child's arguments travel through the environment of the exit test.
            setenv("LEDGER_CRASH_PATH", path, 1)
            setenv("LEDGER_CRASH_ROUND", String(round), 1)
            await #expect(processExitsWith: .signal(SIGKILL)) {
                let path = try #require(ProcessInfo.processInfo.environment["LEDGER_CRASH_PATH"])
                let round = ProcessInfo.processInfo.environment["LEDGER_CRASH_ROUND"] ?? "0"
                // A second thread kills the process while the first is somewhere in a batch.
                let after = UInt32(20_000 + 13_577 * (Int(round) ?? 0))
                Thread.detachNewThread {
                    usleep(after)
                    kill(getpid(), SIGKILL)
                }
                try CrashTests.postForever(path)
            }
            let ledger = try folder.open()
            let position = try ledger.position(topic: "payment.scored") ?? 0
            let verified = try ledger.verify()
            #expect(verified.fault == nil)
            #expect(verified.transactions == position, "round \(round)")
            #expect(position >= last)
            last = position
            try ledger.close()
        }
        #expect(last > 0)
    }
}
