import Foundation

/// A server that a test starts. It ends with this object, and with the test process even when that
/// is killed.
public final class ServerProcess: Sendable {
    private let child: Child

    /// Starts `command`, whose first word is the path of an executable.
    ///
    /// - Parameter folder: where it keeps its files; gone too when the test process is killed.
    public init(
        _ command: [String], folder: TemporaryFolder? = nil, environment: [String: String] = [:]
    ) throws {
        let script = Repository.root.appending(path: "Tests/Support/Servers/guarded.py").path
        let own = ProcessInfo.processInfo.processIdentifier
        child = try Child(
            "/usr/bin/python3", [script, "\(own)", folder?.path ?? "-"] + command,
            environment: environment)
    }

    /// The server's own.
    public var processID: Int32 { child.processID }
    public var isRunning: Bool { child.isRunning }
    public var output: String { child.standardOutput }
    public var errors: String { child.standardError }

    public func kill(_ signal: Int32) { child.kill(signal) }

    /// Holds it: its connections stay, and nothing is answered. Returns when it stands still, which
    /// on a busy machine is not at once: until one of its threads takes the signal, they all run.
    public func freeze() {
        child.kill(SIGSTOP)
        var news = siginfo_t()
        // Told, and left to be told to others.
        let options = Int32(WSTOPPED | WEXITED | WNOWAIT)
        while waitid(P_PID, id_t(processID), &news, options) != 0, errno == EINTR {}
    }

    public func thaw() { child.kill(SIGCONT) }

    /// Sends a signal and waits for the end.
    public func end(_ signal: Int32) async throws {
        child.kill(signal)
        // A stopped one takes no other signal before it goes on.
        if signal != SIGKILL { child.kill(SIGCONT) }
        try await eventually("the server ends") { !child.isRunning }
    }
}
