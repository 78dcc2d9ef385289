import Foundation
import NIOCore
import NIOEmbedded
import NIOHTTP1
import TestSupport
import Testing

@testable import Appliance
@testable import Vocabulary

/// What a port sends, and how long it waits for who takes it.
@Suite("Answers of a port")
struct PortAnswerTests {
    @Test("while a request is answered no deadline runs; the next one begins with the answer")
    func answering() throws {
        let port = SentAheadTests.Port(byteCountMax: 1 << 20)
        let channel = try port.connect()
        let loop = channel.embeddedEventLoop
        // The second one's body stays out, which is not the client's fault before it is read.
        let further = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n"
        try channel.writeInbound(ByteBuffer(string: SentAheadTests.request + further))
        loop.advanceTime(by: .seconds(20 * GateLimits.idleSecondsMax))
        #expect(channel.isActive)
        port.responder.answer()
        loop.advanceTime(by: .seconds(GateLimits.bodySecondsMax - 2))
        #expect(channel.isActive)
        try channel.writeInbound(ByteBuffer(string: "{}"))
        #expect(port.responder.asked == 2)
        loop.advanceTime(by: .seconds(20 * GateLimits.idleSecondsMax))
        #expect(channel.isActive)
        port.responder.answer()
        loop.advanceTime(by: .seconds(GateLimits.idleSecondsMax - 2))
        #expect(channel.isActive)
        loop.advanceTime(by: .seconds(3))
        #expect(!channel.isActive)
    }

    @Test("a body that stays out is cut off all the same, once it is its turn")
    func bodyStaysOut() throws {
        let port = SentAheadTests.Port(byteCountMax: 1 << 20)
        let channel = try port.connect()
        let further = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n"
        try channel.writeInbound(ByteBuffer(string: SentAheadTests.request + further))
        channel.embeddedEventLoop.advanceTime(by: .seconds(GateLimits.idleSecondsMax))
        port.responder.answer()
        channel.embeddedEventLoop.advanceTime(by: .seconds(GateLimits.bodySecondsMax + 1))
        #expect(!channel.isActive)
    }

    @Test("at the shutdown one that was just let in may still ask, once; one that has asked ends")
    func shutdown() throws {
        let port = SentAheadTests.Port(byteCountMax: 1 << 20)
        let (fresh, quiet) = (try port.connect(), try port.connect())
        try quiet.writeInbound(ByteBuffer(string: SentAheadTests.request))
        port.responder.answer()
        quiet.embeddedEventLoop.run()
        for channel in [fresh, quiet] {
            channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
            channel.embeddedEventLoop.run()
        }
        #expect(fresh.isActive && !quiet.isActive)
        try fresh.writeInbound(ByteBuffer(string: SentAheadTests.request))
        port.responder.answer()
        fresh.embeddedEventLoop.run()
        let bytes = try #require(try fresh.readOutbound(as: ByteBuffer.self))
        #expect(String(buffer: bytes).contains("Connection: close"))
        #expect(!fresh.isActive)
    }

    /// What the kernel has not taken of what was written, in a test's hand.
    private final class Unsent {
        var byteCount = 0
    }

    @Test("who takes enough of an answer has the time for it; who takes too little is cut off")
    func slowReader() throws {
        let (unsent, channel) = (Unsent(), EmbeddedChannel())
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        let deadlines = RequestDeadlines(unsentByteCount: { _ in unsent.byteCount })
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(deadlines)
        let context = try pipeline.context(handler: deadlines)
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/")
        try channel.writeInbound(HTTPServerRequestPart.head(head))
        try channel.writeInbound(HTTPServerRequestPart.end(nil))
        deadlines.beginAnswer()
        let least = GateLimits.takenAnswerByteCountMin
        unsent.byteCount = 10 * least
        deadlines.endAnswer(byteCount: unsent.byteCount, context)
        for _ in 0..<4 {
            unsent.byteCount -= 2 * least
            channel.embeddedEventLoop.advanceTime(by: .seconds(GateLimits.idleSecondsMax + 1))
            #expect(channel.isActive, "\(unsent.byteCount) bytes left")
        }
        unsent.byteCount -= least - 1
        channel.embeddedEventLoop.advanceTime(by: .seconds(GateLimits.idleSecondsMax + 1))
        #expect(!channel.isActive)
    }

    /// Answers everything with as many bytes as it has.
    private struct Large: PortResponder {
        let bodyByteCountMax = 1 << 10
        let byteCount: Int

        func respond(
            to request: PortRequest, completion: @escaping @Sendable (PortResponse) -> Void
        ) {
            completion(PortResponse(.ok, json: Array(repeating: 0x20, count: byteCount)))
        }

        func count(_ refusal: Counters.Name) {}
    }

    private static func serving(
        _ responder: any PortResponder, _ body: @escaping @Sendable (Int) async throws -> Void
    ) async throws {
        let ports = AsyncStream<Int>.makeStream()
        let server = PortServer(host: "127.0.0.1", port: 0, responder: responder) {
            ports.continuation.yield($0)
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            for await port in ports.stream {
                try await body(port)
                break
            }
            group.cancelAll()
        }
    }

    @Test(
        "a connection that ends with its answer ends behind the whole of it",
        arguments: ["Connection: close\r\n", ""])
    func lastIsWhole(field: String) async throws {
        // More than the kernel takes of a connection at once.
        let byteCount = 24 << 20
        try await Self.serving(Large(byteCount: byteCount)) { port in
            let socket = try RawConnection(port: port)
            socket.send("GET / HTTP/1.1\r\nHost: x\r\n\(field)\r\n")
            if field.isEmpty {
                #expect(socket.readStatus() == 200)
                socket.endSending()
            }
            #expect(socket.readToEnd().utf8.count > byteCount)
        }
    }

    struct Refused: Sendable {
        var what: String
        var sent: String
        var status: Int
        var code: String
        var words: String
    }

    private static let longField = "A: " + String(repeating: "x", count: 40_000)
    private static let fields = (0..<200).map { "A\($0): x" }.joined(separator: "\r\n")
    private static let post = "POST / HTTP/1.1\r\nHost: x\r\n"

    static let refusals = [
        Refused(
            what: "no HTTP", sent: "\u{1}\u{2}\r\n\r\n", status: 400, code: "http_malformed",
            words: "method"),
        Refused(
            what: "an unknown method", sent: "FETCH / HTTP/1.1\r\nHost: x\r\n\r\n", status: 400,
            code: "http_malformed", words: "send GET or POST"),
        Refused(
            what: "no version", sent: "GET / HTTX/1.1\r\nHost: x\r\n\r\n", status: 400,
            code: "http_malformed", words: "HTTP/1.1"),
        Refused(
            what: "a field that cannot be", sent: "GET / HTTP/1.1\r\nHo st: x\r\n\r\n",
            status: 400, code: "http_malformed", words: "header field"),
        Refused(
            what: "no size of a chunk", sent: post + "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
            status: 400, code: "http_malformed", words: "chunk"),
        Refused(
            what: "two lengths",
            sent: post + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            status: 400, code: "http_malformed", words: "Content-Length"),
        Refused(
            what: "a long header", sent: "GET / HTTP/1.1\r\nHost: x\r\n\(longField)\r\n\r\n",
            status: 431, code: "header_too_large", words: "16384 bytes"),
        Refused(
            what: "many fields", sent: "GET / HTTP/1.1\r\nHost: x\r\n\(fields)\r\n\r\n",
            status: 431, code: "header_too_large", words: "100 fields"),
        Refused(
            what: "no host", sent: "GET / HTTP/1.1\r\n\r\n", status: 400, code: "host_missing",
            words: "Host"),
        Refused(
            what: "another expectation", sent: post + "Expect: x\r\nContent-Length: 1\r\n\r\n",
            status: 417, code: "expectation_unknown", words: "100-continue"),
        Refused(
            what: "a large body", sent: post + "Content-Length: 2000000\r\n\r\n", status: 413,
            code: "body_too_large", words: "bytes"),
    ]

    @Test(
        "what the port refuses by itself is a problem document that says why", arguments: refusals)
    func refusal(_ refused: Refused) async throws {
        try await Self.serving(Large(byteCount: 2)) { port in
            let socket = try RawConnection(port: port)
            socket.send(refused.sent)
            let answer = socket.readAnswer()
            #expect(
                answer.hasPrefix("HTTP/1.1 \(refused.status) "), "\(refused.what): \(answer)")
            #expect(answer.contains("\r\nContent-Type: application/problem+json\r\n"))
            let body = try #require(answer.components(separatedBy: "\r\n\r\n").last)
            let document = JSONDocument()
            let problem = try document.parse(Array(body.utf8))
            #expect(problem["status"]?.int64 == Int64(refused.status))
            #expect(problem["code"]?.string == refused.code)
            let detail = problem["detail"]?.string ?? ""
            #expect(detail.contains(refused.words), "\(refused.what): \(detail)")
            #expect(socket.isClosedByPeer())
        }
    }
}
