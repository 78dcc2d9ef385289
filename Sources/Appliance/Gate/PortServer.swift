import Foundation
import NIOCore
import NIOPosix
import ServiceLifecycle
import Vocabulary

/// What one port may hold.
package struct PortLimits: Sendable {
    /// Connections served at once.
    package var connectionCountMax = 4096
    /// Bytes of requests in flight, heads and bodies alike.
    package var memoryByteCountMax = GateLimits.memoryByteCount

    package init(
        connectionCountMax: Int = 4096, memoryByteCountMax: Int = GateLimits.memoryByteCount
    ) {
        self.connectionCountMax = connectionCountMax
        self.memoryByteCountMax = memoryByteCountMax
    }
}

/// A port: it listens, and serves each connection by callbacks on its event loop.
///
/// At the shutdown it stops listening, answers what has begun, and ends when every connection has.
/// A client that was let in and has not sent a byte yet has begun, too.
package struct PortServer: Service {
    package let host: String
    /// 0 lets the system choose.
    package let port: Int
    package let responder: any PortResponder
    package var limits = PortLimits()
    /// nil speaks plain HTTP.
    package var tls: PortTLS?
    /// A descriptor that listens on host and port already, and is this server's from now on; nil
    /// opens one.
    package var socket: Int32?
    let onListening: @Sendable (_ port: Int) -> Void

    package init(
        host: String, port: Int, responder: any PortResponder, limits: PortLimits = PortLimits(),
        tls: PortTLS? = nil, onListening: @escaping @Sendable (_ port: Int) -> Void
    ) {
        self.host = host
        self.port = port
        self.responder = responder
        self.limits = limits
        self.tls = tls
        self.onListening = onListening
    }

    /// Connections that the kernel keeps until they are accepted.
    package static let backlogCount: Int32 = 512
    /// Milliseconds before the next attempt when the system has no descriptor for a connection.
    private static let backoffMilliseconds: Int64 = 100

    /// - Throws: `IOError` or `SocketAddressError` when it cannot listen.
    package func run() async throws {
        let connections = ConnectionTable(countMax: limits.connectionCountMax)
        let channel = PortChannel(
            responder: responder, connections: connections,
            budget: MemoryBudget(byteCountMax: limits.memoryByteCountMax))
        let listener = try await open(channel)
        onListening(listener.localAddress?.port ?? port)
        // Thrown when the task is cancelled, because another service failed: the port closes too.
        try? await gracefulShutdown()
        await Self.stopListening(listener)
        await Self.drain(connections)
    }

    private func open(_ channel: PortChannel) async throws -> any Channel {
        guard let socket else {
            return try await bootstrap(channel).bind(host: host, port: port).get()
        }
        let listener = try await bootstrap(channel).withBoundSocket(socket).get()
        // Of a socket that it is given, NIO makes the kernel's queue the shorter one.
        _ = listen(socket, Self.backlogCount)
        return listener
    }

    /// Closes the port behind the last connection that was let in: NIO closes one whose handlers it
    /// is still making when its listener closes, and who connected would get no answer.
    private static func stopListening(_ listener: any Channel) async {
        try? await listener.setOption(.autoRead, value: false).get()
        let loops = MultiThreadedEventLoopGroup.singleton.makeIterator()
        for loop in Array(loops) + [listener.eventLoop] {
            // Behind what stands in the loop's queue.
            try? await loop.submit {}.get()
        }
        try? await listener.close()
    }

    /// Lets requests that have begun be answered. One that does not arrive must not hold the daemon
    /// up: it is cut off after a moment, or at once when the task is cancelled.
    private static func drain(_ connections: ConnectionTable) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                // Ended early when all are closed, or the daemon will not wait.
                try? await Task.sleep(for: .seconds(GateLimits.drainSecondsMax))
                connections.closeAll()
            }
            await withCheckedContinuation { continuation in
                connections.shutDown { continuation.resume() }
            }
            group.cancelAll()
        }
    }

    private func bootstrap(_ channel: PortChannel) -> ServerBootstrap {
        ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: Self.backlogCount)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { [responder] server in
                server.eventLoop.makeCompletedFuture {
                    // Without a free descriptor nothing is accepted for a moment; the port stays.
                    let backoff = AcceptBackoffHandler(shouldForwardIOErrorCaught: false) { _ in
                        responder.count(.connectionsRefused)
                        return .milliseconds(Self.backoffMilliseconds)
                    }
                    try server.pipeline.syncOperations.addHandler(backoff)
                }
            }
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            // One buffer a turn: what was read is looked at before more is.
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(
                .writeBufferWaterMark,
                value: ChannelOptions.Types.WriteBufferWaterMark(
                    low: GateLimits.unreadByteCountMax / 2, high: GateLimits.unreadByteCountMax))
            .childChannelInitializer { [tls] child in
                child.eventLoop.makeCompletedFuture {
                    try tls?.open(child)
                    try channel.open(child)
                }
            }
    }
}
