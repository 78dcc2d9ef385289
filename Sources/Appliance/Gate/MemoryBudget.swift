import NIOCore
import Synchronization

/// Bytes that the requests of one port may hold together, so that no number of slow senders takes
/// the machine's memory.
final class MemoryBudget: Sendable {
    let byteCountMax: Int
    private let used = Atomic<Int>(0)

    init(byteCountMax: Int) { self.byteCountMax = byteCountMax }

    /// - Returns: false when there is not that much left; then nothing was taken.
    func take(_ byteCount: Int) -> Bool {
        if used.add(byteCount, ordering: .relaxed).newValue <= byteCountMax { return true }
        give(byteCount)
        return false
    }

    func give(_ byteCount: Int) {
        let left = used.subtract(byteCount, ordering: .relaxed).newValue
        precondition(left >= 0, "\(-left) bytes more were given back than taken")
    }

    /// Bytes that are taken now.
    var byteCount: Int { used.load(ordering: .relaxed) }
}

/// What one connection holds of the port's budget: what arrived and is not answered yet, parsed or
/// not.
///
/// The handlers of one connection share it; it never leaves their event loop.
final class ConnectionMemory {
    private let budget: MemoryBudget
    private var held = 0

    init(_ budget: MemoryBudget) { self.budget = budget }

    func take(_ byteCount: Int) -> Bool {
        guard budget.take(byteCount) else { return false }
        held += byteCount
        return true
    }

    /// Takes room for an answer until it is sent.
    /// - Parameter sent: completes when it has left, or the connection has ended.
    func take(answer byteCount: Int, until sent: EventLoopFuture<Void>) -> Bool {
        guard budget.take(byteCount) else { return false }
        sent.whenComplete { [budget] _ in budget.give(byteCount) }
        return true
    }

    /// Gives back all but `byteCount` bytes.
    func keep(_ byteCount: Int) {
        let kept = min(max(0, byteCount), held)
        budget.give(held - kept)
        held = kept
    }
}

/// The port's memory is used up; the connection's request is refused.
struct MemoryIsUsedUp {}

/// Who takes what a connection sends, one request at a time.
protocol RequestTaker: AnyObject {
    /// Whether more of what was sent can be taken now.
    var isTaking: Bool { get }
    /// Bytes of the body under way that have not been taken yet; no other request is among them.
    var bodyByteCountDue: Int { get }
}

/// Counts what arrives, and gives the decoder no more of it than is taken: what a client sends
/// ahead waits here as the bytes it is. Parsed, a request of twenty bytes takes several hundred.
///
///     bytes ──budget──▶ waiting ──a little at a time, while the handler takes it──▶ decoder
///                └─ used up ──▶ thrown away, and the handler is told
final class MemoryMeter: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let memory: ConnectionMemory
    private let deadlines: RequestDeadlines
    /// Takes what is given on; without one everything is.
    weak var taker: (any RequestTaker)?
    private var context: ChannelHandlerContext?
    private var waiting = CircularBuffer<ByteBuffer>()
    /// Bytes that have arrived and are not given on yet.
    private(set) var waitingByteCount = 0
    /// Bytes are being given on, further out on this stack.
    private var isGivingOn = false
    /// After a refusal: bytes thrown away so that the client reads the answer before the end.
    private var discardedByteCount: Int?

    init(_ memory: ConnectionMemory, _ deadlines: RequestDeadlines) {
        self.memory = memory
        self.deadlines = deadlines
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        if let discarded = discardedByteCount {
            discardedByteCount = discarded + bytes.readableBytes
            if discarded + bytes.readableBytes > GateLimits.discardedByteCountMax {
                context.close(promise: nil)
            }
            return
        }
        guard memory.take(bytes.readableBytes) else { return refuse() }
        waiting.append(bytes)
        waitingByteCount += bytes.readableBytes
        giveOn()
    }

    /// Gives on what waits, for as long as it is taken. A handler that answers at once leads here
    /// again from inside the loop, which goes on by itself.
    func giveOn() {
        guard !isGivingOn, let context else { return }
        isGivingOn = true
        defer { isGivingOn = false }
        while taker?.isTaking ?? true, var first = waiting.popFirst() {
            let count = max(GateLimits.takenByteCountMax, taker?.bodyByteCountDue ?? 0)
            guard let part = first.readSlice(length: min(count, first.readableBytes)) else {
                return
            }
            if first.readableBytes > 0 { waiting.prepend(first) }
            waitingByteCount -= part.readableBytes
            deadlines.didReceiveBytes(context)
            context.fireChannelRead(wrapInboundOut(part))
        }
    }

    /// Lets nothing more through: the port has no memory for it.
    func refuse() {
        guard discardedByteCount == nil, let context else { return }
        discard()
        context.fireUserInboundEventTriggered(MemoryIsUsedUp())
    }

    /// Lets nothing more through: what comes is thrown away, up to a bound, so that a client that
    /// still sends reads its answer and not a reset.
    func discard() {
        discardedByteCount = 0
        dropWaiting()
        memory.keep(0)
    }

    private func dropWaiting() {
        waiting.removeAll()
        waitingByteCount = 0
    }

    func channelInactive(context: ChannelHandlerContext) {
        dropWaiting()
        memory.keep(0)
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        dropWaiting()
        memory.keep(0)
    }
}
