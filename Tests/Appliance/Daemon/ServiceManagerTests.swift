import Foundation
import TestSupport
import Testing

@testable import Daemon

@Suite("Service manager")
struct ServiceManagerTests {
    @Test("asks only where the environment names a socket, and for a life sign where it says so",
          arguments: [
            ([:], nil, nil), (["NOTIFY_SOCKET": ""], nil, nil),
            (["NOTIFY_SOCKET": "/run/x"], true, nil),
            (["NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "1500000"], true, 1.5),
            (["NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "1500000", "WATCHDOG_PID": "7"], true,
             1.5),
            (["NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "1500000", "WATCHDOG_PID": "8"], true,
             nil),
            (["NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "often"], true, nil),
          ] as [([String: String], Bool?, Double?)])
    func asks(environment: [String: String], isThere: Bool?, seconds: Double?) {
        let manager = ServiceManager(environment: environment, process: 7)
        #expect((manager != nil) == (isThere ?? false))
        #expect(manager?.watchdogSeconds == seconds)
    }

    @Test("what cannot be sent is an error number and no wait")
    func unreachable() throws {
        let manager = try #require(
            ServiceManager(environment: ["NOTIFY_SOCKET": "/nowhere/notify"], process: 7))
        #expect(manager.tell(.ready) == ENOENT)
        let relative = try #require(
            ServiceManager(environment: ["NOTIFY_SOCKET": "notify"], process: 7))
        #expect(relative.tell(.ready) == EINVAL)
    }
}

@Suite("Pipeline motion")
struct PipelineMotionTests {
    private static func place(_ next: Int64, lag: Int64) -> [PipelineMotion.Place] {
        [.init(step: "ledger", topic: "payment.scored", next: next, lagRecords: lag)]
    }

    private static let limit = PipelineMotion.stillSecondsMax

    @Test("a step that has something to read and does not come further hangs")
    func stuck() throws {
        var motion = PipelineMotion()
        #expect(motion.look(at: Self.place(1, lag: 5), waits: false, now: 0) == nil)
        let soon = motion.look(at: Self.place(1, lag: 9), waits: false, now: Self.limit - 1)
        #expect(soon == nil)
        let late = motion.look(at: Self.place(1, lag: 9), waits: false, now: Self.limit)
        let sentence = try #require(late)
        #expect(sentence.contains("ledger has stood at payment.scored 1 for 120 s"))
        #expect(sentence.contains("9 records"))
    }

    @Test("one that moves, has read all, or waits for room does not", arguments: [
        (Int64(2), Int64(5), false), (1, 0, false), (1, 5, true),
    ])
    func moving(next: Int64, lag: Int64, waits: Bool) {
        var motion = PipelineMotion()
        _ = motion.look(at: Self.place(1, lag: 5), waits: false, now: 0)
        #expect(motion.look(at: Self.place(next, lag: lag), waits: waits, now: 1_000) == nil)
        // From then on it has its time again.
        let again = motion.look(at: Self.place(next, lag: 5), waits: false, now: 1_001)
        #expect(again == nil)
    }

    @Test("places that cannot be read say nothing of the steps")
    func unreadable() {
        var motion = PipelineMotion()
        _ = motion.look(at: Self.place(1, lag: 5), waits: false, now: 0)
        #expect(motion.look(at: nil, waits: false, now: 1_000) == nil)
    }
}

@Suite("Port question")
struct PortQuestionTests {
    private static func trouble(_ port: Int) async -> String? {
        await PortQuestion(
            address: Settings.Address(host: "127.0.0.1", port: port), patienceMilliseconds: 1_000
        ).trouble()
    }

    @Test("an answer, a refusal and a connection that is closed are signs of life")
    func alive() async throws {
        let answering = try ScriptedPeer { connection in
            connection.read(until: "\r\n\r\n")
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        }
        #expect(await Self.trouble(answering.port) == nil)
        // It has more connections than it serves.
        let closing = try ScriptedPeer { $0.reset() }
        #expect(await Self.trouble(closing.port) == nil)
    }

    @Test("silence is none, nor is a part that hangs")
    func hanging() async throws {
        let silent = try ScriptedPeer { connection in
            // Until the other side gives up.
            while !connection.read().isEmpty {}
        }
        let sentence = await Self.trouble(silent.port)
        #expect(sentence?.contains("gave no answer within 1 s") == true)
        let stuck = try ScriptedPeer { connection in
            connection.read(until: "\r\n\r\n")
            connection.send("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
        }
        #expect(await Self.trouble(stuck.port)?.contains("a part hangs") == true)
    }
}
