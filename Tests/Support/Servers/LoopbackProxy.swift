import Foundation

/// Stands between clients and a server on loopback, and looks at every piece that passes: a test
/// decides which of them passes, ends its connection, or is kept for ever.
///
/// A piece is what one `recv` gives: a small question or answer comes whole. It ends with this
/// object.
final class LoopbackProxy: Sendable {
    enum Verdict {
        case pass
        /// Ends the connection, both ways.
        case cut
        /// Lets nothing through in this direction any more; the connection stays.
        case keep
    }

    /// - isQuestion: whether it goes to the server.
    /// - connection: its number, from 1 on.
    typealias Judge = @Sendable (
        _ piece: ArraySlice<UInt8>, _ isQuestion: Bool, _ connection: Int
    ) -> Verdict

    let port: Int
    private let carrier: LoopbackCarrier

    /// - Parameter target: the server's port.
    init(to target: Int, judge: @escaping Judge) throws {
        carrier = try LoopbackCarrier(to: target, judge: judge)
        port = carrier.port
        let carrier = carrier
        Thread.detachNewThread { carrier.accept() }
    }

    deinit { close() }

    /// Ends the listener and all connections.
    func close() { carrier.close() }
}

/// What a proxy's threads share; each holds it until it ends.
private final class LoopbackCarrier: @unchecked Sendable {
    // `@unchecked Sendable`: everything that changes does so under `lock`.
    private struct Connection {
        var client, server: Int32
        /// Threads that still use the descriptors; the last one closes them.
        var threadCount = 2
    }

    let port: Int
    private let target: Int
    private let judge: LoopbackProxy.Judge
    private let listener: Int32
    private let lock = NSLock()
    private var connections: [Int: Connection] = [:]
    private var lastNumber = 0
    private var isClosed = false

    init(to target: Int, judge: @escaping LoopbackProxy.Judge) throws {
        self.target = target
        self.judge = judge
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        listener = descriptor
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        // SAFETY: the kernel reads and writes one sockaddr_in, which outlives the calls.
        let code = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && listen(descriptor, 64) == 0
                    ? getsockname(descriptor, $0, &length) : -1
            }
        }
        guard code == 0 else {
            Foundation.close(descriptor)
            throw NoFreePort()
        }
        port = Int(UInt16(bigEndian: address.sin_port))
    }

    func close() {
        lock.withLock {
            guard !isClosed else { return }
            isClosed = true
            for connection in connections.values { Self.shutDown(connection) }
            // Its thread closes it, and not before it has seen `isClosed`.
            shutdown(listener, Int32(SHUT_RDWR))
        }
    }

    /// Takes connections until it is closed; whatever else fails a call passes.
    func accept() {
        while !lock.withLock({ isClosed }) {
            let client = Foundation.accept(listener, nil, nil)
            guard client >= 0 else {
                usleep(1_000)
                continue
            }
            _ = fcntl(client, F_SETFD, FD_CLOEXEC)
            guard let server = connectToTarget() else {
                Foundation.close(client)
                continue
            }
            carry(Connection(client: client, server: server))
        }
        Foundation.close(listener)
    }

    private func carry(_ connection: Connection) {
        let number = lock.withLock { () -> Int? in
            guard !isClosed else { return nil }
            lastNumber += 1
            connections[lastNumber] = connection
            return lastNumber
        }
        guard let number else {
            Foundation.close(connection.client)
            Foundation.close(connection.server)
            return
        }
        let (client, server) = (connection.client, connection.server)
        Thread.detachNewThread { [self] in
            pass(from: client, to: server, isQuestion: true, number)
            end(number)
        }
        Thread.detachNewThread { [self] in
            pass(from: server, to: client, isQuestion: false, number)
            end(number)
        }
    }

    private func connectToTarget() -> Int32? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(target).bigEndian)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        // SAFETY: the kernel reads one sockaddr_in, which outlives the call.
        let code = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if code == 0 { return descriptor }
        Foundation.close(descriptor)
        return nil
    }

    /// Returns when nothing comes or goes any more.
    private func pass(from: Int32, to: Int32, isQuestion: Bool, _ number: Int) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(from, &buffer, buffer.count, 0)
            guard count > 0 else { return }
            switch judge(buffer[..<count], isQuestion, number) {
            case .pass: break
            case .cut: return
            case .keep:
                // Read on, so that its sender's end is seen.
                while recv(from, &buffer, buffer.count, 0) > 0 {}
                return
            }
            guard sendAll(buffer[..<count], to) else { return }
        }
    }

    private func sendAll(_ bytes: ArraySlice<UInt8>, _ to: Int32) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes {
                send(to, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard written > 0 else { return false }
            rest = rest.dropFirst(written)
        }
        return true
    }

    /// One of a connection's threads is done: the other one is woken, or both ends are closed.
    private func end(_ number: Int) {
        lock.withLock {
            guard var connection = connections[number] else { return }
            Self.shutDown(connection)
            connection.threadCount -= 1
            connections[number] = connection.threadCount > 0 ? connection : nil
            guard connection.threadCount == 0 else { return }
            Foundation.close(connection.client)
            Foundation.close(connection.server)
        }
    }

    private static func shutDown(_ connection: Connection) {
        shutdown(connection.client, Int32(SHUT_RDWR))
        shutdown(connection.server, Int32(SHUT_RDWR))
    }
}
