import NIOCore
import NIOPosix
import Traffic
import Twin

/// A closed loop of one HTTP request, the same bytes each time, over keep-alive connections on one
/// thread: as little of a client as can be, because it shares the cores with the server that is
/// measured.
struct BenchRequests: Sendable {
    let kind: BenchServer.Kind
    let port: Int
    /// The whole request.
    let bytes: [UInt8]

    /// Connections, each with one request in flight.
    static let connections = 16

    /// - Parameters:
    ///   - path: with its query.
    ///   - form: a POST with this body; nil for a GET.
    init(_ child: BenchChild, _ path: String, form: String? = nil) {
        kind = child.kind
        port = child.port()
        var lines = [
            "\(form == nil ? "GET" : "POST") \(path) HTTP/1.1", "Host: 127.0.0.1:\(port)",
            "Authorization: Bearer \(TwinSettings().apiKeys[0])",
        ]
        if let form {
            lines += [
                "Content-Type: application/x-www-form-urlencoded",
                "Content-Length: \(form.utf8.count)",
            ]
        }
        bytes = Array((lines.joined(separator: "\r\n") + "\r\n\r\n" + (form ?? "")).utf8)
    }

    /// One request on a connection of its own.
    ///
    /// - Returns: the answer's body.
    func once() async throws -> [UInt8] {
        try await loop(count: 1, connections: 1).body
    }

    /// - Returns: requests a second.
    func rate(count: Int) async throws -> Double {
        let start = ContinuousClock.now
        _ = try await loop(count: count, connections: Self.connections)
        return Double(count) / ((ContinuousClock.now - start) / .seconds(1))
    }

    private func loop(count: Int, connections: Int) async throws -> HTTPAnswerReader.Answer {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.any()
        let promise = loop.makePromise(of: HTTPAnswerReader.Answer.self)
        let run = BenchRequestRun(self, count: count, promise: promise)
        for _ in 0..<min(connections, count) {
            ClientBootstrap(group: loop)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(
                            BenchRequestConnection(run: run))
                    }
                }
                .connect(host: "127.0.0.1", port: port)
                .whenFailure { promise.fail($0) }
        }
        do {
            let last = try await promise.futureResult.get()
            try await group.shutdownGracefully()
            return last
        } catch {
            try await group.shutdownGracefully()
            throw error
        }
    }
}

/// What the connections of one closed loop share.
///
/// `@unchecked Sendable`: touched on the one event loop alone, once the connections are made.
private final class BenchRequestRun: @unchecked Sendable {
    private let kind: BenchServer.Kind
    let request: ByteBuffer
    private let promise: EventLoopPromise<HTTPAnswerReader.Answer>
    private var unsent: Int
    private var unanswered: Int

    init(
        _ requests: BenchRequests, count: Int, promise: EventLoopPromise<HTTPAnswerReader.Answer>
    ) {
        kind = requests.kind
        request = ByteBuffer(bytes: requests.bytes)
        self.promise = promise
        unsent = count
        unanswered = count
    }

    /// Whether another request is to be sent, which then counts as sent.
    func takeNext() -> Bool {
        guard unsent > 0 else { return false }
        unsent -= 1
        return true
    }

    func didAnswer(_ answer: HTTPAnswerReader.Answer) {
        unanswered -= 1
        if answer.status != 200 || answer.closes {
            let text = String(decoding: answer.body.prefix(300), as: UTF8.self)
            promise.fail(BenchError.unexpectedAnswer(kind, status: answer.status, text))
        } else if unanswered == 0 {
            promise.succeed(answer)
        }
    }

    func didFail(_ error: any Error) { promise.fail(error) }
}

private final class BenchRequestConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let run: BenchRequestRun
    private var reader = HTTPAnswerReader()

    init(run: BenchRequestRun) { self.run = run }

    func channelActive(context: ChannelHandlerContext) { send(context) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        do {
            guard let answer = try reader.read(unwrapInboundIn(data).readableBytesView) else {
                return
            }
            run.didAnswer(answer)
            send(context)
        } catch {
            run.didFail(error)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { run.didFail(error) }

    private func send(_ context: ChannelHandlerContext) {
        guard run.takeNext() else { return context.close(promise: nil) }
        context.writeAndFlush(wrapOutboundOut(run.request), promise: nil)
    }
}
