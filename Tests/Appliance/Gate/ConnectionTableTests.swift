import AppendLog
import NIOCore
import NIOEmbedded
import Testing

@testable import Appliance
@testable import Vocabulary

@Suite("Connections of a port")
struct ConnectionTableTests {
    private static func open() throws -> (EmbeddedChannel, PortConnection) {
        let channel = EmbeddedChannel()
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        return (channel, PortConnection(channel))
    }

    @Test("a full table gives up the oldest one that is not being answered, fresh ones first")
    func givesUp() throws {
        let table = ConnectionTable(countMax: 4)
        let all = try (0..<4).map { _ in try Self.open() }
        for (_, connection) in all { #expect(table.enter(connection) == .entered) }
        all[0].1.phase = .answering
        all[1].1.phase = .quiet
        all[2].1.phase = .receiving
        for victim in [3, 1, 2] {
            let (_, next) = try Self.open()
            next.phase = .answering
            #expect(table.enter(next) == .enteredInstead)
            all[victim].0.embeddedEventLoop.run()
            #expect(!all[victim].0.isActive, "\(victim)")
            #expect(table.openCount == 4)
        }
        #expect(all[0].0.isActive)
        let (channel, refused) = try Self.open()
        #expect(table.enter(refused) == .refused)
        channel.embeddedEventLoop.run()
        #expect(!channel.isActive)
        #expect(table.openCount == 4)
    }

    @Test("thousands that come and go leave nothing behind, and the shutdown hears of the last one")
    func comesAndGoes() throws {
        let table = ConnectionTable(countMax: 8)
        for _ in 0..<3000 {
            let (channel, connection) = try Self.open()
            #expect(table.enter(connection) == .entered)
            _ = try channel.finish()
        }
        #expect(table.openCount == 0)
        let (channel, connection) = try Self.open()
        _ = table.enter(connection)
        let counters = Counters()
        table.shutDown { counters.add(.admitted) }
        #expect(counters[.admitted] == 0)
        table.closeAll()
        channel.embeddedEventLoop.run()
        #expect(!channel.isActive)
        #expect(counters[.admitted] == 1)
        table.shutDown { counters.add(.admitted) }
        #expect(counters[.admitted] == 2)
    }

    @Test("a budget is given back to the byte")
    func budget() {
        let budget = MemoryBudget(byteCountMax: 100)
        let (first, second) = (ConnectionMemory(budget), ConnectionMemory(budget))
        #expect(first.take(60))
        #expect(!second.take(41))
        #expect(second.take(40))
        #expect(budget.byteCount == 100)
        first.keep(10)
        second.keep(500)
        #expect(budget.byteCount == 50)
        first.keep(0)
        second.keep(0)
        #expect(budget.byteCount == 0)
    }
}

@Suite("A clock that may be wrong")
struct ClockSuspicionTests {
    @Test("is suspected by signatures that fail by their time alone, until one is right")
    func suspicion() {
        let suspicion = ClockSuspicion(clock: SetClock())
        for refusal in [SignatureRefusal.noMatch, .missing] { suspicion.note(refusal) }
        #expect(suspicion.warning == nil)
        suspicion.note(.tooOld(seconds: 4000))
        #expect(suspicion.warning?.contains("4000 s fast") == true)
        suspicion.note(.tooNew(seconds: 301))
        #expect(suspicion.warning?.contains("301 s slow") == true)
        let now = Instant(seconds: 7)
        suspicion.noteGood(signedAt: now, arrived: now)
        #expect(suspicion.warning == nil)
    }

    @Test("is confirmed by a signature of its own time for a day, unless another one says otherwise")
    func confirmed() {
        let clock = SetClock()
        let suspicion = ClockSuspicion(clock: clock)
        let now = Instant(seconds: 1_800_000_000)
        #expect(!suspicion.isConfirmed)
        // A tolerance may be set wider than what says anything of the clock.
        suspicion.noteGood(signedAt: Instant(seconds: now.seconds - 301), arrived: now)
        #expect(!suspicion.isConfirmed)
        suspicion.noteGood(signedAt: Instant(seconds: now.seconds + 300), arrived: now)
        #expect(suspicion.isConfirmed)
        clock.advance(milliseconds: 86_400_001)
        #expect(!suspicion.isConfirmed)
        suspicion.noteGood(signedAt: now, arrived: now)
        #expect(suspicion.isConfirmed)
        suspicion.note(.tooNew(seconds: 4000))
        #expect(!suspicion.isConfirmed)
    }
}
