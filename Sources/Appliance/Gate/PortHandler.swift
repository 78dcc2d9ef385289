import NIOCore
import NIOHTTP1
import Vocabulary

/// Gathers a request's body, has it answered, and writes the answer: one request of a connection
/// at a time, in order; requests that a client sends ahead wait.
///
///              head          end            answered
///     idle ─────────▶ receiving ─────▶ answering ─────▶ idle, or closed
///                        │ too large, no memory           ▲
///                        └────────▶ refused ──────────────┘ closed at its end
///                                        answering ──▶ streaming ──▶ closed
///
/// A client that does not read its answers gets no further ones: what it sends then waits too, as
/// bytes, before the decoder (``MemoryMeter``), and soon nothing more of it is read.
final class PortHandler: ChannelDuplexHandler, RequestTaker {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    private let responder: any PortResponder
    private let connection: PortConnection
    private let connections: ConnectionTable
    private let memory: ConnectionMemory
    private let meter: MemoryMeter
    private let deadlines: RequestDeadlines
    private var state = State.idle
    /// What has arrived of the body; outside the state, so that it grows in place.
    private var body: [UInt8] = []
    /// Announced and not taken yet.
    private(set) var bodyByteCountDue = 0
    /// Of the request under way.
    private var bodyByteCountMax = 0
    /// Room that is made before a byte has come; a large body that is only announced takes none.
    private static let reservedByteCountMax = 1 << 20
    /// Parts of requests sent ahead, as far as they were decoded with what came before them.
    private var ahead = CircularBuffer<HTTPServerRequestPart>()
    private var aheadByteCount = 0
    private var isReadWithheld = false
    /// What was sent ahead is being taken up, further out on this stack.
    private var isGoingOn = false
    /// No further request is taken: the client has sent its last byte, or the server shuts down.
    private var isEnding = false
    /// There was no memory: what was sent is thrown away.
    private var isGivenUp = false

    private enum State {
        case idle
        case receiving(PortRequest, isKeepAlive: Bool)
        /// Answered before its end; what still comes is thrown away, up to a bound.
        case refused(discardedByteCount: Int)
        case answering
        /// The rest of the connection is the answer; its end is the connection's.
        case streaming
    }

    /// - Parameters:
    ///   - connection: the one that this handles, as the others of its port see it.
    ///   - memory: what it holds of the port's budget.
    ///   - meter: holds what was sent and is not taken yet.
    ///   - deadlines: of what the client does.
    init(
        _ responder: any PortResponder, connection: PortConnection,
        among connections: ConnectionTable, memory: ConnectionMemory, meter: MemoryMeter,
        deadlines: RequestDeadlines
    ) {
        self.responder = responder
        self.connection = connection
        self.connections = connections
        self.memory = memory
        self.meter = meter
        self.deadlines = deadlines
        meter.taker = self
    }

    private var isAnswering: Bool {
        switch state {
        case .answering, .streaming: true
        case .idle, .receiving, .refused: false
        }
    }

    var isTaking: Bool { !isAnswering && ahead.isEmpty && connection.channel.isWritable }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isGivenUp else { return }
        let part = unwrapInboundIn(data)
        guard !isTaking else { return receive(part, context) }
        // A request under way has been counted as its bytes; parsed it takes more.
        guard memory.take(GateLimits.aheadPartByteCount) else { return meter.refuse() }
        ahead.append(part)
        if case .body(let bytes) = part { aheadByteCount += bytes.readableBytes }
    }

    func read(context: ChannelHandlerContext) {
        // Who sends far ahead, or does not read, waits, so that memory stays bounded.
        isReadWithheld =
            meter.waitingByteCount > GateLimits.aheadByteCountMax || !context.channel.isWritable
        if !isReadWithheld { context.read() }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            if connection.phase == .unread { connection.phase = .quiet }
            goOn(context)
        }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case ChannelEvent.inputClosed:
            isEnding = true
            switch state {
            case .idle: closeOnceSent(context)
            // An answer under way closes the connection when it is written.
            case .answering: break
            case .receiving, .refused, .streaming: context.close(promise: nil)
            }
        case is ChannelShouldQuiesceEvent:
            isEnding = true
            // A request that has begun is answered; the port bounds how long it waits for that. The
            // first one of a connection has begun when that was let in.
            switch state {
            case .idle where connection.phase == .fresh: break
            case .idle: closeOnceSent(context)
            case .streaming: context.close(promise: nil)
            case .receiving, .refused, .answering: break
            }
        case is MemoryIsUsedUp:
            refuseForMemory(context)
        default:
            context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch state {
        case .answering where error is HTTPParserError:
            // It belongs to a request sent ahead; the one before it still gets its answer.
            isEnding = true
        case .idle, .receiving:
            guard let error = error as? HTTPParserError else { return context.close(promise: nil) }
            refuseMalformed(error, context)
        default:
            context.close(promise: nil)
        }
    }

    /// Nothing more of this connection can be read; see ``refuseForMemory(_:)``.
    private func refuseMalformed(_ error: HTTPParserError, _ context: ChannelHandlerContext) {
        state = .refused(discardedByteCount: 0)
        // A request that ends with its connection is no news, nor can it be answered.
        guard context.channel.isActive else { return }
        responder.count(.requestsMalformed)
        (isEnding, isGivenUp) = (true, true)
        (body, bodyByteCountDue) = ([], 0)
        meter.discard()
        write(PortResponse(error), isKeepAlive: false, context)
        context.close(mode: .output, promise: nil)
    }

    private func receive(_ part: HTTPServerRequestPart, _ context: ChannelHandlerContext) {
        switch (part, state) {
        case (.head(let head), .idle): begin(head, context)
        case (.body(let bytes), .receiving):
            guard body.count + bytes.readableBytes <= bodyByteCountMax else {
                return refuseBody(context)
            }
            body.append(contentsOf: bytes.readableBytesView)
            bodyByteCountDue = max(0, bodyByteCountDue - bytes.readableBytes)
        case (.end, .receiving(var request, let isKeepAlive)):
            state = .answering
            request.body = body
            (body, bodyByteCountDue) = ([], 0)
            respond(to: request, isKeepAlive: isKeepAlive, context)
        case (.body(let bytes), .refused(let discarded)):
            let discarded = discarded + bytes.readableBytes
            keepMemory()
            state = .refused(discardedByteCount: discarded)
            if discarded > GateLimits.discardedByteCountMax { context.close(promise: nil) }
        case (.end, .refused):
            context.close(promise: nil)
        default:
            // The decoder gives head, body and end in this order only.
            context.close(promise: nil)
        }
    }

    private func begin(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let facts = HeadFacts(head)
        if let refusal = facts.refusal { return refuse(with: refusal, .requestsMalformed, context) }
        let request = PortRequest(
            method: head.method, uri: head.uri, headers: head.headers, channel: context.channel,
            signature: facts.signature)
        bodyByteCountMax = responder.bodyByteCountMax(for: request)
        if let announced = facts.contentLength {
            guard announced <= bodyByteCountMax else { return refuseBody(context) }
            body.reserveCapacity(min(announced, Self.reservedByteCountMax))
            bodyByteCountDue = announced
        }
        connection.phase = .receiving
        // After an upgrade that nobody agreed to the decoder reads nothing more.
        state = .receiving(request, isKeepAlive: head.isKeepAlive && !facts.isUpgrade)
        if facts.isToldToContinue {
            let bytes = context.channel.allocator.buffer(string: "HTTP/1.1 100 Continue\r\n\r\n")
            context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
        }
    }

    /// Says at once that the body is too large: who reads it stops sending.
    private func refuseBody(_ context: ChannelHandlerContext) {
        refuse(
            with: .bodyTooLarge(byteCountMax: bodyByteCountMax), .bodyTooLarge, context)
    }

    /// Answers a request before its end; what still comes of it is thrown away.
    private func refuse(
        with response: PortResponse, _ name: Counters.Name, _ context: ChannelHandlerContext
    ) {
        responder.count(name)
        state = .refused(discardedByteCount: 0)
        (body, bodyByteCountDue) = ([], 0)
        keepMemory()
        write(response, isKeepAlive: false, context)
    }

    /// Nothing more of this connection is taken; the meter throws away what still comes, so that
    /// the client reads the answer and not a reset.
    private func refuseForMemory(_ context: ChannelHandlerContext) {
        responder.count(.memoryRefused)
        connections.giveUpMemory(sparing: connection)
        (isEnding, isGivenUp) = (true, true)
        ahead.removeAll()
        aheadByteCount = 0
        guard !isAnswering else { return }
        state = .refused(discardedByteCount: 0)
        (body, bodyByteCountDue) = ([], 0)
        write(.memoryUsedUp, isKeepAlive: false, context)
        context.close(mode: .output, promise: nil)
    }

    private func respond(
        to request: PortRequest, isKeepAlive: Bool, _ context: ChannelHandlerContext
    ) {
        connection.phase = .answering
        deadlines.beginAnswer()
        // The handler and its context never leave their event loop; the box checks that.
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let (loop, method) = (context.eventLoop, request.method)
        responder.respond(to: request) { response in
            let finish: @Sendable () -> Void = {
                let (handler, context) = bound.value
                handler.finish(response, to: method, isKeepAlive: isKeepAlive, context)
            }
            if loop.inEventLoop { finish() } else { loop.execute(finish) }
        }
    }

    private func finish(
        _ response: PortResponse, to method: HTTPMethod, isKeepAlive: Bool,
        _ context: ChannelHandlerContext
    ) {
        guard context.channel.isActive else {
            response.stream?.close()
            return
        }
        if let stream = response.stream {
            return begin(stream, of: response, to: method, context)
        }
        var response = response
        var sent: EventLoopPromise<Void>?
        if response.byteCount > GateLimits.answerByteCountFree {
            let promise = context.eventLoop.makePromise(of: Void.self)
            sent = promise
            if !memory.take(answer: response.byteCount, until: promise.futureResult) {
                responder.count(.memoryRefused)
                connections.giveUpMemory(sparing: connection)
                response = .memoryUsedUp
            }
        }
        let isLast = response.isLast || !isKeepAlive || isEnding
        write(
            response, withBody: method != .HEAD, isKeepAlive: !isLast, promise: sent, context)
        deadlines.endAnswer(byteCount: response.byteCount, context)
        state = .idle
        keepMemory()
        connection.phase = context.channel.isWritable ? .quiet : .unread
        if isLast { return closeOnceSent(context) }
        goOn(context)
    }

    /// Ends the connection behind what was written: closed sooner, what the kernel has not taken
    /// yet would be lost.
    private func closeOnceSent(_ context: ChannelHandlerContext) {
        isEnding = true
        guard RequestDeadlines.buffered(context) > 0 else { return context.close(promise: nil) }
        // Nothing more is taken up meanwhile.
        state = .answering
        let sent = context.eventLoop.makePromise(of: Void.self)
        sent.futureResult.assumeIsolated().whenComplete { _ in context.close(promise: nil) }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: sent)
    }

    /// Sends an answer's head, and from then on what its stream is given.
    private func begin(
        _ stream: PortStream, of response: PortResponse, to method: HTTPMethod,
        _ context: ChannelHandlerContext
    ) {
        guard method != .HEAD, !isEnding else {
            stream.close()
            write(response, withBody: false, isKeepAlive: false, context)
            return context.close(promise: nil)
        }
        guard connections.enterStream(connection) else {
            responder.count(.connectionsRefused)
            stream.close()
            return finish(stream.refusal, to: method, isKeepAlive: false, context)
        }
        state = .streaming
        keepMemory()
        Self.boundSilence(of: context.channel)
        context.channel.closeFuture.whenComplete { _ in stream.close() }
        write(response, isKeepAlive: false, context)
        let sending = StreamSending(
            context, memory: memory, heartbeat: stream.heartbeat
        ) { [responder] in responder.count(.connectionsEvicted) }
        stream.open(sending.begin())
    }

    /// Has the kernel end a connection whose peer acknowledges nothing. Where it cannot, the
    /// stream's own bound does, only later: when the kernel takes no more.
    private static func boundSilence(of channel: any Channel) {
        #if os(Linux)
        let userTimeout = NIOBSDSocket.Option(rawValue: 18)
        try? channel.syncOptions?.setOption(
            .tcpOption(userTimeout), value: GateLimits.streamPeerMillisecondsMax)
        #endif
    }

    /// Gives back what was taken for what is answered or thrown away.
    private func keepMemory() {
        memory.keep(
            meter.waitingByteCount + aheadByteCount + ahead.count * GateLimits.aheadPartByteCount)
    }

    /// Takes up what was sent ahead. An answer that comes at once leads here again from inside the
    /// loop, which goes on by itself: thousands of small requests must not deepen the stack.
    private func goOn(_ context: ChannelHandlerContext) {
        guard !isGoingOn else { return }
        isGoingOn = true
        defer { isGoingOn = false }
        while !isAnswering, context.channel.isWritable, let part = ahead.popFirst() {
            if case .body(let bytes) = part { aheadByteCount -= bytes.readableBytes }
            receive(part, context)
        }
        meter.giveOn()
        if isReadWithheld { read(context: context) }
    }

    private func write(
        _ response: PortResponse, withBody: Bool = true, isKeepAlive: Bool,
        promise: EventLoopPromise<Void>? = nil, _ context: ChannelHandlerContext
    ) {
        var bytes = context.channel.allocator.buffer(capacity: 320)
        response.write(
            into: &bytes, withBody: withBody, isKeepAlive: isKeepAlive, responder.fields)
        context.writeAndFlush(wrapOutboundOut(bytes), promise: promise)
    }
}
