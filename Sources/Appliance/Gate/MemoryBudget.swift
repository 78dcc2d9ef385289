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

/// What one connection holds of the port's budget: every byte that arrived and is not answered yet.
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

    /// Gives back all but `byteCount` bytes.
    func keep(_ byteCount: Int) {
        let kept = min(max(0, byteCount), held)
        budget.give(held - kept)
        held = kept
    }
}

/// The port's memory is used up; the connection's request is refused.
struct MemoryIsUsedUp {}

/// Counts what arrives, before the decoder can gather it, and lets nothing through that the budget
/// has no room for.
final class MemoryMeter: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let memory: ConnectionMemory
    private let deadlines: RequestDeadlines
    /// After a refusal: bytes thrown away so that the client reads the answer before the end.
    private var discardedByteCount: Int?

    init(_ memory: ConnectionMemory, _ deadlines: RequestDeadlines) {
        self.memory = memory
        self.deadlines = deadlines
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let byteCount = unwrapInboundIn(data).readableBytes
        if let discarded = discardedByteCount {
            discardedByteCount = discarded + byteCount
            if discarded + byteCount > GateLimits.discardedByteCountMax {
                context.close(promise: nil)
            }
            return
        }
        deadlines.didReceiveBytes(context)
        guard memory.take(byteCount) else {
            discardedByteCount = 0
            memory.keep(0)
            context.fireUserInboundEventTriggered(MemoryIsUsedUp())
            return
        }
        context.fireChannelRead(data)
    }

    func channelInactive(context: ChannelHandlerContext) {
        memory.keep(0)
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { memory.keep(0) }
}
