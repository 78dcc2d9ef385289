import Foundation
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import Synchronization

/// The webhook port on Hummingbird's server: one connection's requests, handled on its event loop.
///
/// Hummingbird's own channel makes a task and two asynchronous sequences of each request, which took
/// more than half of this port's processor time (docs/BENCHMARKS.md). A delivery waits for one
/// thing only, the sync of the log, so here it is a callback:
///
///     bytes ─▶ HTTP parser ─▶ RequestDeadlines ─▶ WebhookHandler ─▶ Gate ─▶ log
///                                                       ◀── the flusher's thread, once synced
struct WebhookChannel: ServerChildChannel {
    private let counters: Counters
    private let makeHandler: @Sendable () -> any ChannelHandler

    init(gate: Gate, counters: Counters) {
        self.init(counters: counters) { WebhookHandler(gate: gate, counters: counters) }
    }

    /// - Parameter makeHandler: what reads the requests of one connection and answers them.
    init(counters: Counters, makeHandler: @escaping @Sendable () -> any ChannelHandler) {
        self.counters = counters
        self.makeHandler = makeHandler
    }

    /// The server around it, as Hummingbird builds it.
    func server() -> HTTPServerBuilder { HTTPServerBuilder { _ in self } }

    struct Value: ServerChildChannelValue {
        let channel: any Channel
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            var limits = NIOHTTPDecoderLimitConfiguration()
            limits.maxHeaderFieldSize = GateLimits.headerByteCountMax
            limits.maxHeaderListSize = GateLimits.headerByteCountMax
            limits.maxHeaderFieldCount = GateLimits.headerCountMax
            let pipeline = channel.pipeline.syncOperations
            // One request of a connection at a time; and on shutdown the one under way is answered.
            try pipeline.configureHTTPServerPipeline(
                withPipeliningAssistance: true, withErrorHandling: true,
                withOutboundHeaderValidation: false, withEncoderConfiguration: .init(),
                withDecoderLimitConfiguration: limits)
            try pipeline.addHandler(
                RequestDeadlines { [counters] in counters.add(.requestsTimedOut) })
            try pipeline.addHandler(makeHandler())
            return Value(channel: channel)
        }
    }

    func handle(value: Value, logger: Logger) async {
        // How a connection ended is its client's affair.
        try? await value.channel.closeFuture.get()
    }
}

/// Gathers a request's body, hands it to the gate, and writes what the gate answers.
final class WebhookHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let gate: Gate
    private let counters: Counters
    private var state = State.idle
    /// The client has sent its last byte, and may still wait for an answer.
    private var isInputClosed = false

    private enum State {
        case idle
        case receiving(Incoming)
        /// Answered before its end; what still comes is thrown away, up to a bound.
        case refused(discardedByteCount: Int)
        case answering
    }

    /// A request whose body is still arriving.
    private struct Incoming {
        var route: WebhookRoute
        var signature: String?
        var isKeepAlive: Bool
        var body: [UInt8] = []
        var arrived = ContinuousClock.now
    }

    init(gate: Gate, counters: Counters) {
        self.gate = gate
        self.counters = counters
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): begin(head, context)
        case .body(let bytes): receive(bytes, context)
        case .end: end(context)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .some(ChannelEvent.inputClosed) = event as? ChannelEvent {
            isInputClosed = true
            // An answer under way closes the connection when it is written.
            guard case .answering = state else { return context.close(promise: nil) }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The connection broke, or its HTTP cannot be read and is answered already.
        context.close(promise: nil)
    }

    private func begin(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        var incoming = Incoming(
            route: WebhookRoute(head), signature: head.headers.first(name: "Stripe-Signature"),
            isKeepAlive: head.isKeepAlive)
        if let announced = head.headers.first(name: "Content-Length").flatMap({ Int($0) }) {
            guard announced <= gate.bodyByteCountMax else { return refuse(context) }
            incoming.body.reserveCapacity(announced)
        }
        state = .receiving(incoming)
    }

    private func receive(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        switch state {
        case .receiving(var incoming):
            // The body is moved out and back, so that it grows in place.
            state = .idle
            guard incoming.body.count + bytes.readableBytes <= gate.bodyByteCountMax else {
                return refuse(context)
            }
            incoming.body.append(contentsOf: bytes.readableBytesView)
            state = .receiving(incoming)
        case .refused(let discarded):
            let discarded = discarded + bytes.readableBytes
            state = .refused(discardedByteCount: discarded)
            if discarded > GateLimits.discardedByteCountMax { context.close(promise: nil) }
        case .idle, .answering:
            break
        }
    }

    private func end(_ context: ChannelHandlerContext) {
        switch state {
        case .receiving(let incoming):
            state = .answering
            respond(to: incoming, context)
        case .refused:
            context.close(promise: nil)
        case .idle, .answering:
            break
        }
    }

    /// Says at once that the body is too large: who reads it stops sending.
    private func refuse(_ context: ChannelHandlerContext) {
        counters.add(.bodyTooLarge)
        state = .refused(discardedByteCount: 0)
        write(.bodyTooLarge(byteCountMax: gate.bodyByteCountMax), isKeepAlive: false, context)
    }

    private func respond(to incoming: Incoming, _ context: ChannelHandlerContext) {
        let isKeepAlive = incoming.isKeepAlive
        switch incoming.route {
        case .delivery(let endpoint):
            // The handler and its context never leave their event loop; the box checks that.
            let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            let (loop, counters, arrived) = (context.eventLoop, counters, incoming.arrived)
            gate.receive(
                endpoint: endpoint, signature: incoming.signature, body: incoming.body
            ) { answer in
                if case .received = answer { counters.acknowledged.record(.now - arrived) }
                loop.execute {
                    let (handler, context) = bound.value
                    handler.finish(WebhookResponse(answer), isKeepAlive: isKeepAlive, context)
                }
            }
        case .health: finish(.alive, isKeepAlive: isKeepAlive, context)
        case .unknown: finish(.unknownPath, isKeepAlive: isKeepAlive, context)
        case .methodNotAllowed(let allowed):
            finish(.methodNotAllowed(allowed), isKeepAlive: isKeepAlive, context)
        }
    }

    private func finish(
        _ response: WebhookResponse, isKeepAlive: Bool, _ context: ChannelHandlerContext
    ) {
        guard context.channel.isActive else { return }
        state = .idle
        let isLast = response.isLast || !isKeepAlive || isInputClosed
        write(response, isKeepAlive: !isLast, context)
    }

    /// Writes the response, and closes behind it unless the connection is kept or a request's body
    /// is still arriving.
    private func write(
        _ response: WebhookResponse, isKeepAlive: Bool, _ context: ChannelHandlerContext
    ) {
        var headers = HTTPHeaders()
        headers.reserveCapacity(6)
        headers.add(name: "Content-Type", value: "application/json")
        headers.add(name: "Content-Length", value: String(response.body.readableBytes))
        headers.add(name: "X-Content-Type-Options", value: "nosniff")
        headers.add(name: "Date", value: HTTPDate.now())
        for (name, value) in response.fields { headers.add(name: name, value: value) }
        if !isKeepAlive { headers.add(name: "Connection", value: "close") }
        let head = HTTPResponseHead(version: .http1_1, status: response.status, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(response.body))), promise: nil)
        let written: EventLoopFuture<Void> = context.writeAndFlush(wrapOutboundOut(.end(nil)))
        if case .idle = state, !isKeepAlive {
            let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
            written.whenComplete { _ in bound.value.close(promise: nil) }
        }
    }
}

/// The time of day as HTTP writes it (RFC 9110 §5.6.7), made once a second.
enum HTTPDate {
    private static let latest = Mutex((second: time_t.min, text: ""))

    static func now() -> String {
        let second = time(nil)
        return latest.withLock { latest in
            if latest.second != second { latest = (second, text(of: second)) }
            return latest.text
        }
    }

    /// `Tue, 15 Nov 1994 08:12:31 GMT`.
    static func text(of second: time_t) -> String {
        var (second, parts) = (second, tm())
        gmtime_r(&second, &parts)
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ]
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(days[Int(parts.tm_wday)]), \(two(parts.tm_mday)) \(months[Int(parts.tm_mon)]) "
            + "\(parts.tm_year + 1900) "
            + "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)) GMT"
    }
}
