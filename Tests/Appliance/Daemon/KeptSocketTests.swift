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
        (["LISTEN_PID": "7", "LISTEN_FDS": "2"], ["": [3, 4]]),
        (
            ["LISTEN_PID": "7", "LISTEN_FDS": "3", "LISTEN_FDNAMES": "webhook:admin"],
            ["webhook": [3], "admin": [4], "": [5]]
        ),
        (
            ["LISTEN_PID": "7", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "webhook:admin"],
            ["webhook": [3]]
        ),
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

    @Test("what does not listen, or bears no port's name, is refused with what it is instead")
    func refused() async throws {
        let file = open("/dev/null", O_RDONLY)
        var pipes: [Int32] = [0, 0]
        pipe(&pipes)
        let idle = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let datagrams = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        // No descriptor has this number, whatever other tests open meanwhile.
        let ended = Int32.max
        let (port, other) = (try freePort(), try freePort())
        let (first, stray) = (try await Self.opened(port), try await Self.opened(other))
        let kept = Self.sockets([
            "webhook": [file, first, ended], "admin": [pipes[0], idle, datagrams], "": [stray],
        ])
        #expect(kept.refusals == [
            KeptSockets.Refusal(name: "", descriptor: stray, reason: "no port has this name"),
            KeptSockets.Refusal(name: "admin", descriptor: pipes[0], reason: "it is no socket"),
            KeptSockets.Refusal(
                name: "admin", descriptor: idle, reason: "it is a socket that does not listen"),
            KeptSockets.Refusal(
                name: "admin", descriptor: datagrams,
                reason: "it is a socket that does not listen"),
            KeptSockets.Refusal(name: "webhook", descriptor: file, reason: "it is no socket"),
            KeptSockets.Refusal(name: "webhook", descriptor: ended, reason: "it is not open"),
        ])
        let taken = try await kept.socket("webhook", on: Self.address(port), Self.logger)
        #expect(taken == first)
        // What is no port's may be this process's own; where nobody accepts, nobody connects.
        #expect(fcntl(file, F_GETFD) == FD_CLOEXEC && fcntl(pipes[0], F_GETFD) == FD_CLOEXEC)
        #expect(throws: (any Error).self) { try RawConnection(port: other) }
        for descriptor in [file, first, idle, datagrams] + pipes { close(descriptor) }
    }

    @Test("where more than the port's socket bears its name, the manager keeps that one alone")
    func mixed() async throws {
        let manager = try NotifySocket()
        let (port, former) = (try freePort(), try freePort())
        let file = open("/dev/null", O_RDONLY)
        for beside in [file, try await Self.opened(former)] {
            let first = try await Self.opened(port)
            defer { close(first) }
            let kept = KeptSockets(
                manager: manager.told, handed: ["webhook": [beside, first]])
            let socket = try await kept.socket("webhook", on: Self.address(port), Self.logger)
            #expect(socket == first)
            #expect(manager.words == [
                "FDSTOREREMOVE=1\nFDNAME=webhook", "FDSTORE=1\nFDPOLL=0\nFDNAME=webhook",
            ])
        }
        let alone = try await Self.opened(port)
        let kept = KeptSockets(manager: manager.told, handed: ["webhook": [alone]])
        _ = try await kept.socket("webhook", on: Self.address(port), Self.logger)
        #expect(manager.words.isEmpty)
        close(alone)
        close(file)
    }

    /// A service manager that is told words.
    private final class NotifySocket {
        private let descriptor: Int32
        let told: ServiceManager

        init() throws {
            let name = "@tillbox-test-\(getpid())-\(UInt32.random(in: 0 ... .max))"
            told = try #require(
                ServiceManager(environment: ["NOTIFY_SOCKET": name], process: getpid()))
            descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            // A zero byte stands for the @: the name is in no folder.
            let bytes = [0] + name.utf8.dropFirst()
            let size = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
            // SAFETY: the name is shorter than a path may be.
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
            // SAFETY: the address lives through the call, which reads no more than its size.
            let code = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, size)
                }
            }
            try #require(code == 0, "\(String(cString: strerror(errno)))")
        }

        deinit { close(descriptor) }

        /// Those that have come since the last look.
        var words: [String] {
            var words: [String] = []
            var buffer = [UInt8](repeating: 0, count: 4_096)
            while true {
                // SAFETY: the buffer lives through the call, which writes no more than its count.
                let count = buffer.withUnsafeMutableBytes {
                    recv(descriptor, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT))
                }
                guard count >= 0 else { return words }
                words.append(String(decoding: buffer[..<count], as: UTF8.self))
            }
        }
    }

    @Test("one of another port or host is closed, what does not listen is not, and one is opened")
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
