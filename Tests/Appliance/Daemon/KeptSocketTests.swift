import Foundation
import Logging
import NIOCore
import TestSupport
import Testing

@testable import Daemon

/// The ports' sockets as they are handed from one process to the next.
@Suite("Sockets of a service manager")
struct KeptSocketTests {
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private static func sockets(_ handed: [String: [Int32]]) -> KeptSockets {
        KeptSockets(manager: nil, handed: handed)
    }

    /// - Returns: a descriptor that listens there, as a process of a moment ago has left it.
    private static func opened(_ port: Int) async throws -> Int32 {
        try await sockets([:]).socket("webhook", on: address(port), logger)
    }

    private static func address(_ port: Int, host: String = "127.0.0.1") -> Settings.Address {
        Settings.Address(host: host, port: port)
    }

    @Test("are told by the environment of this process alone", arguments: [
        ([:], [:]),
        (["LISTEN_FDS": "2", "LISTEN_FDNAMES": "webhook:admin"], [:]),
        (["LISTEN_PID": "8", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "webhook:admin"], [:]),
        (
            ["LISTEN_PID": "7", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "webhook:admin"],
            ["webhook": [3], "admin": [4]]
        ),
        (
            ["LISTEN_PID": "7", "LISTEN_FDS": "3", "LISTEN_FDNAMES": "webhook::webhook"],
            ["webhook": [3, 5], "": [4]]
        ),
        (["LISTEN_PID": "7", "LISTEN_FDS": "2"], ["": [3]]),
        (["LISTEN_PID": "7", "LISTEN_FDS": "many", "LISTEN_FDNAMES": "webhook"], [:]),
        (["LISTEN_PID": "7", "LISTEN_FDS": "-1", "LISTEN_FDNAMES": "webhook"], [:]),
        (["LISTEN_PID": "7", "LISTEN_FDS": "2000000000", "LISTEN_FDNAMES": "webhook"], [:]),
    ] as [([String: String], [String: [Int32]])])
    func told(environment: [String: String], expected: [String: [Int32]]) {
        #expect(KeptSockets.handed(environment: environment, process: 7) == expected)
    }

    @Test("one that listens where the port is wanted is taken, and taken once")
    func taken() async throws {
        let port = try freePort()
        let first = try await Self.opened(port)
        let kept = Self.sockets(["webhook": [first]])
        let socket = try await kept.socket("webhook", on: Self.address(port), Self.logger)
        #expect(socket == first)
        // It has been given away, so that a further one would have to be opened.
        await #expect(throws: IOError.self) {
            _ = try await kept.socket("webhook", on: Self.address(port), Self.logger)
        }
        #expect(throws: Never.self) { try RawConnection(port: port) }
        close(first)
    }

    @Test("a port that the system may choose is what was handed over")
    func anyPort() async throws {
        let first = try await Self.opened(try freePort())
        let socket = try await Self.sockets(["webhook": [first]])
            .socket("webhook", on: Self.address(0), Self.logger)
        #expect(socket == first)
        close(first)
    }

    @Test("one of another port or host, or that does not listen, is closed, and one is opened")
    func other() async throws {
        let (former, port) = (try freePort(), try freePort())
        let file = open("/dev/null", O_RDONLY)
        let first = try await Self.opened(former)
        let kept = Self.sockets(["webhook": [first, file]])
        let socket = try await kept.socket("webhook", on: Self.address(port), Self.logger)
        #expect(throws: (any Error).self) { try RawConnection(port: former) }
        #expect(throws: Never.self) { try RawConnection(port: port) }
        // The same port on all addresses is not the same place; this process closed the old one.
        let wide = try await Self.sockets(["webhook": [socket]])
            .socket("webhook", on: Self.address(port, host: "0.0.0.0"), Self.logger)
        #expect(throws: Never.self) { try RawConnection(port: port) }
        close(wide)
    }

    @Test("a port that another process has is an error with its number")
    func inUse() async throws {
        let port = try freePort()
        let first = try await Self.opened(port)
        defer { close(first) }
        let error = await #expect(throws: IOError.self) { try await Self.opened(port) }
        #expect(error?.errnoCode == EADDRINUSE)
    }
}
