import NIOCore
import NIOHTTP1
import Vocabulary

/// The handlers of one connection of a port: its requests, handled on its event loop.
///
/// A delivery waits for one thing only, the sync of the log, so here it is a callback and not a
/// task: those took half of this port's processor time.
///
///     bytes ─▶ MemoryMeter ─▶ HTTPRequestDecoder ─▶ RequestDeadlines ─▶ PortHandler ─▶ Gate ─▶ log
///                                          bytes ◀─────────┘ ◀── the flusher's thread, once synced
struct PortChannel: Sendable {
    let responder: any PortResponder
    let connections: ConnectionTable
    let budget: MemoryBudget

    /// Takes a connection that was just accepted, on its event loop.
    func open(_ channel: any Channel) throws {
        let connection = PortConnection(channel)
        switch connections.enter(connection) {
        case .entered: break
        case .enteredInstead: responder.count(.connectionsEvicted)
        case .refused:
            // It is closed already; it must not get handlers that read.
            return responder.count(.connectionsRefused)
        }
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = GateLimits.headerByteCountMax
        limits.maxHeaderListSize = GateLimits.headerByteCountMax
        limits.maxHeaderFieldCount = GateLimits.headerCountMax
        let decoder = HTTPRequestDecoder(
            leftOverBytesStrategy: .dropBytes, informationalResponseStrategy: .drop,
            limitConfiguration: limits)
        let memory = ConnectionMemory(budget)
        // A connection that is closed between requests refuses nobody anything.
        let deadlines = RequestDeadlines { [responder] hasBegun in
            responder.count(hasBegun ? .requestsTimedOut : .connectionsIdled)
        }
        let meter = MemoryMeter(memory, deadlines)
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(meter)
        try pipeline.addHandler(ByteToMessageHandler(decoder))
        try pipeline.addHandler(deadlines)
        try pipeline.addHandler(
            PortHandler(
                responder, connection: connection, among: connections, memory: memory,
                meter: meter, deadlines: deadlines))
    }
}
