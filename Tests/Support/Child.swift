import Foundation
import Synchronization

/// A child process with its output kept in files, killed when this object goes.
///
/// Files and not pipes: a sibling started at the same moment may inherit the end of a pipe, and
/// then its reader never sees the end.
public final class Child: @unchecked Sendable {
    // `@unchecked Sendable`: Process is used from one test at a time.
    private let process = Process()
    private let folder: TemporaryFolder
    /// Kept open for as long as this object is there.
    private let input: Pipe?
    private let end = End()

    /// Starts `executable`.
    ///
    /// - Parameters:
    ///   - environment: all of the child's variables; nothing of this process's but PATH.
    ///   - isFed: whether its standard input stays open, so that reading it waits for the end of
    ///     this object; else there is nothing to read.
    public init(
        _ executable: String, _ arguments: [String] = [], environment: [String: String] = [:],
        isFed: Bool = false
    ) throws {
        folder = try TemporaryFolder()
        process.executableURL = URL(filePath: executable)
        process.arguments = arguments
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        process.environment = ["PATH": path, "LANG": "C.UTF-8"].merging(environment) { $1 }
        input = isFed ? Pipe() : nil
        process.standardInput = input ?? FileHandle.nullDevice
        process.standardOutput = try Self.create(folder.file("output"))
        process.standardError = try Self.create(folder.file("errors"))
        process.terminationHandler = { [end] _ in end.come() }
        try Self.unblockingSignals { try process.run() }
    }

    deinit { kill(SIGKILL) }

    /// A pool's thread has most signals blocked, and a child inherits that with all that it starts:
    /// no SIGTERM would end them.
    private static func unblockingSignals(_ start: () throws -> Void) rethrows {
        var none = sigset_t()
        var before = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try start()
    }

    private static func create(_ path: String) throws -> FileHandle {
        _ = FileManager.default.createFile(atPath: path, contents: nil)
        return try FileHandle(forWritingTo: URL(filePath: path))
    }

    public var processID: Int32 { process.processIdentifier }
    public var isRunning: Bool { process.isRunning }

    /// What it wrote to standard output so far.
    public var standardOutput: String { text("output") }
    /// What it wrote to standard error so far.
    public var standardError: String { text("errors") }

    private func text(_ name: String) -> String {
        String(
            decoding: FileManager.default.contents(atPath: folder.file(name)) ?? Data(),
            as: UTF8.self)
    }

    /// Nothing where it has ended: its number may be another process's by then.
    public func kill(_ signal: Int32) {
        guard process.isRunning else { return }
        Foundation.kill(process.processIdentifier, signal)
    }

    /// Waits for its end. `waitUntilExit` would do so by running a run loop without sources, which
    /// takes a core for as long as it lasts.
    ///
    /// - Returns: the exit code, or 128 and the signal's number.
    @discardableResult
    public func wait() async -> Int32 {
        await end.wait()
        let status = process.terminationStatus
        return process.terminationReason == .uncaughtSignal ? 128 + status : status
    }

    /// Runs to the end.
    public static func run(
        _ executable: String, _ arguments: [String] = [], environment: [String: String] = [:]
    ) async throws -> (code: Int32, output: String, errors: String) {
        let child = try Child(executable, arguments, environment: environment)
        let code = await child.wait()
        return (code, child.standardOutput, child.standardError)
    }
}

/// The end of a process, which is waited for by whoever wants to know of it.
private final class End: Sendable {
    private struct State {
        var isThere = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    func come() {
        let waiting = state.withLock { state in
            defer { state.waiting = [] }
            state.isThere = true
            return state.waiting
        }
        for one in waiting { one.resume() }
    }

    func wait() async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                if !state.isThere { state.waiting.append(continuation) }
                return state.isThere
            }
            if isThere { continuation.resume() }
        }
    }
}

/// Returns when `condition` holds; it is asked again every few milliseconds.
///
/// - Parameters:
///   - what: is looked at only once it has not held, and so may tell what stands then.
///   - pause: between two questions, longer for one that is work for the machine.
/// - Throws: `ConditionNeverHeld` after `seconds`.
public func eventually(
    _ what: @autoclosure () -> String, within seconds: Double = 60,
    every pause: Duration = .milliseconds(5),
    _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while try await !condition() {
        guard .now < deadline else { throw ConditionNeverHeld(what: what(), seconds: seconds) }
        try await Task.sleep(for: pause)
    }
}

/// What a test waited for did not come about.
public struct ConditionNeverHeld: Error, CustomStringConvertible {
    public var what: String
    public var seconds: Double
    public var description: String { "not within \(seconds) s: \(what)" }
}
