import NIOCore
import NIOHTTP1

/// Gathers a request's body, has it answered, and writes the answer: one request of a connection
/// at a time, in order; requests that a client sends ahead wait.
///
///              head          end            answered
///     idle ─────────▶ receiving ─────▶ answering ─────▶ idle, or closed
///                        │ too large                      ▲
///                        └────────▶ refused ──────────────┘ closed at its end
final class WebhookHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    private let responder: any WebhookResponder
    private var state = State.idle
    /// What has arrived of the body; outside the state, so that it grows in place.
    private var body: [UInt8] = []
    /// Parts of requests sent ahead.
    private var ahead = CircularBuffer<HTTPServerRequestPart>()
    private var aheadByteCount = 0
    private var isReadWithheld = false
    /// No further request is taken: the client has sent its last byte, or the server shuts down.
    private var isEnding = false

    private enum State {
        case idle
        case receiving(WebhookRequest, isKeepAlive: Bool)
        /// Answered before its end; what still comes is thrown away, up to a bound.
        case refused(discardedByteCount: Int)
        case answering
    }

    init(_ responder: any WebhookResponder) { self.responder = responder }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        guard case .answering = state else { return receive(part, context) }
        ahead.append(part)
        if case .body(let bytes) = part { aheadByteCount += bytes.readableBytes }
    }

    func read(context: ChannelHandlerContext) {
        // Who sends far ahead waits, so that memory stays bounded.
        isReadWithheld = aheadByteCount + ahead.count > GateLimits.aheadByteCountMax
        if !isReadWithheld { context.read() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case ChannelEvent.inputClosed:
            isEnding = true
            // An answer under way closes the connection when it is written.
            guard case .answering = state else { return context.close(promise: nil) }
        case is ChannelShouldQuiesceEvent:
            isEnding = true
            // A request that has begun is answered; the deadlines bound how long that takes.
            if case .idle = state { context.close(promise: nil) }
        default:
            context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch state {
        case .answering where error is HTTPParserError:
            // It belongs to a request sent ahead; the one before it still gets its answer.
            isEnding = true
        case .idle where error is HTTPParserError, .receiving where error is HTTPParserError:
            state = .refused(discardedByteCount: 0)
            write(.malformed, isKeepAlive: false, context)
            context.close(promise: nil)
        default:
            context.close(promise: nil)
        }
    }

    private func receive(_ part: HTTPServerRequestPart, _ context: ChannelHandlerContext) {
        switch (part, state) {
        case (.head(let head), .idle): begin(head, context)
        case (.body(let bytes), .receiving):
            guard body.count + bytes.readableBytes <= responder.bodyByteCountMax else {
                return refuse(context)
            }
            body.append(contentsOf: bytes.readableBytesView)
        case (.end, .receiving(var request, let isKeepAlive)):
            state = .answering
            request.body = body
            body = []
            respond(to: request, isKeepAlive: isKeepAlive, context)
        case (.body(let bytes), .refused(let discarded)):
            let discarded = discarded + bytes.readableBytes
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
        let request = WebhookRequest(
            method: head.method, uri: head.uri,
            signature: head.headers.first(name: "Stripe-Signature"))
        if let announced = head.headers.first(name: "Content-Length").flatMap({ Int($0) }) {
            guard announced <= responder.bodyByteCountMax else { return refuse(context) }
            body.reserveCapacity(announced)
        }
        state = .receiving(request, isKeepAlive: head.isKeepAlive)
    }

    /// Says at once that the body is too large: who reads it stops sending.
    private func refuse(_ context: ChannelHandlerContext) {
        responder.count(.bodyTooLarge)
        state = .refused(discardedByteCount: 0)
        body = []
        write(
            .bodyTooLarge(byteCountMax: responder.bodyByteCountMax), isKeepAlive: false, context)
    }

    private func respond(
        to request: WebhookRequest, isKeepAlive: Bool, _ context: ChannelHandlerContext
    ) {
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
        _ response: WebhookResponse, to method: HTTPMethod, isKeepAlive: Bool,
        _ context: ChannelHandlerContext
    ) {
        guard context.channel.isActive else { return }
        let isLast = response.isLast || !isKeepAlive || isEnding
        write(response, withBody: method != .HEAD, isKeepAlive: !isLast, context)
        state = .idle
        if isLast { context.close(promise: nil) } else { goOn(context) }
    }

    /// Takes up what was sent ahead.
    private func goOn(_ context: ChannelHandlerContext) {
        while let part = ahead.first {
            if case .answering = state { return }
            ahead.removeFirst()
            if case .body(let bytes) = part { aheadByteCount -= bytes.readableBytes }
            receive(part, context)
        }
        if isReadWithheld { read(context: context) }
    }

    private func write(
        _ response: WebhookResponse, withBody: Bool = true, isKeepAlive: Bool,
        _ context: ChannelHandlerContext
    ) {
        var bytes = context.channel.allocator.buffer(capacity: 320)
        response.write(into: &bytes, withBody: withBody, isKeepAlive: isKeepAlive)
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }
}
