import AppendLog
import Foundation
import NIOCore
import NIOEmbedded
import NIOHTTP1
import TestSupport
import Testing

@testable import Appliance
@testable import Vocabulary

/// HTTP as the webhook port speaks it, byte by byte over a socket.
@Suite("Webhook port")
struct PortChannelTests {
    private static func request(
        _ fixture: GateFixture, id: String = "evt_1", fields: String = "",
        path: String = "/webhooks/stripe", version: String = "1.1"
    ) -> String {
        let body = GateFixture.event(id: id)
        return "POST \(path) HTTP/\(version)\r\nHost: x\r\nContent-Length: \(body.utf8.count)\r\n"
            + "Stripe-Signature: \(fixture.signature(body))\r\n\(fields)\r\n\(body)"
    }

    @Test("pipelined deliveries are answered in order on their connection")
    func pipelined() async throws {
        let fixture = try GateFixture()
        try await fixture.serve { client in
            let socket = try RawConnection(port: client.port)
            socket.send(Self.request(fixture, id: "evt_1") + Self.request(fixture, id: "evt_1"))
            #expect(socket.readAnswer().hasSuffix(#"{"received":true}"#))
            #expect(socket.readAnswer().hasSuffix(#"{"received":true,"duplicate":true}"#))
        }
    }

    @Test("a chunked body counts as its bytes")
    func chunked() async throws {
        let fixture = try GateFixture()
        try await fixture.serve { client in
            let body = GateFixture.event()
            let (first, second) = (body.prefix(10), body.dropFirst(10))
            let socket = try RawConnection(port: client.port)
            socket.send(
                "POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
                    + "Stripe-Signature: \(fixture.signature(body))\r\n\r\n")
            for part in [first, second] {
                socket.send("\(String(part.utf8.count, radix: 16))\r\n\(part)\r\n")
            }
            socket.send("0\r\n\r\n")
            #expect(socket.readAnswer().hasSuffix(#"{"received":true}"#))
        }
        let stored = try fixture.records(.webhookReceived)
        #expect(stored.first?.record.value.map { Array($0) } == Array(GateFixture.event().utf8))
    }

    @Test("a body announced as too large is refused before it comes, and the connection ends")
    func announcedTooLarge() async throws {
        let fixture = try GateFixture()
        try await fixture.serve { client in
            let socket = try RawConnection(port: client.port)
            socket.send(
                "POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n")
            let answer = socket.readAnswer()
            #expect(answer.hasPrefix("HTTP/1.1 413 "))
            #expect(answer.contains("body_too_large"))
            socket.send(String(repeating: "x", count: 1_048_577))
            #expect(socket.isClosedByPeer())
        }
        #expect(fixture.counters[.bodyTooLarge] == 1)
    }

    @Test("a chunked body is refused where it grows too large")
    func growsTooLarge() async throws {
        let fixture = try GateFixture()
        try await fixture.serve { client in
            let socket = try RawConnection(port: client.port)
            socket.send(
                "POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            let chunk = "10000\r\n" + String(repeating: "x", count: 0x10000) + "\r\n"
            for _ in 0..<17 { socket.send(chunk) }
            #expect(socket.readAnswer().hasPrefix("HTTP/1.1 413 "))
        }
    }

    @Test("other paths, methods and nonsense get the answer that HTTP has for them")
    func otherRequests() async throws {
        let fixture = try GateFixture()
        try await fixture.serve { client in
            func answer(_ head: String) throws -> String {
                let socket = try RawConnection(port: client.port)
                socket.send(head + "\r\nHost: x\r\n\r\n")
                return socket.readAnswer()
            }
            #expect(try answer("GET /healthz HTTP/1.1").hasPrefix("HTTP/1.1 200 "))
            #expect(try answer("GET /healthz?x=1 HTTP/1.1").hasSuffix(#"{"status":"alive"}"#))
            #expect(try answer("GET /nothing HTTP/1.1").hasPrefix("HTTP/1.1 404 "))
            #expect(try answer("POST /webhooks/stripe/eu/x HTTP/1.1").hasPrefix("HTTP/1.1 404 "))
            #expect(try answer("POST /webhooks/stripes HTTP/1.1").hasPrefix("HTTP/1.1 404 "))
            let wrongMethod = try answer("GET /webhooks/stripe HTTP/1.1")
            #expect(wrongMethod.hasPrefix("HTTP/1.1 405 "))
            #expect(wrongMethod.contains("Allow: POST\r\n"))
            #expect(try answer("\u{1}\u{2}").hasPrefix("HTTP/1.1 400 "))
        }
        #expect(try fixture.records(.webhookReceived).isEmpty)
    }

    @Test("a connection is kept or closed as the request asks")
    func connectionIsKeptOrClosed() async throws {
        let fixture = try GateFixture()
        try await fixture.serve { client in
            let closing = try RawConnection(port: client.port)
            closing.send(Self.request(fixture, id: "evt_1", fields: "Connection: close\r\n"))
            #expect(closing.readAnswer().contains("Connection: close\r\n"))
            #expect(closing.isClosedByPeer())
            let old = try RawConnection(port: client.port)
            old.send(Self.request(fixture, id: "evt_2", version: "1.0"))
            #expect(old.readAnswer().hasPrefix("HTTP/1.1 200 "))
            #expect(old.isClosedByPeer())
            let kept = try RawConnection(port: client.port)
            for id in ["evt_3", "evt_4"] {
                kept.send(Self.request(fixture, id: id))
                #expect(!kept.readAnswer().contains("Connection: close"))
            }
        }
        #expect(try fixture.records(.webhookReceived).count == 4)
    }

    @Test("a client that has sent its last byte still gets its answer")
    func halfClosed() async throws {
        let fixture = try GateFixture()
        try await fixture.serve { client in
            let socket = try RawConnection(port: client.port)
            socket.send(Self.request(fixture))
            socket.endSending()
            #expect(socket.readAnswer().hasSuffix(#"{"received":true}"#))
            #expect(socket.isClosedByPeer())
        }
    }

    @Test("a request that takes too long to arrive is cut off; where none has begun, none is lost")
    func deadlines() throws {
        for (parts, allowedSeconds, hasBegun) in [
            (0, GateLimits.headerSecondsMax, false), (1, GateLimits.bodySecondsMax, true),
            (2, GateLimits.idleSecondsMax, false),
        ] {
            let expired = Counters()
            let channel = EmbeddedChannel()
            try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
            try channel.pipeline.syncOperations.addHandler(
                RequestDeadlines { expired.add($0 ? .requestsTimedOut : .connectionsIdled) })
            if parts > 0 {
                let head = HTTPRequestHead(version: .http1_1, method: .POST, uri: "/")
                try channel.writeInbound(HTTPServerRequestPart.head(head))
            }
            if parts > 1 { try channel.writeInbound(HTTPServerRequestPart.end(nil)) }
            channel.embeddedEventLoop.advanceTime(by: .seconds(allowedSeconds - 1))
            #expect(channel.isActive, "\(parts) parts")
            channel.embeddedEventLoop.advanceTime(by: .seconds(2))
            #expect(!channel.isActive, "\(parts) parts")
            #expect(expired[.requestsTimedOut] == (hasBegun ? 1 : 0), "\(parts) parts")
            #expect(expired[.connectionsIdled] == (hasBegun ? 0 : 1), "\(parts) parts")
        }
    }

    /// A connection without a decoder, whose bytes are the parts themselves.
    private static func connection(
        _ deadlines: RequestDeadlines
    ) throws -> EmbeddedChannel {
        let channel = EmbeddedChannel()
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        try channel.pipeline.syncOperations.addHandlers([
            MemoryMeter(ConnectionMemory(MemoryBudget(byteCountMax: 1000)), deadlines),
            BytesAsParts(), deadlines,
        ])
        return channel
    }

    @Test("the header of a further request must follow its first byte as soon as a first one's")
    func furtherHeader() throws {
        let channel = try Self.connection(RequestDeadlines())
        for byte in "he" { try channel.writeInbound(ByteBuffer(string: String(byte))) }
        channel.embeddedEventLoop.advanceTime(by: .seconds(GateLimits.idleSecondsMax - 2))
        #expect(channel.isActive)
        try channel.writeInbound(ByteBuffer(string: "-"))
        channel.embeddedEventLoop.advanceTime(by: .seconds(GateLimits.headerSecondsMax + 1))
        #expect(!channel.isActive)
    }

    @Test(
        "a request has begun with its first byte: one whose header stays out is lost, and counted",
        arguments: ["-", "he-"])
    func unfinishedHeader(bytes: String) throws {
        let expired = Counters()
        let channel = try Self.connection(
            RequestDeadlines { expired.add($0 ? .requestsTimedOut : .connectionsIdled) })
        for byte in bytes { try channel.writeInbound(ByteBuffer(string: String(byte))) }
        channel.embeddedEventLoop.advanceTime(by: .seconds(GateLimits.headerSecondsMax + 1))
        #expect(!channel.isActive)
        #expect(expired[.requestsTimedOut] == 1 && expired[.connectionsIdled] == 0)
    }

    @Test("beyond the port's memory a request is answered 503, and what it held is given back")
    func memoryUsedUp() async throws {
        let fixture = try GateFixture()
        try await fixture.serve(PortLimits(memoryByteCountMax: 100_000)) { client in
            let head = "POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n"
            try await eventually("one of two that stall is refused") {
                let both = try (0..<2).map { _ in
                    try RawConnection(port: client.port, patienceSeconds: 1)
                }
                for socket in both { socket.send(head + String(repeating: "x", count: 80_000)) }
                return both.contains { $0.readStatus() == 503 }
            }
            let third = try RawConnection(port: client.port)
            third.send(Self.request(fixture))
            #expect(third.readAnswer().hasSuffix(#"{"received":true}"#))
        }
        #expect(fixture.counters[.memoryRefused] > 0)
    }

    @Test("thousands of requests sent ahead of an answer are each answered, in order")
    func manyAhead() async throws {
        let fixture = try GateFixture()
        try await fixture.serve { client in
            let socket = try RawConnection(port: client.port, patienceSeconds: 60)
            let one = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
            let last = "GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            // A thread of its own: reading blocks one of the few that tasks have.
            let requests = Self.request(fixture) + String(repeating: one, count: 1_000) + last
            let sender = DispatchQueue(label: "sender")
            sender.async { socket.send(requests) }
            let lines = socket.readToEnd().split(separator: "\r\n")
                .filter { $0.contains("HTTP/1.1 ") }
            #expect(lines.count == 1_002)
            #expect(lines.dropLast().allSatisfy { $0.hasSuffix("HTTP/1.1 200 OK") })
            #expect(lines.last?.hasSuffix("HTTP/1.1 404 Not Found") == true)
            sender.sync {}
        }
    }

    @Test("a client that reads no answer makes no memory grow without end")
    func unreadAnswers() async throws {
        let fixture = try GateFixture()
        try await fixture.serve { client in
            let socket = try RawConnection(port: client.port)
            let many = Array(
                String(repeating: "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", count: 20_000).utf8)
            let sender = Task.detached { for _ in 0..<40 where socket.send(bytes: many) {} }
            let other = try RawConnection(port: client.port)
            other.send(Self.request(fixture))
            #expect(other.readAnswer().hasSuffix(#"{"received":true}"#))
            socket.cutOff()
            await sender.value
        }
    }

    @Test("dates are written as RFC 9110 §5.6.7 shows")
    func dates() {
        #expect(HTTPDate.text(of: 784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
        #expect(HTTPDate.text(of: 951_782_400) == "Tue, 29 Feb 2000 00:00:00 GMT")
    }
}

/// Makes of `h` a head and of `e` an end, which a decoder would take more bytes for.
private final class BytesAsParts: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = HTTPServerRequestPart

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch String(buffer: unwrapInboundIn(data)) {
        case "h":
            let head = HTTPRequestHead(version: .http1_1, method: .POST, uri: "/")
            context.fireChannelRead(wrapInboundOut(.head(head)))
        case "e": context.fireChannelRead(wrapInboundOut(.end(nil)))
        default: break
        }
    }
}
