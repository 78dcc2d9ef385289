import ServiceLifecycle

/// Holds services back until the process has its port: one that would end for a port which is taken
/// shall not have joined a group before, whose other members would wait for it for a session.
final class PortOpening: Sendable {
    private let opening = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingOldest(1))

    /// The port is this process's.
    func didOpen() {
        opening.continuation.yield()
        opening.continuation.finish()
    }

    /// The service, begun once the port is open, and never where the process stops before.
    ///
    /// At most one for each opening: who waits takes the word away.
    func before(_ service: any Service) -> any Service {
        Held(stream: opening.stream, service: service)
    }

    private struct Held: Service {
        let stream: AsyncStream<Void>
        let service: any Service

        func run() async throws {
            let isOpen = await cancelWhenGracefulShutdown { [stream] in
                await stream.first { _ in true } != nil
            }
            guard isOpen else { return }
            try await service.run()
        }
    }
}
