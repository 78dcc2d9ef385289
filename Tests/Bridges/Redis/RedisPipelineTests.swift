import AppendLog
@testable import Bridges
import Testing

@Suite("Redis: the pipeline")
struct RedisPipelineTests {
    private let start = ContinuousClock.now

    private func pipeline(_ commands: Int, _ names: [String]) -> RedisPipeline<String> {
        var pipeline = RedisPipeline<String>(commandsMax: commands)
        for name in names { pipeline.enqueue(name, Array(name.utf8), by: start + .seconds(1)) }
        return pipeline
    }

    @Test("what was wholly written has an unknown outcome; the rest goes out again, in its order")
    func disconnect() throws {
        var pipeline = pipeline(3, ["aa", "bb", "cc", "dd"])
        pipeline.stage(at: start)
        #expect(String(decoding: pipeline.buffer, as: UTF8.self) == "aabbcc")
        // The second command lacks one byte: the server cannot have executed it.
        pipeline.didWrite(3)
        #expect(pipeline.disconnect() == ["aa"])
        #expect(pipeline.underWayCount == 0 && !pipeline.hasBytes)
        pipeline.stage(at: start)
        #expect(String(decoding: pipeline.buffer, as: UTF8.self) == "bbccdd")
        pipeline.didWrite(6)
        for name in ["bb", "cc", "dd"] { #expect(try pipeline.didAnswer().ticket == name) }
    }

    @Test("the last byte of a command decides", arguments: 0...4)
    func lastByte(written: Int) {
        var pipeline = pipeline(3, ["aa", "bb"])
        pipeline.stage(at: start)
        if written > 0 { pipeline.didWrite(written) }
        #expect(pipeline.disconnect() == Array(["aa", "bb"].prefix(written / 2)))
        #expect(pipeline.queuedCount == 2 - written / 2)
    }

    @Test("no more commands are under way than may be")
    func bounds() throws {
        var pipeline = pipeline(2, ["a", "b", "c"])
        pipeline.stage(at: start)
        #expect(pipeline.underWayCount == 2 && pipeline.queuedCount == 1)
        pipeline.didWrite(2)
        pipeline.stage(at: start)
        #expect(pipeline.underWayCount == 2 && !pipeline.hasBytes)
        _ = try pipeline.didAnswer()
        pipeline.stage(at: start)
        #expect(pipeline.underWayCount == 2 && pipeline.queuedCount == 0)
    }

    @Test("a late answer goes to nobody, and not to the next command")
    func lateAnswer() throws {
        var pipeline = RedisPipeline<String>(commandsMax: 8)
        pipeline.enqueue("soon", [1], by: start + .milliseconds(10))
        pipeline.enqueue("later", [2], by: start + .seconds(1))
        pipeline.stage(at: start)
        pipeline.didWrite(2)
        #expect(pipeline.expire(at: start + .milliseconds(9)).unknown == [])
        #expect(pipeline.expire(at: start + .milliseconds(10)).unknown == ["soon"])
        #expect(pipeline.nextDeadline == start + .seconds(1))
        #expect(try pipeline.didAnswer().ticket == nil)
        #expect(try pipeline.didAnswer().ticket == "later")
        #expect(throws: RedisTrouble.protocolViolation("an answer to nothing")) {
            try pipeline.didAnswer()
        }
    }

    @Test("whose time is over in the queue is never sent; staged, it may be")
    func expiry() {
        var pipeline = pipeline(1, ["a", "b"])
        pipeline.stage(at: start)
        let (notSent, unknown) = pipeline.expire(at: start + .seconds(2))
        #expect(notSent == ["b"] && unknown == ["a"])
        // What was staged has been answered; nobody hears of it again, and it does not come back.
        #expect(pipeline.disconnect() == [] && pipeline.queuedCount == 0)
    }

    @Test("a server may owe an answer as long as the time-out, or the caller's own time")
    func owes() {
        var pipeline = RedisPipeline<String>(commandsMax: 8)
        #expect(pipeline.owesUntil(.seconds(2)) == nil)
        pipeline.enqueue("slow", [1], by: start + .seconds(9))
        #expect(pipeline.owesUntil(.seconds(2)) == nil)
        pipeline.stage(at: start)
        #expect(pipeline.owesUntil(.seconds(2)) == start + .seconds(9))
        #expect(pipeline.owesUntil(.seconds(20)) == start + .seconds(20))
    }

    /// What became of a command.
    enum End { case answered, notSent, unknown }

    @Test("every command ends once, and none is called unsent that was", arguments: 1...40)
    func histories(seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        var pipeline = RedisPipeline<Int>(commandsMax: 5, bufferBytesMax: 40)
        var now = start
        var ends: [Int: End] = [:]
        var (next, isConnected) = (0, false)
        // The model of the wire: the numbers of the commands whose last byte has gone out on this
        // connection, and of all that ever did.
        var (onWire, everSent): ([Int], Set<Int>) = ([], [])
        var partial: [UInt8] = []

        func end(_ tickets: [Int], _ end: End) {
            for ticket in tickets {
                #expect(ends[ticket] == nil, "\(ticket) ended twice")
                ends[ticket] = end
            }
        }
        for _ in 0..<2_000 {
            now += .microseconds(Int.random(in: 0...400, using: &generator))
            switch Int.random(in: 0..<10, using: &generator) {
            case 0..<4:
                // A command is its number, a digit a byte, and an end.
                let bytes = Array("\(next);".utf8)
                let time = Duration.milliseconds(Int.random(in: 1...20, using: &generator))
                pipeline.enqueue(next, bytes, by: now + time)
                next += 1
            case 4..<6 where isConnected:
                pipeline.stage(at: now)
                let left = pipeline.buffer.count - pipeline.written
                guard left > 0 else { break }
                let count = Int.random(in: 1...left, using: &generator)
                for byte in pipeline.buffer[pipeline.written..<pipeline.written + count] {
                    guard byte == UInt8(ascii: ";") else {
                        partial.append(byte)
                        continue
                    }
                    let number = try #require(Int(String(decoding: partial, as: UTF8.self)))
                    onWire.append(number)
                    everSent.insert(number)
                    partial = []
                }
                pipeline.didWrite(count)
            case 6..<8 where isConnected && !onWire.isEmpty:
                let due = onWire.removeFirst()
                if let ticket = try pipeline.didAnswer().ticket {
                    #expect(ticket == due)
                    end([ticket], .answered)
                }
            case 8:
                let (notSent, unknown) = pipeline.expire(at: now)
                for ticket in notSent { #expect(!everSent.contains(ticket)) }
                end(notSent, .notSent)
                end(unknown, .unknown)
            case 9 where generator.isOne(in: 5):
                if isConnected {
                    let unknown = pipeline.disconnect()
                    #expect(unknown.allSatisfy(onWire.contains))
                    end(unknown, .unknown)
                    (onWire, partial) = ([], [])
                }
                isConnected.toggle()
            default: break
            }
        }
        end(pipeline.disconnect(), .unknown)
        end(pipeline.drainQueue(), .notSent)
        #expect(ends.count == next)
        #expect(ends.values.contains(.answered) && ends.values.contains(.unknown))
    }
}
