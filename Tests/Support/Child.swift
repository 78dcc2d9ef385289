import Foundation
import Synchronization

/// A child process with its output kept, killed when this object goes.
public final class Child: @unchecked Sendable {
    // `@unchecked Sendable`: Process is used from one test at a time; the output sits behind a mutex.
    private let process = Process()
    private let output = Output()
    private let errors = Output()

    /// What came through one pipe, and whether that has ended.
    private final class Output: Sendable {
        let bytes = Mutex<[UInt8]>([])
        let ended = DispatchSemaphore(value: 0)

        func pipe() -> Pipe {
            let pipe = Pipe()
            pipe.fileHandleForReading.readabilityHandler = { handle in
                let data = handle.availableData
                guard !data.isEmpty else {
                    handle.readabilityHandler = nil
                    self.ended.signal()
                    return
                }
                self.bytes.withLock { $0.append(contentsOf: data) }
            }
            return pipe
        }

        var text: String { bytes.withLock { String(decoding: $0, as: UTF8.self) } }
    }

    /// Starts `executable`.
    ///
    /// - Parameter environment: all of the child's variables; nothing of this process's but PATH.
    public init(
        _ executable: String, _ arguments: [String] = [], environment: [String: String] = [:],
        folder: String? = nil
    ) throws {
        process.executableURL = URL(filePath: executable)
        process.arguments = arguments
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        process.environment = ["PATH": path, "LANG": "C.UTF-8"].merging(environment) { $1 }
        if let folder { process.currentDirectoryURL = URL(filePath: folder) }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output.pipe()
        process.standardError = errors.pipe()
        try process.run()
    }

    deinit { if process.isRunning { kill(SIGKILL) } }

    public var processID: Int32 { process.processIdentifier }
    public var isRunning: Bool { process.isRunning }

    /// What it wrote to standard output so far.
    public var standardOutput: String { output.text }
    /// What it wrote to standard error so far.
    public var standardError: String { errors.text }

    public func kill(_ signal: Int32) { Foundation.kill(process.processIdentifier, signal) }

    /// Waits for its end and for the last of its output.
    ///
    /// - Returns: the exit code, or 128 and the signal's number.
    @discardableResult
    public func wait() -> Int32 {
        process.waitUntilExit()
        for one in [output, errors] {
            one.ended.wait()
            one.ended.signal()
        }
        return process.terminationReason == .uncaughtSignal
            ? 128 + process.terminationStatus : process.terminationStatus
    }

    /// Runs to the end.
    public static func run(
        _ executable: String, _ arguments: [String] = [], environment: [String: String] = [:],
        folder: String? = nil
    ) throws -> (code: Int32, output: String, errors: String) {
        let child = try Child(executable, arguments, environment: environment, folder: folder)
        let code = child.wait()
        return (code, child.standardOutput, child.standardError)
    }
}

/// Returns when `condition` holds; it is asked again every few milliseconds.
///
/// - Throws: `ConditionNeverHeld` after `seconds`.
public func eventually(
    _ what: String, within seconds: Double = 30, _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while try await !condition() {
        guard .now < deadline else { throw ConditionNeverHeld(what: what, seconds: seconds) }
        try await Task.sleep(for: .milliseconds(5))
    }
}

/// What a test waited for did not come about.
public struct ConditionNeverHeld: Error, CustomStringConvertible {
    public var what: String
    public var seconds: Double
    public var description: String { "not within \(seconds) s: \(what)" }
}
