import NIOCore
import NIOHTTP1

/// Closes a connection whose request takes too long to arrive (slow-loris), one on which none
/// begins, and one whose client does not take its answer.
///
///     connected ──header deadline──▶ head ──body deadline──▶ end ──none──▶ answered
///                                      ▲                                      │
///                                      └──header deadline── first byte ◀──idle deadline
///
/// They are about what the peer does: while a request is answered none runs, however long that
/// takes, and what was sent ahead of the answer has its time from then on. An answer that is not
/// taken whole is waited for as long as enough of it is taken.
///
/// The deadline in force is a stored number that a request moves for the price of a clock reading;
/// one timer a connection looks at it every second.
final class RequestDeadlines: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart

    private let onExpired: @Sendable (_ hasBegun: Bool) -> Void
    private let unsentByteCount: (ChannelHandlerContext) -> Int
    private var deadline = NIODeadline.distantFuture
    private var watch: RepeatedTask?
    /// What the peer has to send next.
    private var awaited = Awaited.header
    /// Something of a request has arrived that has not ended.
    private var hasBegun = false
    /// No request has ended yet.
    private var isFirst = true
    /// A request is being answered, which is not the peer's time.
    private var isAnswering = false
    /// Bytes of the last answer that had not left when they were counted last.
    private var unsent = 0

    private enum Awaited {
        case header, body, request

        var seconds: Int64 {
            switch self {
            case .header: GateLimits.headerSecondsMax
            case .body: GateLimits.bodySecondsMax
            case .request: GateLimits.idleSecondsMax
            }
        }
    }

    /// - Parameters:
    ///   - onExpired: called once for each connection that is closed; told whether a request is
    ///     lost with it, because it had begun.
    ///   - unsentByteCount: bytes that are written and that the kernel has not taken.
    init(
        onExpired: @escaping @Sendable (_ hasBegun: Bool) -> Void = { _ in },
        unsentByteCount: @escaping (ChannelHandlerContext) -> Int = RequestDeadlines.buffered
    ) {
        self.unsentByteCount = unsentByteCount
        self.onExpired = onExpired
    }

    /// What is written on a connection and not taken by the kernel.
    static func buffered(_ context: ChannelHandlerContext) -> Int {
        (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }

    func handlerAdded(context: ChannelHandlerContext) {
        expect(.header, context)
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
            expect(.body, context)
        case .body: break
        case .end:
            (hasBegun, isFirst) = (false, false)
            expect(.request, context)
        }
        context.fireChannelRead(data)
    }

    /// The header of a further request must follow its first byte as soon as that of the first one
    /// must follow the opening.
    func didReceiveBytes(_ context: ChannelHandlerContext) {
        guard !hasBegun else { return }
        hasBegun = true
        if !isFirst { expect(.header, context) }
    }

    /// A request is being answered: from now on nothing is cut off, until it is.
    func beginAnswer() { isAnswering = true }

    /// It is answered; it is the peer's turn again. A streamed answer never is: what is streamed
    /// has bounds of its own.
    ///
    /// - Parameter byteCount: of the answer, of which the peer may have taken nothing yet.
    func endAnswer(byteCount: Int, _ context: ChannelHandlerContext) {
        (isAnswering, unsent) = (false, byteCount)
        expect(awaited, context)
    }

    private func expect(_ awaited: Awaited, _ context: ChannelHandlerContext) {
        self.awaited = awaited
        deadline = context.eventLoop.now + .seconds(awaited.seconds)
    }

    /// Whether the peer has taken enough of the last answer since this was asked last.
    private func isTakingAnswer(_ context: ChannelHandlerContext) -> Bool {
        let left = unsentByteCount(context)
        defer { unsent = left }
        return left > 0 && unsent - left >= GateLimits.takenAnswerByteCountMin
    }

    private func look(_ context: ChannelHandlerContext) {
        guard !isAnswering, context.eventLoop.now >= deadline else { return }
        if isTakingAnswer(context) { return expect(awaited, context) }
        watch?.cancel()
        watch = nil
        onExpired(hasBegun)
        context.close(promise: nil)
    }
}
