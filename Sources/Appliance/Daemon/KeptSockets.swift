import Appliance
import CProcess
import Foundation
import Logging
import NIOCore
import Synchronization

/// The ports' sockets where a service manager keeps them from one process to the next: while none
/// runs, who connects waits in the kernel and is not refused.
///
///     first process       service manager         next process
///     opens, listens ──▶ keeps a copy (FDSTORE=1)
///     stops, or dies      the port stays open
///                         starts the next one ──▶ LISTEN_FDS: takes it, or has it closed where
///                                                 the configuration names another address
///
/// What is handed over is told as sd_listen_fds(3) says, so that sockets which a manager has opened
/// itself are taken too, by the names `webhook` and `admin`.
final class KeptSockets: Sendable {
    /// The first descriptor that is handed over.
    private static let firstDescriptor: Int32 = 3
    /// More than any manager has for this process.
    private static let descriptorCountMax: Int32 = 64
    /// Attempts at an address that the manager is letting go of, and the pause between two.
    private static let attemptCount = 100
    private static let attemptPause = Duration.milliseconds(20)

    private let manager: ServiceManager?
    /// Not taken yet, by their names.
    private let handed: Mutex<[String: [Int32]]>

    /// Those of this process; nil where nobody keeps any.
    static let ofProcess: KeptSockets? = {
        let own = handed(environment: ProcessInfo.processInfo.environment, process: getpid())
        guard ServiceManager.ofProcess != nil || !own.isEmpty else { return nil }
        for descriptor in own.values.joined() { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        return KeptSockets(manager: ServiceManager.ofProcess, handed: own)
    }()

    init(manager: ServiceManager?, handed: [String: [Int32]]) {
        self.manager = manager
        self.handed = Mutex(handed)
    }

    /// What the environment says of descriptors that were handed over, by their names.
    ///
    /// - Parameter process: the number of this one; what is meant for another is not for us.
    static func handed(environment: [String: String], process: Int32) -> [String: [Int32]] {
        guard environment["LISTEN_PID"] == "\(process)",
            let count = environment["LISTEN_FDS"].flatMap({ Int32($0) }),
            (1...descriptorCountMax).contains(count)
        else { return [:] }
        let names = (environment["LISTEN_FDNAMES"] ?? "")
            .split(separator: ":", omittingEmptySubsequences: false)
        var handed: [String: [Int32]] = [:]
        for (name, number) in zip(names, 0..<count) {
            handed[String(name), default: []].append(firstDescriptor + number)
        }
        return handed
    }

    /// The socket of a port, which listens: the one that was handed over by that name, else a new
    /// one, which the manager is given.
    ///
    /// - Throws: `IOError`, `SocketAddressError` where there is none to be had.
    func socket(
        _ name: String, on address: Settings.Address, _ logger: Logger
    ) async throws -> Int32 {
        let place = try SocketAddress.makeAddressResolvingHost(address.host, port: address.port)
        let known = handed.withLock { $0.removeValue(forKey: name) ?? [] }
        let fitting = known.first { Self.listens($0, on: place) }
        for descriptor in known where descriptor != fitting { close(descriptor) }
        if let fitting { return fitting }
        if !known.isEmpty { manager?.forget(name) }
        let opened = try await Self.open(place, attemptCount: known.isEmpty ? 1 : Self.attemptCount)
        if let code = manager?.keep(opened, named: name), code != 0 {
            logger.warning(
                "the service manager cannot keep a port open through a restart",
                metadata: ["role": "\(name)", "error": "\(String(cString: strerror(code)))"])
        }
        return opened
    }

    // SAFETY: the address is read during the call alone, and by its family no further than it is.
    private static func listens(_ descriptor: Int32, on place: SocketAddress) -> Bool {
        place.withSockAddr { address, _ in tillbox_listens(descriptor, address) == 1 }
    }

    private static func open(_ place: SocketAddress, attemptCount: Int) async throws -> Int32 {
        var attempt = 1
        while true {
            // SAFETY: the address is read during the call alone, no further than its size.
            let descriptor = place.withSockAddr { address, size in
                tillbox_listen(address, socklen_t(size), PortServer.backlogCount)
            }
            if descriptor >= 0 { return descriptor }
            guard descriptor == -EADDRINUSE, attempt < attemptCount else {
                throw IOError(errnoCode: -descriptor, reason: "listen")
            }
            // The manager still has the one that was to be closed.
            try await Task.sleep(for: attemptPause)
            attempt += 1
        }
    }
}
