import Foundation
import TestSupport
import Testing

@testable import Appliance
@testable import Command
@testable import Daemon
@testable import Terminal
@testable import Vocabulary

@Suite("The log's sink")
struct LogSinkTests {
    /// A pipe of the smallest size there is.
    private func smallPipe() throws -> (reader: Int32, writer: Int32) {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        // F_SETPIPE_SZ, which Swift does not import.
        try #require(fcntl(ends[1], 1031, 4096) == 4096)
        return (ends[0], ends[1])
    }

    private func line(_ number: Int) -> [UInt8] {
        Array((String(repeating: "x", count: 1000) + " \(number)\n").utf8)
    }

    @Test("writes whole lines in their order")
    func order() throws {
        let ends = try smallPipe()
        let sink = LogSink(descriptor: ends.writer)
        for number in 0..<3 { sink.write(Array("\(number)\n".utf8)) }
        sink.drain()
        var buffer = [UInt8](repeating: 0, count: 100)
        let count = read(ends.reader, &buffer, buffer.count)
        #expect(String(decoding: buffer[..<count], as: UTF8.self) == "0\n1\n2\n")
        #expect(sink.lostCount == 0)
    }

    @Test("takes no line of the log behind its end, and what is said then")
    func ended() throws {
        let ends = try smallPipe()
        let sink = LogSink(descriptor: ends.writer)
        sink.log(Array("before\n".utf8))
        sink.endLog()
        sink.log(Array("behind\n".utf8))
        sink.write(Array("said\n".utf8))
        sink.drain()
        var buffer = [UInt8](repeating: 0, count: 100)
        let count = read(ends.reader, &buffer, buffer.count)
        #expect(String(decoding: buffer[..<count], as: UTF8.self) == "before\nsaid\n")
    }

    @Test("never waits for a reader, keeps a bounded number of lines, and tells how many were lost")
    func unread() async throws {
        let ends = try smallPipe()
        let sink = LogSink(descriptor: ends.writer)
        let count = 2 * LogSink.queueByteCountMax / 1000
        let began = ContinuousClock.now
        for number in 0..<count { sink.write(line(number)) }
        #expect(.now - began < .seconds(5))
        let lost = sink.lostCount
        #expect(lost > count / 3)
        #expect(lost < count)
        let text = await Task.detached { () -> String in
            var text: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 65_536)
            var got = 0
            while !String(decoding: text.suffix(got + 60), as: UTF8.self).contains("lost") {
                // More lines than fit, so that one is written behind the gap.
                sink.write(Array("behind\n".utf8))
                got = read(ends.reader, &buffer, buffer.count)
                guard got > 0 else { break }
                text += buffer[..<got]
            }
            return String(decoding: text, as: UTF8.self)
        }.value
        #expect(text.contains("log lines were lost"))
    }

    @Test("a closed or full descriptor costs its lines", arguments: ["closed", "full"])
    func broken(kind: String) async throws {
        let descriptor = kind == "full" ? open("/dev/full", O_WRONLY) : Int32(-1)
        let sink = LogSink(descriptor: descriptor)
        for number in 0..<10 { sink.write(line(number)) }
        sink.drain()
        #expect(sink.lostCount == 10)
    }
}

@Suite("The process's limits")
struct ProcessGuardTests {
    @Test("connections leave what the log, the ledger and the snapshots need", arguments: [
        (64, 16, 16), (256, 16, 16), (1024, 576, 192), (4096, 2880, 960), (65_536, 4096, 1024),
    ])
    func connections(descriptors: Int, webhook: Int, admin: Int) {
        let counts = ProcessGuard.connections(of: descriptors)
        #expect(counts.webhook == webhook)
        #expect(counts.admin == admin)
    }
}
