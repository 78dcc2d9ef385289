import Testing

@testable import Relay
@testable import Vocabulary

@Suite("The life of a bridge")
struct BridgeLifeTests {
    private static let pause = BridgePause(by: "ada", at: Instant(seconds: 7))

    @Test("it opens, then delivers")
    func opens() {
        var life = BridgeLife()
        #expect(life.step(at: 0) == .open)
        life.didOpen()
        #expect(life.state == .running)
        #expect(life.step(at: 0) == .deliver)
    }

    @Test("each failure doubles the wait, between its half and its whole")
    func backsOff() {
        for luck in [0, 0.5, 0.999] {
            var life = BridgeLife()
            var now: Int64 = 1_000
            for attempt in 0..<12 {
                life.didFail("gone", at: now, luck: luck)
                let whole = min(200 << min(attempt, 20), 30_000)
                guard case .wait(let until) = life.step(at: now) else {
                    Issue.record("attempt \(attempt) does not wait")
                    return
                }
                #expect((Int64(whole / 2)...Int64(whole)).contains(until - now))
                #expect(life.step(at: until - 1) == .wait(until: until))
                #expect(life.step(at: until) == .open)
                now = until
            }
        }
    }

    @Test("the circuit opens at the sixth failure in a row, and a delivery alone closes it")
    func circuit() {
        var life = BridgeLife()
        for attempt in 1...RelayLimits.failureCountMax {
            #expect(life.state.word != "circuit_open")
            // A target that can be opened and takes nothing has not come back.
            life.didOpen()
            life.didFail("gone", at: 0, luck: 0)
            #expect(life.failureCount == attempt)
        }
        #expect(life.state.word == "circuit_open")
        life.didOpen()
        life.didFail("gone", at: 0, luck: 0)
        #expect(life.state.word == "circuit_open")
        life.didOpen()
        life.didDeliver()
        life.didFail("gone", at: 0, luck: 0)
        #expect(life.state.word == "backing_off")
        #expect(life.failureCount == 1)
    }

    @Test("what it waits for is told while the call lasts, and whatever comes of that ends it")
    func waits() {
        let ends: [(String, (inout BridgeLife) -> Void)] = [
            ("opened", { $0.didOpen() }), ("delivered", { $0.didDeliver() }),
            ("failed", { $0.didFail("gone", at: 0, luck: 0) }),
            ("refused", { $0.didRefuse("no") }), ("paused", { $0.pause(Self.pause) }),
        ]
        for (what, end) in ends {
            var life = BridgeLife()
            life.didWait("no broker answers")
            #expect(life.isWaiting && life.lastError == "no broker answers")
            // The call goes on: nothing is tried anew, and nothing counted.
            #expect(life.step(at: 0) == .open && life.failureCount == 0)
            end(&life)
            #expect(!life.isWaiting, "\(what)")
        }
        var paused = BridgeLife(paused: Self.pause)
        paused.didWait("no broker answers")
        #expect(!paused.isWaiting && paused.lastError == nil)
    }

    @Test("a refusal stops it for good, with its sentence, until somebody resumes it")
    func stops() {
        var life = BridgeLife()
        life.didRefuse("the topic has 3 partitions")
        #expect(life.state == .stopped("the topic has 3 partitions"))
        #expect(life.step(at: .max) == .rest)
        // What was under way comes too late.
        life.didFail("gone", at: 0, luck: 0)
        life.didOpen()
        #expect(life.state.word == "stopped")
        life.resume()
        #expect(life.step(at: 0) == .open)
        #expect(life.lastError == "the topic has 3 partitions")
    }

    @Test("a pause outlasts whatever was under way, and a restart")
    func pauses() {
        var life = BridgeLife()
        life.didOpen()
        life.pause(Self.pause)
        life.didFail("gone", at: 0, luck: 0)
        life.didRefuse("no")
        life.didOpen()
        #expect(life.state == .paused(Self.pause))
        #expect(BridgeLife(paused: Self.pause).step(at: .max) == .rest)
        life.resume()
        #expect(life.state == .starting)
    }

    @Test("resuming makes a waiting attempt at once, and leaves one that runs alone")
    func resumes() {
        var life = BridgeLife()
        life.didFail("gone", at: 0, luck: 0)
        life.resume()
        #expect(life.step(at: 0) == .open)
        life.didOpen()
        life.resume()
        #expect(life.state == .running)
    }

    @Test("a sentence of any length is told in bounded length")
    func shortens() {
        var life = BridgeLife()
        life.didRefuse(String(repeating: "x", count: 100_000))
        #expect((life.lastError ?? "").count <= RelayLimits.sentenceLengthMax + 1)
    }

    @Test("a target that is opened each time and takes nothing is warned of all the while")
    func opensOnly() {
        var report = BridgeReport(
            name: .kafka, state: .running, failureCount: 2, lastError: "cut off")
        #expect(report.warning?.contains("cut off") == true)
        report.workingSince = Instant(seconds: 1)
        #expect(report.warning == nil)
    }

    @Test("the rate is of the last seconds")
    func rate() {
        var rate = DeliveryRate()
        #expect(rate.value(at: 5_000) == 0)
        for second in 0..<5 { rate.add(100, at: Int64(second) * 1_000) }
        #expect(rate.value(at: 4_999) == 100)
        #expect(rate.value(at: 60_000) == 0)
    }
}
