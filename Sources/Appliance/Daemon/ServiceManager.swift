import CProcess
import Foundation
package import Logging

/// Who started this process as a service and wants to know how it is: systemd, by the datagrams of
/// sd_notify(3). A process that nobody asked says nothing.
package struct ServiceManager: Sendable {
    /// What there is to tell.
    package enum Word: String, Sendable {
        /// Deliveries are taken, or a role has begun its work.
        case ready = "READY=1"
        case stopping = "STOPPING=1"
        /// It lives: the manager ends a process that has not said so for its time.
        case alive = "WATCHDOG=1"
    }

    private let socket: String
    /// Seconds within which it must hear that the process lives; nil where it does not ask.
    package let watchdogSeconds: Double?

    /// The one of this process; nil where there is none.
    package static let ofProcess = ServiceManager(
        environment: ProcessInfo.processInfo.environment, process: getpid())

    /// - Parameters:
    ///   - environment: `NOTIFY_SOCKET` names the socket; `WATCHDOG_USEC` is a time in
    ///     microseconds, meant for the process `WATCHDOG_PID` where that is set.
    ///   - process: the number of this one.
    package init?(environment: [String: String], process: Int32) {
        guard let socket = environment["NOTIFY_SOCKET"], !socket.isEmpty else { return nil }
        self.socket = socket
        let isMeant = environment["WATCHDOG_PID"].map { $0 == "\(process)" } ?? true
        let microseconds = environment["WATCHDOG_USEC"].flatMap { Int64($0) } ?? 0
        watchdogSeconds = isMeant && microseconds > 0 ? Double(microseconds) / 1e6 : nil
    }

    /// Never waits.
    ///
    /// - Returns: 0, or the `errno` of what kept the word from being sent.
    @discardableResult
    package func tell(_ word: Word) -> Int32 { tillbox_tell(socket, word.rawValue, -1) }

    /// Has it keep a socket while no process of this service runs, and hand it to the next one by
    /// that name. It refuses where its unit has no room for that (`FileDescriptorStoreMax=`).
    ///
    /// - Returns: 0, or the `errno` of what kept the socket from being sent.
    func keep(_ descriptor: Int32, named name: String) -> Int32 {
        // Nobody but us looks at what the socket has.
        tillbox_tell(socket, "FDSTORE=1\nFDPOLL=0\nFDNAME=\(name)", descriptor)
    }

    /// Has it let go of the sockets of that name, soon.
    func forget(_ name: String) {
        // Where the word does not arrive, the address stays taken, and that is said.
        _ = tillbox_tell(socket, "FDSTOREREMOVE=1\nFDNAME=\(name)", -1)
    }

    /// Tells, and says in the log where that is not possible: systemd would wait for the word.
    package func tell(_ word: Word, _ logger: Logger) {
        let code = tell(word)
        guard code != 0 else { return }
        logger.warning(
            "the service manager cannot be told",
            metadata: [
                "word": "\(word.rawValue)", "socket": "\(socket)",
                "error": "\(String(cString: strerror(code)))",
            ])
    }
}
