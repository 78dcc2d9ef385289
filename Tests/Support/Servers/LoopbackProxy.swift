import Foundation

/// Stands between clients and a server on loopback, and looks at every piece that passes: a test
/// decides which of them passes, ends its connection, or is kept for ever.
///
/// A piece is what one `recv` gives: a small question or answer comes whole.
final class LoopbackProxy: @unchecked Sendable {
    // `@unchecked Sendable`: everything that changes does so under `lock`.
    enum Verdict {
        case pass
        /// Ends the connection, both ways.
        case cut
        /// Lets nothing through in this direction any more; the connection stays.
        case keep
    }

    /// - isQuestion: whether it goes to the server.
    typealias Judge = @Sendable (_ piece: ArraySlice<UInt8>, _ isQuestion: Bool) -> Verdict

    let port: Int
    private let target: Int
    private let judge: Judge
    private let listener: Int32
    private let lock = NSLock()
    private var descriptors: Set<Int32> = []
    private var isClosed = false

    /// - Parameter target: the server's port.
    init(to target: Int, judge: @escaping Judge) throws {
        self.target = target
        self.judge = judge
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = listener
        // SAFETY: the kernel reads and writes one sockaddr_in, which outlives the calls.
        let code = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && listen(descriptor, 8) == 0
                    ? getsockname(descriptor, $0, &length) : -1
            }
        }
        guard code == 0 else { throw NoFreePort() }
        port = Int(UInt16(bigEndian: address.sin_port))
        Thread.detachNewThread { [self] in accept() }
    }

    /// Ends the listener and all connections.
    func close() {
        lock.withLock {
            isClosed = true
            for descriptor in descriptors { shutdown(descriptor, Int32(SHUT_RDWR)) }
        }
        shutdown(listener, Int32(SHUT_RDWR))
    }

    private func accept() {
        while true {
            let client = Foundation.accept(listener, nil, nil)
            guard client >= 0, let server = connectToTarget() else {
                if client >= 0 { Foundation.close(client) }
                if lock.withLock({ isClosed }) || client < 0 {
                    Foundation.close(listener)
                    return
                }
                continue
            }
            lock.withLock { descriptors.formUnion([client, server]) }
            Thread.detachNewThread { [self] in pass(from: client, to: server, isQuestion: true) }
            Thread.detachNewThread { [self] in pass(from: server, to: client, isQuestion: false) }
        }
    }

    private func connectToTarget() -> Int32? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
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

    private func pass(from: Int32, to: Int32, isQuestion: Bool) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(from, &buffer, buffer.count, 0)
            guard count > 0 else { break }
            switch judge(buffer[..<count], isQuestion) {
            case .pass: break
            case .cut: return end(from, to)
            case .keep:
                // Read on, so that its sender's end is seen.
                while recv(from, &buffer, buffer.count, 0) > 0 {}
                return end(from, to)
            }
            guard sendAll(buffer[..<count], to) else { break }
        }
        end(from, to)
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

    private func end(_ from: Int32, _ to: Int32) {
        shutdown(from, Int32(SHUT_RDWR))
        shutdown(to, Int32(SHUT_RDWR))
    }
}
