import Foundation
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Synchronization
import Testing

@testable import Appliance
@testable import Vocabulary

/// Answers that are written while they are sent.
@Suite("Streamed answers of a port")
struct PortStreamTests {
    /// Answers every request by a stream, which the test writes.
    private final class Streaming: PortResponder {
        let bodyByteCountMax = 1 << 10
        private let opened = Mutex<[PortStream]>([])
        private let counted = Mutex<[Counters.Name]>([])

        var streams: [PortStream] { opened.withLock { $0 } }
        var counts: [Counters.Name] { counted.withLock { $0 } }

        func respond(
            to request: PortRequest, completion: @escaping @Sendable (PortResponse) -> Void
        ) {
            let stream = PortStream(
                on: request.channel, heartbeat: ":\n\n", elseAnswering: .memoryUsedUp)
            opened.withLock { $0.append(stream) }
            completion(PortResponse(.ok, stream: stream, type: "text/event-stream"))
        }

        func count(_ refusal: Counters.Name) { counted.withLock { $0.append(refusal) } }
    }

    /// A kernel that takes nothing: what is written stays on its way.
    private final class TakingNothing: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer
        private var promises: [EventLoopPromise<Void>] = []

        func write(
            context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?
        ) {
            if let promise { promises.append(promise) }
        }

        func close(
            context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?
        ) {
            for promise in promises { promise.fail(ChannelError.ioOnClosedChannel) }
            promises = []
            context.close(mode: mode, promise: promise)
        }
    }

    private struct Port {
        let responder = Streaming()
        let budget = MemoryBudget(byteCountMax: 1 << 20)
        let table: ConnectionTable

        init(countMax: Int = 8) { table = ConnectionTable(countMax: countMax) }

        /// A connection that has asked.
        func ask(_ method: String = "GET") throws -> EmbeddedChannel {
            let channel = EmbeddedChannel()
            try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
            try PortChannel(responder: responder, connections: table, budget: budget).open(channel)
            try channel.writeInbound(
                ByteBuffer(string: "\(method) /events HTTP/1.1\r\nHost: x\r\n\r\n"))
            return channel
        }

        /// Writes to the stream that was asked for last, and lets the connection do what follows.
        func write(_ text: String, _ channel: EmbeddedChannel) throws -> EventLoopFuture<Void> {
            let stream = try #require(responder.streams.last)
            let sent = stream.send(ByteBuffer(string: text))
            channel.embeddedEventLoop.run()
            return sent
        }
    }

    private static func read(_ channel: EmbeddedChannel) throws -> String {
        var text = ""
        while let bytes = try channel.readOutbound(as: ByteBuffer.self) {
            text += String(buffer: bytes)
        }
        return text
    }

    @Test("its pieces follow a head without a length, and its end is the connection's")
    func pieces() throws {
        let port = Port()
        let channel = try port.ask()
        let head = try Self.read(channel)
        #expect(head.hasPrefix("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"))
        #expect(head.hasSuffix("\r\nConnection: close\r\n\r\n"))
        #expect(!head.contains("Content-Length"))
        for text in ["one", "two"] {
            try port.write(text, channel).wait()
            #expect(try Self.read(channel) == text)
            #expect(port.budget.byteCount == 0)
        }
        #expect(channel.isActive)
        port.responder.streams[0].finish()
        channel.embeddedEventLoop.run()
        #expect(!channel.isActive)
        #expect(throws: ChannelError.self) { try port.write("three", channel).wait() }
    }

    @Test("no deadline cuts it, and a heartbeat fills its silence")
    func heartbeats() throws {
        let port = Port()
        let channel = try port.ask()
        _ = try Self.read(channel)
        channel.embeddedEventLoop.advanceTime(by: .seconds(GateLimits.streamHeartbeatSeconds - 1))
        #expect(try Self.read(channel).isEmpty)
        channel.embeddedEventLoop.advanceTime(by: .seconds(2))
        #expect(try Self.read(channel) == ":\n\n")
        channel.embeddedEventLoop.advanceTime(by: .hours(1))
        #expect(channel.isActive)
        #expect(port.responder.counts.isEmpty)
        _ = try? channel.finish()
    }

    @Test("who takes nothing is cut off, and all that waited for them is given back")
    func slowReader() throws {
        let port = Port()
        let channel = try port.ask()
        try channel.pipeline.syncOperations.addHandler(TakingNothing(), position: .first)
        let sent = try port.write(String(repeating: "x", count: 5_000), channel)
        #expect(port.budget.byteCount == 5_000)
        channel.embeddedEventLoop.advanceTime(by: .seconds(GateLimits.streamStallSecondsMax - 1))
        #expect(channel.isActive)
        channel.embeddedEventLoop.advanceTime(by: .seconds(2))
        #expect(!channel.isActive)
        #expect(port.budget.byteCount == 0)
        #expect(port.responder.counts == [.connectionsEvicted])
        #expect(throws: ChannelError.self) { try sent.wait() }
    }

    @Test("a piece that the port has no memory for ends it")
    func noMemory() throws {
        let port = Port()
        let channel = try port.ask()
        let sent = try port.write(String(repeating: "x", count: 2 << 20), channel)
        #expect(throws: ChannelError.self) { try sent.wait() }
        #expect(!channel.isActive)
        #expect(port.budget.byteCount == 0)
    }

    @Test("a client that goes, and a server that shuts down, end it at once", arguments: [0, 1])
    func ended(way: Int) throws {
        let port = Port()
        let channel = try port.ask()
        if way == 0 {
            channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        } else {
            channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        }
        channel.embeddedEventLoop.run()
        #expect(!channel.isActive)
        #expect(port.table.openCount == 0)
        #expect(throws: ChannelError.self) { try port.write("late", channel).wait() }
    }

    @Test("beyond the cap one is refused, until another has ended")
    func capped() throws {
        // Half of its connections may stream.
        let port = Port(countMax: 4)
        let channels = [try port.ask(), try port.ask()]
        for channel in channels { #expect(try Self.read(channel).hasPrefix("HTTP/1.1 200 ")) }
        let refused = try port.ask()
        #expect(try Self.read(refused).hasPrefix("HTTP/1.1 503 "))
        #expect(!refused.isActive)
        #expect(port.responder.counts == [.connectionsRefused])
        _ = try channels[0].finish()
        let next = try port.ask()
        #expect(try Self.read(next).hasPrefix("HTTP/1.1 200 "))
        for channel in [channels[1], next] { _ = try channel.finish() }
    }

    @Test("the answer to HEAD is the head alone")
    func head() throws {
        let port = Port()
        let channel = try port.ask("HEAD")
        let answer = try Self.read(channel)
        #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"))
        #expect(answer.hasSuffix("\r\n\r\n"))
        #expect(!channel.isActive)
    }

    @Test("a request sent ahead waits, and goes with the connection")
    func sentAhead() throws {
        let port = Port()
        let channel = try port.ask()
        try channel.writeInbound(ByteBuffer(string: "GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
        #expect(port.responder.streams.count == 1)
        port.responder.streams[0].finish()
        channel.embeddedEventLoop.run()
        #expect(port.responder.streams.count == 1)
        #expect(port.budget.byteCount == 0)
    }
}
