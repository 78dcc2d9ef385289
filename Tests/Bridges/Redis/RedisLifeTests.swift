import AppendLog
@testable import Bridges
import Foundation
import Testing

@Suite("Redis: the life of a connection")
struct RedisLifeTests {
    private let start = ContinuousClock.now
    private var generator = SeededGenerator(seed: 1)

    private func configuration(_ url: String = "redis://h") throws -> RedisConfiguration {
        try RedisConfiguration(url: url)
    }

    @Test("a connection introduces itself as it must, and then serves", arguments: [
        ("redis://h", ["PING"]),
        ("redis://:pw@h", ["AUTH pw", "PING"]),
        ("redis://ann:pw@h/7", ["AUTH ann pw", "SELECT 7", "PING"]),
    ])
    mutating func introduces(url: String, expected: [String]) throws {
        let configuration = try configuration(url)
        var life = RedisLife(configuration)
        #expect(life.begin(at: start) == .connect)
        guard case .introduce(let steps) = life.didConnect() else {
            Issue.record("\(life.state)")
            return
        }
        let lines = try steps.map { step in
            let bytes = try step.command(for: configuration).encoded()
            let words = String(decoding: bytes, as: UTF8.self)
            // Every second line is a length.
            let parts = words.split(separator: "\r\n").dropFirst()
            return parts.filter { $0.first != "$" }.joined(separator: " ")
        }
        #expect(lines == expected)
        for index in steps.indices {
            #expect(!life.isReady)
            let action = life.didAnswer(.status("OK"), at: start, using: &generator)
            #expect(action == (index == steps.count - 1 ? .serve : .nothing))
        }
        #expect(life.isReady && life.connections == 1 && life.deadline == nil)
    }

    @Test("what the server says to it decides whether somebody must mend something", arguments: [
        ("redis://h", 0, "NOAUTH Authentication required.", false),
        ("redis://:pw@h", 0, "WRONGPASS invalid username-password pair", false),
        ("redis://:pw@h", 0, "ERR AUTH called without any password configured", false),
        ("redis://:pw@h", 0, "LOADING Redis is loading the dataset in memory", true),
        ("redis://h/9", 0, "ERR DB index is out of range", false),
        ("redis://h", 0, "DENIED Redis is running in protected mode", false),
        ("redis://h", 0, "ERR max number of clients reached", true),
        ("redis://h", 0, "MASTERDOWN Link with MASTER is down", true),
    ])
    mutating func refusals(url: String, step: Int, words: String, isRetryable: Bool) throws {
        var life = RedisLife(try configuration(url))
        _ = life.begin(at: start)
        _ = life.didConnect()
        let action = life.didAnswer(.error(RedisErrorReply(words)), at: start, using: &generator)
        guard case .drop(let trouble) = action else {
            Issue.record("\(action)")
            return
        }
        #expect(trouble.isRetryable == isRetryable)
        // Only who is kept out by a mistake need not even wait.
        #expect((life.refusal == nil) == isRetryable)
        #expect(life.lastTrouble == trouble)
        #expect(!trouble.description.contains("\n"))
    }

    @Test("who may not ping is known all the same")
    mutating func noPing() throws {
        var life = RedisLife(try configuration())
        _ = life.begin(at: start)
        _ = life.didConnect()
        let words = RedisErrorReply("NOPERM this user has no permissions to run 'ping'")
        #expect(life.didAnswer(.error(words), at: start, using: &generator) == .serve)
    }

    @Test("a server that repeats the password gets no piece of it into a sentence", arguments: [
        ("ERR unknown command 'AUTH', args beginning with: '%'", "does not know AUTH"),
        ("ERR unknown command `AUTH`, with args beginning with: `%`, ", "does not know AUTH"),
        ("WRONGPASS no user has '%'", "(WRONGPASS)"),
        ("ERR AUTH <password> called without any password configured: %", "has no password"),
        ("ERR wrong number of arguments for 'auth' %", "takes no user"),
        ("% is wrong", "(ERR)"), ("%", "(ERR)"),
    ])
    mutating func echo(words: String, expected: String) throws {
        for password in ["hunter2", String(repeating: "K", count: 20), Self.longPassword] {
            var life = RedisLife(try configuration("redis://:\(password)@h"))
            _ = life.begin(at: start)
            _ = life.didConnect()
            // Replies are cut off, so that a long password is never there as a whole.
            let reply = RedisErrorReply(words.replacingOccurrences(of: "%", with: password))
            let action = life.didAnswer(.error(reply), at: start, using: &generator)
            guard case .drop(let trouble) = action else {
                Issue.record("\(action)")
                return
            }
            let texts = ["\(trouble)", "\(action)", String(reflecting: action)]
            for text in texts { #expect(!text.contains(password.prefix(6)), "\(text)") }
            #expect(trouble.description.contains(expected))
            #expect(!trouble.isRetryable)
        }
    }

    private static let longPassword = (0..<150).map { "pw\($0)" }.joined(separator: "-")

    @Test("waits twice as long after each failure, between half and all of it, up to the longest")
    mutating func backOff() throws {
        let configuration = try configuration()
        var life = RedisLife(configuration)
        var now = start
        var pauses: [Duration] = []
        _ = life.begin(at: now)
        for _ in 0..<12 {
            let trouble = RedisTrouble.connection(.ended, place: "h")
            #expect(life.didFail(trouble, at: now, using: &generator) == .drop(trouble))
            // A second failure of the same connection changes nothing.
            #expect(life.didFail(.deadline, at: now, using: &generator) == .nothing)
            let until = try #require(life.deadline)
            pauses.append(until - now)
            #expect(life.timePassed(until - .nanoseconds(1), using: &generator) == .nothing)
            #expect(life.timePassed(until, using: &generator) == .connect)
            now = until
        }
        for (index, pause) in pauses.enumerated() {
            let whole = min(configuration.retryMin * (1 << index), configuration.retryMax)
            #expect(whole / 2 <= pause && pause <= whole, "\(index): \(pause) of \(whole)")
        }
        #expect(Set(pauses).count == pauses.count)
    }

    @Test("begins anew after a connection that lasted, and not after one that did not")
    mutating func attempts() throws {
        let configuration = try configuration()
        for (lasts, expected) in [(configuration.retryMax, 1), (.milliseconds(10), 4)] {
            var life = RedisLife(configuration)
            _ = life.begin(at: start)
            var now = start
            for _ in 0..<3 {
                _ = life.didFail(.hung(milliseconds: 1), at: now, using: &generator)
                now = try #require(life.deadline)
                _ = life.timePassed(now, using: &generator)
            }
            _ = life.didConnect()
            _ = life.didAnswer(.status("PONG"), at: now, using: &generator)
            _ = life.didFail(.hung(milliseconds: 1), at: now + lasts, using: &generator)
            #expect(life.attempts == expected)
        }
    }

    @Test("gives up a connection that is not ready in time")
    mutating func connectDeadline() throws {
        let configuration = try configuration()
        for connects in [false, true] {
            var life = RedisLife(configuration)
            _ = life.begin(at: start)
            if connects { _ = life.didConnect() }
            let end = start + configuration.connectTimeout
            #expect(life.deadline == end)
            let trouble = RedisTrouble.connectDeadline(place: "h:6379", isSecure: false)
            #expect(life.timePassed(end, using: &generator) == .drop(trouble))
        }
    }

    @Test("after its end it does nothing more")
    mutating func closed() throws {
        var life = RedisLife(try configuration())
        _ = life.begin(at: start)
        life.close()
        #expect(life.didFail(.deadline, at: start, using: &generator) == .nothing)
        #expect(life.timePassed(start + .seconds(60), using: &generator) == .nothing)
        #expect(life.begin(at: start) == .nothing)
    }
}
