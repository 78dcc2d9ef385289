import Logging
import Synchronization
import Testing

@testable import Appliance
@testable import Vocabulary

@Suite("Rationed warnings")
struct RationedLogTests {
    /// Keeps what is logged.
    private final class Kept: LogHandler, Sendable {
        let lines = Mutex<[Logger.Metadata]>([])
        var logLevel: Logger.Level { get { .trace } set {} }
        var metadata: Logger.Metadata { get { [:] } set {} }
        subscript(metadataKey _: String) -> Logger.MetadataValue? { get { nil } set {} }
        func log(event: LogEvent) { lines.withLock { $0.append(event.metadata ?? [:]) } }
    }

    private final class World: Sendable {
        let kept = Kept()
        let now = Mutex(ContinuousClock.now)
        let later = Mutex<[@Sendable () -> Void]>([])

        func log() -> RationedLog {
            RationedLog(
                logger: Logger(label: "test") { [kept] _ in kept },
                now: { self.now.withLock { $0 } },
                afterASecond: { call in self.later.withLock { $0.append(call) } })
        }
        var leftOut: [String] {
            kept.lines.withLock { $0.map { "\($0["left_out"] ?? "0")" } }
        }
    }

    @Test("writes two a second of each kind, and the number of the others")
    func rations() {
        let world = World()
        let log = world.log()
        for _ in 0..<10 { log.warning("refused", kind: "a") }
        log.warning("refused", kind: "b")
        #expect(world.leftOut == ["0", "0", "0"])
        world.now.withLock { $0 += .seconds(1) }
        log.warning("refused", kind: "a")
        #expect(world.leftOut.last == "8")
    }

    @Test("tells of the last ones although none follows")
    func last() {
        let world = World()
        let log = world.log()
        for _ in 0..<5 { log.warning("refused", kind: "a") }
        let calls = world.later.withLock { $0 }
        #expect(calls.count == 1)
        for call in calls { call() }
        #expect(world.leftOut == ["0", "0", "3"])
    }

    @Test("invented kinds share one ration, so that they cannot fill the memory or the log")
    func kinds() {
        let world = World()
        let log = world.log()
        for kind in 0..<1000 { log.warning("refused", kind: "kind \(kind)") }
        #expect(world.leftOut.count <= 70)
    }

    @Test("what a stranger sent makes one line of bounded length")
    func printable() {
        #expect(RationedLog.printable("a\nb\u{1B}[2J\u{202E}c") == "a\u{FFFD}b\u{FFFD}[2J\u{FFFD}c")
        #expect(RationedLog.printable(String(repeating: "x", count: 5000)).count == 201)
        #expect(RationedLog.printable("Grüße, 世界") == "Grüße, 世界")
    }
}
