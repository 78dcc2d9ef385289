import Foundation
import Synchronization

/// A TCP port on 127.0.0.1 that was free a moment ago, and that no other test is given, in this
/// process or another one that runs beside it.
///
/// It lies below the range from which Linux takes ports by itself (32768 on), so that no other
/// test's port 0 and no outgoing connection takes it while a killed daemon is away.
public func freePort() throws -> Int { try TestPorts.common.take() }

/// Ports that tests are given, each once.
///
/// Processes that run beside each other agree by a file that all of them have open: whoever takes a
/// port locks the byte at its number, and the kernel lets go of it when that process ends.
public final class TestPorts: Sendable {
    fileprivate static let common = TestPorts(
        20_000..<30_000, claims: "/tmp/tillbox-test-ports-\(getuid())")

    private let range: Range<Int>
    /// The descriptor of the file, which stays open: a process that closes it lets go of all that
    /// it has locked.
    private let claims: Int32
    private let given = Mutex<Set<Int>>([])

    /// - Parameter claims: the path of the file; made where it is missing.
    public init(_ range: Range<Int>, claims path: String) {
        self.range = range
        claims = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    }

    /// - Throws: ``NoFreePort``.
    public func take() throws -> Int {
        for port in range.shuffled() {
            // Two tests that run side by side must not be given the same one.
            let isNew = given.withLock { $0.insert(port).inserted }
            if isNew, claim(port), Self.isFree(port) { return port }
        }
        throw NoFreePort()
    }

    private func claim(_ port: Int) -> Bool {
        var lock = flock()
        (lock.l_type, lock.l_whence) = (Int16(F_WRLCK), Int16(SEEK_SET))
        (lock.l_start, lock.l_len) = (off_t(port), 1)
        return fcntl(claims, F_SETLK, &lock) == 0
    }

    private static func isFree(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        // SAFETY: the address lives through the call and has the length given.
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}

/// The system gave no port.
public struct NoFreePort: Error {}
