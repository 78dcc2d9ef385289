import NIOCore

/// A delivery on its way, from its first attempt to its final answer.
struct LoadAttempt {
    let delivery: Delivery
    /// When it was to be sent first.
    let intended: NIODeadline
    /// Attempts made so far.
    var made = 0
}

/// One keep-alive connection: at most one request in flight, as Stripe does it.
final class LoadConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let run: LoadRun
    private var reader = HTTPAnswerReader()
    private var context: ChannelHandlerContext?
    private var buffer = ByteBuffer()
    private(set) var attempt: LoadAttempt?
    private(set) var sentAt = NIODeadline.distantPast

    init(run: LoadRun) { self.run = run }

    func channelActive(context: ChannelHandlerContext) {
        self.context = context
        run.didOpen(self)
    }

    /// Sends the request; the connection must be open and idle.
    func send(_ attempt: LoadAttempt, head: [UInt8], signature: String?, at now: NIODeadline) {
        guard let context, self.attempt == nil else {
            preconditionFailure("sent on a connection that is closed or busy")
        }
        self.attempt = attempt
        sentAt = now
        let body = attempt.delivery.body
        var length = JSONBytes()
        length.append(Int64(body.count))
        buffer.clear(minimumCapacity: body.count + 1_024)
        buffer.writeBytes(head)
        buffer.writeStaticString("Content-Length: ")
        buffer.writeBytes(length.bytes)
        if let signature {
            buffer.writeStaticString("\r\nStripe-Signature: ")
            buffer.writeString(signature)
        }
        buffer.writeStaticString("\r\n\r\n")
        buffer.writeBytes(body)
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
    }

    func close() { context?.close(promise: nil) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        do {
            if let answer = try reader.read(unwrapInboundIn(data).readableBytesView) {
                didRead(answer, context: context)
            }
        } catch {
            context.close(promise: nil)
        }
    }

    private func didRead(_ answer: HTTPAnswerReader.Answer, context: ChannelHandlerContext) {
        guard let attempt, reader.isEmpty else {
            // An answer to nothing: the connection cannot be trusted any more.
            return context.close(promise: nil)
        }
        self.attempt = nil
        if answer.closes {
            // Not idle again: the end of the channel tells the run.
            context.close(promise: nil)
            run.didAnswer(answer, to: attempt, on: nil)
        } else {
            run.didAnswer(answer, to: attempt, on: self)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        if let attempt, let answer = try? reader.end() {
            self.attempt = nil
            run.didAnswer(answer, to: attempt, on: nil)
        }
        run.didClose(self)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
