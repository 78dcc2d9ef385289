import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1

/// The webhook port on Hummingbird's server: one connection's requests, handled on its event loop.
///
/// Hummingbird's own channel makes a task and two asynchronous sequences of each request, which took
/// half of this port's processor time. A delivery waits for one thing only, the sync of the log, so
/// here it is a callback:
///
///     bytes ─▶ HTTPRequestDecoder ─▶ RequestDeadlines ─▶ WebhookHandler ─▶ Gate ─▶ log
///                                          bytes ◀──────────┘ ◀── the flusher's thread, once synced
struct WebhookChannel: ServerChildChannel {
    let responder: any WebhookResponder

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
            let decoder = HTTPRequestDecoder(
                leftOverBytesStrategy: .dropBytes, informationalResponseStrategy: .drop,
                limitConfiguration: limits)
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandler(ByteToMessageHandler(decoder))
            try pipeline.addHandler(
                RequestDeadlines { [responder] in responder.count(.requestsTimedOut) })
            try pipeline.addHandler(WebhookHandler(responder))
            return Value(channel: channel)
        }
    }

    func handle(value: Value, logger: Logger) async {
        // How a connection ended is its client's affair.
        try? await value.channel.closeFuture.get()
    }
}
