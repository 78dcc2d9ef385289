package import NIOCore
import Vocabulary

/// An answer's body that is written while it is sent.
///
/// Each piece is handed to the connection once it has sent the one before, so that a client that
/// reads slowly slows its writer down and holds one piece of memory, counted in the port's budget.
///
///     write ─▶ being sent ──taken by the kernel──▶ sent ─▶ write …
///                  └─ not taken for too long, or no memory ─▶ over
///     over: the client has gone, the server shuts down, or the writer has finished
///
/// It is delimited by the connection's end: nothing that comes before a length or in chunks has to
/// be known to whoever reads it.
package final class PortStream: Sendable {
    /// What is answered where the port has no room for another stream.
    let refusal: PortResponse
    /// Sent where nothing else was for a while, so that a peer that is gone is found out.
    let heartbeat: ByteBuffer
    private let sink: EventLoopPromise<StreamSink>
    private let end: EventLoopPromise<Void>

    /// - Parameters:
    ///   - channel: what the request came on.
    ///   - heartbeat: bytes that say nothing to who reads the stream.
    package init(
        on channel: any Channel, heartbeat: String, elseAnswering refusal: PortResponse
    ) {
        self.refusal = refusal
        self.heartbeat = ByteBuffer(string: heartbeat)
        sink = channel.eventLoop.makePromise()
        end = channel.eventLoop.makePromise()
    }

    /// Sends bytes, and returns when the kernel has taken them.
    ///
    /// - Throws: a `ChannelError` or `IOError` once the stream is over.
    package func write(_ bytes: ByteBuffer) async throws {
        try await send(bytes).get()
    }

    /// The same for who does not wait.
    func send(_ bytes: ByteBuffer) -> EventLoopFuture<Void> {
        sink.futureResult.flatMap { $0.send(bytes) }
    }

    /// Ends the stream after what was written, and after a last piece that nobody waits for.
    package func finish(saying last: ByteBuffer? = nil) {
        sink.futureResult.whenSuccess { sink in
            if let last { _ = sink.send(last) }
            sink.close()
        }
    }

    /// Returns when the stream is over, whoever ended it.
    package func isOver() async {
        // It is succeeded only.
        try? await end.futureResult.get()
    }

    /// A connection sends it from now on.
    func open(_ sink: StreamSink) { self.sink.succeed(sink) }

    /// Nobody sends it, or no longer.
    func close() {
        sink.fail(ChannelError.ioOnClosedChannel)
        end.succeed()
    }
}

/// How a stream's writer reaches its connection, from any thread.
struct StreamSink: Sendable {
    let send: @Sendable (ByteBuffer) -> EventLoopFuture<Void>
    let close: @Sendable () -> Void
}

/// The connection's end of a stream: it never leaves its event loop.
///
/// One timer a stream looks every second: a piece that the client has not taken for a while ends
/// it, and where nothing was sent for a while a heartbeat is.
final class StreamSending {
    private let context: ChannelHandlerContext
    private let memory: ConnectionMemory
    private let heartbeat: ByteBuffer
    private let onStalled: () -> Void
    /// Pieces on their way, and since when the oldest of them is.
    private var sendingCount = 0
    private var sendingSince = NIODeadline.distantFuture
    private var lastSent: NIODeadline
    private var watch: RepeatedTask?

    /// - Parameter onStalled: called when the client does not take what it is sent, or there is no
    ///   memory for it, and the connection is closed for that.
    init(
        _ context: ChannelHandlerContext, memory: ConnectionMemory, heartbeat: ByteBuffer,
        onStalled: @escaping () -> Void
    ) {
        self.context = context
        self.memory = memory
        self.heartbeat = heartbeat
        self.onStalled = onStalled
        lastSent = context.eventLoop.now
    }

    /// Begins to watch the connection, until it is closed.
    func begin() -> StreamSink {
        let loop = context.eventLoop
        // Neither this nor the context ever leaves the event loop; the box checks that.
        let bound = NIOLoopBound(self, eventLoop: loop)
        watch = loop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in
            bound.value.look()
        }
        context.channel.closeFuture.assumeIsolated().whenComplete { _ in self.watch?.cancel() }
        return StreamSink(
            send: { bytes in
                let sent = loop.makePromise(of: Void.self)
                loop.execute { bound.value.send(bytes, sent) }
                return sent.futureResult
            },
            close: { loop.execute { bound.value.context.close(promise: nil) } })
    }

    private func send(_ bytes: ByteBuffer, _ sent: EventLoopPromise<Void>) {
        guard context.channel.isActive else { return sent.fail(ChannelError.ioOnClosedChannel) }
        guard memory.take(answer: bytes.readableBytes, until: sent.futureResult) else {
            sent.fail(ChannelError.ioOnClosedChannel)
            return giveUp()
        }
        if sendingCount == 0 { sendingSince = context.eventLoop.now }
        sendingCount += 1
        sent.futureResult.assumeIsolated().whenComplete { _ in
            self.sendingCount -= 1
            self.lastSent = self.context.eventLoop.now
            self.sendingSince = self.sendingCount == 0 ? .distantFuture : self.lastSent
        }
        context.writeAndFlush(NIOAny(bytes), promise: sent)
    }

    private func look() {
        let now = context.eventLoop.now
        if sendingCount > 0 {
            if now - sendingSince >= .seconds(GateLimits.streamStallSecondsMax) { giveUp() }
        } else if now - lastSent >= .seconds(GateLimits.streamHeartbeatSeconds) {
            send(heartbeat, context.eventLoop.makePromise())
        }
    }

    private func giveUp() {
        onStalled()
        context.close(promise: nil)
    }
}
