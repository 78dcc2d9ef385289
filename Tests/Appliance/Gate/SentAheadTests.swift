import Foundation
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Synchronization
import Testing

@testable import Appliance
@testable import Vocabulary

/// What a client sends ahead of its answers waits as the bytes it is, and answers wait for a client
/// that reads them.
@Suite("Requests sent ahead")
struct SentAheadTests {
    /// Answers when the test says so, and keeps count of what it was asked.
    final class HeldResponder: PortResponder {
        let bodyByteCountMax = 1 << 10
        private let held = Mutex<[@Sendable (PortResponse) -> Void]>([])
        private let counts = Mutex<(asked: Int, refused: Int)>((0, 0))

        var asked: Int { counts.withLock { $0.asked } }
        var refused: Int { counts.withLock { $0.refused } }
        var heldCount: Int { held.withLock { $0.count } }

        func respond(
            to request: PortRequest, completion: @escaping @Sendable (PortResponse) -> Void
        ) {
            counts.withLock { $0.asked += 1 }
            held.withLock { $0.append(completion) }
        }

        func count(_ refusal: Counters.Name) {
            if refusal == .memoryRefused { counts.withLock { $0.refused += 1 } }
        }

        func answer(_ response: PortResponse = .alive) {
            let completion = held.withLock { $0.isEmpty ? nil : $0.removeFirst() }
            completion?(response)
        }
    }

    struct Port {
        let responder = HeldResponder()
        let budget: MemoryBudget
        let table = ConnectionTable(countMax: 8)

        init(byteCountMax: Int) { budget = MemoryBudget(byteCountMax: byteCountMax) }

        func connect() throws -> EmbeddedChannel {
            let channel = EmbeddedChannel()
            try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
            try PortChannel(responder: responder, connections: table, budget: budget).open(channel)
            return channel
        }
    }

    static let request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

    /// How many answers the channel has written so far.
    private static func answers(_ channel: EmbeddedChannel) throws -> Int {
        var count = 0
        while let bytes = try channel.readOutbound(as: ByteBuffer.self) {
            count += String(buffer: bytes).components(separatedBy: "HTTP/1.1 ").count - 1
        }
        return count
    }

    @Test("one is answered at a time, and the others are held as the bytes they are")
    func heldAsBytes() throws {
        let port = Port(byteCountMax: 1 << 20)
        let channel = try port.connect()
        let count = 20_000
        let sent = ByteBuffer(string: String(repeating: Self.request, count: count))
        try channel.writeInbound(sent)
        #expect(port.responder.asked == 1 && port.responder.heldCount == 1)
        // Parsed at once is what one look takes: for each of its requests a head and an end.
        let parsed = GateLimits.takenByteCountMax / Self.request.utf8.count + 2
        #expect(port.budget.byteCount >= sent.readableBytes - GateLimits.takenByteCountMax)
        #expect(
            port.budget.byteCount
                <= sent.readableBytes + 2 * parsed * GateLimits.aheadPartByteCount)
        var answered = 0
        for number in 1...count {
            #expect(port.responder.asked == number)
            port.responder.answer()
            answered += try Self.answers(channel)
        }
        #expect(answered == count)
        #expect(port.budget.byteCount == 0)
        _ = try? channel.finish()
    }

    @Test("beyond the port's memory they are refused, and all of it is given back")
    func refused() throws {
        let port = Port(byteCountMax: 100_000)
        let channel = try port.connect()
        for _ in 0..<8 {
            _ = try? channel.writeInbound(
                ByteBuffer(string: String(repeating: Self.request, count: 2_000)))
        }
        #expect(port.responder.refused == 1)
        #expect(port.responder.asked == 1)
        // The one that was being answered gets its answer, and is the last.
        port.responder.answer()
        let bytes = try #require(try channel.readOutbound(as: ByteBuffer.self))
        #expect(String(buffer: bytes).contains("Connection: close"))
        #expect(port.budget.byteCount == 0)
        _ = try? channel.finish()
    }

    @Test("an answer for which there is no room is refused, and counts for nothing once it is sent")
    func largeAnswers() throws {
        let port = Port(byteCountMax: 64 << 10)
        let large = PortResponse(.ok, json: Array(repeating: UInt8(ascii: " "), count: 40 << 10))
        for (taken, status) in [(0, "200"), (30 << 10, "503")] {
            let channel = try port.connect()
            try channel.writeInbound(ByteBuffer(string: Self.request))
            let hasRoom = port.budget.take(taken)
            #expect(hasRoom)
            port.responder.answer(large)
            let bytes = try #require(try channel.readOutbound(as: ByteBuffer.self))
            #expect(String(buffer: bytes).hasPrefix("HTTP/1.1 \(status) "))
            port.budget.give(taken)
            #expect(port.budget.byteCount == 0)
            _ = try? channel.finish()
        }
        #expect(port.responder.refused == 1)
    }
}
