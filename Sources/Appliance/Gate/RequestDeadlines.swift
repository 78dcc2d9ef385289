import NIOCore
import NIOHTTP1

/// Closes a connection whose request takes too long to arrive (slow-loris), and one on which none
/// begins.
///
///     connected ──header deadline──▶ head ──body deadline──▶ end ──idle deadline──▶ head …
///
/// The deadline in force is a stored number that a request moves for the price of a clock reading;
/// one timer a connection looks at it every second.
final class RequestDeadlines: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart

    private let onExpired: @Sendable (_ hasBegun: Bool) -> Void
    private var deadline = NIODeadline.distantFuture
    private var watch: RepeatedTask?
    /// Something of a request has arrived that has not ended.
    private var hasBegun = false
    /// No request has ended yet.
    private var isFirst = true

    /// - Parameter onExpired: called once for each connection that is closed; told whether a
    ///   request is lost with it, because it had begun.
    init(onExpired: @escaping @Sendable (_ hasBegun: Bool) -> Void = { _ in }) {
        self.onExpired = onExpired
    }

    func handlerAdded(context: ChannelHandlerContext) {
        expect(within: .seconds(GateLimits.headerSecondsMax), context)
        // The handler and its context never leave their event loop; the box checks that.
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        watch = context.eventLoop.scheduleRepeatedTask(
            initialDelay: .seconds(1), delay: .seconds(1)
        ) { _ in
            let (handler, context) = bound.value
            handler.look(context)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        watch?.cancel()
        watch = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head:
            hasBegun = true
            expect(within: .seconds(GateLimits.bodySecondsMax), context)
        case .body: break
        case .end:
            (hasBegun, isFirst) = (false, false)
            expect(within: .seconds(GateLimits.idleSecondsMax), context)
        }
        context.fireChannelRead(data)
    }

    /// The header of a further request must follow its first byte as soon as that of the first one
    /// must follow the opening.
    func didReceiveBytes(_ context: ChannelHandlerContext) {
        guard !hasBegun else { return }
        hasBegun = true
        if !isFirst { expect(within: .seconds(GateLimits.headerSecondsMax), context) }
    }

    /// Cuts nothing off any more: what is streamed on the connection has bounds of its own.
    func suspend() { deadline = .distantFuture }

    private func expect(within span: TimeAmount, _ context: ChannelHandlerContext) {
        deadline = context.eventLoop.now + span
    }

    private func look(_ context: ChannelHandlerContext) {
        guard context.eventLoop.now >= deadline else { return }
        watch?.cancel()
        watch = nil
        onExpired(hasBegun)
        context.close(promise: nil)
    }
}
