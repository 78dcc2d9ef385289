internal import Foundation
internal import Synchronization

/// One look-up of a host name on a thread of its own: the system's resolver blocks for as long as
/// it likes, and nobody's deadline may wait for it.
final class NameLookup: Sendable {
    /// Blocking: a host and a port, and their addresses.
    typealias Resolver = @Sendable (String, UInt16) throws(StreamError) -> [SocketAddress]

    private let found = Mutex<Result<[SocketAddress], StreamError>?>(nil)

    /// - Parameter bell: rung when the result is there.
    init(of host: String, port: UInt16, bell: Bell, _ resolver: @escaping Resolver) {
        Thread.detachNewThread { [self] in
            let result = Result { () throws(StreamError) in
                try resolver(host, port)
            }
            found.withLock { $0 = result }
            bell.ring()
        }
    }

    /// Nil until it is there.
    var result: Result<[SocketAddress], StreamError>? { found.withLock { $0 } }
}
