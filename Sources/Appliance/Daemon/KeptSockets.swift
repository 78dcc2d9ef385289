import Appliance
import CProcess
import Foundation
package import Logging
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
/// itself are taken too, by the names `webhook` and `admin`. Whatever else is handed over is
/// refused, and so is what does not listen.
package final class KeptSockets: Sendable {
    /// A descriptor that is no port's.
    struct Refusal: Hashable, Sendable {
        var name: String
        var descriptor: Int32
        /// What it is instead.
        var reason: String
    }

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
    let refusals: [Refusal]

    /// Those of this process; nil where nobody keeps any. Ask first, before the process opens
    /// files: one of them would bear the number of a descriptor that was told and not handed over.
    package static let ofProcess: KeptSockets? = {
        let own = handed(environment: ProcessInfo.processInfo.environment, process: getpid())
        guard ServiceManager.ofProcess != nil || !own.isEmpty else { return nil }
        return KeptSockets(manager: ServiceManager.ofProcess, handed: own)
    }()

    init(manager: ServiceManager?, handed told: [String: [Int32]]) {
        self.manager = manager
        var (kept, refusals): ([String: [Int32]], [Refusal]) = ([:], [])
        for (name, descriptors) in told.sorted(by: { $0.key < $1.key }) {
            for descriptor in descriptors {
                // Nobody whom this process starts is to have it.
                _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
                guard let reason = Self.fault(of: descriptor, named: name) else {
                    kept[name, default: []].append(descriptor)
                    continue
                }
                refusals.append(Refusal(name: name, descriptor: descriptor, reason: reason))
            }
        }
        handed = Mutex(kept)
        self.refusals = refusals
    }

    /// Why a descriptor is not to be taken. What does not listen stays open: whether it is ours to
    /// close, nobody can tell.
    private static func fault(of descriptor: Int32, named name: String) -> String? {
        switch tillbox_is_listening(descriptor) {
        case 1 where [DaemonPorts.webhookRole, DaemonPorts.adminRole].contains(name): return nil
        case 1:
            // Whoever connects would wait for nobody.
            close(descriptor)
            return "no port has this name"
        case 0: return "it is a socket that does not listen"
        case -EBADF: return "it is not open"
        case -ENOTSOCK: return "it is no socket"
        case let code: return String(cString: strerror(-code))
        }
    }

    /// Says which of what was handed over is not taken.
    package func tellRefusals(_ logger: Logger) {
        for refusal in refusals {
            logger.warning(
                "a descriptor that was handed over (LISTEN_FDS) is not taken: \(refusal.reason)",
                metadata: [
                    "name": "\(refusal.name)", "descriptor": "\(refusal.descriptor)",
                ])
        }
    }

    /// What the environment says of descriptors that were handed over, by their names; those for
    /// which it has none are nameless.
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
        for number in 0..<count {
            let name = names.indices.contains(Int(number)) ? String(names[Int(number)]) : ""
            handed[name, default: []].append(firstDescriptor + number)
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
        // It lets go of all that have the name, the one that is taken too.
        let hasOthers = known.contains { $0 != fitting } || refusals.contains { $0.name == name }
        if hasOthers { manager?.forget(name) }
        if let fitting {
            if hasOthers { keep(fitting, name, logger) }
            return fitting
        }
        let opened = try await Self.open(place, attemptCount: known.isEmpty ? 1 : Self.attemptCount)
        keep(opened, name, logger)
        return opened
    }

    private func keep(_ descriptor: Int32, _ name: String, _ logger: Logger) {
        guard let code = manager?.keep(descriptor, named: name), code != 0 else { return }
        logger.warning(
            "the service manager cannot keep a port open through a restart",
            metadata: ["role": "\(name)", "error": "\(String(cString: strerror(code)))"])
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
